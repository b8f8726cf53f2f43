import importlib.metadata
import importlib.util
import tomllib
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest

from churnvalue.config import FromColumn, parse_config
from churnvalue.datasets import cdnow_toml, load_cdnow, load_online_retail, online_retail_toml, simulated_toml
from churnvalue.errors import SourceError

# Sheet one ends, and sheet two begins, with the days that both hold; 536365 holds the same line twice.
FIRST_SHEET = """
489434  85048   12  2009-12-01T07:45  6.95  13085
C489449 22087  -12  2009-12-01T10:33  2.95  16321
490000  22041    1  2009-12-02T09:00  0     -
536365  85123A   6  2010-12-01T08:26  2.55  17850
536365  85123A   6  2010-12-01T08:26  2.55  17850
536370  22728   24  2010-12-01T08:45  3.75  12583
"""
SECOND_SHEET = """
536365  85123A   6  2010-12-01T08:26  2.55  17850
536365  85123A   6  2010-12-01T08:26  2.55  17850
536370  22728   24  2010-12-01T08:45  3.75  12583
539000  21730    2  2010-12-10T09:33  4.25  17850
581587  POST     1  2011-12-09T12:50  18.0  12680
"""
COLUMNS = ["Invoice", "StockCode", "Quantity", "InvoiceDate", "Price", "CustomerID"]
INVOICES = ["489434", "C489449", "490000", "536365", "536365", "536370", "539000", "581587"]
PARQUET = ("online_retail_2009_2010.parquet", "online_retail_2010_2011.parquet")


def sheet(text: str) -> pd.DataFrame:
    rows = pd.read_csv(
        StringIO(text), sep=r"\s+", names=COLUMNS, na_values=["-"], dtype={"Invoice": str, "StockCode": str}
    )
    # Numbers such as spreadsheets give them: customers with decimals.
    return rows.assign(
        InvoiceDate=pd.to_datetime(rows["InvoiceDate"]), Description="A £1 THING", Country="United Kingdom"
    )


def both() -> pd.DataFrame:
    return pd.concat([sheet(FIRST_SHEET), sheet(SECOND_SHEET)], ignore_index=True)


def write_parquet(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in zip(PARQUET, (FIRST_SHEET, SECOND_SHEET), strict=True):
        rows = sheet(text)
        rows.assign(CustomerID=rows["CustomerID"].astype("Int64")).to_parquet(folder / name)


def check_retail(log: pd.DataFrame) -> None:
    assert log.dtypes.astype(str).to_dict() == {
        "Invoice": "str",
        "StockCode": "str",
        "Description": "str",
        "Quantity": "int64",
        "InvoiceDate": "datetime64[us]",
        "Price": "float64",
        "CustomerID": "str",
        "Country": "str",
    }
    assert sorted(log["Invoice"]) == sorted(INVOICES)
    by_invoice = log.drop_duplicates("Invoice").set_index("Invoice")
    assert by_invoice.loc["489434", "CustomerID"] == "13085"
    assert by_invoice.loc["489434", "StockCode"] == "85048"
    assert by_invoice.loc["489434", "InvoiceDate"] == pd.Timestamp("2009-12-01 07:45")
    assert by_invoice.loc["C489449", "Quantity"] == -12
    assert by_invoice.loc["490000", "Price"] == 0.0
    assert by_invoice["CustomerID"].isna().sum() == 1
    assert by_invoice.loc["581587", "Description"] == "A £1 THING"


@pytest.mark.skipif(importlib.util.find_spec("lifetimes") is None, reason="the wheel with CDNOW is not installed")
def test_cdnow_is_the_published_log():
    log = load_cdnow()
    assert log.columns.tolist() == ["customer_id", "event_time", "quantity", "amount"]
    assert (len(log), log["customer_id"].nunique()) == (69_659, 23_570)
    assert log.iloc[2].tolist() == ["00002", pd.Timestamp("1997-01-12"), 5, 77.0]
    assert log["event_time"].dtype == "datetime64[us]"
    assert log["amount"].sum() == pytest.approx(2_500_315.63)
    assert (log["amount"] == 0).sum() == 80
    assert log["event_time"].agg(["min", "max"]).tolist() == [
        pd.Timestamp("1997-01-01"),
        pd.Timestamp("1998-06-30"),
    ]
    assert log.groupby("customer_id")["event_time"].min().max() < pd.Timestamp("1997-04-01")


def test_cdnow_says_what_to_install(monkeypatch):
    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    with pytest.raises(SourceError, match=r"not installed.*pip install --no-deps lifetimes==0\.11\.3"):
        load_cdnow()


class Wheel:
    def __init__(self, file: Path) -> None:
        self.file = file

    def locate_file(self, path: str) -> Path:
        return self.file


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" id date n usd\n 00001 19970101 1 11.77\n", r"69,659 rows of 23,570 customers, but 1 rows of 1"),
        (" id date n usd\n 00001 1.1.97 1 11.77\n", "cannot be read"),
    ],
)
def test_cdnow_refuses_another_file(text, message, tmp_path, monkeypatch):
    (tmp_path / "log.txt").write_text(text)
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: Wheel(tmp_path / "log.txt"))
    with pytest.raises(SourceError, match=message):
        load_cdnow()


def test_cdnow_without_its_file_counts_as_not_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: Wheel(tmp_path / "none.txt"))
    with pytest.raises(SourceError, match="not installed"):
        load_cdnow()


