"""The pages of docs/reference, made from the code: ``python -m docs.make_reference`` writes them anew."""

from pathlib import Path
from typing import Any

import typer
from docs.configuration_reference import configuration
from docs.markdown import grid
from docs.python_reference import python

from churnvalue import cli
from churnvalue.features import families
from churnvalue.jobs.columns import COLUMNS, FILES, KEPT

FOLDER = Path(__file__).parent / "reference"
MADE = "<!-- Made from the code by python -m docs.make_reference; edit nothing here. -->\n"


def commands() -> str:
    """Return the page of every command with its options, and of the exit codes."""
    parts = [
        "# Commands\n",
        "`churnvalue --help` and `churnvalue COMMAND --help` say the same. `--debug`, before the command, shows the trace of an"
        " error. Each command is a [function](python.md) too.\n",
    ]
    for name, command in typer.main.get_command(cli.app).commands.items():  # type: ignore[attr-defined]
        given = " ".join(_usage(one) for one in command.params if one.required or one.param_type_name == "argument")
        rows = [(f"`{_spelt(one)}`", _default(one), one.help or "") for one in command.params]
        parts.append(f"## {name}\n\n{command.help}\n\n```sh\nchurnvalue {name}{' ' + given if given else ''}\n```\n")
        parts.append(grid(("argument or option", "default", "meaning"), rows))
    codes = (
        ("0", "Done; of `train`: the new versions are champions."),
        (
            str(cli.USER_ERROR),
            "An error, told in one line on standard error; earlier outputs stand. `check`: not ready.",
        ),
        ("2", "Wrong usage."),
        (str(cli.NOT_PROMOTED), "`train` only: trained and registered, but not promoted; the champions go on scoring."),
        (str(cli.STOPPED), "Stopped by Ctrl-C; earlier outputs stand."),
    )
    return "\n".join([*parts, "## Exit codes\n", grid(("code", "means"), codes)])


def files() -> str:
    """Return the page of every file that commands write, and of its columns."""
    parts = [
        "# Files and columns\n",
        "Money is in the unit of the log's amounts, and null where the log holds none; times are UTC; probabilities are from 0 to"
        " 1. The files of a command appear together, complete, with the manifest last.\n",
        grid(("file", "written by", "holds"), [(f"`{name}`", f"`{by}`", text) for name, (by, text) in FILES.items()]),
    ]
    parts.append("Beside the configuration, and nothing to edit:\n")
    parts.append(grid(("file", "holds"), [(f"`{name}`", text) for name, text in KEPT.items()]))
    for name, columns in COLUMNS.items():
        parts.append(f"## {name}\n\n{FILES[name][1]}\n")
        parts.append(grid(("column", "meaning"), [(f"`{column}`", text) for column, text in columns.items()]))
        if name == "features.parquet":
            parts.append("And one column a [feature](features.md), by its derived name.\n")
    return "\n".join(parts)


def features() -> str:
    """Return the page of every family of features that comes with the package."""
    parts = [
        "# Features\n",
        'A definition names a family and its parameters, `{ use = "event_count", kind = "purchase", days = [30, 90] }`; a list'
        ' stands for one feature each, `"all"` for no limit of days. The column is named after family, kind and days:'
        " `event_count_purchase_30d`. [Own features](../how-to/own-models.md) are a few lines.\n",
    ]
    own = {name: one for name, one in families().items() if one.declare.__module__.startswith("churnvalue.features.")}
    for module in sorted({one.declare.__module__ for one in own.values()}):
        parts.append(f"## {module.rsplit('.', 1)[1].capitalize()}\n")
        rows = []
        for name, one in own.items():
            if one.declare.__module__ == module:
                meaning = (one.declare.__doc__ or "").split("\n\n")[0].replace("``", "`")
                rows.append((f"`{name}`", _parameters(one.parameters), one.unit, " ".join(meaning.split())))
        parts.append(grid(("family", "parameters", "unit", "meaning"), rows))
    return "\n".join(parts)


def pages() -> dict[str, str]:
    """Return the text of every page by file name."""
    made = {
        "configuration.md": configuration(),
        "commands.md": commands(),
        "files.md": files(),
        "features.md": features(),
        "python.md": python(),
    }
    return {name: MADE + text for name, text in made.items()}


def _usage(one: Any) -> str:
    return one.name.upper() if one.param_type_name == "argument" else f"{one.opts[0]} {one.name.upper()}"


def _spelt(one: Any) -> str:
    return one.name.upper() if one.param_type_name == "argument" else ", ".join(one.opts)


def _default(one: Any) -> str:
    if one.required:
        return "required"
    return "–" if one.default is None else "off" if one.default is False else f"`{one.default}`"


def _parameters(parameters: Any) -> str:
    shown = (f"{name}{'' if one.default is one.empty else ' (all)'}" for name, one in parameters.items())
    return ", ".join(shown) or "–"


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
