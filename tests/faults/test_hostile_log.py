"""A log that attacks: SQL, markup, formulas, paths and templates in every text of it. All commands run, and nothing happens."""

import base64
import csv
import hashlib
import html
import json
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

import churnvalue as cv
from churnvalue import cli
from churnvalue.config import parse_config
from churnvalue.console import Console
from churnvalue.contacts.reading import read_contacts
from churnvalue.decisions.sending.rules import Audience
from churnvalue.engines.session import Session
from churnvalue.errors import ChurnvalueError, SourceError, printable
from churnvalue.evaluation.plan_value import NEEDED, require_plan
from churnvalue.jobs.outputs import PLAN, SCORES
from churnvalue.models.definition import read_definition

HOSTILE = (
    "'); DROP TABLE events; --",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "../../etc/passwd",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}",
    "%s %(x)s {0}",
    "\u202etxet\u202c zero\u200bwidth\ufeff",
    "+1",
    "-1",
    "@SUM(1)",
    "\tTAB",
    "\rCR",
    "a\r=1+1",
    "[bold][/red] :warning:",
    "x" * 3000,
)
MARKUP = HOSTILE[-2]
# Roles in the log, each by a column with a hostile name; the table has one too.
COLUMNS = dict(
    zip(
        ("customer_id", "event_time", "amount", "category", "channel", "campaign", "order_id", "kind", "currency"),
        (*HOSTILE[:8], MARKUP),
        strict=True,
    )
)
TABLE, BOUGHT = HOSTILE[0], HOSTILE[4]  # what is bought is the outcome
VISITS = (*HOSTILE[:4], *HOSTILE[5:9], MARKUP)
PERSON, ORDER = "of-person-", "of-order-"  # ends of ids, by which they are found wherever they go
FORMULA = ("=", "+", "-", "@", "\t", "\r")
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PROBE = """
var told = {wrong: [], ran: []};
window.alert = function (text) { told.ran.push(text); };
addEventListener("error", function (event) { told.wrong.push(String(event.message)); });
addEventListener("securitypolicyviolation", function (event) { told.wrong.push(event.violatedDirective); });
addEventListener("load", function () {
  told.ids = Array.from(document.querySelectorAll("#customer-rows th"), function (cell) { return cell.textContent; });
  told.foreign = document.querySelectorAll("img, iframe, object, embed, [onerror], body script:not(:last-of-type)").length;
  setTimeout(function () { document.documentElement.setAttribute("data-told", JSON.stringify(told)); }, 200);
});
"""


def rows(customers: int = 120, days: int = 120) -> pd.DataFrame:
    """Orders and visits; the first customers are called as the payloads are, later ones have a mark as well."""
    rng = np.random.default_rng(8)
    found = []
    for number in range(customers):
        payload = HOSTILE[number % len(HOSTILE)]
        customer = payload if number < len(HOSTILE) else f"{payload}{PERSON}{number}"
        stop = rng.uniform(days / 4, days) if number % 2 else float(days)
        day = rng.uniform(0, 6)
        while day < stop:
            text = [HOSTILE[place] for place in rng.integers(len(HOSTILE), size=3)]
            bought = rng.random() < 0.7
            kind = BOUGHT if bought else VISITS[rng.integers(len(VISITS))]
            amount = round(rng.gamma(3.0, 9.0) + 1.0, 2) if bought else None
            order = f"{HOSTILE[number % 7]}{ORDER}{len(found)}"
            found.append((customer, day, amount, *text, order, kind, HOSTILE[1]))
            day += rng.exponential(5.0)
    table = pd.DataFrame(found, columns=list(COLUMNS))
    times = (pd.Timestamp("2024-01-01") + pd.to_timedelta(table["event_time"], unit="D")).dt.floor("s")
    return table.assign(event_time=times).rename(columns=COLUMNS)


