"""Pictures for the tracking server: calibration, lift and what the trees look at."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

_OURS, _PLAIN = "#1f5fa8", "#8a8a8a"
_MOST_FEATURES = 15


def calibration_picture(bins: Sequence[Mapping[str, float]]) -> bytes:
    """Return a PNG of actual against predicted share of leavers, one point a bin."""
    figure, axes = _axes("Predicted probability of leaving", "Share that left")
    axes.plot([0, 1], [0, 1], color=_PLAIN, linewidth=1, label="perfect")
    axes.plot([b["predicted"] for b in bins], [b["actual"] for b in bins], "o-", color=_OURS, label="model")
    axes.legend(frameon=False)
    return _png(figure)


def lift_picture(curve: Sequence[Mapping[str, float]]) -> bytes:
    """Return a PNG of the share of leavers found among the riskiest share of customers."""
    figure, axes = _axes("Share of customers, riskiest first", "Share of leavers found")
    shares = [point["share"] for point in curve]
    axes.plot(shares, [point["model"] for point in curve], color=_OURS, label="model")
    axes.plot(shares, [point["recency"] for point in curve], "--", color=_PLAIN, label="recency alone")
    axes.plot([0, 1], [0, 1], ":", color=_PLAIN, label="random")
    axes.legend(frameon=False)
    return _png(figure)


def shap_picture(contributions: npt.NDArray[np.float64], frame: pd.DataFrame, seed: int) -> bytes:
    """Return a PNG of SHAP's beeswarm: each dot a customer, coloured by the feature's value.

    ``contributions`` has a column for each column of ``frame`` and the base last; Lundberg et al. (2020).
    """
    import shap  # takes seconds to import, and only this picture needs it

    explanation = shap.Explanation(
        values=contributions[:, :-1],
        base_values=contributions[:, -1],
        data=frame.to_numpy(dtype=np.float64),
        feature_names=list(frame.columns),
    )
    figure = Figure(figsize=(8, 6), layout="constrained")
    axes = figure.add_subplot()
    state = np.random.get_state()  # noqa: NPY002 (shap draws the jitter of its dots from numpy's global generator)
    np.random.seed(seed)  # noqa: NPY002
    try:
        shap.plots.beeswarm(explanation, max_display=_MOST_FEATURES, show=False, ax=axes, plot_size=None)
    finally:
        np.random.set_state(state)  # noqa: NPY002
    return _png(figure)


def _axes(x: str, y: str):  # type: ignore[no-untyped-def]
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlabel=x, ylabel=y, xlim=(0, 1), ylim=(0, 1))
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    return buffer.getvalue()
