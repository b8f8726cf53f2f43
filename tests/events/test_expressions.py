"""Arithmetic over columns as a user writes it."""

import pytest

from churnvalue.errors import SourceError
from churnvalue.events.expressions import arithmetic

COLUMNS = {"a": 2.0, "b": 3.0, "Unit Price": 5.0, "a-b": 7.0, "b + b": 11.0, "größe": 13.0, 'say "so"': 17.0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", 2.0),
        (" a ", 2.0),
        ("a * b", 6.0),
        ("a + b * 2", 8.0),
        ("(a + b) * 2", 10.0),
        ("b - a - 1", 0.0),
        ("a / b", 2 / 3),
        ("-a - -b", 1.0),
        ("1.5e1", 15.0),
        ('a * "Unit Price"', 10.0),
        ("a * `Unit Price`", 10.0),
        ('"Unit Price" * "Unit Price"', 25.0),
        ("Unit Price", 5.0),  # the whole text is a column
        ("a-b", 7.0),
        ("b + b", 11.0),
        ("a - b", -1.0),
        ("größe * 2", 26.0),
        ('say "so"', 17.0),
    ],
)
def test_arithmetic(text: str, expected: float) -> None:
    assert arithmetic(text, COLUMNS) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a b",
        "a ** b",
        "a // b",
        "a % b",
        "a @ b",
        "+a",
        "~a",
        "a < b",
        "a and b",
        "not a",
        "True",
        "None",
        "'a'",
        "1j",
        "...",
        "f(a)",
        "a.real",
        "a[0]",
        "[a]",
        "(a, b)",
        "lambda: a",
        "a if a else b",
        "(a := 1)",
        "a; b",
        "a\nb",
        "(a",
        '"Unit Price',
        '"',
        "\0",
        "__import__('os').system('true')",
        "a) FROM t; DROP TABLE t; --",
        "1" * 5000,
        "-" * 100_000 + "a",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(SourceError, match="must be a column or arithmetic over columns"):
        arithmetic(text, COLUMNS)


@pytest.mark.parametrize("text", ["1" * 400, " + ".join(["a"] * 3000), "(" * 150 + "a" + ")" * 150 + " * f()"])
def test_absurdly_large_expressions_are_refused_like_any_other(text: str) -> None:
    with pytest.raises(SourceError, match="must be a column or arithmetic over columns"):
        arithmetic(text, COLUMNS)


@pytest.mark.parametrize("text", ["Quantty", "Quantty * Price", '"Quantty" * 2', "1 - Quantty"])
def test_a_missing_column_names_a_near_match(text: str) -> None:
    with pytest.raises(SourceError, match=r"needs a column 'Quantty', which is missing\. Did you mean 'Quantity'\?"):
        arithmetic(text, {"Quantity": 1.0, "Price": 2.0})


def test_names_that_look_like_placeholders_are_columns_of_their_own() -> None:
    assert arithmetic('"x y" - column_0_', {"x y": 10.0, "column_0_": 1.0}) == 9.0
