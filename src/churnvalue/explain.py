"""Why: what moves each customer's prediction, strongest first, in numbers and in words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from churnvalue.features import Feature
from churnvalue.language import ENGLISH, _, day, language, named
from churnvalue.models.blend import Blend

Floats = npt.NDArray[np.float64]
DRIVER = pa.struct([("feature", pa.string()), ("value", pa.float64()), ("effect", pa.float64()), ("text", pa.string())])
_MOST = 5
_LEAST_EFFECT = 0.005  # on the link; less is not worth a line
_ROWS = 20_000  # explained at once, which bounds memory


def drivers(model: Blend, frame: pd.DataFrame, features: Sequence[Feature], most: int = _MOST) -> pa.Array:
    """Return, for each row, the features that move its prediction most: at most one of each family.

    Several windows of one family say the same thing twice; the strongest speaks for all. ``effect`` is what the feature adds
    on the link scale (log-odds of leaving, log of spend) against the average customer.
    """
    known = {feature.name: feature for feature in features}
    own = [known[name] for name in model.features]
    parts = [_strongest(model, frame.iloc[i : i + _ROWS], own, most) for i in range(0, max(len(frame), 1), _ROWS)]
    return pa.concat_arrays(parts)


def _strongest(model: Blend, frame: pd.DataFrame, features: Sequence[Feature], most: int) -> pa.Array:
    effects = model.contributions(frame)[:, :-1]
    families = [feature.use for feature in features]
    names = list(dict.fromkeys(families))
    strength = np.abs(effects)
    # For every family the position of its strongest member, then the strongest families.
    members = [np.array([i for i, use in enumerate(families) if use == name]) for name in names]
    best = np.column_stack([m[strength[:, m].argmax(axis=1)] for m in members])
    rank = np.argsort(-np.take_along_axis(strength, best, axis=1), axis=1, kind="stable")[:, :most]
    chosen = np.take_along_axis(best, rank, axis=1)
    kept = np.take_along_axis(strength, chosen, axis=1) >= _LEAST_EFFECT
    kept[:, 0] = True
    values = np.column_stack([frame[name].to_numpy(dtype=np.float64) for name in model.features])
    rows, columns = np.nonzero(kept)
    picked = chosen[rows, columns]
    value, effect = values[rows, picked], effects[rows, picked]
    texts = [features[i].say(float(v)) for i, v in zip(picked, value, strict=True)]
    flat = pa.StructArray.from_arrays(
        [
            pa.array([features[i].name for i in picked], pa.string()),
            pa.array(value, pa.float64(), from_pandas=True),
            pa.array(effect, pa.float64()),
            pa.array(texts, pa.string()),
        ],
        fields=list(DRIVER),
    )
    offsets = np.concatenate(([0], np.cumsum(kept.sum(axis=1)))).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), flat)


@dataclass(frozen=True)
class Importance:
    """How much a feature moves predictions: mean absolute effect on the link over the rows explained."""

    feature: str
    text: str
    effect: float


def importance(model: Blend, frame: pd.DataFrame, features: Sequence[Feature], most: int = 20) -> list[Importance]:
    """Return the features that move predictions most over all rows, strongest first."""
    known = {feature.name: feature for feature in features}
    effects = np.abs(model.contributions(frame)[:, :-1]).mean(axis=0)
    order = np.argsort(-effects, kind="stable")[:most]
    return [Importance(name := model.features[i], known[name].title, float(effects[i])) for i in order]


def sentences(row: pd.Series, has_amounts: bool) -> str:
    """Return what the scores say of one customer, as a colleague would put it."""
    places = {str(name): value for name, value in row.items()} | {
        "cutoff": day(row["cutoff"]), "band": named(row["band"]), "tier": named(row["tier"]),
        "above": min(row["percentile"], 99.4),
    }  # fmt: skip
    lines = [
        _(
            "Customer {customer_id}, as known before {cutoff}: {p_churn:.0%} likely to leave ({band} risk among all), "
            "{orders:.2f} orders expected.",
            **places,
        )
    ]
    if has_amounts:
        lines.append(
            _(
                "Expected to spend {spend:,.2f} within the horizon (80 %: {spend_p10:,.2f} to {spend_p90:,.2f}); worth "
                "{clv:,.2f} in present value ({clv_p10:,.2f} to {clv_p90:,.2f}): {tier}, above {above:.0f} % of customers.",
                **places,
            )
        )
    else:
        lines.append(_("The log holds no amounts, so there is no value; by orders: {tier}.", **places))
    lines.append(
        _(
            "Likely to come back within 7, 14, 30 days: {p_return_7d:.0%}, {p_return_14d:.0%}, {p_return_30d:.0%}.",
            **places,
        )
    )
    for heading, column, up, down in (
        (_("Why they may leave or stay:"), "drivers", _("speaks for leaving"), _("speaks for staying")),
        (_("What moves their spend:"), "spend_drivers", _("raises it"), _("lowers it")),
    ):
        found = row[column]
        if found is not None and len(found):
            lines.append(heading)
            lines += [f"  {d['text']} – {up if d['effect'] > 0 else down} ({d['effect']:+.2f})" for d in found]
    text = "\n".join(lines)
    return text.replace("%", " %").replace("  %", " %") if language() == ENGLISH else text
