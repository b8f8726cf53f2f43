"""Loaders of real purchase logs, and the configuration that maps each of them.

No data stands in the repository and nothing is downloaded: every loader says how to obtain its log.
"""

import importlib.metadata
import json
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd

from churnvalue.errors import SourceError, near_match
from churnvalue.simulate import EVENT_COLUMNS, Shop

_CDNOW_FILE = "lifetimes/datasets/CDNOW_master.txt"
_CDNOW_INSTALL = "Install the package that carries it: pip install --no-deps lifetimes==0.11.3"
_CDNOW_ROWS = 69_659
_CDNOW_CUSTOMERS = 23_570

_RETAIL_OBTAIN = "Obtain it at https://archive.ics.uci.edu/dataset/502/online+retail+ii"
_RETAIL_PARQUET = ("online_retail_2009_2010.parquet", "online_retail_2010_2011.parquet")
_RETAIL_COLUMNS = {
    "Invoice": "str",
    "StockCode": "str",
    "Description": "str",
    "Quantity": "int64",
    "InvoiceDate": "datetime64[us]",
    "Price": "float64",
    "CustomerID": "str",
    "Country": "str",
}
# The first release of the second sheet (UCI 352) and the spreadsheet of both call three columns differently.
_RETAIL_ALIASES = {"InvoiceNo": "Invoice", "UnitPrice": "Price", "Customer ID": "CustomerID"}
_RETAIL_TEXT = ("Invoice", "InvoiceNo", "StockCode", "Description", "CustomerID", "Customer ID", "Country")
_RETAIL_READ: dict[str, Any] = {
    "dtype": dict.fromkeys(_RETAIL_TEXT, "str"),
    "keep_default_na": False,
    "na_values": [""],
}
_RETAIL_OVERLAP = (pd.Timestamp("2010-12-01"), pd.Timestamp("2010-12-10"))


def load_cdnow() -> pd.DataFrame:
    """Return every purchase of the CDNOW cohort: 69,659 rows of 23,570 customers, in the order of the file.

    Columns: customer_id (text, "00001" … "23570"), event_time (datetime64[us], a naive day at 00:00,
    1997-01-01 … 1998-06-30), quantity (int64, CDs), amount (float64, US dollars, 80 of them 0). Every
    customer's first purchase is in January to March 1997. Rows that repeat are separate purchases of one day.

    Source: P. Fader and B. Hardie, https://www.brucehardie.com/datasets/, posted freely for research without
    a formal licence; read out of the installed ``lifetimes`` 0.11.3 wheel (MIT), which is never imported:
    ``pip install --no-deps lifetimes==0.11.3``.

    Raises:
        SourceError: If the wheel is not installed, or the file is not the expected one.
    """
    try:
        path = Path(str(importlib.metadata.distribution("lifetimes").locate_file(_CDNOW_FILE)))
        log = pd.read_csv(
            path,
            sep=r"\s+",
            header=0,
            names=["customer_id", "event_time", "quantity", "amount"],
            dtype={"customer_id": "str", "event_time": "str", "quantity": "int64", "amount": "float64"},
        )
        days = pd.to_datetime(log["event_time"], format="%Y%m%d").astype("datetime64[us]")
    except (importlib.metadata.PackageNotFoundError, OSError):
        raise SourceError(f"The CDNOW log is needed, but it is not installed. {_CDNOW_INSTALL}") from None
    except ValueError as error:
        raise SourceError(f"The CDNOW log cannot be read: {error}. {_CDNOW_INSTALL}") from None
    customers = log["customer_id"].nunique()
    if (len(log), customers) != (_CDNOW_ROWS, _CDNOW_CUSTOMERS):
        raise SourceError(
            f"The CDNOW log must have {_CDNOW_ROWS:,} rows of {_CDNOW_CUSTOMERS:,} customers, "
            f"but {len(log):,} rows of {customers:,} customers came from {path}. {_CDNOW_INSTALL}"
        )
    return log.assign(event_time=days)


