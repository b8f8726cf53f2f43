"""What a measurement says, in a few sentences for someone who will not read the table."""

import math

from churnvalue.evaluation.estimate import Estimate
from churnvalue.evaluation.plan_value import PlanValue
from churnvalue.language import N_, _

# Without a promise, and with one.
_WORKED = (
    N_("The plan worked: staying changed by {change} among {treated:,} treated against {held_out:,} held out."),
    N_(
        "The plan worked: staying changed by {change} among {treated:,} treated against {held_out:,} held out; {promised:.1f} "
        "points were promised."
    ),
)
_HARM = (
    N_("The plan did harm: staying changed by {change} among {treated:,} treated against {held_out:,} held out."),
    N_(
        "The plan did harm: staying changed by {change} among {treated:,} treated against {held_out:,} held out; "
        "{promised:.1f} points were promised."
    ),
)
_OPEN = (
    N_(
        "The plan's effect is not told apart from chance: staying changed by {change} among {treated:,} treated against "
        "{held_out:,} held out."
    ),
    N_(
        "The plan's effect is not told apart from chance: staying changed by {change} among {treated:,} treated against "
        "{held_out:,} held out; {promised:.1f} points were promised."
    ),
)


def no_lesson(value: PlanValue, done: int | None, observed_days: float, horizon_days: int) -> str:
    """Return why the next plan must not learn from a measurement; empty where it may.

    ``done``: actions carried out, None where that is not known.
    """
    if observed_days < horizon_days:
        return _(
            "only {days} of {horizon_days} days have been observed",
            days=_days(observed_days),
            horizon_days=horizon_days,
        )
    if done == 0:
        return _("none of its actions was carried out")
    if value.sample_ratio is not None and not value.sample_ratio.fits:
        return _("the hold-out is not as large as it was drawn")
    return ""


def verdict(value: PlanValue, done: int | None, observed_days: float, horizon_days: int) -> str:
    """Return what the plan changed, whether that is beyond chance, and what it promised."""
    whole, sentences = value.whole, []
    if observed_days < horizon_days:
        sentences.append(
            _(
                "Only {days} of {horizon_days} days have been observed, so this is not the last word.",
                days=_days(observed_days),
                horizon_days=horizon_days,
            )
        )
    if done == 0:
        sentences.append(_("The plan was not carried out, so what follows says nothing of its actions."))
    if value.sample_ratio is not None and not value.sample_ratio.fits:
        sentences.append(_("The hold-out is not as large as it was drawn, so the comparison cannot be trusted."))
    stay = whole.stay
    if not stay.known:
        sentences.append(_("What the plan earned cannot be told: {why}.", why=stay.note))
        if value.fallback is not None and value.fallback.known:
            sentences.append(
                _(
                    "Against the scores alone, which is no experiment, staying changed by {change}.",
                    change=_points(value.fallback),
                )
            )
        return " ".join(sentences)
    places = {"change": _points(stay), "treated": whole.treated, "held_out": whole.held_out}
    found = (_WORKED if (stay.value or 0) > 0 else _HARM) if stay.conclusive else _OPEN
    sentences.append(_(found[whole.promised_stay is not None], **places, promised=100 * (whole.promised_stay or 0.0)))
    if not stay.conclusive and whole.needed is not None and whole.needed > whole.treated + whole.held_out:
        sentences.append(_("About {needed:,} such customers would show the promised effect.", needed=whole.needed))
    if whole.kept_ratio.known:
        sentences.append(_("Of each 1 of value that was to be kept, {kept} was.", kept=_money(whole.kept_ratio)))
    if whole.profit_total.known:
        sentences.append(_("Within the window it earned {profit} after costs.", profit=_money(whole.profit_total)))
    return " ".join(sentences)


def _days(days: float) -> str:
    """Return days with what is not a whole one, never more than have passed."""
    return f"{math.floor(100 * days) / 100:g}"


def _points(estimate: Estimate) -> str:
    value, low, high = (100 * (one or 0.0) for one in (estimate.value, estimate.low, estimate.high))
    return _("{change:+.1f} points ({low:+.1f} to {high:+.1f})", change=value, low=low, high=high)


def _money(estimate: Estimate) -> str:
    return _("{value:,.2f} ({low:,.2f} to {high:,.2f})", value=estimate.value, low=estimate.low, high=estimate.high)
