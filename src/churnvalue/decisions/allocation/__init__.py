"""Which customer gets which option, so that a budget and capacities earn the most, with a proof of how near that is."""

from churnvalue.decisions.allocation.allocate import NONE, Allocation, allocate, allocate_within
from churnvalue.decisions.allocation.limits import Floor, Limits
from churnvalue.decisions.allocation.streamed import OptionColumns, allocate_streamed

__all__ = ["NONE", "Allocation", "Floor", "Limits", "OptionColumns", "allocate", "allocate_streamed", "allocate_within"]
