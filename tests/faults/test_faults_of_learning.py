"""Faults 23, 24, 29 and 31: logs from which nothing, or not everything, can be learnt. They must end before anything is written."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from small_orders import ONCE, SETTINGS, SOURCE, left_behind, orders, write_orders

from churnvalue import read_config, train
from churnvalue.errors import HistoryError
from churnvalue.jobs.check import check

Refused = Callable[..., str]


@pytest.fixture
def folder(tmp_path: Path, empty_store: Path) -> Path:
    """A folder with a registry and the outputs of an earlier life."""
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    for name in ("train.json", "manifest.json"):
        (tmp_path / name).write_text(f"earlier {name}", encoding="utf-8")
    return tmp_path


def every_sixth_day(customers: int = 30, days: int = 120, until: int = 120) -> pd.DataFrame:
    """Customers who come every sixth day until the same day."""
    rows = [(f"{c:03d}", d, "purchase", 10.0 + c, "item") for c in range(customers) for d in range(c % 6, until, 6)]
    rows.append((ONCE, days - 1, "purchase", 5.0, "item"))
    table = pd.DataFrame(rows, columns=["customer", "day", "kind", "amount", "item"])
    time = pd.Timestamp("2024-01-01T10:00") + pd.to_timedelta(table.pop("day"), unit="D")
    return table.assign(time=time, known=time)


@pytest.mark.parametrize(("until", "left", "stayed"), [(120, "0", "90"), (25, "3", "0")])
def test_fault_23_one_class(folder: Path, refused: Refused, until: int, left: str, stayed: str) -> None:
    write_orders(folder, every_sixth_day(until=until))
    line = refused(folder, "train")
    assert "Learning needs at least 10 customers who left and 10 who stayed, but the log has" in line
    assert not check(read_config(folder / "churnvalue.toml")).ready


def test_fault_24_too_few_customers(folder: Path, refused: Refused) -> None:
    write_orders(folder, orders(customers=6))
    assert "at least 10 customers who left and 10 who stayed" in refused(folder, "train")


def test_fault_24_too_few_customers_are_learnt_from_with_force(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is then said of them, and that all goes well, is seen by the long run.
    def reached(*_: object) -> None:
        raise HistoryError("learns")

    monkeypatch.setattr("churnvalue.jobs.train.learn", reached)
    write_orders(folder, orders(customers=14))
    config = read_config(folder / "churnvalue.toml")
    with pytest.raises(HistoryError, match=r"at least 10 customers .* the log has 4 and 38 over"):
        train(config)
    with pytest.raises(HistoryError, match="learns"):
        train(config, force=True)
    write_orders(folder, every_sixth_day(until=25))
    with pytest.raises(HistoryError, match=r"at least 10 customers .* the log has 90 and 0 over"):
        train(config, force=True)


def test_fault_29_nobody_spends_in_any_horizon(folder: Path, refused: Refused) -> None:
    rows = orders()
    rows["amount"] = rows["amount"].where(rows["time"] < "2024-01-20", 0.0)
    write_orders(folder, rows)
    line = refused(folder, "train")
    assert "Learning spend needs customers with different outcomes" in line
    assert "have 0 as 'spend'" in line


def test_fault_31_short_history_says_how_many_days_are_needed(folder: Path, refused: Refused) -> None:
    write_orders(folder, orders(customers=20, days=40))
    line = refused(folder, "train")
    assert "Training needs at least 60 days of history" in line
    assert "holds 39" in line
    (folder / "churnvalue.toml").write_text(SOURCE + SETTINGS.replace("30", "100"), encoding="utf-8")
    assert "Training needs at least 100 days of history" in refused(folder, "train")


def test_what_is_refused_is_compared_with_something(folder: Path) -> None:
    write_orders(folder, orders(customers=2, days=10))
    assert {"champions", "train.json", "manifest.json", "orders.csv"} <= set(left_behind(folder))