def configuration() -> str:
    """The configuration and, in its folder, the definition of churn: hostile wherever a text may be any."""
    columns = {role: name for role, name in COLUMNS.items() if role != "kind"}
    events = {"source": f"duckdb:///shop.duckdb#{TABLE}", "kind": {"column": COLUMNS["kind"]}, "columns": columns}
    raw = {
        "project": "hostile",
        "population": {"kind": BOUGHT},
        "outcome": {"kind": BOUGHT, "horizon_days": 30},
        "training": {"cutoffs": 3, "trials": 1, "threads": 1},
        "value": {"cost": {HOSTILE[1]: 1.0}},
        "retention": {"budget": 500.0, "exclude": {HOSTILE[5]: 1}},
        "models": {"churn": "churn.toml"},
    }
    return f"{toml(raw)}\n[[events]]\n{toml(events | {'timezone': 'UTC', 'negative_kind': HOSTILE[2]})}"


def definition() -> str:
    """A definition of churn whose features name every hostile kind."""
    simple = {"use": ["days_since_last", "event_rate", "amount_mean", "distinct_categories"], "kind": "@outcome"}
    counts = {"use": "event_count", "kind": ["@outcome", *VISITS], "days": [30, "all"]}
    return toml(
        {
            "name": "churn",
            "title": HOSTILE[1],
            "target": "churned",
            "objective": "binary",
            "features": [simple, counts],
            "parameters": {"learning_rate": 0.1},
            "search": {"num_leaves": {"low": 4, "high": 8, "start": 4}},
            "gate": {"metric": "auc", "higher": True, "baselines": []},
        }
    )


def toml(value: object) -> str:
    """Return a mapping of plain values as TOML on lines of its own; one within it in braces."""

    def inline(part: object) -> str:
        if isinstance(part, dict):
            return "{ " + ", ".join(f"{json.dumps(key)} = {inline(one)}" for key, one in part.items()) + " }"
        return f"[{', '.join(map(inline, part))}]" if isinstance(part, list) else json.dumps(part)

    return "".join(f"{json.dumps(key)} = {inline(part)}\n" for key, part in value.items())  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Attacked:
    """What all commands left and said; ``calls`` are the connections that they tried."""

    folder: Path
    files: set[str]
    elsewhere: set[str]
    said: dict[str, str]
    calls: list[object]

    @property
    def out(self) -> Path:
        return self.folder / "out"


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def guarded() -> Iterator[list[object]]:
    """Refuse every connection that leaves this machine, and list them."""
    calls: list[object] = []
    connect = socket.socket.connect

    def only_here(self: socket.socket, address: object) -> None:
        if self.family != socket.AF_UNIX and str(address[0]) not in ("127.0.0.1", "::1", "localhost"):  # type: ignore[index]
            calls.append(address)
            raise PermissionError(f"no connection to {address}")
        connect(self, address)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", only_here)
        patch.setattr(socket, "create_connection", lambda address, *_, **__: only_here(socket.socket(), address))
        yield calls


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, empty_store: Path, guarded: list[object]) -> Attacked:
    """The shop after every command, each run where it has no business to write."""
    around = tmp_path_factory.mktemp("around")
    folder, elsewhere = around / "a" / "shop", around / "elsewhere"
    folder.mkdir(parents=True)
    elsewhere.mkdir()
    shutil.copy(empty_store, folder / "mlflow.db")
    events = rows()
    with duckdb.connect(str(folder / "shop.duckdb")) as con:
        con.execute("CREATE TABLE events AS SELECT 1 AS intact")
        con.register("rows", events)
        con.execute('CREATE TABLE "{}" AS SELECT * FROM rows'.format(TABLE.replace('"', '""')))
    (folder / "churnvalue.toml").write_text(configuration(), encoding="utf-8")
    (folder / "churn.toml").write_text(definition(), encoding="utf-8")
    before = digest(folder / "shop.duckdb")
    config, out = cv.read_config(folder / "churnvalue.toml"), str(folder / "out")
    given = ("--config", str(folder / "churnvalue.toml"))
    said = {}
    with pytest.MonkeyPatch.context() as patch, chdir(elsewhere):
        for name in ("calibration_picture", "lift_picture", "shap_picture"):  # half of the time of a training
            patch.setattr(f"churnvalue.jobs.registration.{name}", lambda *_: b"png")

        def run(*arguments: str) -> None:
            patch.setattr(sys, "argv", ["churnvalue", *arguments])
            with redirect_stdout(StringIO()) as printed, redirect_stderr(printed), pytest.raises(SystemExit) as end:
                cli.main()
            assert not end.value.code, printed.getvalue()
            said[arguments[0]] = printed.getvalue()

        run("check", *given)
        cv.train(config)
        run("score", *given, "--out", out)
        run("plan", "--scores", out, *given, "--out", out)
        run("explain", "--scores", out, *given, "--", MARKUP)
        run("audience", "clv == clv", "--scores", out, "--plan", out, "--out", str(folder / "out" / "list.csv"))
        run("report", "--scores", out, "--plan", out, *given)
    assert digest(folder / "shop.duckdb") == before
    elsewhere = {name for name in files_in(around) if not name.startswith("a/shop/")}
    return Attacked(folder, files_in(folder), elsewhere, said, guarded)


