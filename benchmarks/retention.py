"""Retention: effects on Hillstrom's mails, allocation, what plans are measured to have earned, and what to offer next.

``python -m benchmarks.retention --data DIR`` with DIR/hillstrom/ and DIR/online_retail_ii/; ``--part`` runs one alone.
"""

from benchmarks import retention_allocation, retention_effects, retention_measurement, retention_next_category
from benchmarks.runner import run

PARTS = {
    **retention_effects.PARTS,
    **retention_allocation.PARTS,
    **retention_measurement.PARTS,
    **retention_next_category.PARTS,
}

if __name__ == "__main__":
    run("retention", __doc__, PARTS)