def test_retail_from_the_published_workbook(tmp_path):
    names = {"CustomerID": "Customer ID"}
    with pd.ExcelWriter(tmp_path / "online_retail_II.xlsx") as book:
        for name, text in (("Year 2009-2010", FIRST_SHEET), ("Year 2010-2011", SECOND_SHEET)):
            rows = sheet(text)
            numbers = pd.to_numeric(rows["Invoice"], errors="coerce").astype(object)
            rows["Invoice"] = numbers.where(numbers.notna(), rows["Invoice"])
            rows.rename(columns=names).to_excel(book, sheet_name=name, index=False)
    check_retail(load_online_retail(tmp_path / "online_retail_II.xlsx"))
    check_retail(load_online_retail(tmp_path))


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize(
    ("names", "time_format"),
    [
        ({"CustomerID": "Customer ID"}, "%Y-%m-%d %H:%M:%S"),
        ({"Invoice": "InvoiceNo", "Price": "UnitPrice"}, "%m/%d/%Y %H:%M"),
    ],
)
def test_retail_from_csv(names, time_format, encoding, tmp_path):
    both().rename(columns=names).to_csv(
        tmp_path / "retail.csv", index=False, date_format=time_format, encoding=encoding
    )
    check_retail(load_online_retail(tmp_path / "retail.csv"))
    check_retail(load_online_retail(str(tmp_path)))


@pytest.mark.parametrize("folder", [".", "online_retail_ii"])
def test_retail_from_a_folder_of_parquet(folder, tmp_path):
    write_parquet(tmp_path / folder)
    (tmp_path / "other.csv").write_text("a,b\n")
    log = load_online_retail(tmp_path) if folder == "." else load_online_retail(tmp_path / folder)
    check_retail(log)
    assert log["Invoice"].tolist() == INVOICES  # the order of the files


def test_overlap_is_taken_once_whatever_the_order_of_rows(tmp_path):
    both().sample(frac=1.0, random_state=7).to_csv(tmp_path / "shuffled.csv", index=False)
    check_retail(load_online_retail(tmp_path / "shuffled.csv"))


def test_one_sheet_alone_keeps_all_its_rows(tmp_path):
    sheet(SECOND_SHEET).iloc[1:].to_csv(tmp_path / "second.csv", index=False)
    assert len(load_online_retail(tmp_path / "second.csv")) == 4


def test_retail_path_that_is_missing(tmp_path):
    (tmp_path / "online_retail_II.xlsx").touch()
    with pytest.raises(SourceError, match=r"nothing is there\. Did you mean 'online_retail_II\.xlsx'\?"):
        load_online_retail(tmp_path / "online_retail.xlsx")
    with pytest.raises(SourceError, match="nothing is there"):
        load_online_retail(tmp_path / "no" / "such")


def test_retail_folder_without_the_log(tmp_path):
    (tmp_path / "a.csv").touch()
    (tmp_path / "b.csv").touch()
    with pytest.raises(SourceError, match=r"one \.csv, but it holds \['a\.csv', 'b\.csv'\]"):
        load_online_retail(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "a.csv",
            "Invoice,StockCode,Description,Quantity,InvoiceDate,Prise\n",
            "'Price' is missing. Did you mean 'Prise'",
        ),
        ("a.csv", "", "cannot be read"),
        ("a.xlsx", "text", "cannot be read"),
        ("a.parquet", "text", "cannot be read"),
        ("a.json", "{}", r"it must be \.xlsx, \.csv or \.parquet"),
    ],
)
def test_retail_file_that_is_something_else(name, text, message, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(SourceError, match=message):
        load_online_retail(tmp_path / name)


@pytest.mark.parametrize(("column", "value"), [("Quantity", "six"), ("InvoiceDate", "yesterday"), ("Price", "cheap")])
def test_retail_value_that_cannot_be_read(column, value, tmp_path):
    rows = both().astype({column: object})
    rows.loc[3, column] = value
    rows.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(SourceError, match=f"cannot be read as Online Retail II: .*{value}"):
        load_online_retail(tmp_path / "a.csv")


def test_cdnow_configuration(tmp_path):
    config = parse_config(tomllib.loads(cdnow_toml("data/cdnow.parquet")), tmp_path)
    (events,) = config.events
    assert (events.source, events.kind, events.timezone) == ("data/cdnow.parquet", "purchase", "UTC")
    assert (events.columns.amount, events.columns.order_id) == ("amount", None)
    assert (config.outcome.horizon_days, config.mlflow.tracking_uri) == (90, "sqlite:///mlflow.db")


def test_online_retail_configuration(tmp_path):
    config = parse_config(tomllib.loads(online_retail_toml(r"C:\data\retail " "x" ".parquet")), tmp_path)
    (events,) = config.events
    assert events.source == r"C:\data\retail " "x" ".parquet"
    assert (events.timezone, config.timing.timezone) == ("Europe/London", "Europe/London")
    assert (events.columns.order_id, events.columns.amount) == ("Invoice", "Quantity * Price")
    assert (events.columns.category, events.columns.channel) == ("StockCode", None)
    assert config.value.cost == {"return": 4.0}
    assert (config.population.active_days, config.outcome.horizon_days) == (365, 90)


def test_simulated_configuration(tmp_path):
    config = parse_config(tomllib.loads(simulated_toml("simulated.parquet", "Asia/Tokyo")), tmp_path)
    (events,) = config.events
    assert events.kind == FromColumn(column="kind")
    assert all(column in (name, None) for name, column in events.columns)
    assert events.columns.amount == "amount"
    assert config.timing.timezone == "Asia/Tokyo"
    assert set(config.value.cost) == {"ticket", "return", "message_sent"}
