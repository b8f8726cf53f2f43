"""Learning from a training frame: tune on past folds, judge on the newest closed window, blend, level, fit to all.

The newest window chooses nothing for its own verdict: parameters and weights come from earlier folds alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from churnvalue.evaluation.equity import Equity, equity
from churnvalue.evaluation.folds import forward_folds
from churnvalue.evaluation.measurement import Evaluation
from churnvalue.jobs.learner import Assessed, Judged, Learner, Windows
from churnvalue.jobs.material import Material
from churnvalue.jobs.registered import Registered
from churnvalue.jobs.returning import Returns, learn_returns
from churnvalue.jobs.tuning import tuning_folds
from churnvalue.language import _
from churnvalue.models.boosted import Tuned
from churnvalue.models.definition import Loaded
from churnvalue.progress import Stages

_STACKING_FOLDS = 3


@dataclass(frozen=True)
class Learned:
    """Models by name, how each was tuned, and the verdict of the newest closed window (None if history has no second one).

    ``equity`` is what everyone at the end of the log is worth, None in a log without amounts; ``returns`` says how coming back
    was judged.
    """

    models: Mapping[str, Registered]
    tuned: Mapping[str, Tuned]
    evaluation: Evaluation | None
    learnt_days: int
    notes: tuple[str, ...]
    equity: Equity | None
    returns: Returns


def learn(material: Material, loaded: Mapping[str, Loaded], stages: Stages) -> Learned:
    """Return models learnt from ``material``.

    Raises:
        HistoryError: If a target is the same for everyone.
    """
    assessed = assess(material, loaded, stages)
    with stages.stage("fitting to all cutoffs"):
        models = Learner(material, loaded).final(assessed)
    evaluation = assessed.judged.evaluation if assessed.judged else None
    with stages.stage("learning when they come back"):
        returns = learn_returns(material, loaded, models["value"].churn, evaluation)
    notes = _notes(material, assessed.judged is not None, returns)
    worth = equity(models["value"].predict(material.now))
    served = {**models, "return": returns.model}
    return Learned(served, assessed.tuned, evaluation, material.learnt_days, notes, worth, returns)


def assess(
    material: Material, loaded: Mapping[str, Loaded], stages: Stages, tuned: Mapping[str, Tuned] | None = None
) -> Assessed:
    """Return parameters, weights' windows and the verdict: everything but the models that will serve.

    Parameters ``tuned`` at an earlier origin are taken over.
    """
    frame = material.frame
    newest = frame.cutoffs[-1]
    # Where nobody, or everybody, had left before a cutoff, nothing is learnt of leaving.
    folds = [
        fold
        for fold in forward_folds(frame.cutoffs, material.learnt_days)
        if frame.at(fold.train).targets["churned"].nunique() > 1
    ]
    verdict = folds[-1] if folds and folds[-1].test == newest else None
    learner = Learner(material, loaded)
    if tuned is None:
        tuned = learner.tune(tuning_folds(frame, folds, verdict, material.learnt_days), stages)
    earlier = [f for f in folds if verdict is None or f.test + learner.horizon <= verdict.test][-_STACKING_FOLDS:]
    with stages.stage("weighing trees against buy-till-you-die", len(earlier)) as tick:
        windows: list[Windows] = []
        for fold in earlier:
            windows.append(learner.windows(tuned, fold))
            tick()
    judged: Judged | None = None
    if verdict is not None:
        with stages.stage("judging on the newest closed window"):
            judged = learner.judge(tuned, verdict, windows)
            windows.append(judged.windows)
    return Assessed(tuned, tuple(windows), judged)


def _notes(material: Material, judged: bool, returns: Returns) -> tuple[str, ...]:
    notes = []
    horizon = material.config.outcome.horizon_days
    if not judged:
        notes.append(_("history is too short to judge the models on a later window; they are ungraded"))
    if material.learnt_days < horizon:
        notes.append(
            _(
                "outcomes of {horizon} days leave too little history to learn from: models learn {learnt_days} days, "
                "which Pareto/NBD stretches",
                horizon=horizon,
                learnt_days=material.learnt_days,
            )
        )
    if not returns.learnt:
        notes.append(_("the chance of coming back is {note}", note=returns.note))
    return tuple(notes)
