"""``check``: is the log ready? ``init``: what would a configuration of this source look like?"""

from dataclasses import dataclass

import pandas as pd

from churnvalue import clock
from churnvalue.config import Config, EventSource, FromColumn
from churnvalue.engines import read_columns, read_log
from churnvalue.errors import HistoryError
from churnvalue.events.log import EventLog
from churnvalue.features import expand
from churnvalue.frames import training_frame
from churnvalue.jobs.log_end import far_end
from churnvalue.language import N_, _, named, spoken, translated
from churnvalue.snapshots import training_cutoffs

_ENOUGH_CUSTOMERS = 500
_ENOUGH_OF_EACH = 100
_MOST_NAMES = 10  # of columns, on one line


@dataclass(frozen=True)
class Finding:
    """One line of the readiness report; ``level`` is ok, note or missing. What is missing stops training."""

    level: str
    subject: str
    text: str


@dataclass(frozen=True)
class Readiness:
    """What the log holds and lacks, and how many left and bought at each cutoff."""

    findings: tuple[Finding, ...]
    cutoffs: pd.DataFrame

    @property
    def ready(self) -> bool:
        """Whether nothing is missing."""
        return all(finding.level != "missing" for finding in self.findings)


@spoken
def check(config: Config) -> Readiness:
    """Return the readiness report of a configuration's log.

    Raises:
        SourceError: If a source cannot be read at all.
    """
    log = read_log(config)
    findings = [*_rows(log, config), *_columns(config), *_contents(log, config)]
    if far := far_end(log, config):
        findings.append(Finding("note", "end", far))
    cutoffs = pd.DataFrame(columns=["cutoff", "customers", "left", "bought", "share_left", "spend"])
    try:
        cutoffs = _outcomes(log, config)
    except HistoryError as error:
        findings.append(Finding("missing", "history", str(error)))
    else:
        findings += _sizes(cutoffs, config)
    return Readiness(tuple(findings), cutoffs)


def _rows(log: EventLog, config: Config) -> list[Finding]:
    account = log.account
    share = account.kept / account.read
    lines = [
        Finding(
            "ok",
            "rows",
            _("{kept:,} of {read:,} rows can be used ({share:.1%})", kept=account.kept, read=account.read, share=share),
        )
    ]
    lines += [
        Finding("note", "quarantined", _("{rows:,} rows: {reason}", rows=rows, reason=translated(reason)))
        for reason, rows in account.quarantined.items()
    ]
    if account.duplicates:
        told = N_("{duplicates:,} rows repeat another in every column; counted once")
        if any(source.repeated for source in config.events):
            told = N_("{duplicates:,} rows repeat another, or tell an event as it was known earlier; left out")
        lines.append(Finding("note", "duplicates", _(told, duplicates=account.duplicates)))
    if account.later:
        lines.append(
            Finding("note", "later", _("{later:,} rows lie after observed_until; left out", later=account.later))
        )
    return lines


def _columns(config: Config) -> list[Finding]:
    """Say which columns of a source play no part: what was forgotten stands among them."""
    lines = []
    for source in config.events:
        columns = read_columns(config, source.source)
        idle = sorted(name for name in columns if not _plays_a_part(name, source, config))
        if idle:
            named = ", ".join(idle[:_MOST_NAMES]) + (", …" if len(idle) > _MOST_NAMES else "")
            lines.append(
                Finding(
                    "note",
                    "columns",
                    _(
                        "{idle:,} columns of {source} play no part: {named}",
                        idle=len(idle),
                        source=source.source,
                        named=named,
                    ),
                )
            )
    return lines


def _plays_a_part(column: str, source: EventSource, config: Config) -> bool:
    parts = source.columns.model_dump(exclude={"amount", "quantity"}).values()
    told = [part.column for part in (source.kind, config.timing.timezone) if isinstance(part, FromColumn)]
    arithmetic = f"{source.columns.amount} {source.columns.quantity}"
    return column in (*parts, *told) or column in arithmetic


