"""An experiment with known effects."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit


@dataclass(frozen=True)
class Made:
    """An experiment with known effects: the first action works on those with a high ``x``, the second a little on all."""

    X: pd.DataFrame
    arm: np.ndarray
    names: np.ndarray
    stayed: np.ndarray
    propensity: np.ndarray
    effect: np.ndarray

    @property
    def fit(self):
        return self.X, self.names, self.stayed, self.propensity


def make_experiment(n=5000, seed=0, strength=1.0, level=0.1):
    generator = np.random.default_rng(seed)
    x, money = generator.normal(size=n), generator.lognormal(4, 1, n)
    money[generator.random(n) < 0.1] = np.nan
    X = pd.DataFrame({"x": x, "money": money, "flag": (generator.random(n) < 0.3) * 1.0})
    X.index = pd.Index([f"c{i:05d}" for i in range(n)], name="customer_id")
    chance = np.array([0.4, 0.3, 0.3])
    arm = generator.choice(3, n, p=chance)
    base = expit(0.3 * X["flag"].to_numpy() - 0.5)
    effect = np.column_stack([strength * 0.3 * (expit(2 * x) - 0.5) + level, np.full(n, 0.05)])
    means = np.column_stack([base, base[:, None] + effect]).clip(0, 1)
    stayed = (generator.random(n) < means[np.arange(n), arm]) * 1.0
    names = np.array(["control", "call", "voucher"], dtype=object)[arm]
    return Made(X, arm, names, stayed, chance[arm], effect)
