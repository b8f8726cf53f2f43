"""Fault 30: what is scored is not what was learnt from: a warning when it has moved, an error past a hard limit."""

import numpy as np
import pandas as pd
import pytest

from churnvalue.config.drift import Drift
from churnvalue.errors import DriftError
from churnvalue.evaluation.drift import DriftCounts, judge, require_no_refusal
from churnvalue.evaluation.drift_reference import Reference, binned

CUSTOMERS = 2_000
NAMES = ("event_rate", "amount_mean", "gap_mean")


def features(shift: float, seed: int) -> pd.DataFrame:
    """Features of customers, ``shift`` standard deviations above those of training."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame({name: rng.normal(shift, 1.0, CUSTOMERS) for name in NAMES})


@pytest.fixture(scope="module")
def reference() -> Reference:
    then = features(0.0, 1)
    return Reference(0, CUSTOMERS, 0.0, tuple(binned(then[name], name, True) for name in NAMES), ())


@pytest.mark.parametrize(("shift", "status"), [(0.0, "ok"), (1.0, "warn"), (6.0, "refused")])
def test_fault_30_drift_is_warned_of_and_refused_past_a_limit(reference: Reference, shift: float, status: str) -> None:
    verdict = judge(DriftCounts(reference).add(features(shift, 2), pd.DataFrame()), 0.0, Drift())
    assert verdict["status"] == status
    assert bool(verdict["notes"]) == (status != "ok")
    if status != "refused":
        require_no_refusal(verdict, force=False)
        return
    require_no_refusal(verdict, force=True)
    with pytest.raises(
        DriftError, match=r"3 of 3 features have moved by a PSI above 2.* or go on with --force"
    ) as error:
        require_no_refusal(verdict, force=False)
    assert "\n" not in str(error.value)


def test_fault_30_a_feature_that_nobody_has_any_more_is_refused(reference: Reference) -> None:
    now = features(0.0, 2).assign(amount_mean=np.nan)
    verdict = judge(DriftCounts(reference).add(now, pd.DataFrame()), 0.0, Drift())
    assert verdict["status"] == "refused"
    assert "has a value of amount_mean, which most had at training" in verdict["notes"][0]
