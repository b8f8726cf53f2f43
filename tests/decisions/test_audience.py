from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnvalue.decisions.audience import audience
from churnvalue.errors import DefinitionError

TABLE = pd.DataFrame(
    {
        "customer_id": ["a", "b", "c", "d"],
        "tier": pd.Series(["elite", "steady", "steady", None], dtype="str"),
        "p_churn": [0.9, 0.2, np.nan, 0.5],
        "clv": [100.0, -5.0, 20.0, 0.0],
        "eligible": [True, False, True, True],
        "cutoff": pd.to_datetime(["2020-01-01"] * 3 + ["2020-02-01"], utc=True),
    }
)


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        ("tier = 'elite'", "a"),
        ("tier == 'steady' AND p_churn < .5", "b"),
        ("tier != 'steady'", "a"),  # an unknown tier meets no comparison
        ("p_churn >= 0.5", "ad"),
        ("not p_churn >= 0.5", "bc"),
        ("tier in ('elite', 'steady')", "abc"),
        ("tier not in ('elite',)", "bc"),
        ("p_churn * clv > 10", "a"),
        ("-clv > 0", "b"),
        ("0 <= clv < 50", "cd"),
        ("eligible and clv > 0", "ac"),
        ("eligible", "acd"),
        ("not eligible or p_churn > .8", "ab"),
        ("cutoff > '2020-01-15'", "d"),
        ("customer_id in ('a', 'd') and (clv = 0 or clv > 50)", "ad"),
        ("clv / 0 > 0", "ac"),  # 100 / 0 and 20 / 0 are infinite, 0 / 0 is unknown
    ],
)
def test_condition(condition, met):
    assert "".join(TABLE["customer_id"][audience(TABLE, condition)]) == met


@pytest.mark.parametrize(
    "condition",
    [
        *("", "tier", "1 + 1", "__import__('os')", "clv.sum() > 0", "clv[0] > 1", "lambda: 1", "clv ** 9 > 1"),
        *(
            "p_churn > ",
            "(((",
            "'a",
            "clv > 1; clv < 2",
            "True",
            "clv > 1 if 1 else 2",
            "tier + 'x' = 'y'",
            "f'{clv}' = 'a'",
        ),
    ],
)
def test_what_is_no_condition_is_refused(condition):
    with pytest.raises(DefinitionError, match="A condition must be made of"):
        audience(TABLE, condition)


def test_unknown_column_names_a_near_match():
    with pytest.raises(DefinitionError, match=r"no column 'p_chrun' to choose by\. Did you mean 'p_churn'"):
        audience(TABLE, "p_chrun > .5")


def test_a_text_without_quotes_is_told_to_take_them():
    with pytest.raises(DefinitionError, match=r"no column 'elite' to choose by\. Put texts in quotes: 'elite'"):
        audience(pd.DataFrame({"tier": ["elite", "steady"]}), "tier = elite")


def test_texts_are_not_compared_with_numbers():
    with pytest.raises(DefinitionError, match="mixes them"):
        audience(TABLE, "tier > 5")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_any_text_gives_an_answer_or_a_named_error(text):
    with suppress(DefinitionError):
        assert audience(TABLE, text).shape == (4,)
