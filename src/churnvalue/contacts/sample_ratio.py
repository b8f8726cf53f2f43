"""Whether groups came out as large as they were drawn: the first thing to ask of any experiment."""

from collections.abc import Mapping
from dataclasses import dataclass

from scipy.stats import binomtest, chisquare

from churnvalue.errors import ExperimentError

SUSPICIOUS = 0.001


@dataclass(frozen=True)
class SampleRatio:
    """How many customers each group has and should have, and how likely a distance this large is by chance."""

    counts: Mapping[str, int]
    expected: Mapping[str, float]
    p_value: float

    @property
    def fits(self) -> bool:
        """Whether chance explains the sizes; where not, something else than the draw decided who is in which group."""
        return self.p_value >= SUSPICIOUS


def sample_ratio(counts: Mapping[str, int], shares: Mapping[str, float]) -> SampleRatio:
    """Compare the sizes of groups with the shares they were drawn with: exact binomial for two, else chi-squared.

    Raises:
        ExperimentError: If the groups are not those of ``shares``, or these are not in (0, 1) with the sum 1.
    """
    total = sum(shares.values())
    if set(counts) != set(shares) or abs(total - 1.0) > 1e-6 or min(shares.values(), default=0.0) <= 0.0:
        raise ExperimentError(
            f"Shares above 0 with the sum 1 are needed for the groups {sorted(counts)}, but {dict(shares)} came."
            " State the share of every group."
        )
    names, size = sorted(counts), sum(counts.values())
    expected = {name: size * shares[name] / total for name in names}
    if size == 0 or len(names) < 2:
        p_value = 1.0
    elif len(names) == 2:
        p_value = binomtest(counts[names[0]], size, shares[names[0]] / total).pvalue
    else:
        p_value = chisquare([counts[name] for name in names], [expected[name] for name in names]).pvalue
    return SampleRatio(dict(sorted(counts.items())), expected, float(p_value))
