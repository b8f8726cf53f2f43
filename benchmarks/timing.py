"""Timing: at which hour, when next, and whether the hour changes the answer; sends under caps and capacities.

``python -m benchmarks.timing --data DIR`` with DIR/online_retail_ii/, DIR/heartsteps_v1/ and, if wanted, DIR/cdnow/; ``--part``
runs one alone.
"""

from benchmarks import timing_habit, timing_next_purchase, timing_sends
from benchmarks.runner import run

PARTS = {**timing_habit.PARTS, **timing_next_purchase.PARTS, **timing_sends.PARTS}

if __name__ == "__main__":
    run("timing", __doc__, PARTS)
