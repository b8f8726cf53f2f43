"""The command line: arguments in, one public function called, results shown. Heavy imports wait for their command."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from churnvalue.errors import ChurnvalueError, printable
from churnvalue.language import ENGLISH, _, speak, speaking

if TYPE_CHECKING:
    from churnvalue.config import Config
    from churnvalue.console import Console

USER_ERROR, NOT_PROMOTED, STOPPED = 1, 3, 130
app = typer.Typer(
    name="churnvalue",
    help="From a log of customer interactions to a decision for every customer.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
ConfigPath = Annotated[Path, typer.Option("--config", help="The configuration.")]
AsOf = Annotated[str | None, typer.Option(help="Cutoff, such as 2011-09-01: events strictly before its 00:00 UTC.")]
Out = Annotated[Path | None, typer.Option(help="Folder to write to.")]
ScoresFolder = Annotated[Path, typer.Option("--scores", help="Folder that 'score' wrote.")]
PlanFolder = Annotated[Path, typer.Option("--plan", help="Folder that 'plan' wrote.")]
Force = Annotated[bool, typer.Option("--force", help="Go on where the data speak against it, and say so.")]
DEFAULT_CONFIG = Path("churnvalue.toml")


class Reasons(StrEnum):
    """Whose reasons ``score`` finds."""

    AUTO, ALL, NONE = "auto", "all", "none"


@app.callback()
def _main(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the trace of an error.")] = False,
) -> None:
    """Show a trace where it was asked for; ``main`` prints one line otherwise."""
    context.with_resource(speaking(ENGLISH))  # until a configuration asks for another language
    if debug:
        os.environ["CHURNVALUE_DEBUG"] = "1"


@app.command()
def demo(
    log: Annotated[str, typer.Option(help="cdnow, online-retail or simulated.")] = "cdnow",
    data: Annotated[Path | None, typer.Option(help="Where the log lies, for online-retail.")] = None,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("demo"),
    trials: Annotated[int | None, typer.Option(help="Trials of tuning, for a quicker look.")] = None,
) -> None:
    """Go the whole way on a real log: train, score, plan, report."""
    from churnvalue.console import Console
    from churnvalue.shown import show_demo

    console = Console()
    from churnvalue.jobs.demo import demo as run

    show_demo(console, run(log, data, out, trials, console.stages))


@app.command()
def init(source: Annotated[str, typer.Argument(help="File, glob or duckdb:///file#table.")]) -> None:
    """Look at a source and propose a configuration."""
    from churnvalue.console import Console
    from churnvalue.jobs.init import init as run

    console = Console()
    proposal = run(source, Path.cwd())
    console.say(proposal.text)
    for remark in proposal.remarks:
        console.say(f"Note: {remark}.")
    console.say(f"Written to {proposal.path.name}. Correct it, then: churnvalue check")


@app.command()
def check(config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Say whether the log is ready, and what it lacks."""
    from churnvalue.console import Console
    from churnvalue.jobs.check import check as run
    from churnvalue.shown import show_readiness

    console = Console()
    with console.stages.stage("reading the log"):
        readiness = run(_read(config))
    show_readiness(console, readiness)
    if not readiness.ready:
        raise typer.Exit(USER_ERROR)


