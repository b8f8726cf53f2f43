"""What a measurement says, in a few sentences for someone who will not read the table."""

import math

from churnvalue.evaluation.estimate import Estimate
from churnvalue.evaluation.plan_value import PlanValue


def no_lesson(value: PlanValue, done: int | None, observed_days: float, horizon_days: int) -> str:
    """Return why the next plan must not learn from a measurement; empty where it may.

    ``done``: actions carried out, None where that is not known.
    """
    if observed_days < horizon_days:
        return f"only {_days(observed_days)} of {horizon_days} days have been observed"
    if done == 0:
        return "none of its actions was carried out"
    if value.sample_ratio is not None and not value.sample_ratio.fits:
        return "the hold-out is not as large as it was drawn"
    return ""


def verdict(value: PlanValue, done: int | None, observed_days: float, horizon_days: int) -> str:
    """Return what the plan changed, whether that is beyond chance, and what it promised."""
    whole, sentences = value.whole, []
    if observed_days < horizon_days:
        sentences.append(
            f"Only {_days(observed_days)} of {horizon_days} days have been observed, so this is not the last word."
        )
    if done == 0:
        sentences.append("The plan was not carried out, so what follows says nothing of its actions.")
    if value.sample_ratio is not None and not value.sample_ratio.fits:
        sentences.append("The hold-out is not as large as it was drawn, so the comparison cannot be trusted.")
    stay = whole.stay
    if not stay.known:
        sentences.append(f"What the plan earned cannot be told: {stay.note}.")
        if value.fallback is not None and value.fallback.known:
            sentences.append(
                f"Against the scores alone, which is no experiment, staying changed by {_points(value.fallback)}."
            )
        return " ".join(sentences)
    effect = f"staying changed by {_points(stay)} among {whole.treated:,} treated against {whole.held_out:,} held out"
    promised = "" if whole.promised_stay is None else f"; {100 * whole.promised_stay:.1f} points were promised"
    if stay.conclusive:
        sentences.append(f"The plan {'worked' if (stay.value or 0) > 0 else 'did harm'}: {effect}{promised}.")
    else:
        sentences.append(f"The plan's effect is not told apart from chance: {effect}{promised}.")
        if whole.needed is not None and whole.needed > whole.treated + whole.held_out:
            sentences.append(f"About {whole.needed:,} such customers would show the promised effect.")
    if whole.kept_ratio.known:
        sentences.append(f"Of each 1 of value that was to be kept, {_money(whole.kept_ratio)} was.")
    if whole.profit_total.known:
        sentences.append(f"Within the window it earned {_money(whole.profit_total)} after costs.")
    return " ".join(sentences)


def _days(days: float) -> str:
    """Return days with what is not a whole one, never more than have passed."""
    return f"{math.floor(100 * days) / 100:g}"


def _points(estimate: Estimate) -> str:
    value, low, high = (100 * (one or 0.0) for one in (estimate.value, estimate.low, estimate.high))
    return f"{value:+.1f} points ({low:+.1f} to {high:+.1f})"


def _money(estimate: Estimate) -> str:
    return f"{estimate.value:,.2f} ({estimate.low:,.2f} to {estimate.high:,.2f})"
