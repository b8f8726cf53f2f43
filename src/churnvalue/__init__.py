"""Decide, for every customer, whom to keep, how, and when to write.

Every command of the command line is a function here, imported when it is first used. Three have a longer name, for a package
bears the short one: ``explain_customer``, ``write_report``, ``list_models``.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "Config": "config",
    "read_config": "config",
    "read_log": "engines",
    "feature": "features",
    "feature_frame": "frames",
    "training_frame": "frames",
    "audience": "jobs.audience",
    "backtest": "jobs.backtest",
    "check": "jobs.check",
    "demo": "jobs.demo",
    "explain_customer": "jobs.report",
    "init": "jobs.init",
    "list_models": "jobs.registry",
    "measure": "jobs.measure",
    "plan": "jobs.plan",
    "promote": "jobs.registry",
    "publish": "jobs.publish",
    "write_report": "jobs.report",
    "score": "jobs.score",
    "size_experiment": "evaluation.experiment_size",
    "train": "jobs.train",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that ``import churnvalue`` stays quick."""
    if name in _HOMES:
        return getattr(import_module(f"churnvalue.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'churnvalue' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