@app.command()
def train(
    as_of: AsOf = None,
    out: Out = None,
    force: Force = False,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Train, judge and register the models; promote them if the gate holds."""
    from churnvalue.console import Console
    from churnvalue.shown import show_training

    console = Console()
    from churnvalue.jobs.train import train as run

    training = run(_read(config), as_of, out, console.stages, force=force)
    show_training(console, training)
    console.timings()
    if not training.promoted:
        raise typer.Exit(NOT_PROMOTED)


@app.command()
def backtest(out: Out = None, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Learn as of past cutoffs and compare with every baseline on what then happened."""
    from churnvalue.console import Console
    from churnvalue.shown import show_backtest

    console = Console()
    from churnvalue.jobs.backtest import backtest as run

    show_backtest(console, run(_read(config), out, console.stages))
    console.timings()


@app.command()
def score(  # noqa: PLR0913 – one parameter an option
    out: Annotated[Path, typer.Option(help="Folder of scores.parquet.")],
    as_of: AsOf = None,
    features: Annotated[bool, typer.Option("--features", help="Write features.parquet too.")] = False,
    previous: Annotated[
        Path | None, typer.Option(help="Folder of earlier scores, whose tiers hold until clearly passed.")
    ] = None,
    reasons: Annotated[
        Reasons, typer.Option(help="Whose reasons are found: everybody's, nobody's, or everybody's up to 100,000.")
    ] = Reasons.AUTO,
    force: Force = False,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Score everyone in the population with the champions."""
    from churnvalue.console import Console
    from churnvalue.shown import show_scores

    console, settings = Console(), _read(config)
    from churnvalue.jobs.score import score as run

    scores = run(
        settings, as_of, out, console.stages,
        with_features=features, previous=previous, reasons=reasons.value, force=force,
    )  # fmt: skip
    show_scores(console, scores, out)
    _publish(console, settings, out, "score")
    console.timings()


@app.command()
def plan(
    scores: ScoresFolder,
    out: Annotated[Path, typer.Option(help="Folder of plan.parquet, sends.parquet and curve.parquet.")],
    measured: Annotated[
        list[Path] | None, typer.Option(help="Folder that 'measure' wrote for a past plan, to learn from; repeatable.")
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Decide whom to keep within the budget, and when to write."""
    from churnvalue.console import Console
    from churnvalue.shown import show_plan

    console, settings = Console(), _read(config)
    from churnvalue.jobs.plan import plan as run

    show_plan(console, run(settings, scores, out, console.stages, measured or ()), out)
    _publish(console, settings, out, "plan")
    console.timings()


@app.command()
def measure(
    plan: PlanFolder,
    as_of: Annotated[str | None, typer.Option(help="Read what was known before this date; all by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of measure.json; the plan's by default.")] = None,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Say what a plan really earned, from what happened after it."""
    from churnvalue.console import Console
    from churnvalue.shown import show_measurement

    console = Console()
    from churnvalue.jobs.measure import measure as run

    show_measurement(console, run(_read(config), plan, as_of, out or plan, console.stages), out or plan)
    console.timings()


@app.command()
def audience(
    condition: Annotated[str, typer.Argument(help="Such as \"tier = 'most growable' and p_churn > .5\".")],
    scores: ScoresFolder,
    plan: Annotated[Path | None, typer.Option(help="Folder that 'plan' wrote, to choose by its columns too.")] = None,
    out: Annotated[Path | None, typer.Option(help="CSV file to write; only the count is shown without.")] = None,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Pick customers by a condition over scores and plan."""
    from churnvalue.console import Console
    from churnvalue.jobs.audience import audience as run

    if config.is_file():  # only for its language
        _read(config)
    console = Console()
    found = run(condition, scores, plan, out)
    console.say(
        _(
            "{chosen:,} of {scored:,} customers: {condition}",
            chosen=len(found.chosen),
            scored=found.scored,
            condition=condition,
        )
    )
    if out is not None:
        console.say(_("List: {files}", files=out))


@app.command()
def explain(
    customer: Annotated[str, typer.Argument(help="Id of a customer.")],
    scores: ScoresFolder,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Say one customer's numbers and reasons in words."""
    from churnvalue.console import Console
    from churnvalue.jobs.report import explain_customer as run

    # Scores that hold their reasons can be explained without the configuration.
    Console().say(run(customer, scores, _read(config) if config.is_file() else None))


@app.command()
def report(
    scores: ScoresFolder,
    plan: Annotated[Path | None, typer.Option(help="Folder that 'plan' wrote.")] = None,
    out: Out = None,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Write the report: one self-contained page."""
    from churnvalue.console import Console
    from churnvalue.jobs.report import write_report as run

    console = Console()
    with console.stages.stage("writing the report"):
        page = run(_read(config), scores, plan, out)
    console.say(_("Report: {page}", page=page))


@app.command()
def promote(
    model: Annotated[str, typer.Argument(help="churn, orders, spend, value or return.")],
    version: Annotated[int, typer.Argument(help="Which version to make champion.")],
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Make a version of a model the champion."""
    from churnvalue.console import Console
    from churnvalue.jobs.registry import promote as run

    run(_read(config), model, version)
    Console().say(_("{model} {version} is champion.", model=model, version=version))


@app.command()
def models(config: ConfigPath = DEFAULT_CONFIG) -> None:
    """List every version of every model, and what it is used for."""
    from churnvalue.console import Console
    from churnvalue.jobs.registry import list_models as run

    found = run(_read(config))
    Console().table(_("Models"), found)


@app.command()
def publish(
    folder: Annotated[Path, typer.Argument(help="Folder that 'score' or 'plan' wrote.")],
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Put what a folder holds into the database of [sink] once more; score and plan do so by themselves."""
    from churnvalue.console import Console

    console, settings = Console(), _read(config)
    from churnvalue.jobs.publish import published_by

    for command in published_by(settings, folder):
        _publish(console, settings, folder, command)


def _publish(console: "Console", config: "Config", folder: Path, command: str) -> None:
    if config.sink is None:
        return
    from churnvalue.jobs.publish import publish as run

    with console.stages.stage("publishing"):
        tables = run(config, folder, command)
    published = ", ".join(_("{table} ({rows:,} rows)", table=name, rows=rows) for name, rows in tables.items())
    console.say(_("Published: {tables}.", tables=published))


def _read(path: Path) -> "Config":
    from churnvalue.config import read_config
    from churnvalue.memory import require_addresses

    require_addresses()
    config = read_config(path)
    speak(config.language)
    return config


def main() -> None:
    """Run the command line: one line for an error, 0 / 1 (user error) / 2 (usage) / 3 (not promoted)."""
    try:
        app()
    except ChurnvalueError as error:
        if "CHURNVALUE_DEBUG" in os.environ:
            raise
        typer.echo(f"churnvalue: {printable(str(error))}", err=True)
        sys.exit(USER_ERROR)
    except MemoryError:
        typer.echo(
            "churnvalue: out of memory; earlier outputs are as they were. Free memory, or use a larger machine.",
            err=True,
        )
        sys.exit(USER_ERROR)
    except SystemExit as end:
        if end.code == STOPPED:  # Typer has caught the Ctrl-C and says nothing
            typer.echo("churnvalue: stopped; earlier outputs are as they were.", err=True)
        raise
