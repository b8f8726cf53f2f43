"""What became of contacts, in words."""

from collections.abc import Sequence

from churnvalue.contacts.experiments import Experiment
from churnvalue.contacts.reading import NO_ACTION, Contacts
from churnvalue.errors import near_match
from churnvalue.language import N_, _, translated


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
        _(
            "[contacts] propensity states that of '{action}', but no contact is of that action, so it counts for nothing.{near}",
            action=action,
            near=near_match(action, actions - {NO_ACTION}),
        )
        for action in sorted(set(contacts.stated) - actions)
    )
    if not account.read:
        return idle
    inside = int(frame["experiment"].notna().sum())
    reasons = ", ".join(f"{translated(reason)}: {rows:,}" for reason, rows in sorted(account.quarantined.items()))
    counts = {
        N_("{count:,} in experiments"): inside,
        N_("{count:,} outside any experiment, so nothing is learnt from them"): len(frame) - inside,
        N_("{count:,} later than could be known"): account.later,
        N_("{count:,} repeated rows"): account.duplicates,
        N_("{count:,} that cannot be used ({reasons})"): account.refused,
        N_("{count:,} of a customer who was in the same experiment before, left out"): sum(
            one.repeated for one in found
        ),
        N_("{count:,} customers in more than one arm of an experiment, of whom the first counts"): sum(
            one.crossed for one in found
        ),
        N_("{count:,} customers who are not in the log"): contacts.strangers,
    }
    told = "; ".join(_(what, count=count, reasons=reasons) for what, count in counts.items() if count)
    return _("{read:,} contacts read: {told}.", read=account.read, told=told), *idle
