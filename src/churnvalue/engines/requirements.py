"""What must hold of all rows together, before an event of them is looked at."""

from collections.abc import Iterable, Mapping, Sequence

from churnvalue.errors import SourceError
from churnvalue.events.account import Account

_MOST_NAMES = 2**15 - 1  # codes of two bytes; categories have four
_MAPPED_BY = {"kind": "kind", "channel": "columns.channel", "campaign": "columns.campaign", "zone": "timing.timezone"}
_SHOWN = 5  # currencies


def require_usable(account: Account, most: float) -> None:
    """Refuse rows of which more than a share cannot be used.

    Raises:
        SourceError: Says why most of them cannot.
    """
    if account.read and account.refused / account.read > most:
        worst = max(account.quarantined, key=lambda reason: account.quarantined[reason])
        hint = ' Say how times are written: time_format = "%d/%m/%Y %H:%M".' if "readable time" in worst else ""
        raise SourceError(
            f"At most {most:.0%} of the rows may be unusable, but {account.refused:,} of"
            f" {account.read:,} are (most: {worst}).{hint} Check the column mapping, or raise checks.max_quarantined."
        )


def require_few(names: Mapping[str, Sequence[str]]) -> None:
    """Refuse more names in a column of text than there are codes for them.

    Raises:
        SourceError: Names the column.
    """
    for text, key in _MAPPED_BY.items():
        many = len(names.get(text, ()))
        if many > _MOST_NAMES:
            raise SourceError(
                f"At most {_MOST_NAMES:,} different values of {text} can be told apart, but {many:,} came. Map {key} to a"
                " column of fewer values."
            )


def require_one_currency(found: Iterable[str]) -> None:
    """Refuse amounts of several currencies, which cannot be added up.

    Raises:
        SourceError: Names some of them.
    """
    currencies = sorted({name.strip().upper() for name in found})
    if len(currencies) > 1:
        shown = ", ".join(currencies[:_SHOWN]) + (", …" if len(currencies) > _SHOWN else "")
        raise SourceError(
            f"All amounts must be of one currency, but {len(currencies)} came: {shown}. Convert them beforehand, or map"
            " columns.amount and columns.currency to columns of one currency."
        )
