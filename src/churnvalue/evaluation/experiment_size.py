"""How many customers an experiment needs before it can tell an effect from chance."""

from dataclasses import dataclass
from math import ceil

from scipy.stats import norm

from churnvalue.errors import ConfigError


@dataclass(frozen=True)
class ExperimentSize:
    """Customers needed in either group."""

    treated: int
    held_out: int

    @property
    def customers(self) -> int:
        """Of both groups."""
        return self.treated + self.held_out


def size_experiment(
    effect: float,
    *,
    base_rate: float | None = None,
    sd: float | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
    share: float = 0.5,
) -> ExperimentSize:
    """Return the customers needed to see a difference of means with probability ``power`` in a two-sided test.

    ``N = (z(1 - alpha/2) + z(power))² · sd² / (effect² · share · (1 - share))``; of a proportion ``sd² = p (1 - p)`` at
    the base rate, so an effect that raises a rare rate by a tenth needs 5 % more than is said here.

    >>> size_experiment(0.001, base_rate=0.01).treated  # 1 % of customers, raised by a tenth
    155408

    Args:
        effect: Difference of the means, in the outcome's unit; for a proportion in shares, not per cent of it.
        base_rate: Share with the outcome, untreated; give this or ``sd``.
        sd: Standard deviation of the outcome, such as money.
        power: Probability of seeing the effect.
        alpha: Probability of seeing one where there is none.
        share: Share of the customers who are treated.

    Raises:
        ConfigError: If a value is out of its bounds.
    """
    if (base_rate is None) == (sd is None):
        raise ConfigError("Either base_rate or sd must be given, but both or neither came. Give one.")
    shares = {"power": power, "alpha": alpha, "share": share} | ({} if base_rate is None else {"base_rate": base_rate})
    for name, one in shares.items():
        if not 0.0 < one < 1.0:
            raise ConfigError(f"'{name}' must be above 0 and below 1, but {one:g} came.")
    variance = base_rate * (1.0 - base_rate) if base_rate is not None else (sd or 0.0) ** 2
    if not (effect != 0.0 and abs(effect) < float("inf") and 0.0 < variance < float("inf")):
        raise ConfigError(f"Effect and spread must be finite and not 0, but {effect:g} and {variance**0.5:g} came.")
    total = _reach(power, alpha) ** 2 * variance / (effect**2 * share * (1.0 - share))
    return ExperimentSize(ceil(total * share), ceil(total * (1.0 - share)))


def customers_needed(effect: float, se: float, customers: int, power: float = 0.8, alpha: float = 0.05) -> int | None:
    """Return the customers with which a plan like this one would show ``effect``, when so many gave the error ``se``.

    The error of a paired difference, or of an adjusted one, falls with the root of the number of customers. None where
    nothing can be said: no effect, or no error.
    """
    if effect == 0.0 or se <= 0.0:
        return None
    return ceil(customers * (_reach(power, alpha) * se / effect) ** 2)


def _reach(power: float, alpha: float) -> float:
    """Return by how many standard errors the effect must exceed 0."""
    return float(norm.ppf(1.0 - alpha / 2.0) + norm.ppf(power))
