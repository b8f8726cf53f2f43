"""What to do: tiers, hold-out and exploration, the value of each action, its allocation, and when to send."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from churnvalue.decisions.allocation import Allocation, allocate

__all__ = ["Allocation", "allocate"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that the command line stays quick."""
    if name in __all__:
        return getattr(import_module("churnvalue.decisions.allocation"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
