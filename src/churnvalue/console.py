"""What the command line shows: stages with their progress, tables and a few sentences; nothing that is not worth reading."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich.console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from churnvalue.progress import Stages, Tick
from churnvalue.storage import read_manifest

if TYPE_CHECKING:
    import pandas as pd

    from churnvalue.evaluation.estimate import Estimate
    from churnvalue.jobs.backtest import Backtest
    from churnvalue.jobs.check import Readiness
    from churnvalue.jobs.demo import Demo
    from churnvalue.jobs.measure import Measurement
    from churnvalue.jobs.plan import Plan
    from churnvalue.jobs.train import Training

_METHODS = {
    "lightgbm": "its trees alone",
    "last_window": "last window",
    "bg_nbd": "BG/NBD",
    "pareto_nbd": "Pareto/NBD",
    "zero": "nothing",
}
_WORTH_A_LINE = 0.5  # seconds; shorter stages are not worth one


class Console:
    """Shows stages while they run, on standard error, and results on standard output."""

    def __init__(self) -> None:
        self._out = rich.console.Console(soft_wrap=True, highlight=False)
        self._err = rich.console.Console(stderr=True, highlight=False)
        self.stages = Stages(self._show)

    def say(self, text: str) -> None:
        """Print a text as it is."""
        self._out.print(text, markup=False)

    def table(self, title: str, frame: "pd.DataFrame") -> None:
        """Print a data frame as a table: text left, numbers right."""
        table = Table(title=title, title_justify="left", title_style="bold")
        for name in frame.columns:
            numeric = frame[name].dtype.kind in "iuf"
            table.add_column(str(name).replace("_", " "), justify="right" if numeric else "left")
        for row in frame.itertuples(index=False):
            table.add_row(*[_cell(value) for value in row])
        self._out.print(table, soft_wrap=False)

    def timings(self) -> None:
        """Print how long the stages took that took long."""
        long = {title: s for title, s in self.stages.seconds.items() if s >= _WORTH_A_LINE}
        total = sum(self.stages.seconds.values())
        parts = ", ".join(f"{title} {seconds:.1f}" for title, seconds in long.items())
        self._err.print(f"{total:.1f} s in all{f': {parts}' if parts else ''}", markup=False, style="dim")

    @contextmanager
    def _show(self, title: str, steps: int | None) -> Iterator[Tick]:
        if not self._err.is_terminal:  # a log file wants no moving picture
            yield lambda: None
            return
        columns = [SpinnerColumn(), TextColumn("{task.description}")]
        if steps:
            columns += [BarColumn(bar_width=30), MofNCompleteColumn()]
        with Progress(*columns, TimeElapsedColumn(), console=self._err, transient=True) as progress:
            task = progress.add_task(title, total=steps)
            yield lambda: progress.advance(task)


def show_readiness(console: Console, readiness: "Readiness") -> None:
    """Print the readiness report."""
    import pandas as pd

    console.table("Readiness", pd.DataFrame([vars(finding) for finding in readiness.findings]))
    if len(readiness.cutoffs):
        shown = readiness.cutoffs.assign(cutoff=readiness.cutoffs["cutoff"].dt.strftime("%Y-%m-%d"))
        console.table("Outcomes by cutoff", shown)
    console.say("Ready: churnvalue train" if readiness.ready else "Not ready: see what is missing above.")


def show_training(console: Console, training: "Training") -> None:
    """Print the verdict of a training."""
    from churnvalue.jobs.realised import realised_sentence

    summary = training.summary
    console.say(
        f"Learnt from {summary['rows']:,} rows at {len(summary['cutoffs'])} cutoffs ({summary['log']['text']})."
    )
    for note in summary["log"]["notes"]:
        console.say(f"Note: {note}.")
    if "grade" in summary:
        _show_metrics(console, summary)
        console.say(f"Grade {summary['grade']}: {summary['grade_text']} (cutoff {summary['test_cutoff']}).")
    if past := realised_sentence(summary.get("realised", [])):
        console.say(past)
    for reason in summary["gate"]["reasons"]:
        console.say(f"Gate failed: {reason}.")
    for remark in summary["gate"].get("remarks", []):
        console.say(f"Gate: {remark}.")
    versions = ", ".join(f"{name} {version}" for name, version in training.versions.items())
    if not training.promoted:
        console.say(f"Not promoted: {versions} stay challengers; the champions are untouched.")
    elif summary["gate"]["passed"]:
        console.say(f"Champions: {versions}.")
    else:
        console.say(f"Champions for want of others: {versions}.")


def _show_metrics(console: Console, summary: Any) -> None:
    import pandas as pd

    rows = []
    methods = ["this model", *summary["models"]["churn"]["baselines"]]
    wanted = [("churn", "auc"), ("churn", "log_loss"), ("spend", "normalised_gini"), ("spend", "bias")]
    wanted = [(model, metric) for model, metric in wanted if "metrics" in summary["models"].get(model, {})]
    for method in dict.fromkeys([*methods, "zero"]):
        row: dict[str, Any] = {"method": _METHODS.get(method, method)}
        for model, metric in wanted:
            found = summary["models"][model]
            values = found["metrics"] if method == "this model" else found["baselines"].get(method, {})
            row[f"{model} {metric}"] = values.get(metric, float("nan"))
        rows.append(row)
    console.table(f"On the newest closed window, from {summary['test_cutoff']}", pd.DataFrame(rows))


def show_backtest(console: Console, result: "Backtest") -> None:
    """Print metrics at each origin and the differences from the baselines."""
    import pandas as pd

    origins = pd.DataFrame(result.origins)
    wanted = {
        "churn": ["auc", "log_loss", "calibration_error"],
        "spend": ["normalised_gini", "decile_mape", "bias"],
    }
    for model, metrics in wanted.items():
        part = origins[origins["model"] == model]
        if len(part):
            console.table(f"{model.capitalize()} by origin", part[["cutoff", "method", *metrics]])
    console.table("Ours less each baseline, with 95 % interval", pd.DataFrame(result.differences))
    console.say(f"Grade {result.grade} (mean over {origins['cutoff'].nunique()} origins).")


def show_scores(console: Console, scores: "pd.DataFrame", out: Path) -> None:
    """Print what the scores amount to."""
    leave, value = scores["p_churn"].sum(), scores["clv"].sum()
    facts = read_manifest(out)["facts"]["score"]
    line = f"{len(scores):,} customers scored as of {scores['cutoff'].iloc[0]:%Y-%m-%d}; {leave:,.0f} expected to leave"
    if facts["equity"]:
        worth = facts["equity"]
        line += f"; {scores['spend'].sum():,.0f} expected spend; customer equity {value:,.0f}"
        line += f" (80 %: {worth['low']:,.0f} to {worth['high']:,.0f} if customers vary alone)"
    console.say(line + ".")
    if facts["outside_population"]:
        console.say(
            f"{facts['outside_population']:,} customers of the log are not described: the population is those"
            f" {facts['population']} the cutoff ([population] active_days)."
        )
    groups = scores.groupby("tier", sort=False)
    by_tier = groups.agg(customers=("tier", "size"), p_churn=("p_churn", "mean"), clv=("clv", "mean")).reset_index()
    by_tier["share_of_value"] = groups["clv"].sum().to_numpy() / value if value else float("nan")
    console.table("Tiers", by_tier.sort_values("clv", ascending=False))
    console.say(f"Scores: {out / 'scores.parquet'}")


def show_plan(console: Console, planned: "Plan", out: Path) -> None:
    """Print what the plan does, costs and promises."""
    groups = planned.plan.groupby("action")
    actions = groups.agg(customers=("action", "size"), cost=("cost", "sum"), expected_profit=("expected_profit", "sum"))
    console.table("Actions", actions.reset_index().sort_values("expected_profit", ascending=False))
    for note in planned.notes:
        console.say(f"- {note.rstrip('.')}.")
    console.say(f"Plan: {out / 'plan.parquet'}, {out / 'sends.parquet'}, {out / 'sends.csv'}, {out / 'curve.parquet'}")


def show_measurement(console: Console, found: "Measurement", out: Path) -> None:
    """Print what a plan earned: by group, against simpler policies, and in words."""
    import pandas as pd

    groups = [group for group in found.value.groups if group.stay.known and group.by in ("all", "action")]
    if groups:
        rows = [
            {
                "group": group.name,
                "treated": group.treated,
                "held out": group.held_out,
                "staying, points": _interval(group.stay.times(100.0)),
                "promised": float("nan") if group.promised_stay is None else 100 * group.promised_stay,
                "value kept of 1 promised": _interval(group.kept_ratio),
                "profit in the window": _interval(group.profit_total),
            }
            for group in groups
        ]
        console.table("Given the plan's choice against held out, with 95 % intervals", pd.DataFrame(rows))
    policies = [row for row in found.value.policies if row.outcome == "kept" and row.plan_more and row.policy != "plan"]
    if policies:
        rows = [
            {"instead of the plan": row.policy, "the plan keeps more, a customer": _interval(row.plan_more["dr"])}
            for row in policies
        ]
        console.table("Other policies on the same customers (doubly robust)", pd.DataFrame(rows))
    for note in found.notes:
        console.say(f"Note: {note}")
    if found.sends is not None:
        console.say(found.sends.words)
    console.say(found.verdict)
    console.say(f"Measured: {out / 'measure.json'}")
    if found.teaches:
        console.say(f"The next plan learns from it: churnvalue plan --measured {out} …")
    else:
        console.say(f"The next plan learns nothing from it: {found.no_lesson.rstrip('.')}.")


def _interval(estimate: "Estimate") -> str:
    if not estimate.known:
        return "–"
    return f"{_cell(estimate.value)} ({_cell(estimate.low)} … {_cell(estimate.high)})"


def show_demo(console: Console, result: "Demo") -> None:
    """Print the whole way: verdict, scores, plan, one customer, and where to look."""
    out = result.report.parent
    show_training(console, result.training)
    show_scores(console, result.scores, out)
    show_plan(console, result.plan, out)
    console.say("\nOne customer, explained:\n" + result.example)
    console.say(f"\nOpen the report: {result.report}")
    console.say(f"Go on with the commands of README.md and --config {out / 'churnvalue.toml'}")
    console.timings()


def _cell(value: Any) -> str:
    if isinstance(value, float):
        if not isfinite(value):
            return "–"
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2f}" if abs(value) >= 10 else f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
