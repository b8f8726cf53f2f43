"""What effects rest on, in words."""

from collections.abc import Sequence

from churnvalue.effects.gate import Verdict
from churnvalue.effects.ranking import Estimate
from churnvalue.effects.shrinkage import Harm
from churnvalue.language import _, translated


def of_average(action: str, measured: Estimate, prior: Estimate | None, both: Estimate, weight: float) -> str:
    """Say what was measured, what was assumed, and what is made of the two."""
    if prior is None:
        return _(
            "{action}: measured {measured} on average; nothing was assumed.", action=action, measured=_shown(measured)
        )
    return _(
        "{action}: measured {measured} on average, assumed {assumed}; by precision {both}, the assumption weighing {weight:.0%}.",
        action=action,
        measured=_shown(measured),
        assumed=_shown(prior),
        both=_points(both.value),
        weight=weight,
    )


def of_gate(learner: str, verdict: Verdict, slopes: Sequence[Estimate], by_value: bool) -> str:
    """Say whether individual effects are used, and why."""
    start = _("the average effect ranked by value") if by_value else _("the average effect")
    if not verdict.individual:
        return _(
            "Everybody gets the average: individual effects ({learner}) differ from {start} by {gain}, no clear gain.",
            learner=translated(learner),
            start=start,
            gain=_shown(verdict.gain),
        )
    shown = ", ".join(f"{one.value:.2f} ± {one.se:.2f}" for one in slopes)
    return _(
        "Individual effects ({learner}) beat {start} by {gain} and are used; they are shrunk by their slope, cut to 0 … 1: "
        "{slopes}.",
        learner=translated(learner),
        start=start,
        gain=_shown(verdict.gain),
        slopes=shown,
    )


def of_harm(action: str, found: Harm) -> str:
    """Say whether an action drives anybody away; empty where nobody has a negative effect."""
    if not found.customers:
        return ""
    places = {"action": action, "rows": found.customers, "measured": _shown(found.group)}
    if found.certain:
        return _(
            "{action}: {rows:,} rows with a negative effect, measured {measured}; harm is shown and kept.", **places
        )
    return _(
        "{action}: {rows:,} rows with a negative effect, measured {measured}; no harm is shown, effects below {knot} are lifted "
        "to 0 or more.",
        **places,
        knot=_points(found.knot),
    )


def _shown(estimate: Estimate) -> str:
    return f"{_points(estimate.value)} ± {100 * estimate.se:.1f}"


def _points(change: float) -> str:
    """Return a change of the chance to stay as the verdict on a plan states it."""
    return _("{change:+.1f} points", change=100 * change)
