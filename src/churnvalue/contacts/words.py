"""What became of contacts, in words."""

from collections.abc import Sequence

from churnvalue.contacts.experiments import Experiment
from churnvalue.contacts.reading import NO_ACTION, Contacts
from churnvalue.errors import near_match


def account_words(contacts: Contacts, found: Sequence[Experiment]) -> tuple[str, ...]:
    """Return one note on all contacts that were read, and one on each configured propensity that counts for nothing.

    Nothing is said where nothing was read: most logs know no contacts.

    Args:
        contacts: As read.
        found: All experiments among them.
    """
    account, frame = contacts.account, contacts.frame
    actions = set(frame["action"])
    idle = tuple(
        f"[contacts] propensity states that of '{action}', but no contact is of that action, so it counts for nothing."
        f"{near_match(action, actions - {NO_ACTION})}"
        for action in sorted(set(contacts.stated) - actions)
    )
    if not account.read:
        return idle
    inside = int(frame["experiment"].notna().sum())
    reasons = ", ".join(f"{reason}: {rows:,}" for reason, rows in sorted(account.quarantined.items()))
    parts = {
        f"in {len(found):,} experiments": inside,
        "outside any experiment, from which nothing is learnt": len(frame) - inside,
        "later than could be known": account.later,
        "the same as another": account.duplicates,
        f"not usable ({reasons})": account.refused,
    }
    told = f"Of {account.read:,} contacts read " + ", ".join(f"{n:,} are {what}" for what, n in parts.items() if n) + "."
    repeated, crossed = sum(one.repeated for one in found), sum(one.crossed for one in found)
    if contacts.strangers:
        told += f" {contacts.strangers:,} of their customers are not in the log."
    if repeated:
        told += f" {repeated:,} are of customers who were in the same experiment before and are left out."
    if crossed:
        told += f" {crossed:,} customers were in more than one arm of an experiment; the first counts."
    return told, *idle
