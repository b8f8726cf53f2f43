"""The sends of a plan as tools that send can read: a table of text in which no cell is a spreadsheet's formula."""

import pandas as pd

EXPORT_COLUMNS = ("customer", "channel", "local_minute", "campaign")
_FORMULA = (*"=+-@＝＋－＠", "\t", "\r", "\n")


def guarded(text: str) -> str:
    """Return ``text``, behind an apostrophe if a spreadsheet would read it as a formula.

    >>> guarded("=1+1"), guarded("a=1")
    ("'=1+1", 'a=1')
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


def export_sends(sends: pd.DataFrame) -> pd.DataFrame:
    """Return customer, channel, local_minute (``2011-09-02 10:00``) and campaign of every message with an hour, as text.

    Rows by minute, channel and customer. Messages without an hour are left out; sends.parquet says why.
    """
    due = sends[sends["send_at"].notna()].sort_values(["send_at", "channel", "customer_id"], kind="stable")
    columns = (
        due["customer_id"],
        due["channel"],
        due["send_at_local"].str[:16].str.replace("T", " "),
        due["message"],
    )
    return pd.DataFrame(
        {
            name: [guarded(text) for text in column.astype("str")]
            for name, column in zip(EXPORT_COLUMNS, columns, strict=True)
        },
        dtype="str",
    )


def export_text(sends: pd.DataFrame) -> str:
    """The same as CSV text, one header line."""
    return csv_text(export_sends(sends))


def csv_text(table: pd.DataFrame) -> str:
    """Return a table as CSV, its lines ended as RFC 4180 has it, for then a cell with a line end of either kind is quoted.

    After bare newlines an id with a carriage return in it would become two lines, the second one guarded by nothing.
    """
    return table.to_csv(index=False, lineterminator="\r\n")
