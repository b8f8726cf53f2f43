"""The season: how the level moved a year ago between the same two dates, where the log goes back that far.

Measured on buy-till-you-die models, which need no outcome to be fitted and so can stand at any past date.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from churnvalue import clock
from churnvalue.config import Outcome, Population
from churnvalue.errors import HistoryError
from churnvalue.events.log import EventLog
from churnvalue.frames import training_frame
from churnvalue.models import buy_till_you_die
from churnvalue.models.buy_till_you_die import BuyTillYouDie, Foretold, summary
from churnvalue.models.calibration import level

_YEAR = pd.Timedelta(days=365)
_SHORTEST_HISTORY = pd.Timedelta(days=60)
_FEWEST = 200
_SHARE = 0.7  # of last year's movement; some of it was chance and the youth of the log


@dataclass(frozen=True)
class Seasons:
    """Levels that buy-till-you-die models would have needed at past dates; each date is computed once."""

    log: EventLog
    who: Population
    outcome: Outcome
    _levels: dict[pd.Timestamp, dict[str, float] | None] = field(default_factory=dict)

    def shift(self, foretold: Foretold, now: pd.Timestamp, before: pd.Timestamp) -> float:
        """Return by how much the link should rise from ``before`` to ``now``, from what it did a year earlier.

        0 where the log does not go back that far, holds too few customers there, or the outcome had not closed by ``now``.
        """
        ends = [self._level(date - _YEAR, now) for date in (now, before)]
        if ends[0] is None or ends[1] is None or foretold not in ends[0]:
            return 0.0
        return _SHARE * (ends[0][foretold] - ends[1][foretold])

    def _level(self, date: pd.Timestamp, now: pd.Timestamp) -> dict[str, float] | None:
        if date + pd.Timedelta(days=self.outcome.horizon_days) > now:
            return None
        if date not in self._levels:
            self._levels[date] = self._measured(date)
        return self._levels[date]

    def _measured(self, date: pd.Timestamp) -> dict[str, float] | None:
        cutoff = clock.micros(date.to_pydatetime())
        first = pd.Timestamp(clock.moment(self.log.first))
        if date < first + _SHORTEST_HISTORY:
            return None
        kind = self.outcome.kind
        try:
            frame = training_frame(self.log, buy_till_you_die.inputs(kind), [cutoff], self.who, self.outcome)
            if len(frame.features) < _FEWEST:
                return None
            model = BuyTillYouDie.fit(frame.features, kind)
        except HistoryError:
            return None
        rfm = summary(frame.features, kind)
        links = {"churned": ("churn", "logit"), "orders": ("orders", "log"), "spend": ("spend", "log")}
        found = {}
        for target, (name, link) in links.items():
            if target in frame.targets and (name != "spend" or model.amounts):
                actual = frame.targets[target].to_numpy(dtype=np.float64)
                found[name] = level(model.on_link(rfm, name, self.outcome.horizon_days), actual, link)  # type: ignore[arg-type]
        return found
