import json
import subprocess
import sys

import pytest

import churnvalue

HEAVY = ("pandas", "mlflow", "lightgbm", "numba", "scipy", "sklearn", "duckdb", "ibis", "matplotlib", "shap", "optuna")


def python(code):
    """What ``code`` prints as JSON in a process of its own, where nothing has been imported yet."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_importing_the_package_and_its_command_line_is_quick():
    loaded = python(
        "import json, sys, churnvalue, churnvalue.cli; from churnvalue import cli;"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    assert loaded == []


def test_every_public_name_is_what_it_says_whatever_was_imported_before():
    # Modules must not take the place of functions of the same name once they have been imported.
    wrong = python(
        "import json, churnvalue\n"
        "def wrong(): return [name for name in churnvalue.__all__ if not callable(getattr(churnvalue, name))]\n"
        "found = [wrong(), wrong()]\n"
        "import churnvalue.jobs.demo\n"
        "from churnvalue import *\n"
        "found += [wrong(), [name for name in churnvalue.__all__ if not callable(globals()[name])]]\n"
        "print(json.dumps(found))"
    )
    assert wrong == [[], [], [], []]


def test_every_command_is_a_function_of_the_package():
    from churnvalue.cli import app

    longer = {
        "explain": "explain_customer",
        "models": "list_models",
        "report": "write_report",
    }  # packages bear the short names
    commands = {command.callback.__name__ for command in app.registered_commands}
    assert {longer.get(name, name) for name in commands} <= set(churnvalue.__all__)


def test_public_names_are_listed_and_others_are_errors():
    assert dir(churnvalue) == churnvalue.__all__ == sorted(churnvalue.__all__)
    assert {"Config", "read_config", "feature", "train", "score", "plan"} <= set(churnvalue.__all__)
    with pytest.raises(AttributeError, match="module 'churnvalue' has no attribute 'scor'"):
        churnvalue.scor  # noqa: B018
