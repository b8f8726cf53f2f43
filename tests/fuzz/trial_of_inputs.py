"""One made input, tried: what the public functions make of it, and whether that is a fault."""

import traceback
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from made_inputs import Made, broken_config, broken_file, odd_config, odd_log, sound_log
from pandas_oracle import Expected, expected

from churnvalue import clock, read_config, read_log
from churnvalue.errors import ChurnvalueError, SourceError
from churnvalue.events.log import EventLog

KINDS = {
    "sound log": sound_log,
    "odd log": odd_log,
    "broken file": broken_file,
    "odd configuration": odd_config,
    "broken configuration": broken_config,
}


@dataclass(frozen=True)
class Result:
    """``success``, ``named error``, or a fault: ``traceback``, ``wrong number`` or ``error of many lines``, with details."""

    outcome: str
    details: str = ""

    @property
    def is_fault(self) -> bool:
        """Whether this must not happen."""
        return self.outcome not in ("success", "named error")


def make(kind: str, random: Random) -> Made:
    """Return an input of a kind."""
    return KINDS[kind](random)


def attempt(made: Made, folder: Path) -> Result:
    """Read a made input from ``folder`` and judge what came of it."""
    for name, content in {**made.files, "churnvalue.toml": made.config}.items():
        (folder / name).write_bytes(content)
    wanted = None if made.rows is None else expected(made.rows, made.raw, made.as_of)
    try:
        config = read_config(folder / "churnvalue.toml")
        if not made.files:
            return Result("success")
        log = read_log(config, None if made.as_of is None else clock.micros(made.as_of))
    except ChurnvalueError as error:
        return _named(error, wanted, made)
    except Exception:  # noqa: BLE001  a fault is what is looked for
        return Result("traceback", traceback.format_exc())
    differences = [] if wanted is None else _differences(log, wanted)
    return Result("wrong number", "; ".join(differences)) if differences else Result("success")


def _named(error: ChurnvalueError, wanted: Expected | None, made: Made) -> Result:
    if "\n" in str(error) or not str(error):
        return Result("error of many lines", repr(str(error)))
    if wanted is not None and not wanted.refused:
        unusable = sum(wanted.quarantined.values()) / wanted.read
        if not isinstance(error, SourceError) or unusable <= made.raw["checks"]["max_quarantined"]:
            return Result("wrong number", f"refused, but {wanted.kept} of {wanted.read} rows are usable: {error}")
    return Result("named error", str(error))


def _differences(log: EventLog, wanted: Expected) -> list[str]:
    """Return in which numbers a log differs from what it must be."""
    account = log.account
    found: dict[tuple[str, str], tuple[int, float]] = {}
    owners = np.repeat(log.customers.to_pylist(), np.diff(log.start))
    for owner, code, amount in zip(owners, log.kind.codes, log.amount, strict=True):
        count, money = found.get((str(owner), log.kind.names[code]), (0, 0.0))
        found[str(owner), log.kind.names[code]] = (count + 1, money + (0.0 if np.isnan(amount) else float(amount)))
    pairs = {
        "read": (account.read, wanted.read),
        "kept": (account.kept, wanted.kept),
        "duplicates": (account.duplicates, wanted.duplicates),
        "later": (account.later, wanted.later),
        "quarantined": (dict(account.quarantined), wanted.quarantined),
        "sum": (account.kept + account.duplicates + account.later + account.refused, account.read),
        "events": (_rounded(found), _rounded(wanted.events)),
    }
    return [f"{name}: {ours} instead of {theirs}" for name, (ours, theirs) in pairs.items() if ours != theirs]


def _rounded(events: dict[tuple[str, str], tuple[int, float]]) -> dict[tuple[str, str], tuple[int, float]]:
    return {key: (count, round(money, 5) + 0.0) for key, (count, money) in sorted(events.items())}
