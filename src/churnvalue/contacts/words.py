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
    counts = {
        "in experiments": inside,
        "outside any experiment, so nothing is learnt from them": len(frame) - inside,
        "later than could be known": account.later,
        "repeated rows": account.duplicates,
        f"that cannot be used ({reasons})": account.refused,
        "of a customer who was in the same experiment before, left out": sum(one.repeated for one in found),
        "customers in more than one arm of an experiment, of whom the first counts": sum(one.crossed for one in found),
        "customers who are not in the log": contacts.strangers,
    }
    told = "; ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    return f"{account.read:,} contacts read: {told}.", *idle
