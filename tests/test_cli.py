import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from churnvalue import cli
from churnvalue.errors import ConfigError

COMMANDS = sorted(command.callback.__name__ for command in cli.app.registered_commands)
README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
CONFIG = """
project = "tiny"

[[events]]
source = "orders.csv"
timezone = "UTC"
columns = { customer_id = "customer", event_time = "day", amount = "money" }

[outcome]
horizon_days = 30

[training]
trials = 1
threads = 1
"""


def orders(days=300, customers=40, every=12):
    """Customers who come back every few days; every second one stops at half time."""
    rows = [
        (f"c{number:03d}", pd.Timestamp("2024-01-01") + pd.Timedelta(days=day), 10.0 + number)
        for number in range(customers)
        for day in range(number % every, days if number % 2 else days // 2, every)
    ]
    return pd.DataFrame(rows, columns=["customer", "day", "money"])


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """A function that runs the command line in a folder of its own: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHURNVALUE_DEBUG", "")  # so that it is as before when the test ends
    monkeypatch.delenv("CHURNVALUE_DEBUG")

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["churnvalue", *arguments])
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A fresh database of MLflow, whose making takes two seconds."""
    from churnvalue.tracking import open_tracker

    made = tmp_path_factory.mktemp("store")
    open_tracker("sqlite:///mlflow.db", "template", made)
    return made / "mlflow.db"


@pytest.fixture
def folder(tmp_path, store):
    shutil.copy(store, tmp_path)
    orders().to_csv(tmp_path / "orders.csv", index=False)
    (tmp_path / "churnvalue.toml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


def rewrite(folder, old, new):
    assert old in CONFIG
    (folder / "churnvalue.toml").write_text(CONFIG.replace(old, new), encoding="utf-8")


def one_line(code, err):
    """The error, after checking that it is one line on standard error and that the exit code says 1."""
    assert code == cli.USER_ERROR == 1
    lines = err.strip().splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("churnvalue: ")
    assert "Traceback" not in err
    return lines[0]


# Help


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_stands_in_the_readme(run, name):
    code, out, _ = run(name, "--help")
    assert code == 0
    said = " ".join(out.split())
    (command,) = [one for one in cli.app.registered_commands if one.callback.__name__ == name]
    assert command.callback.__doc__.split(".")[0].split()[0] in said
    if README:
        assert f"churnvalue {name}" in README


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"demo", "init"}))
def test_every_command_takes_the_configuration(run, name):
    assert "--config" in run(name, "--help")[1]


def test_all_commands_are_listed(run):
    code, out, _ = run("--help")
    assert code == 0
    assert all(f" {name} " in out for name in COMMANDS)


def test_as_a_program():
    program = Path(sys.executable).with_name("churnvalue")
    done = subprocess.run([program, "check", "--config", "no.toml"], capture_output=True, text=True, check=False)
    line = one_line(done.returncode, done.stderr)
    assert done.stdout == ""
    assert line == (
        "churnvalue: A configuration is needed at no.toml, but there is none. Write one with: churnvalue init SOURCE"
    )


# Exit codes


@pytest.mark.parametrize(
    "arguments",
    [("scor",), ("score",), ("train", "--asof", "2024-01-01"), ("explain",), ("promote", "churn", "x")],
)
def test_wrong_usage_is_2(run, arguments):
    code, _, err = run(*arguments)
    assert code == 2
    assert "Usage: " in err


def test_a_log_that_is_ready_is_0(run, folder):
    code, out, err = run("check")
    assert code == 0
    assert err == ""
    assert "Ready: churnvalue train" in out
    assert "Outcomes by cutoff" in out


def test_a_candidate_that_is_not_promoted_is_3(run, folder, monkeypatch):
    from churnvalue.jobs.train import Training

    summary = {
        "rows": 100,
        "cutoffs": ["2024-05-01"],
        "log": {"text": "a log", "notes": []},
        "gate": {"passed": False, "reasons": ["churn: auc 0.6 does not beat recency with 0.7"]},
    }
    refused = Training({"churn": 2, "value": 2}, promoted=False, summary=summary)
    monkeypatch.setattr("churnvalue.jobs.train.train", lambda *_, **__: refused)
    code, out, _ = run("train")
    assert code == cli.NOT_PROMOTED == 3
    assert "Gate failed: churn: auc 0.6 does not beat recency with 0.7." in out
    assert "Not promoted: churn 2, value 2 stay challengers" in out


