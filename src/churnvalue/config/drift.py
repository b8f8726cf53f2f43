"""``[drift]``: how far what is scored may be from what the models learnt from, and which past scores are graded."""

from pydantic import model_validator

from churnvalue.config.section import Positive, Section, Text


class Drift(Section):
    """Population stability index from which a feature or score counts as moved, and from which half of them stop a scoring.

    ``past_scores``: folders that ``score`` wrote, as globs; each training grades those whose horizon is over.
    """

    warn: Positive = 0.25
    refuse: Positive = 2.0
    past_scores: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _ordered(self) -> "Drift":
        if self.warn > self.refuse:
            raise ValueError(f"drift.warn must not be above drift.refuse, but {self.warn:g} and {self.refuse:g} came")
        return self
