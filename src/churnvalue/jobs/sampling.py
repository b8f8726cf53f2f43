"""The log that is learnt from: everybody, or a sample of the customers where they are more than learning needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

from churnvalue.config import Config
from churnvalue.engines import open_log, read_log
from churnvalue.events.log import EventLog
from churnvalue.language import _


@dataclass(frozen=True)
class Sample:
    """How many customers are learnt from, ``of`` how many."""

    customers: int
    of: int

    @property
    def error(self) -> float:
        """Half the width of the 95 % interval of a rate of one half, by drawing alone; a rate farther from that is surer."""
        return 1.96 * sqrt(0.25 / self.customers * (1 - self.customers / self.of))

    def facts(self) -> dict[str, Any]:
        """Return the same as JSON can hold it."""
        return {"customers": self.customers, "of": self.of, "error_of_a_rate": round(self.error, 6)}

    def scaled(self, period: Mapping[str, Any]) -> dict[str, Any]:
        """Return what happened in a period as it would be for everybody: it is compared with what is foretold of all."""
        totals = ("customers", "churned", "orders", "spend")
        return {key: value * self.of / self.customers if key in totals else value for key, value in period.items()}

    def says(self) -> str:
        """Return a sentence on what was drawn and how sure it leaves a rate."""
        return _(
            "learnt from {customers:,} of {of:,} customers, drawn by a digest of their ids ([training] most_customers): for that a"
            " rate is uncertain by at most ±{points:.2f} points; numbers of customers and totals are those of the sample",
            customers=self.customers,
            of=self.of,
            points=100 * self.error,
        )


def read_to_learn(config: Config, as_of: int | None) -> tuple[EventLog, Sample | None]:
    """Return the log to learn from, and what sample of the customers it is; None if it is all of them."""
    most = config.training.most_customers
    with open_log(config, as_of) as stream:
        everyone = len(stream.facts.customers)
        if everyone <= most:
            return stream.whole(), None
    log = read_log(config, as_of, most / everyone)
    return log, Sample(len(log.customers), everyone)
