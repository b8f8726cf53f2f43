"""Targets: what a customer does from the cutoff to the horizon, as functions of a Future."""

from churnvalue.views import Column, Future

NAMES = ("churned", "orders", "spend")


def churned(future: Future, kind: str) -> Column:
    """1 if the customer has no event of ``kind`` in the horizon, else 0."""
    return 1 - future.of(kind).count().at_most(1)


def orders(future: Future, kind: str) -> Column:
    """Events of ``kind`` in the horizon."""
    return future.of(kind).count()


def spend(future: Future, kind: str) -> Column:
    """Sum of the amounts of ``kind`` in the horizon; 0 without events, never below 0."""
    return future.of(kind).total().at_least(0)
