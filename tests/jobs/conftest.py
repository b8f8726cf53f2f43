"""A small shop in which every command has been run once, and copies of it in which tests may do as they like."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from small_shop import AS_OF, AS_OF_DATE, BEYOND_FLOATS, LEADING_ZEROS, ONCE, TOML, Finished, Shop
from sqlalchemy import Engine, event

from churnvalue import clock
from churnvalue.engines import read_log
from churnvalue.events.log import EventLog
from churnvalue.jobs.plan import plan
from churnvalue.jobs.report import write_report
from churnvalue.jobs.score import score
from churnvalue.jobs.train import train
from churnvalue.simulate import simulate_log
from churnvalue.tracking import open_tracker


@event.listens_for(Engine, "connect")
def _without_waiting_for_the_disk(connection: sqlite3.Connection, _: object) -> None:
    """Registries of tests need not outlive a power cut; there are thousands of commits to them."""
    connection.execute("PRAGMA synchronous = OFF")


@pytest.fixture(scope="session")
def events() -> pd.DataFrame:
    """Every event of 600 customers over 14 months, and of one more who was seen once."""
    log = simulate_log(customers=600, days=420, seed=3).events
    once = log[(log["kind"] == "purchase") & (log["event_time"] < AS_OF)].iloc[[-1]]
    log = pd.concat([log, once.assign(customer_id=ONCE, order_id="once")], ignore_index=True)
    return log.assign(customer_id=log["customer_id"].replace({"000001": LEADING_ZEROS, "000002": BEYOND_FLOATS}))


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh database of MLflow, whose making takes two seconds."""
    folder = tmp_path_factory.mktemp("store")
    open_tracker("sqlite:///mlflow.db", "template", folder)
    return folder / "mlflow.db"


@pytest.fixture(scope="session")
def make_shop(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Callable[..., Shop]:
    """A function that opens a shop with the given events, with the registry ``of`` another shop or an empty one."""

    def make(rows: pd.DataFrame, of: Shop | None = None) -> Shop:
        folder = tmp_path_factory.mktemp("shop")
        rows.to_parquet(folder / "events.parquet", index=False)
        shutil.copy(of.folder / "mlflow.db" if of else empty_store, folder / "mlflow.db")
        (folder / "churnvalue.toml").write_text(TOML, encoding="utf-8")
        return Shop(folder)

    return make


@pytest.fixture(scope="session")
def shop(events: pd.DataFrame, make_shop: Callable[..., Shop]) -> Finished:
    """The shop; nobody may write to its folder. Its log goes on for three months after ``AS_OF``."""
    opened = make_shop(events)
    training = train(opened.config, AS_OF_DATE)
    scores = score(opened.config, AS_OF_DATE, opened.out, with_features=True)
    planned = plan(opened.config, opened.out, opened.out)
    page = write_report(opened.config, opened.out, opened.out)
    return Finished(opened.folder, training, scores, planned, page)


@pytest.fixture(scope="session")
def known_log(shop: Finished) -> EventLog:
    """The log of the shop as it was known at ``AS_OF``."""
    return read_log(shop.config, clock.micros(AS_OF_DATE))


@pytest.fixture(scope="module")
def without_pictures() -> Iterator[None]:
    """Training without the pictures of its run, which take half its time."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("calibration_picture", "lift_picture", "shap_picture"):
            patch.setattr(f"churnvalue.jobs.registration.{name}", lambda *_: b"png")
        yield
