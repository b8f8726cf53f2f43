"""Models of when customers come back, and what that is worth. The estimators here can be used on their own."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from churnvalue.models.bg_nbd import BetaGeoNBD
    from churnvalue.models.gamma_gamma import GammaGamma
    from churnvalue.models.hurdle import HurdleRegressor
    from churnvalue.models.pareto_nbd import ParetoNBD

__all__ = ["BetaGeoNBD", "GammaGamma", "HurdleRegressor", "ParetoNBD"]
_HOMES = {"BetaGeoNBD": "bg_nbd", "GammaGamma": "gamma_gamma", "HurdleRegressor": "hurdle", "ParetoNBD": "pareto_nbd"}


def __getattr__(name: str) -> Any:
    """Import an estimator when it is first asked for, so that the command line stays quick."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
