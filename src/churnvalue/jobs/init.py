"""``init``: looks at a source, guesses what its columns mean, and proposes a configuration to correct."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from churnvalue.engines.duck import DuckEngine
from churnvalue.errors import ConfigError, SourceError
from churnvalue.jobs.by_content import amount_column, customer_column, looked_at, time_column
from churnvalue.language import _
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
_DATES = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d")
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_LOOKED_AT = 2_000  # values of the time column
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
    by_name = set(roles)
    if not {"customer_id", "event_time"} <= by_name:
        roles = _by_content(source, roles, columns, folder)
    missing = [role for role in ("customer_id", "event_time") if role not in roles]
    if missing:
        raise SourceError(
            f"{source} must have columns for {' and '.join(missing)}, but none of {', '.join(columns)} looks like it."
            " Rename one, or write churnvalue.toml by hand."
        )
    formats: tuple[str, ...] = ()
    if columns[roles["event_time"]].startswith("string"):
        formats = time_formats(DuckEngine(folder).values(source, roles["event_time"], _LOOKED_AT))
    guessed = tuple(
        _("{column} is taken for {role} by what it holds: see that it is", column=roles[role], role=role)
        for role in roles
        if role not in by_name
    )
    remarks = (*guessed, *_remarks(roles, columns, formats))
    text = _toml(source, roles, columns, folder, formats)
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


def _by_content(source: str, roles: dict[str, str], columns: dict[str, str], folder: Path) -> dict[str, str]:
    """Return the roles with time, customer and amount added where their columns' names told nothing."""
    left = [name for name in columns if name not in roles.values()]
    values = looked_at(source, left, folder)
    found = dict(roles)
    if "event_time" not in found:
        reads = {name: not columns[name].startswith("string") or _is_time(values[name]) for name in left}
        timely = [name for name in left if columns[name].startswith(_TIMES)]
        if time := time_column(timely, values, reads):
            found["event_time"] = time
    left = [name for name in left if name not in found.values()]
    if "amount" not in found and (amount := amount_column(left, values)):
        found["amount"] = amount
        left.remove(amount)
    if "customer_id" not in found and "event_time" in found:
        customer = customer_column(source, left, found["event_time"], folder)
        found |= {"customer_id": customer} if customer else {}
    return found


def _is_time(values: Sequence[str]) -> bool:
    try:
        return bool([datetime.fromisoformat(value) for value in values])
    except ValueError:
        return bool(time_formats(values))


def time_formats(values: Sequence[str]) -> tuple[str, ...]:
    """Return the formats that read every value, empty where they are ISO already or nothing fits.

    >>> time_formats(["01/02/2024 10:30", "31/01/2024 08:00"])
    ('%d/%m/%Y %H:%M',)
    """

    def reads(time_format: str | None) -> bool:
        try:
            for value in values:
                datetime.fromisoformat(value) if time_format is None else datetime.strptime(value, time_format)
        except ValueError:
            return False
        return True

    if not values or reads(None):
        return ()
    return tuple(date + clock for date in _DATES for clock in _CLOCKS if reads(date + clock))


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else f'"{name}"'


def _remarks(roles: dict[str, str], columns: dict[str, str], formats: tuple[str, ...]) -> tuple[str, ...]:
    lines = []
    for role, what in {
        "amount": _("spend and value"),
        "order_id": _("what belongs to one order"),
        "category": _("what is bought"),
    }.items():
        if role not in roles:
            lines.append(_("no column for {role}: {what} will stay unknown", role=role, what=what))
    if len(formats) > 1:
        lines.append(
            _("times can be read as {formats}: set time_format to the right one", formats=" or ".join(formats))
        )
    if not _states_offset(columns[roles["event_time"]]):
        lines.append(_("times have no UTC offset: set timezone to the zone they were written in"))
    if "kind" not in roles:
        lines.append(
            _("every row is taken for a purchase; add [[events]] for visits, tickets and messages where you have them")
        )
    return tuple(lines)


def _states_offset(kind: str) -> bool:
    """Whether a type of times holds the offset from UTC."""
    return kind.startswith("timestamp('")


def _toml(source: str, roles: dict[str, str], columns: dict[str, str], folder: Path, formats: tuple[str, ...]) -> str:
    kind = f"{{ column = {_text(roles['kind'])} }}" if "kind" in roles else '"purchase"'
    mapped = ", ".join(f"{role} = {_text(roles[role])}" for role in _HINTS if role in roles and role != "kind")
    project = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).strip("-._") or "churnvalue"
    zone = (
        ""
        if _states_offset(columns[roles["event_time"]])
        else 'timezone = "UTC"  # the clock that the times were written by\n'
    )
    zone += f"time_format = {_text(formats[0])}\n" if formats else ""
    return (
        f"project = {_text(project)}\n\n[[events]]\nsource = {_text(source)}\nkind = {kind}\n{zone}columns = {{ {mapped} }}\n\n"
        "[outcome]\nhorizon_days = 90\n\n[value]\nmargin = 0.35  # of the amount; set your own\n"
    )


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
