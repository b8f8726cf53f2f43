"""Runs, models and their registry in MLflow, which nothing else imports."""

from churnvalue.tracking import environment as _settings  # noqa: F401  first: MLflow reads them on import
from churnvalue.tracking.environment import UnreachableError
from churnvalue.tracking.packages import MODEL_FILES, ModelPackage
from churnvalue.tracking.registry import CHALLENGER, CHAMPION, PREVIOUS, Keys, Registry, VersionInfo
from churnvalue.tracking.runs import Run, TrialRecord
from churnvalue.tracking.store import Tracker, open_tracker

__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "MODEL_FILES",
    "PREVIOUS",
    "Keys",
    "ModelPackage",
    "Registry",
    "Run",
    "Tracker",
    "TrialRecord",
    "UnreachableError",
    "VersionInfo",
    "open_tracker",
]