def test_files_lie_only_where_they_belong_and_tables_are_whole(attacked: Attacked) -> None:
    assert attacked.elsewhere == set()
    kept = {name for name in attacked.files if not name.startswith(("mlartifacts/", "out/"))}
    assert kept == {
        ".lock", ".mlflow.db.lock", "churn.toml", "churnvalue.toml", "manifest.json", "mlflow.db", "shop.duckdb", "train.json",
    }  # fmt: skip
    tables = ("curve", "plan", "portfolios", "scores", "sends")
    assert {name for name in attacked.files if name.startswith("out/")} == {
        "out/.lock", "out/list.csv", "out/manifest.json", "out/report.html", "out/sends.csv",
        *(f"out/{name}.parquet" for name in tables),
    }  # fmt: skip
    with duckdb.connect(str(attacked.folder / "shop.duckdb"), read_only=True) as con:
        assert con.execute("SELECT intact FROM events").fetchall() == [(1,)]
    assert set(pd.read_parquet(attacked.out / SCORES)["customer_id"]) == customers()


@pytest.mark.parametrize("name", ["sends.csv", "list.csv"])
def test_no_cell_is_a_formula(attacked: Attacked, name: str) -> None:
    header, *lines = csv.reader(StringIO((attacked.out / name).read_bytes().decode(), newline=""))
    numbers = {
        column
        for table in (SCORES, PLAN)
        for column, kind in pd.read_parquet(attacked.out / table).dtypes.items()
        if kind.kind in "iufb"
    }
    assert len(lines) > 100
    for line in lines:
        assert len(line) == len(header)
        formulas = [cell for column, cell in zip(header, line, strict=True) if cell.startswith(FORMULA)]
        allowed = [cell for column, cell in zip(header, line, strict=True) if column in numbers]
        assert set(formulas) <= set(allowed)
    shown = {line[0] for line in lines}
    assert shown <= {f"'{one}" if one.startswith(FORMULA) else one for one in customers()}
    assert any(one.startswith("'=cmd") for one in shown)
    assert any("\r=1+1" in one for one in shown)


