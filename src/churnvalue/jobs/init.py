"""``init``: looks at a source, guesses what its columns mean, and proposes a configuration to correct."""

import re
from dataclasses import dataclass
from pathlib import Path

from churnvalue.engines.duck import DuckEngine
from churnvalue.errors import ConfigError, SourceError
from churnvalue.storage import write_text

# For each role: whole names first, then parts of names, most telling first; lower case, without signs.
_HINTS: dict[str, tuple[str, ...]] = {
    "customer_id": (
        "customerid",
        "userid",
        "clientid",
        "memberid",
        "customer",
        "custid",
        "userno",
        "user",
        "client",
        "member",
    ),
    "event_time": (
        "eventtime",
        "invoicedate",
        "orderdate",
        "timestamp",
        "datetime",
        "createdat",
        "purchasedate",
        "date",
        "time",
    ),
    "order_id": (
        "orderid",
        "invoice",
        "invoiceno",
        "transactionid",
        "basketid",
        "receipt",
        "order",
        "transaction",
    ),
    "amount": ("amount", "totalprice", "total", "revenue", "sales", "value", "spend"),
    "quantity": ("quantity", "qty", "units", "numberofcds"),
    "category": ("category", "stockcode", "productid", "sku", "product", "item"),
    "channel": ("channel",),
    "campaign": ("campaign",),
    "known_at": ("knownat", "loadedat", "receivedat", "insertedat"),
    "kind": ("kind", "eventtype", "event", "type", "action"),
}
_PRICES = ("price", "unitprice")
_TIMES = ("timestamp", "date", "string")
_NUMBERS = ("int", "float", "decimal", "uint", "string")
_TYPES = {
    "event_time": _TIMES,
    "known_at": _TIMES,
    "amount": _NUMBERS,
    "quantity": _NUMBERS,
    "kind": ("string",),
}


@dataclass(frozen=True)
class Proposal:
    """A configuration as text, where it was written, and what to look at in it."""

    path: Path
    text: str
    remarks: tuple[str, ...]


def init(source: str, folder: Path) -> Proposal:
    """Write ``churnvalue.toml`` for ``source`` into ``folder`` and return it.

    Raises:
        ConfigError: If there is a configuration already, or the source shows neither customer nor time.
    """
    path = folder / "churnvalue.toml"
    if path.exists():
        raise ConfigError(f"{path.name} must not exist yet, but it does. Move it away, or edit it.")
    columns = DuckEngine(folder).columns(source)
    roles = guess(columns)
    missing = [role for role in ("customer_id", "event_time") if role not in roles]
    if missing:
        raise SourceError(
            f"{source} must have columns for {' and '.join(missing)}, but none of {', '.join(columns)} looks like it."
            " Rename one, or write churnvalue.toml by hand."
        )
    remarks = _remarks(roles, columns)
    text = _toml(source, roles, columns, folder)
    write_text(path, text)
    return Proposal(path, text, remarks)


def guess(columns: dict[str, str]) -> dict[str, str]:
    """Return the column, or arithmetic, that seems to play each role; by name and type.

    >>> guess({"Customer ID": "int64", "InvoiceDate": "timestamp(6)", "Quantity": "int64", "Price": "float64"})["amount"]
    'Quantity * Price'
    """
    plain = {re.sub(r"[^a-z0-9]", "", name.casefold()): name for name in columns}
    found: dict[str, str] = {}
    for exact in (True, False):
        for role, hints in _HINTS.items():
            if role in found:
                continue
            for hint in hints:
                fits = [
                    name for key, name in plain.items()
                    if (key == hint if exact else hint in key) and name not in found.values()
                    and columns[name].startswith(_TYPES.get(role, ("",)))
                ]  # fmt: skip
                if fits:
                    found[role] = fits[0]
                    break
    price = next((plain[key] for key in _PRICES if key in plain), None)
    if "amount" not in found and price:
        found["amount"] = f"{_quoted(found['quantity'])} * {_quoted(price)}" if "quantity" in found else price
    return found


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else f'"{name}"'


def _remarks(roles: dict[str, str], columns: dict[str, str]) -> tuple[str, ...]:
    lines = []
    for role, what in {
        "amount": "spend and value",
        "order_id": "what belongs to one order",
        "category": "what is bought",
    }.items():
        if role not in roles:
            lines.append(f"no column for {role}: {what} will stay unknown")
    if "timestamp" in columns[roles["event_time"]] and "UTC" not in columns[roles["event_time"]]:
        lines.append("times have no UTC offset: set timezone to the zone they were written in")
    if "kind" not in roles:
        lines.append(
            "every row is taken for a purchase; add [[events]] for visits, tickets and messages where you have them"
        )
    return tuple(lines)


def _toml(source: str, roles: dict[str, str], columns: dict[str, str], folder: Path) -> str:
    kind = f"{{ column = {_text(roles['kind'])} }}" if "kind" in roles else '"purchase"'
    mapped = ", ".join(f"{role} = {_text(name)}" for role, name in roles.items() if role != "kind")
    project = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).strip("-._") or "churnvalue"
    aware = "UTC" in columns[roles["event_time"]] or "'" in columns[roles["event_time"]]
    zone = "" if aware else 'timezone = "UTC"  # the clock that the times were written by\n'
    return (
        f"project = {_text(project)}\n\n[[events]]\nsource = {_text(source)}\nkind = {kind}\n{zone}columns = {{ {mapped} }}\n\n"
        "[outcome]\nhorizon_days = 90\n\n[value]\nmargin = 0.35  # of the amount; set your own\n"
    )


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
