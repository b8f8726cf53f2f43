"""When: the hour of the week a customer is active, and the hours in which a message may go out."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from churnvalue.timing.counting import slot_counts
    from churnvalue.timing.habit import SlotHabit

__all__ = ["SlotHabit", "slot_counts"]
_HOMES = {"SlotHabit": "habit", "slot_counts": "counting"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that the command line stays quick."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
