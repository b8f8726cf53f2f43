"""How the chance of a response moves with the hour: multiplicative factors, each believed as far as the sends support it.

    p = level · customer · part of the week · hour of the day · hour of the week · (own activity there)^beta · own response there

Factors are credibility estimates (Bühlmann 1967): the ratio of observed to expected responses, drawn to 1 as the spread of
ratios beyond chance is small. beta and the level are fitted by Poisson likelihood, beta with a normal prior. Sends weigh by
their inverse propensity, so that each hour counts as if drawn evenly.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_ROUNDS = 6
_SURE = 1.645  # standard errors by which hours must differ beyond chance before single hours are told apart: 5 %
_BETA_SD = 0.5
_BETA_BOUND = 2.0
_LEAST_ACTIVITY = 0.1  # against the even share: what is never seen is rare, not impossible
_LOWEST, _HIGHEST = 0.05, 20.0
_RARE = 1e-4


@dataclass(frozen=True, eq=False)
class Trials:
    """Sends of one channel, one entry each; ``ids`` by customer number, ``parts`` by slot; tables are (m, S).

    ``activity`` is ``relative_activity`` in the hour of each send.
    """

    customer: Ints
    ids: npt.NDArray[np.object_]
    slot: Ints
    answered: Floats
    propensity: Floats
    eligible: Bools
    habit: npt.NDArray[np.floating]
    activity: Floats
    parts: Ints
    left_out: int

    def take(self, rows: Ints) -> "Trials":
        """Return some of the sends."""
        return replace(
            self, customer=self.customer[rows], slot=self.slot[rows], answered=self.answered[rows],
            propensity=self.propensity[rows], eligible=self.eligible[rows], habit=self.habit[rows],
            activity=self.activity[rows],
        )  # fmt: skip

    @property
    def weight(self) -> Floats:
        """What each send stands for if every eligible slot were drawn evenly; 1 where propensities are not known."""
        even = 1.0 / (self.propensity * np.maximum(self.eligible.sum(axis=1), 1))
        return np.where(np.isnan(even), 1.0, even)

    def judge(self, shape: "Shape", policy: str) -> tuple[Bools, Floats]:
        """Return how ``shape`` stands to each send.

        Whether it went out in the best tenth of the eligible slots, at least one; and the log-likelihood of what came of it.
        """
        score = shape.predict(self.habit.astype(np.float64), self.ids[self.customer], policy)
        foretold = score[np.arange(len(score)), self.slot]
        score = np.where(self.eligible, score, -np.inf)
        own = foretold[:, None]
        earlier = np.arange(score.shape[1]) < self.slot[:, None]
        ahead = (score > own).sum(axis=1) + ((score == own) & earlier).sum(axis=1)
        best = ahead < np.maximum(np.round(self.eligible.sum(axis=1) / 10), 1)
        chance = np.clip(foretold, _RARE, 1.0 - _RARE)
        return best, self.answered * np.log(chance) + (1.0 - self.answered) * np.log1p(-chance)


@dataclass(frozen=True, eq=False)
class Shape:
    """The factors of a fit.

    Attributes:
        level: Mean response rate.
        by_slot: Factor of each slot, that of its part included; shape (S,).
        beta: Exponent of own activity; 0 without.
        own: Factor of each customer's part of the week; shape (customers, parts).
        ids: Whose rows these are.
        parts: Part of each slot.
    """

    level: float
    by_slot: Floats
    beta: float
    own: Floats
    ids: pd.Index
    parts: Ints

    def predict(self, habit: Floats, customer_id: npt.NDArray[np.object_], policy: str) -> Floats:
        """Expected response rate of an average customer with this habit in each slot. Shape (n, S)."""
        rate = np.broadcast_to(self.level * self.by_slot, habit.shape)
        if policy == "common":
            return np.asarray(rate)
        rate = rate * np.exp(self.beta * relative_activity(habit))
        if policy == "own" and len(self.ids):
            row = self.ids.get_indexer(pd.Index(customer_id))
            rate = rate * np.where(row[:, None] >= 0, self.own[row], 1.0)[:, self.parts]
        return rate


def relative_activity(habit: Floats) -> Floats:
    """Log of activity in each slot against its mean over the slots, held above a tenth; mean 0 in each row."""
    logs = np.log(np.maximum(habit * habit.shape[1], _LEAST_ACTIVITY))
    return np.asarray(logs - logs.mean(axis=1, keepdims=True))


def hour_groups(slots: int) -> Ints:
    """Hour of the day of each hour of the week, on weekdays and on the weekend; every slot for itself if it is no week."""
    slot = np.arange(slots, dtype=np.int64)
    return np.asarray(slot % 24 + 24 * (slot >= 120), dtype=np.int64) if slots == 168 else slot


def fit_shape(trials: Trials, policy: str) -> Shape:
    """Return the factors: of slots ("common"), own activity ("habit"), these two ("both"), with own response too ("own")."""
    weight, answered = trials.weight, trials.answered
    weight = weight / max(weight.mean(), np.finfo(np.float64).tiny) if len(weight) else weight
    level = float(np.average(answered, weights=weight)) if len(weight) else 0.0
    part = trials.parts[trials.slot]
    n_parts = int(trials.parts.max()) + 1
    cell = trials.customer * n_parts + part
    hours = hour_groups(len(trials.parts))
    groups = {} if policy == "habit" else {"part": part, "hour": hours[trials.slot], "slot": trials.slot}
    # Where hours were drawn, who was reached in one is no different; elsewhere customers' own levels are taken out.
    groups |= {"customer": trials.customer} if policy == "own" or np.isnan(trials.propensity).any() else {}
    groups |= {"own": cell} if policy == "own" else {}
    sizes = {"part": n_parts, "hour": int(hours.max()) + 1, "slot": len(hours), "customer": len(trials.ids)}
    sizes["own"] = sizes["customer"] * n_parts
    factor = {name: np.ones(sizes[name]) for name in sizes}
    beta = 0.0

    def rate() -> Floats:
        found = level * np.exp(beta * trials.activity)
        for name, group in groups.items():
            found = found * factor[name][group]
        return np.minimum(found, 0.99)

    for _ in range(_ROUNDS if level > 0 else 0):
        if policy != "common":
            beta = _beta(beta, trials.activity, rate(), answered, weight)
            level *= float(weight @ answered / (weight @ rate()))
        for name, group in groups.items():
            others = rate() / factor[name][group]
            # Where own activity already explains, what else moves responses must be sure.
            sure = _SURE if name in ("slot", "own") or (policy != "common" and name != "customer") else 0.0
            factor[name] = credibility(group, others, (answered, weight), sizes[name], sure)
    own = factor["own"].reshape(len(trials.ids), n_parts)
    by_slot = factor["slot"] * factor["hour"][hours] * factor["part"][trials.parts]
    return Shape(level, by_slot, beta, own, pd.Index(trials.ids), trials.parts)


def credibility(group: Ints, expected: Floats, trials: tuple[Floats, Floats], size: int, sure: float = 0.0) -> Floats:
    """Ratio of observed to expected responses of each group, drawn to 1. Shape (size,); 1 for a group without sends.

    The variance of true ratios is what the squared deviations of the groups exceed chance by; 0 where that is less than
    ``sure`` standard errors of it. ``trials`` are what was answered and what each send weighs.
    """
    answered, weight = trials
    mean = np.minimum(expected, 0.99)
    due = np.bincount(group, weight * mean, minlength=size)
    beyond = np.bincount(group, weight * answered, minlength=size) - due
    chance = np.bincount(group, weight**2 * mean * (1.0 - mean), minlength=size)
    excess = float((beyond**2 - chance).sum())
    if excess <= sure * float(np.sqrt(2.0 * (chance**2).sum())):
        return np.ones(size)
    variance = excess / float((due**2).sum())
    believed = variance * due / np.maximum(variance * due**2 + chance, np.finfo(np.float64).tiny)
    return np.asarray(np.clip(1.0 + believed * beyond, _LOWEST, _HIGHEST))


def _beta(beta: float, activity: Floats, rate: Floats, answered: Floats, weight: Floats) -> float:
    """One bounded Newton step of the exponent of own activity; the normal prior has its centre at 0."""
    slope = float(weight @ ((answered - rate) * activity)) - beta / _BETA_SD**2
    curve = float(weight @ (rate * activity**2)) + 1.0 / _BETA_SD**2
    return float(np.clip(beta + np.clip(slope / curve, -0.5, 0.5), -_BETA_BOUND, _BETA_BOUND))


def likelier(trials: Trials, one: Floats, other: Floats) -> tuple[float, float]:
    """By how much ``one`` foretells better than ``other``, in nats a send of even weight, and its standard error."""
    weight = trials.weight / trials.weight.sum()
    by_customer = np.bincount(trials.customer, weight * (one - other))
    return float(by_customer.sum()), float(np.sqrt(((by_customer - by_customer.mean()) ** 2).sum()))


def gain_over(trials: Trials, one: Bools, other: Bools) -> tuple[float, float]:
    """Response rate within ``one`` less that within ``other``, and its standard error, customers being independent.

    Both self-normalised by inverse propensities (Swaminathan and Joachims 2015). NaN where no send lies within.
    """
    weight = 1.0 / trials.propensity
    influence, rates = np.zeros(len(weight)), []
    for inside, sign in ((one, 1.0), (other, -1.0)):
        mass = weight * inside
        total = mass.sum()
        if total == 0:
            return np.nan, np.nan
        rates.append(float(mass @ trials.answered / total))
        influence += sign * mass * (trials.answered - rates[-1]) / total
    by_customer = np.bincount(trials.customer, influence)
    return rates[0] - rates[1], float(np.sqrt((by_customer**2).sum()))
