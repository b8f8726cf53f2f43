"""The documentation against the code: reference up to date, links, configurations and command lines that hold."""

import ast
import re
import shlex
import tomllib
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import typer
from docs.configuration_reference import tables
from docs.make_reference import FOLDER, pages
from docs.python_reference import find

from churnvalue import cli
from churnvalue.config import parse_config
from churnvalue.models.definition import Definition

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "pipelines" / "README.md", *DOCS.rglob("*.md")])
WRITTEN = [page for page in PAGES if page.parent != FOLDER]
COMMANDS: dict[str, Any] = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
AGAIN = "Run: python -m docs.make_reference"

_BLOCK = re.compile(r"^```(\w+)?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_INLINE = re.compile(r"`churnvalue ([^`]+)`")


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[tuple[str, str]]:
    """What stands behind the language of each block, and the block."""
    return [(mark.strip(), body) for name, mark, body in _BLOCK.findall(text(page)) if name == language]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as Markdown viewers make them."""
    headings = re.findall(r"^#+ (.+)$", _BLOCK.sub("", text(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


def test_the_reference_is_what_the_code_says() -> None:
    made = pages()
    assert {path.name for path in FOLDER.glob("*.md")} == set(made), AGAIN
    assert [name for name, page in made.items() if text(FOLDER / name) != page] == [], AGAIN


def test_every_key_of_the_configuration_has_a_meaning() -> None:
    silent = [
        f"{table.title} {key.name}" for table in tables() for key in table.keys if not key.meaning.endswith((".", "`"))
    ]
    assert silent == [], "Add words beneath the key, in src/churnvalue/config."


def test_every_command_and_option_has_a_meaning() -> None:
    silent = [f"{name} {one.name}" for name, command in COMMANDS.items() for one in command.params if not one.help]
    assert silent == []
    assert all(command.help for command in COMMANDS.values())


def test_every_command_is_told_of_outside_the_reference() -> None:
    told = "\n".join(map(text, WRITTEN))
    assert [name for name in COMMANDS if f"churnvalue {name}" not in told] == []


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    lost = []
    for link in _LINK.findall(_BLOCK.sub("", text(page))):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


def test_every_page_is_linked_to() -> None:
    linked = {(page.parent / link.partition("#")[0]).resolve() for page in PAGES for link in _LINK.findall(text(page))}
    assert [name_of(page) for page in DOCS.rglob("*.md") if page.resolve() not in linked] == []


@every_page
def test_configurations_are_accepted(page: Path) -> None:
    for mark, body in blocks(page, "toml"):
        raw = tomllib.loads(body)
        if mark == "model":
            Definition.model_validate(raw)
            continue
        if mark == "fragment":  # of a configuration whose sources are told elsewhere
            raw.setdefault("events", [{"source": "orders.csv"}])
        parse_config(raw, DOCS)


def command_lines(page: Path) -> list[list[str]]:
    """The words of each command line in a block, without ``churnvalue`` and what follows the command."""
    lines = "\n".join(body for _, body in blocks(page, "sh")).replace("\\\n", " ").splitlines()
    found = []
    for line in lines:
        if line.removeprefix(".venv/bin/").startswith("churnvalue "):
            _, *words = shlex.split(line, comments=True)
            found.append(list(takewhile(lambda word: word not in ("||", "&&", "|", ">"), words)))
    return found


@every_page
def test_command_lines_are_accepted(page: Path) -> None:
    for name, *arguments in command_lines(page):
        assert name in COMMANDS
        if page.parent != FOLDER:
            COMMANDS[name].make_context(name, arguments)  # raises on an unknown or missing option


@every_page
def test_commands_in_sentences_exist(page: Path) -> None:
    for line in _INLINE.findall(text(page)):
        name, *arguments = line.split()
        if name.isupper() or name.startswith("-"):
            continue
        assert name in COMMANDS, line
        known = {option for one in COMMANDS[name].params for option in one.opts} | {"--help"}
        assert {word for word in arguments if word.startswith("--")} <= known, line


@every_page
def test_python_is_python_and_imports_what_there_is(page: Path) -> None:
    for _, body in blocks(page, "python"):
        for node in ast.walk(ast.parse(body)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("churnvalue"):
                for one in node.names:
                    assert find(str(node.module), one.name).name == one.name