def _contents(log: EventLog, config: Config) -> list[Finding]:
    days = (log.observed_until - log.first) // clock.DAY
    kinds = ", ".join(f"{count:,} × {named(kind)}" for kind, count in log.kinds.items())
    wanted = {config.outcome.kind, config.population.kind} - set(log.kinds)
    lines = [
        Finding(
            "ok",
            "events",
            _(
                "{events:,} events of {customers:,} customers: {kinds}",
                events=len(log),
                customers=len(log.customers),
                kinds=kinds,
            ),
        ),
        Finding(
            "ok",
            "history",
            _(
                "{days:,} days, {first} to {observed_until}",
                days=days,
                first=clock.text(log.first),
                observed_until=clock.text(log.observed_until),
            ),
        ),
    ]
    if wanted:
        lines.append(
            Finding(
                "missing",
                "kinds",
                _("no event of kind {wanted}, which the configuration foretells", wanted=", ".join(sorted(wanted))),
            )
        )
    if not log.pays(config.outcome.kind):
        lines.append(
            Finding("note", "amounts", _("no amounts: spend and value will not be foretold. Map columns.amount"))
        )
    if log.days_only:
        lines.append(
            Finding(
                "note",
                "hours",
                _("times know the day only: sends are planned by weekday, at timing.default_hour"),
            )
        )
    if "return" not in log.kinds:
        lines.append(Finding("note", "returns", _("no returns: value will not know who sends goods back")))
    if not {"ticket", "message_sent"} & set(log.kinds):
        lines.append(
            Finding(
                "note",
                "service",
                _("no tickets or messages: cost to serve and response to messages stay unknown"),
            )
        )
    return lines


def _outcomes(log: EventLog, config: Config) -> pd.DataFrame:
    features = expand([{"use": "days_since_last", "kind": config.outcome.kind}])
    cutoffs = training_cutoffs(log, config.training, config.outcome)
    targets = training_frame(log, features, cutoffs, config.population, config.outcome).targets
    groups = targets.groupby(level="cutoff")
    table = pd.DataFrame({"customers": groups.size(), "left": groups["churned"].sum().astype(int)})
    table["bought"] = table["customers"] - table["left"]
    table["share_left"] = table["left"] / table["customers"]
    table["spend"] = groups["spend"].sum() if "spend" in targets else float("nan")
    return table.rename_axis("cutoff").reset_index()


def _sizes(cutoffs: pd.DataFrame, config: Config) -> list[Finding]:
    newest = cutoffs.iloc[-1]
    lines = [
        Finding(
            "ok",
            "cutoffs",
            _(
                "{cutoffs} closed cutoffs of {horizon_days} days, newest {cutoff:%Y-%m-%d}",
                cutoffs=len(cutoffs),
                horizon_days=config.outcome.horizon_days,
                cutoff=newest["cutoff"],
            ),
        )
    ]
    span = pd.Timedelta(days=config.outcome.horizon_days)
    if newest["cutoff"] - cutoffs["cutoff"].iloc[0] < span:
        lines.append(
            Finding("note", "history", _("less than two horizons apart: models cannot be judged on a later window"))
        )
    if newest["customers"] < _ENOUGH_CUSTOMERS:
        lines.append(
            Finding(
                "note",
                "customers",
                _(
                    "{customers:,} customers; {enough_customers} make models steady",
                    customers=newest["customers"],
                    enough_customers=_ENOUGH_CUSTOMERS,
                ),
            )
        )
    for name, words in (
        ("left", N_("{customers:,} customers left at the newest cutoff; {wanted} are wanted")),
        ("bought", N_("{customers:,} customers bought again at the newest cutoff; {wanted} are wanted")),
    ):
        if newest[name] < _ENOUGH_OF_EACH:
            level = "missing" if cutoffs[name].sum() < 10 else "note"
            lines.append(
                Finding(
                    level,
                    "outcomes",
                    _(words, customers=newest[name], wanted=_ENOUGH_OF_EACH),
                )
            )
    return lines
