"""``[drift]``: how far what is scored may be from what the models learnt from, and which past scores are graded."""

from pydantic import model_validator

from churnvalue.config.section import Positive, Section, Text


class Drift(Section):
    """How far what is scored may be from what the models learnt from, and which past scores are graded."""

    warn: Positive = 0.25
    """Population stability index from which a feature or score counts as moved."""
    refuse: Positive = 2.0
    """The same, from which, if half of the features have moved so far, nothing is scored."""
    past_scores: tuple[Text, ...] = ()
    """Folders that `score` wrote, as globs; each training grades those whose horizon is over."""

    @model_validator(mode="after")
    def _ordered(self) -> "Drift":
        if self.warn > self.refuse:
            raise ValueError(f"drift.warn must not be above drift.refuse, but {self.warn:g} and {self.refuse:g} came")
        return self