def test_stopping_is_one_line_too(run, folder, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("churnvalue.jobs.check.check", stopped)
    code, _, err = run("check")
    assert code == 130
    assert err.strip().splitlines()[-1] == "churnvalue: stopped; earlier outputs are as they were."


# Errors


@pytest.mark.parametrize("command", [("check",), ("train",), ("backtest",), ("score", "--out", "out"), ("models",)])
def test_a_missing_configuration(run, command):
    code, out, err = run(*command)
    assert "A configuration is needed at churnvalue.toml" in one_line(code, err)
    assert out == ""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "horizon_days = 30",
            "horizn_days = 30",
            "Unknown key 'horizn_days' in [outcome] … Did you mean 'horizon_days'?",
        ),
        ('"money"', '"mony"', "'mony', which is missing. Did you mean 'money'?"),
        ('"customer"', '"custmer"', "must have the column 'custmer' for customer_id … Did you mean 'customer'?"),
        ('"orders.csv"', '"order.csv"', "no file matches order.csv. Did you mean 'orders.csv'?"),
        ('timezone = "UTC"', "", 'has no UTC offset, so its clock must be declared. Add timezone = "UTC"'),
        ('timezone = "UTC"', 'timezone = "Lundun"', "must be an IANA name"),
        ('"day"', '"money"', "rows may be unusable"),
        ("trials = 1", "trials = 0", "'training.trials' of the configuration does not fit"),
        ("[training]", "[training", "must be a TOML file"),
    ],
)
@pytest.mark.parametrize("command", ["check", "train"])
def test_a_configuration_that_does_not_fit(run, folder, command, old, new, message):
    rewrite(folder, old, new)
    code, _, err = run(command)
    said = one_line(code, err)
    assert all(part in said for part in message.split(" … "))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("", "orders.csv must hold events, but is empty (0 bytes)"),
        ("customer,day,money\n", "must hold at least one usable event"),
        ("customer,day,money\na,2024-01-01,ten\n", "amount of orders.csv must be numbers such as 1.50, but 'ten' came"),
        ("customer,day,money\n,2024-01-01,1\na,soon,1\n", "2 of 2 are"),
    ],
)
def test_a_source_that_cannot_be_used(run, folder, rows, message):
    (folder / "orders.csv").write_text(rows, encoding="utf-8")
    code, _, err = run("check")
    assert message in one_line(code, err)


def test_rows_that_cannot_be_used_are_counted_by_reason_and_the_others_kept(run, folder):
    rows = orders().astype(str)
    rows.loc[3, "day"], rows.loc[5, "day"], rows.loc[7, "customer"] = "soon", "2024-13-01", ""
    rows.to_csv(folder / "orders.csv", index=False)
    code, out, err = run("check")
    assert (code, err) == (0, "")
    said = " ".join(out.split())
    assert "2 rows: no readable time" in said
    assert "1 rows: no customer id" in said
    assert f"{len(rows) - 3:,} of {len(rows):,} rows can be used" in said


def test_a_log_that_ends_before_the_first_cutoff_and_its_horizon(run, folder):
    orders(days=45).to_csv(folder / "orders.csv", index=False)
    code, _, err = run("train")
    line = one_line(code, err)
    assert "the log holds 44" in line
    assert "horizon_days" in line
    code, out, err = run("check")
    assert (code, err) == (1, "")
    assert "missing" in out
    assert "Not ready" in out


def test_a_log_in_which_everybody_comes_back(run, folder):
    orders()[lambda rows: rows["customer"].str[1:].astype(int) % 2 == 1].to_csv(folder / "orders.csv", index=False)
    code, _, err = run("train")
    assert "at least 10 customers who left and 10 who stayed, but the log has 0 and" in one_line(code, err)
    code, out, _ = run("check")
    assert code == 1
    assert "0 customers left" in out


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (lambda number: number + 0.5, "must be text or whole numbers, but 'customer' is float64 with parts of ones"),
        (lambda number: number % 2 == 0, "must be text or whole numbers, but 'customer' is boolean"),
        (lambda number: pd.Timestamp("2024-01-01") + pd.Timedelta(days=number), "must be text or whole numbers"),
    ],
)
def test_ids_of_the_wrong_type(run, folder, ids, message):
    rows = orders()
    rows["customer"] = [ids(int(name[1:])) for name in rows["customer"]]
    rows.to_parquet(folder / "orders.parquet")
    rewrite(folder, "orders.csv", "orders.parquet")
    code, _, err = run("check")
    assert message in one_line(code, err)


def test_a_cutoff_that_is_no_date(run, folder):
    code, _, err = run("train", "--as-of", "yesterday")
    assert "such as 2011-09-01" in one_line(code, err)


def test_a_cutoff_before_the_log_names_the_cutoff_and_not_the_columns(run, folder):
    code, _, err = run("train", "--as-of", "2001-01-01")
    line = one_line(code, err)
    assert "2001-01-01" in line
    assert "column mapping" not in line


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("explain", "c001", "--scores", "."), "must hold manifest.json, but there is none"),
        (("plan", "--scores", "nowhere", "--out", "out"), "nowhere must hold manifest.json"),
        (("report", "--scores", "nowhere"), "nowhere must hold manifest.json"),
        (("score", "--out", "out"), "Train first: churnvalue train"),
        (("promote", "churn", "3"), "Unknown model 'churn' in the registry"),
        (("demo", "--log", "cdnaw"), "Unknown log 'cdnaw'. Did you mean 'cdnow'?"),
        (("demo", "--log", "online-retail"), "churnvalue demo --log online-retail --data DIR"),
    ],
)
def test_an_earlier_step_that_is_missing(run, folder, command, message):
    code, _, err = run(*command)
    assert message in one_line(code, err)