def load_online_retail(path: str | Path) -> pd.DataFrame:
    """Return both years of UCI Online Retail II, one row an invoice line, as messy as it came.

    Columns: Invoice, StockCode, Description (text; Description may be missing), Quantity (int64), InvoiceDate
    (datetime64[us], naive London time, 2009-12-01 … 2011-12-09), Price (float64, pounds a piece), CustomerID
    (text such as "13085"; missing for 22 % of the rows), Country (text). Cancellations (invoices "C…"), rows
    without a customer, repeated rows and prices of zero or below all stay. Only what the two sheets both
    hold, 2010-12-01 to 12-09, is taken once: published 1,067,371 rows, 1,044,848 of them returned.

    ``path`` is the published ``online_retail_II.xlsx`` (both sheets; minutes to read), a CSV of it, or a
    folder that holds either or ``online_retail_2009_2010.parquet`` and ``online_retail_2010_2011.parquet``,
    directly or in ``online_retail_ii/``.

    Source: D. Chen, Online Retail II, UCI Machine Learning Repository, 2019, doi 10.24432/C5CG6D, CC BY 4.0:
    https://archive.ics.uci.edu/dataset/502/online+retail+ii

    Raises:
        SourceError: If nothing stands at ``path``, or it lacks a column, or a value cannot be read.
    """
    parts = [_retail_part(file) for file in _retail_files(Path(path))]
    return _without_overlap(pd.concat(parts, ignore_index=True))


def cdnow_toml(events_path: str) -> str:
    """Text of a configuration that maps ``load_cdnow()`` written to Parquet at ``events_path``."""
    names = ("customer_id", "event_time", "amount", "quantity")
    columns = {f"columns.{name}": _quoted(name) for name in names}
    mapped = {"kind": '"purchase"', "timezone": '"UTC"', **columns}
    # The log is one cohort, followed for 18 months: all of it is described, also those who came once at its start.
    return _toml("cdnow", events_path, mapped, {"population": 'kind = "purchase"\nactive_days = 730'})


def online_retail_toml(events_path: str) -> str:
    """Text of a configuration that maps ``load_online_retail()`` written to Parquet at ``events_path``.

    Cancelled invoices add up to less than nothing and become returns.
    """
    mapped = {
        "kind": '"purchase"',
        "timezone": '"Europe/London"',
        "negative_kind": '"return"',
        "columns.customer_id": '"CustomerID"',
        "columns.event_time": '"InvoiceDate"',
        "columns.order_id": '"Invoice"',
        "columns.amount": '"Quantity * Price"',
        "columns.quantity": '"Quantity"',
        "columns.category": '"StockCode"',
    }
    sections = {"value": "cost = { return = 4.0 }", "timing": 'timezone = "Europe/London"'}
    return _toml("online-retail", events_path, mapped, sections)


def simulated_toml(events_path: str, timezone: str = Shop.timezone) -> str:
    """Text of a configuration that maps ``simulate_log().events`` written to Parquet at ``events_path``.

    ``timezone`` is the shop's, by which its customers live.
    """
    columns = [name for name in EVENT_COLUMNS if name != "kind"]
    mapped = {"kind": '{ column = "kind" }'} | {f"columns.{name}": _quoted(name) for name in columns}
    sections = {
        "value": "cost = { ticket = 6.0, return = 4.0, message_sent = 0.02 }",
        "timing": f"timezone = {_quoted(timezone)}",
    }
    return _toml("simulated", events_path, mapped, sections)


def _toml(project: str, events_path: str, mapped: dict[str, str], sections: dict[str, str] | None = None) -> str:
    """Text of a configuration with one source of events, ``mapped``, and the usual sections after it."""
    source = {"source": _quoted(events_path), **mapped}
    parts = {
        "[events]": "\n".join(f"{key} = {value}" for key, value in source.items()),
        "population": 'kind = "purchase"\nactive_days = 365',
        "outcome": 'kind = "purchase"\nhorizon_days = 90',
        **(sections or {}),
        "mlflow": f'tracking_uri = "sqlite:///mlflow.db"\nexperiment = "{project}"',
    }
    return f'project = "{project}"\n' + "".join(f"\n[{name}]\n{text}\n" for name, text in parts.items())


def _quoted(text: str) -> str:
    """TOML string of ``text``; a JSON string is one."""
    return json.dumps(text, ensure_ascii=False)


