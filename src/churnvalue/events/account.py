"""What became of every row that was read."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Account:
    """What became of every row that was read; ``read = kept + duplicates + later + sum of quarantined``."""

    read: int = 0
    kept: int = 0
    duplicates: int = 0
    later: int = 0
    quarantined: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: "Account") -> "Account":
        reasons = sorted({*self.quarantined, *other.quarantined})
        return Account(
            self.read + other.read,
            self.kept + other.kept,
            self.duplicates + other.duplicates,
            self.later + other.later,
            {reason: self.quarantined.get(reason, 0) + other.quarantined.get(reason, 0) for reason in reasons},
        )

    @property
    def refused(self) -> int:
        """Rows that could not be used."""
        return sum(self.quarantined.values())