def test_an_output_folder_that_is_a_file(run, folder):
    code, _, err = run("demo", "--out", "orders.csv")
    one_line(code, err)
    assert (folder / "orders.csv").read_text(encoding="utf-8").startswith("customer,day,money\n")


def test_earlier_outputs_are_untouched_after_an_error(run, folder):
    for name in ("train.json", "manifest.json", "out/scores.parquet", "out/manifest.json"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(f"earlier {name}".encode())
    orders(days=45).to_csv(folder / "orders.csv", index=False)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".db"}
    for command in (("train",), ("train", "--out", "out"), ("backtest", "--out", "out"), ("score", "--out", "out")):
        one_line(*run(*command)[::2])
    after = {path: path.read_bytes() for path in before}
    assert after == before
    assert not [path for path in folder.rglob("*") if "staged" in path.name or "complete" in path.name]


def test_debug_shows_the_trace(run):
    with pytest.raises(ConfigError, match=r"A configuration is needed at no\.toml"):
        run("--debug", "check", "--config", "no.toml")


# From a strange file to a log that is ready


def test_init_maps_a_file_with_odd_names_and_check_accepts_it(run, tmp_path):
    rows = orders()
    strange = pd.DataFrame(
        {
            "Customer No.": rows["customer"].str.replace("c", "00"),
            "Date of Purchase": rows["day"],
            "Invoice #": np.arange(len(rows)).astype(str),
            "Total (GBP)": rows["money"],
            'SKU "old"': "x",
            "Größe": "L",
        }
    )
    strange.to_csv(tmp_path / "sales 2024 – all.csv", index=False)
    code, out, err = run("init", "sales 2024 – all.csv")
    assert (code, err) == (0, "")
    assert (tmp_path / "churnvalue.toml").read_text(encoding="utf-8") in out
    for part in ("Customer No.", "Date of Purchase", "Invoice #", "Total (GBP)"):
        assert part in out
    assert "every row is taken for a purchase" in " ".join(out.split())
    text = (tmp_path / "churnvalue.toml").read_text(encoding="utf-8")
    (tmp_path / "churnvalue.toml").write_text(text.replace("horizon_days = 90", "horizon_days = 30"), encoding="utf-8")
    code, out, err = run("check")
    assert (code, err) == (0, ""), out
    assert f"{len(rows):,} of {len(rows):,} rows can be used" in out
    assert "no amounts" not in out


def test_init_multiplies_quantity_by_price_whatever_they_are_called(run, tmp_path):
    rows = orders().rename(columns={"customer": "user id", "day": "Timestamp", "money": "Unit Price"})
    rows.assign(Qty=2).to_parquet(tmp_path / "o.parquet", index=False)
    code, out, _ = run("init", "o.parquet")
    assert code == 0
    assert 'amount = "Qty * \\"Unit Price\\""' in out
    assert "times have no UTC offset" in out
    assert run("check")[0] in (0, 1)


def test_init_takes_a_price_alone_for_the_amount(run, tmp_path):
    orders().rename(columns={"day": "date", "money": "Unit Price"}).to_csv(tmp_path / "o.csv", index=False)
    code, out, _ = run("init", "o.csv")
    assert code == 0
    assert 'amount = "Unit Price"' in out
    assert "no amounts" not in run("check")[1]


def test_init_does_not_overwrite_and_says_what_is_missing(run, folder):
    code, _, err = run("init", "orders.csv")
    assert "churnvalue.toml must not exist yet, but it does" in one_line(code, err)
    assert (folder / "churnvalue.toml").read_text(encoding="utf-8") == CONFIG
    (folder / "churnvalue.toml").unlink()
    (folder / "orders.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    code, _, err = run("init", "orders.csv")
    assert "must have columns for customer_id and event_time, but none of a, b looks like it" in one_line(code, err)
    assert not (folder / "churnvalue.toml").exists()


def test_init_reads_how_days_and_months_are_written(tmp_path):
    from churnvalue.jobs.init import init

    rows = [f"c{number},{number % 28 + 1:02d}/{number % 12 + 1:02d}/2024 10:30,{number}" for number in range(60)]
    (tmp_path / "orders.csv").write_text(
        "\n".join(["Client,When Date,Total", *rows, "c1,31/12/2024 08:00,5"]), encoding="utf-8"
    )
    proposal = init("orders.csv", tmp_path)
    assert 'time_format = "%d/%m/%Y %H:%M"' in proposal.text
    assert not [remark for remark in proposal.remarks if "can be read as" in remark]
