"""Every deliberate error. Each message says what must hold, what came, and what to do."""

from collections.abc import Iterable
from difflib import get_close_matches

# They move the cursor, hide text or ring; what stands in a log must not steer the terminal that shows it.
_STEERING = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160)], "\N{REPLACEMENT CHARACTER}")


class ChurnvalueError(ValueError):
    r"""Root of all deliberate errors, each of one line; the command line prints it and exits with 1.

    >>> str(ChurnvalueError("A name must be of one line, but 'a\nb' came."))
    "A name must be of one line, but 'a b' came."
    """

    def __init__(self, message: str) -> None:
        """Say ``message`` on one line, whatever the names and cells in it hold."""
        super().__init__(" ".join(message.splitlines()))


class ConfigError(ChurnvalueError):
    """The configuration cannot be used as it stands."""


class SourceError(ChurnvalueError):
    """A source of events cannot be read, or does not hold what the configuration says."""


class HistoryError(ChurnvalueError):
    """The log is too short, too small or too one-sided for what was asked."""


class ExperimentError(ChurnvalueError):
    """An experiment cannot be read: its arms do not match their propensities, or there was no choice."""


class DefinitionError(ChurnvalueError):
    """A feature, target or model definition does not fit together."""


class RegistryError(ChurnvalueError):
    """The model registry cannot be reached, or lacks the model that was asked for."""


class DriftError(ChurnvalueError):
    """What is scored is too unlike what the models learnt from."""


class OutputError(ChurnvalueError):
    """An output of an earlier step is missing, damaged or cannot be written."""


def printable(text: str) -> str:
    """Return ``text`` with a replacement character for each control character but tab and newline.

    >>> printable(chr(27) + "[2J")
    '�[2J'
    """
    return text.translate(_STEERING)


def near_match(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the closest of ``known``, or the list of them.

    >>> near_match("event_cuont", ["event_count", "days_since_last"])
    " Did you mean 'event_count'?"
    """
    names = sorted(set(known))
    folded = {candidate.casefold(): candidate for candidate in reversed(names)}
    close = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    if close:
        return f" Did you mean '{folded[close[0]]}'?"
    shown = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
    return f" Known: {shown}." if names else ""
