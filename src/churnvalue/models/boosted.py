"""Gradient-boosted trees for one target: fit, early stopping, tuning on forward folds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from os import cpu_count
from typing import Any

import lightgbm as lgb
import numpy as np
import optuna
import pandas as pd

from churnvalue.errors import HistoryError
from churnvalue.models.definition import Definition
from churnvalue.models.link_model import Link, LinkModel

_FIXED: dict[str, Any] = {
    "verbose": -1,
    "deterministic": True,
    "force_col_wise": True,
    "feature_pre_filter": False,
    "max_bin": 63,
    "bagging_freq": 1,
}
_METRIC = {"binary": "binary_logloss", "poisson": "poisson", "tweedie": "tweedie"}
_LEARNING_RATE = 0.04
_MOST_ROUNDS = 400
_PATIENCE = 20
_HASTE = 2  # parameters are searched with this many times the learning rate; what is fitted then takes as many times the rounds
_CELLS_A_THREAD = 4_000_000  # below this, a second thread costs more than it brings


@dataclass(frozen=True)
class Fold:
    """Rows to learn from and, later in time, rows to be tested on."""

    train: pd.DataFrame
    train_target: pd.Series
    test: pd.DataFrame
    test_target: pd.Series


@dataclass(frozen=True)
class Trial:
    """One set of parameters that was tried; ``loss`` is the mean over the folds, ``rounds`` the median of best rounds."""

    parameters: dict[str, float | int]
    loss: float
    rounds: int


@dataclass(frozen=True)
class Tuned:
    """Parameters to fit with, and how they were found."""

    parameters: dict[str, float | int]
    rounds: int
    trials: tuple[Trial, ...] = field(default=())

    def hasty(self) -> "Tuned":
        """Return the same with larger steps and fewer of them, as it was searched: for fits that only inform a choice."""
        rate = float(self.parameters["learning_rate"])
        return Tuned({**self.parameters, "learning_rate": rate * _HASTE}, max(1, self.rounds // _HASTE))


def threads_for(cells: int, wanted: int) -> int:
    """Return how many threads a fit of ``cells`` numbers should use; ``wanted`` unless 0."""
    return wanted or max(1, min(cpu_count() or 1, cells // _CELLS_A_THREAD))


def link_of(objective: str) -> Link:
    """Return the scale on which an objective is additive."""
    return "logit" if objective == "binary" else "log"


def fit_trees(
    definition: Definition, parameters: Mapping[str, Any], rounds: int, frame: pd.DataFrame, target: pd.Series
) -> LinkModel:
    """Return a model of ``target`` fitted for a fixed number of rounds.

    Raises:
        HistoryError: If the target is the same for everyone.
    """
    require_variety(definition, target)
    booster = lgb.train({**_FIXED, **parameters}, _dataset(frame, target), rounds)
    return LinkModel(booster.model_to_string(), tuple(frame.columns), link_of(definition.objective))


def tune(
    definition: Definition,
    folds: Sequence[Fold],
    *,
    trials: int,
    seed: int,
    threads: int,
    tick: Callable[[], None],
) -> Tuned:
    """Return the parameters with the smallest mean loss over ``folds``, each stopped early on its own test rows.

    Args:
        definition: What is fixed and what is searched.
        folds: In time order; no test outcome is known at the training cutoffs.
        trials: How many sets of parameters to try, the definition's own first.
        seed: Of the search and the trees.
        threads: 0 chooses by size.
        tick: Called after each trial.
    """
    for fold in folds:
        require_variety(definition, fold.train_target)
    sets = [(train := _dataset(f.train, f.train_target), _dataset(f.test, f.test_target, train)) for f in folds]
    threads = threads_for(max(f.train.size for f in folds), threads)
    rate = float(definition.parameters.get("learning_rate", _LEARNING_RATE))
    fixed = {
        **_FIXED, **definition.parameters,
        "objective": definition.objective, "metric": _METRIC[definition.objective], "seed": seed, "num_threads": threads,
    }  # fmt: skip
    done: list[Trial] = []

    def objective(trial: optuna.Trial) -> float:
        chosen = {name: search.suggest(trial, name) for name, search in definition.search.items()}
        hasty = {**fixed, **chosen, "learning_rate": rate * _HASTE}
        losses, rounds = zip(*[_early_stopped(hasty, *pair) for pair in sets], strict=True)
        done.append(Trial(chosen, float(np.mean(losses)), int(np.median(rounds))))
        tick()
        return done[-1].loss

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=max(5, trials // 3)))
    study.enqueue_trial({name: search.start for name, search in definition.search.items()})
    study.optimize(objective, n_trials=trials)
    best = min(done, key=lambda trial: trial.loss)
    return Tuned({**fixed, **best.parameters, "learning_rate": rate}, best.rounds * _HASTE, tuple(done))


def require_variety(definition: Definition, target: pd.Series) -> None:
    """Refuse a target that is the same for everyone, from which nothing can be learnt.

    Raises:
        HistoryError: Says which value all rows have.
    """
    if target.nunique() < 2:
        only = f"all {len(target):,} have {float(target.iloc[0]):g}" if len(target) else "there are none"
        raise HistoryError(
            f"Learning {definition.name} needs customers with different outcomes, but {only} as '{definition.target}'."
            " Change outcome.horizon_days, [population] or the kind of the outcome."
        )


def _dataset(frame: pd.DataFrame, target: pd.Series, reference: lgb.Dataset | None = None) -> lgb.Dataset:
    # Without the names of features, which stand in LinkModel: LightGBM refuses some signs in them.
    return lgb.Dataset(
        frame.to_numpy(dtype=np.float64),
        target.to_numpy(dtype=np.float64),
        reference=reference,
        params={"max_bin": _FIXED["max_bin"], "verbose": -1, "feature_pre_filter": False},
        free_raw_data=False,
    )


def _early_stopped(parameters: dict[str, Any], train: lgb.Dataset, test: lgb.Dataset) -> tuple[float, int]:
    stop = lgb.early_stopping(_PATIENCE, verbose=False)
    booster = lgb.train(parameters, train, _MOST_ROUNDS, valid_sets=[test], callbacks=[stop])
    return float(booster.best_score["valid_0"][parameters["metric"]]), max(booster.best_iteration, 1)
