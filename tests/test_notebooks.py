"""The notebooks as they are kept: cleared, equal to their scripts, on public names alone. ``make notebooks`` runs them."""

import ast
from pathlib import Path

import jupytext
import nbformat
import pytest

import churnvalue as cv

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
MODULES = {
    *("churnvalue", "churnvalue.clock", "churnvalue.datasets", "churnvalue.evaluation.metrics", "churnvalue.features"),
    *("churnvalue.features.sentences", "churnvalue.simulate", "churnvalue.timing", "churnvalue.views"),
    *("matplotlib", "numpy", "pandas", "pathlib", "tempfile"),
}

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code(path: Path) -> ast.Module:
    """Return the code of the script beside a notebook; magics stand in comments there."""
    return ast.parse(path.with_suffix(".py").read_text(encoding="utf-8"))


def test_outputs_are_cleared(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert len(cells) > 5
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)


def test_notebook_and_script_say_the_same(path: Path) -> None:
    notebook, script = (jupytext.read(file).cells for file in (path, path.with_suffix(".py")))
    assert [(cell.cell_type, cell.source) for cell in notebook] == [(cell.cell_type, cell.source) for cell in script]


def test_only_public_modules_are_imported(path: Path) -> None:
    found = set()
    for node in ast.walk(code(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
            assert not any(alias.name.startswith("_") for alias in node.names), ast.unparse(node)
    own = {name for name in found if name.startswith("churnvalue")}
    assert own <= MODULES
    assert {name.split(".")[0] for name in found - own} <= MODULES


def test_only_public_names_are_used(path: Path) -> None:
    attributes = [node for node in ast.walk(code(path)) if isinstance(node, ast.Attribute)]
    of_package = {a.attr for a in attributes if isinstance(a.value, ast.Name) and a.value.id == "cv"}
    assert {"read_config", "train", "score"} <= of_package <= set(cv.__all__)
    assert not [a.attr for a in attributes if a.attr.startswith("_")]
