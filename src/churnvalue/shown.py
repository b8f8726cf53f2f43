"""What the command line says of each result: a few sentences and tables; nothing that is not worth reading."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnvalue.console import Console, cell
from churnvalue.language import N_, _, day, term, translated
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
    "this model": N_("this model"),
    "lightgbm": N_("its trees alone"),
    "last_window": N_("last window"),
    "bg_nbd": "BG/NBD",
    "pareto_nbd": "Pareto/NBD",
    "zero": N_("nothing"),
}


def show_readiness(console: Console, readiness: "Readiness") -> None:
    """Print the readiness report."""
    import pandas as pd

    console.table(_("Readiness"), pd.DataFrame([vars(finding) for finding in readiness.findings]))
    if len(readiness.cutoffs):
        shown = readiness.cutoffs.assign(cutoff=readiness.cutoffs["cutoff"].map(day))
        console.table(_("Outcomes by cutoff"), shown)
    console.say(_("Ready: churnvalue train") if readiness.ready else _("Not ready: see what is missing above."))


def show_training(console: Console, training: "Training") -> None:
    """Print the verdict of a training."""
    from churnvalue.jobs.realised import realised_sentence

    summary = training.summary
    console.say(
        _(
            "Learnt from {rows:,} rows at {cutoffs} cutoffs ({log}).",
            rows=summary["rows"],
            cutoffs=len(summary["cutoffs"]),
            log=summary["log"]["text"],
        )
    )
    for note in summary["log"]["notes"]:
        console.say(_("Note: {note}.", note=note))
    if "grade" in summary:
        _show_metrics(console, summary)
        console.say(
            _(
                "Grade {grade}: {words} (cutoff {cutoff}).",
                grade=summary["grade"],
                words=summary["grade_text"],
                cutoff=summary["test_cutoff"],
            )
        )
    if past := realised_sentence(summary.get("realised", [])):
        console.say(past)
    for reason in summary["gate"]["reasons"]:
        console.say(_("Gate failed: {reason}.", reason=reason))
    for remark in summary["gate"].get("remarks", []):
        console.say(_("Gate: {remark}.", remark=remark))
    versions = ", ".join(f"{name} {version}" for name, version in training.versions.items())
    if not training.promoted:
        console.say(_("Not promoted: {versions} stay challengers; the champions are untouched.", versions=versions))
    elif summary["gate"]["passed"]:
        console.say(_("Champions: {versions}.", versions=versions))
    else:
        console.say(_("Champions for want of others: {versions}.", versions=versions))


def _show_metrics(console: Console, summary: Any) -> None:
    import pandas as pd

    rows = []
    methods = ["this model", *summary["models"]["churn"]["baselines"]]
    wanted = [("churn", "auc"), ("churn", "log_loss"), ("spend", "normalised_gini"), ("spend", "bias")]
    wanted = [(model, metric) for model, metric in wanted if "metrics" in summary["models"].get(model, {})]
    for method in dict.fromkeys([*methods, "zero"]):
        row: dict[str, Any] = {"method": translated(_METHODS.get(method, method))}
        for model, metric in wanted:
            found = summary["models"][model]
            values = found["metrics"] if method == "this model" else found["baselines"].get(method, {})
            row[_("{model} {metric}", model=term(model), metric=term(metric))] = values.get(metric, float("nan"))
        rows.append(row)
    console.table(_("On the newest closed window, from {cutoff}", cutoff=summary["test_cutoff"]), pd.DataFrame(rows))


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
            console.table(_("{model} by origin", model=term(model).capitalize()), part[["cutoff", "method", *metrics]])
    console.table(_("Ours less each baseline, with 95 % interval"), pd.DataFrame(result.differences))
    console.say(
        _("Grade {grade} (mean over {origins} origins).", grade=result.grade, origins=origins["cutoff"].nunique())
    )


def show_scores(console: Console, scores: "pd.DataFrame", out: Path) -> None:
    """Print what the scores amount to."""
    leave, value = scores["p_churn"].sum(), scores["clv"].sum()
    facts = read_manifest(out)["facts"]["score"]
    places = {"customers": len(scores), "cutoff": day(scores["cutoff"].iloc[0]), "leavers": leave}
    if facts["equity"]:
        console.say(
            _(
                "{customers:,} customers scored as of {cutoff}; {leavers:,.0f} expected to leave; {spend:,.0f} expected spend; "
                "customer equity {equity:,.0f} (80 %: {low:,.0f} to {high:,.0f} if customers vary alone).",
                **places,
                spend=scores["spend"].sum(),
                equity=value,
                low=facts["equity"]["low"],
                high=facts["equity"]["high"],
            )
        )
    else:
        console.say(_("{customers:,} customers scored as of {cutoff}; {leavers:,.0f} expected to leave.", **places))
    for note in (facts.get("drift") or {}).get("notes", ()):
        console.say(_("Drift: {note}.", note=note))
    if facts["outside_population"]:
        console.say(
            _(
                "{customers:,} customers of the log are not described: the population is those {population} the cutoff "
                "([population] active_days).",
                customers=facts["outside_population"],
                population=facts["population"],
            )
        )
    groups = scores.groupby("tier", sort=False)
    by_tier = groups.agg(customers=("tier", "size"), p_churn=("p_churn", "mean"), clv=("clv", "mean")).reset_index()
    by_tier["share_of_value"] = groups["clv"].sum().to_numpy() / value if value else float("nan")
    console.table(_("Tiers"), by_tier.sort_values("clv", ascending=False))
    console.say(_("Scores: {files}", files=out / "scores.parquet"))


def show_plan(console: Console, planned: "Plan", out: Path) -> None:
    """Print what the plan does, costs and promises."""
    groups = planned.plan.groupby("action")
    actions = groups.agg(customers=("action", "size"), cost=("cost", "sum"), expected_profit=("expected_profit", "sum"))
    console.table(_("Actions"), actions.reset_index().sort_values("expected_profit", ascending=False))
    for note in planned.notes:
        console.say(f"- {note.rstrip('.')}.")
    files = ", ".join(str(out / name) for name in ("plan.parquet", "sends.parquet", "sends.csv", "curve.parquet"))
    console.say(_("Plan: {files}", files=files))


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
        console.table(_("Given the plan's choice against held out, with 95 % intervals"), pd.DataFrame(rows))
    policies = [row for row in found.value.policies if row.outcome == "kept" and row.plan_more and row.policy != "plan"]
    if policies:
        rows = [
            {"instead of the plan": row.policy, "the plan keeps more, a customer": _interval(row.plan_more["dr"])}
            for row in policies
        ]
        console.table(_("Other policies on the same customers (doubly robust)"), pd.DataFrame(rows))
    for note in found.notes:
        console.say(_("Note: {note}", note=note))
    if found.sends is not None:
        console.say(found.sends.words)
    console.say(found.verdict)
    console.say(_("Measured: {files}", files=out / "measure.json"))
    if found.teaches:
        console.say(_("The next plan learns from it: churnvalue plan --measured {folder} …", folder=out))
    else:
        console.say(_("The next plan learns nothing from it: {reason}.", reason=found.no_lesson.rstrip(".")))


def _interval(estimate: "Estimate") -> str:
    if not estimate.known:
        return "–"
    return f"{cell(estimate.value)} ({cell(estimate.low)} … {cell(estimate.high)})"


def show_demo(console: Console, result: "Demo") -> None:
    """Print the whole way: verdict, scores, plan, one customer, and where to look."""
    out = result.report.parent
    show_training(console, result.training)
    show_scores(console, result.scores, out)
    show_plan(console, result.plan, out)
    console.say("\n" + _("One customer, explained:") + "\n" + result.example)
    console.say("\n" + _("Open the report: {page}", page=result.report))
    console.say(_("Go on with the commands of README.md and --config {config}", config=out / "churnvalue.toml"))
    console.timings()