def test_mlflow_holds_plain_names_and_no_customer(attacked: Attacked) -> None:
    with sqlite3.connect(attacked.folder / "mlflow.db") as store:
        tables = [name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        held = {table: store.execute(f'SELECT * FROM "{table}"').fetchall() for table in tables}
        names = [
            name
            for query in (
                "name FROM runs",
                "name FROM registered_models",
                "name FROM experiments",
                "name FROM logged_models",
            )
            for (name,) in store.execute(f"SELECT {query}")
        ]
    parts = [part for name in attacked.files if name.startswith("mlartifacts/") for part in name.split("/")]
    assert len(held["registered_models"]) == 5
    assert [name for name in names + parts if not PLAIN.fullmatch(name)] == []
    assert not any("input_example" in part for part in parts)
    # What was learnt from may name kinds; the rest of the store, not even those.
    text = {table: repr(rows) for table, rows in held.items()}
    assert [name for name in tables if any(mark in text[name] for mark in (PERSON, ORDER))] == []
    for table in ("params", "tags", "metrics", "model_version_tags", "registered_model_tags", "experiment_tags"):
        assert [payload for payload in HOSTILE if len(payload) > 2 and payload in text[table]] == []
    for name in attacked.files:
        if name.startswith("mlartifacts/") or name in ("train.json", "manifest.json", "out/manifest.json"):
            data = (attacked.folder / name).read_bytes()
            assert PERSON.encode() not in data, name
            assert ORDER.encode() not in data, name


def test_what_commands_print_is_as_it_is_written_and_names_no_customer(attacked: Attacked) -> None:
    assert "[bold][/red] :warning:" in " ".join(attacked.said["check"].replace("│", " ").split())
    assert attacked.said["explain"].startswith(f"Customer {MARKUP}, as known before")
    assert [command for command, text in attacked.said.items() if PERSON in text or ORDER in text] == []


def test_no_connection_leaves_this_machine(attacked: Attacked) -> None:
    assert attacked.calls == []


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_the_report_shows_payloads_and_runs_none(attacked: Attacked, tmp_path: Path) -> None:
    page = (attacked.out / "report.html").read_bytes().decode()
    own = base64.b64encode(hashlib.sha256(PROBE.encode()).digest()).decode()
    page = page.replace("script-src ", f"script-src 'sha256-{own}' ", 1)
    (tmp_path / "page.html").write_bytes(page.replace("<title>", f"<script>{PROBE}</script><title>", 1).encode())
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    found = subprocess.run(
        [str(BROWSER), *flags, f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=2000",
         "--enable-logging=stderr", "--dump-dom", (tmp_path / "page.html").as_uri()],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    (told,) = re.findall(r'data-told="([^"]*)"', found.stdout)
    told = json.loads(html.unescape(told))
    assert (told["ran"], told["wrong"], told["foreign"]) == ([], [], 0)
    assert re.findall(r"CONSOLE.*", found.stderr) == []
    # HTML knows one line end.
    assert set(told["ids"]) == {one.replace("\r", "\n") for one in customers()}


def customers() -> set[str]:
    return set(rows()[COLUMNS["customer_id"]])


BAD_NAMES = [name for name in HOSTILE if name != "x" * 3000] + ["x" * 300]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_the_configuration_does_not_allow_are_refused_in_one_line(tmp_path: Path, name: str) -> None:
    for sections in (
        {"project": name},
        {"retention": {"actions": [{"id": name}]}},
        {"retention": {"actions": [{"id": "call", "channel": name}]}},
        {"retention": {"service_levels": [{"id": name, "tiers": ["elite"]}]}},
        {"timing": {"channels": [{"id": name}]}},
        {"models": {name: "churn.toml"}},
    ):
        refused(lambda sections=sections: parse_and_load({"events": [{"source": "a.csv"}], **sections}, tmp_path))
    assert list(tmp_path.iterdir()) == []


def parse_and_load(raw: dict[str, object], folder: Path) -> None:
    read_definition("churn", parse_config(raw, folder), {"purchase"})


def refused(call: Callable[[], object]) -> None:
    with pytest.raises(ChurnvalueError, match=r"\.$") as error:
        call()
    assert len(printable(str(error.value)).splitlines()) == 1


def test_a_session_reads_nothing_but_its_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a [1].csv", "b.csv"):
        Path(name).write_text("x,y\n1,2\n", encoding="utf-8")
    pd.DataFrame({"x": [3]}).to_parquet("c.parquet")
    for name in ("one.duckdb", "other.duckdb"):
        with duckdb.connect(name) as made:
            made.execute("CREATE TABLE events AS SELECT 4 AS x")
    with Session(Path("sub/..")) as session:
        Path("sub").mkdir()
        sources = [session.open(source) for source in ("a [1].csv", "*.parquet", "duckdb:///one.duckdb#events")]
        con = session._backend.con  # what a query could do if its text were not our own
        con.execute("SET memory_limit = '40MB'")
        con.execute("SET temp_directory = 'spilled'")
        assert [session.scalar(table.x.cast("int64").sum()) for table in sources] == [1, 3, 4]
        for attempt in (
            "COPY (SELECT 1) TO 'd.csv'",
            "COPY (SELECT 1 AS x, 2 AS y) TO 'a [1].csv'",
            "EXPORT DATABASE 'dump'",
            "ATTACH 'other.duckdb'",
            "ATTACH 'new.duckdb'",
            "FROM read_csv('b.csv')",
            "FROM 'b.csv'",
            "FROM read_text('/etc/hostname')",
            "FROM glob('*')",
            "INSTALL httpfs",
            "LOAD httpfs",
        ):
            with pytest.raises(duckdb.PermissionException, match="disabled"):
                con.execute(attempt)
        for attempt in ("SET enable_external_access = true", "RESET allowed_paths", "SET lock_configuration = false"):
            with pytest.raises(duckdb.InvalidInputException, match="locked"):
                con.execute(attempt)
        with pytest.raises(SourceError, match=r"b\.csv must be readable, but: .*disabled by configuration"):
            session.open("b.csv")
        con.execute("CREATE TEMP TABLE large AS SELECT md5(range::VARCHAR) AS x FROM range(1500000)")
        assert con.execute("SELECT count(*) > 0 FROM duckdb_temporary_files()").fetchall() == [(True,)]
        assert con.execute("SELECT count(x), min(x) > '0' FROM large").fetchall() == [(1500000, True)]
    assert Path("a [1].csv").read_text(encoding="utf-8") == "x,y\n1,2\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["a [1].csv", "b.csv", "c.parquet", "one.duckdb", "other.duckdb", "sub"]
    )


def test_what_steers_a_terminal_is_not_printed() -> None:
    with redirect_stdout(StringIO()) as printed:
        Console().say("\x1b[2J\x9b2J\n[red]x[/] :warning:")
        Console().table("t", pd.DataFrame({"kind": ["\x1b]0;x\x07[/b]"]}))
    said = printed.getvalue()
    assert said.startswith("\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}2J\n[red]x[/] :warning:\n")
    assert "\x1b" not in said
    assert "[/b]" in said


def test_errors_name_no_customer(tmp_path: Path) -> None:
    who = f"{HOSTILE[1]}{PERSON}1"
    contacted = {
        "customer_id": [who] * 2,
        "event_time": ["2024-01-02"] * 2,
        "action": ["call", "control"],
        "cost": [1, -2],
    }
    pd.DataFrame(contacted).to_csv(tmp_path / "contacts.csv", index=False)
    pd.DataFrame(contacted).to_csv(tmp_path / "log.csv", index=False)
    raw = {
        "events": [{"source": "log.csv", "timezone": "UTC"}],
        "contacts": {"source": "contacts.csv", "timezone": "UTC", "columns": {"cost": "cost"}},
    }
    config = parse_config(raw, tmp_path)
    plan = pd.DataFrame({name: [0.0] for name in NEEDED}).assign(customer_id=who)
    for call, what in (
        (lambda: read_contacts(config, cv.read_log(config)), r"cost .* but -2 came \(1 such rows\)"),
        (lambda: require_plan(plan), r"Propensities .* but 0 came \(1 such rows\)"),
        (lambda: Audience([who, who], "UTC"), "must come once, but 1 come again"),
    ):
        with pytest.raises(ChurnvalueError, match=what) as error:
            call()
        assert who not in str(error.value)


def test_mlflow_reports_to_nobody(attacked: Attacked) -> None:
    from mlflow.telemetry.client import get_telemetry_client

    assert get_telemetry_client() is None
