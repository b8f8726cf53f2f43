"""Columns whose names tell nothing, found by what they hold."""

from pathlib import Path

import pytest

from churnvalue.config import read_config
from churnvalue.errors import SourceError
from churnvalue.jobs.by_content import amount_column, time_column
from churnvalue.jobs.init import init
from churnvalue.simulate import simulate_log


def test_a_file_in_another_language_is_mapped(tmp_path: Path) -> None:
    log = simulate_log(customers=60, days=200, seed=5).events
    bought = log[log["kind"] == "purchase"]
    names = {
        "customer_id": "Kunde",
        "event_time": "Gebucht",
        "order_id": "Beleg",
        "category": "Gruppe",
        "amount": "Umsatz",
    }
    frame = bought[[*names]].rename(columns=names)
    frame["Gebucht"] = frame["Gebucht"].dt.strftime("%d.%m.%Y %H:%M")
    frame.sample(frac=1, random_state=1).to_csv(tmp_path / "verkauf.csv", index=False, sep=";")
    proposal = init("verkauf.csv", tmp_path)
    columns = read_config(proposal.path).events[0].columns
    assert (columns.customer_id, columns.event_time, columns.amount) == ("Kunde", "Gebucht", "Umsatz")
    assert sum("by what it holds" in remark for remark in proposal.remarks) == 3


def test_what_holds_no_time_is_still_refused(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("a,b\nx,1.5\ny,2.5\nx,3.5\n", encoding="utf-8")
    with pytest.raises(SourceError, match="columns for customer_id and event_time"):
        init("log.csv", tmp_path)


def test_numbers_are_no_times_and_two_columns_of_money_are_none() -> None:
    values = {"n": ["12345678"], "t": ["2024-01-02"], "x": ["1.5"], "y": ["2.5"]}
    assert time_column(["n", "t"], values, {"n": False, "t": True}) == "t"
    assert amount_column(["n", "x"], values) == "x"
    assert amount_column(["x", "y"], values) is None
