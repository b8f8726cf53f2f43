"""Features: one file a family, each feature a small function of a History, declared once.

Importing the package registers every family.
"""

from churnvalue.features import (
    assortment,
    frequency,
    habit,
    messages,
    monetary,
    recency,
    rhythm,
    season,
    service,
    trend,
)
from churnvalue.features.registry import Feature, by_name, expand, families, feature

__all__ = [
    "Feature",
    "assortment",
    "by_name",
    "expand",
    "families",
    "feature",
    "frequency",
    "habit",
    "messages",
    "monetary",
    "recency",
    "rhythm",
    "season",
    "service",
    "trend",
]
