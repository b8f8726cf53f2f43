"""What effects rest on, in words."""

from collections.abc import Sequence

from churnvalue.effects.gate import Verdict
from churnvalue.effects.ranking import Estimate
from churnvalue.effects.shrinkage import Harm


def of_average(action: str, measured: Estimate, prior: Estimate | None, both: Estimate, weight: float) -> str:
    """Say what was measured, what was assumed, and what is made of the two."""
    text = f"{action}: measured {_shown(measured)} on average"
    if prior is None:
        return f"{text}; nothing was assumed."
    return f"{text}, assumed {_shown(prior)}; by precision {_points(both.value)}, the assumption weighing {weight:.0%}."


def of_gate(learner: str, verdict: Verdict, slopes: Sequence[Estimate], by_value: bool) -> str:
    """Say whether individual effects are used, and why."""
    start = "the average effect ranked by value" if by_value else "the average effect"
    if not verdict.individual:
        return (
            f"Everybody gets the average: individual effects ({learner}) differ from {start} by {_shown(verdict.gain)}, no "
            "clear gain."
        )
    shown = ", ".join(f"{one.value:.2f} ± {one.se:.2f}" for one in slopes)
    return (
        f"Individual effects ({learner}) beat {start} by {_shown(verdict.gain)} and are used; they are shrunk by their slope, "
        f"cut to 0 … 1: {shown}."
    )


def of_harm(action: str, found: Harm) -> str:
    """Say whether an action drives anybody away; empty where nobody has a negative effect."""
    if not found.customers:
        return ""
    text = f"{action}: {found.customers:,} rows with a negative effect, measured {_shown(found.group)}"
    if found.certain:
        return f"{text}; harm is shown and kept."
    return f"{text}; no harm is shown, effects below {_points(found.knot)} are lifted to 0 or more."


def _shown(estimate: Estimate) -> str:
    return f"{_points(estimate.value)} ± {100 * estimate.se:.1f}"


def _points(change: float) -> str:
    """Return a change of the chance to stay as the verdict on a plan states it."""
    return f"{100 * change:+.1f} points"