def _retail_files(path: Path) -> list[Path]:
    """Files that together hold the log at ``path``."""
    if not path.exists():
        names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        raise SourceError(
            f"Online Retail II is needed at {path}, but nothing is there.{near_match(path.name, names)} "
            f"{_RETAIL_OBTAIN}"
        )
    if path.is_file():
        return [path]
    for folder in (path, path / "online_retail_ii"):
        sheets = [folder / name for name in _RETAIL_PARQUET]
        if all(sheet.is_file() for sheet in sheets):
            return sheets
        for suffix in (".xlsx", ".csv"):
            found = sorted(file for file in folder.glob("*") if file.suffix.lower() == suffix)
            if len(found) == 1:
                return found
    held = sorted(entry.name for entry in path.iterdir())[:10]
    raise SourceError(
        f"{path} must hold {' and '.join(_RETAIL_PARQUET)}, one .xlsx or one .csv, but it holds {held}. "
        f"Give the path of a file. {_RETAIL_OBTAIN}"
    )


def _retail_part(file: Path) -> pd.DataFrame:
    """Rows of one file under the names and types of ``load_online_retail``."""
    try:
        raw = _read(file).rename(columns=_RETAIL_ALIASES)
        missing = [name for name in _RETAIL_COLUMNS if name not in raw]
        if not missing:
            rows = raw[list(_RETAIL_COLUMNS)]
            # A spreadsheet knows only decimal numbers: customer 13085 may come as 13085.0.
            customer = rows["CustomerID"].astype("str").str.removesuffix(".0")
            dates = _times(rows["InvoiceDate"])
            return rows.assign(CustomerID=customer, InvoiceDate=dates).astype(_RETAIL_COLUMNS)
    except (ValueError, TypeError, OSError, zipfile.BadZipFile) as error:
        raise SourceError(f"{file} cannot be read as Online Retail II: {error}. {_RETAIL_OBTAIN}") from None
    raise SourceError(
        f"{file} must have the columns {', '.join(_RETAIL_COLUMNS)}, but '{missing[0]}' is missing."
        f"{near_match(missing[0], [str(column) for column in raw.columns])}"
    )


def _read(file: Path) -> pd.DataFrame:
    """Table in one Parquet, Excel or CSV file; an Excel file's sheets one below the other."""
    suffix = file.suffix.lower()
    if suffix == ".parquet":
        return pd.read_parquet(file)
    if suffix == ".xlsx":
        sheets: dict[str, pd.DataFrame] = pd.read_excel(file, sheet_name=None, **_RETAIL_READ)
        return pd.concat(sheets.values(), ignore_index=True)
    if suffix != ".csv":
        raise ValueError("it must be .xlsx, .csv or .parquet")
    try:
        rows: pd.DataFrame = pd.read_csv(file, **_RETAIL_READ)
    except UnicodeDecodeError:
        # Copies of the first release come in Latin-1, for the sake of a few pound signs.
        rows = pd.read_csv(file, encoding="latin-1", **_RETAIL_READ)
    return rows


def _times(column: pd.Series) -> pd.Series:
    """Naive times of a column of times, ISO texts, or texts such as 12/1/2010 8:26 (month first)."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return column
    slashes = column.astype("str").str.contains("/", na=False).any()
    return pd.to_datetime(column, format="%m/%d/%Y %H:%M" if slashes else "ISO8601")


def _without_overlap(rows: pd.DataFrame) -> pd.DataFrame:
    """``rows`` with the days that both sheets hold taken once, wherever in the table the copies stand.

    Where both sheets are present every row of those days stands an even number of times, so half of each
    stays; else only some hundredth does, by true repetition, and all stay.
    """
    start, end = _RETAIL_OVERLAP
    days = rows[(rows["InvoiceDate"] >= start) & (rows["InvoiceDate"] < end)]
    same = days.groupby(["Invoice", "StockCode", "Quantity", "InvoiceDate", "Price"])["Country"]
    copies = same.transform("size")
    if (copies % 2 == 0).sum() <= len(days) / 2:
        return rows
    return rows.drop(index=days.index[same.cumcount() < copies // 2]).reset_index(drop=True)
