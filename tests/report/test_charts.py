import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from churnvalue.report.axes import BOTTOM, LEFT, RIGHT, TOP, Axis
from churnvalue.report.charts import Series, bubbles, heat, intervals, plot
from churnvalue.report.svg import coordinate

X, Y = Axis("Risk", "share", 0, 1), Axis("Value (€)")


def drawn(markup: str) -> ET.Element:
    """Parse a picture and its legend: it must be well-formed."""
    return ET.fromstring(f"<figure>{markup}</figure>")


def test_a_line_runs_from_corner_to_corner():
    found = drawn(plot([Series("All", [(0.0, 0.0), (1.0, 50.0)])], X, Y, "A line"))
    assert found.find(".//polyline").get("points") == f"{LEFT:.0f},{BOTTOM:.0f} {RIGHT:.0f},{TOP:.0f}"
    labels = [text.text for text in found.iter("text")]
    assert labels == [
        "0",
        "10",
        "20",
        "30",
        "40",
        "50",
        "0%",
        "20%",
        "40%",
        "60%",
        "80%",
        "100%",
        "Value (€)",
        "Risk",
    ]
    assert found.find("svg").get("aria-label") == "A line"
    assert found.find("ul") is None  # one series needs no legend


def test_series_without_points_are_left_out_and_others_named():
    series = [Series("a", [(0, 0)]), Series("b", [], "other"), Series("c", [(1, 1)], "guide", "both")]
    found = drawn(plot(series, X, Y, "t"))
    assert [item[0].tail for item in found.iter("li")] == ["a", "c"]
    assert len(list(found.iter("circle"))) == 1


def test_counts_are_columns_in_proportion_and_a_place_is_marked():
    found = drawn(plot([Series("a", [(0, 0), (1, 1)])], X, Y, "t", counts=[(0.2, 10), (0.6, 40)], at=(0.5, "here")))
    low, high = (float(box.get("height")) for box in found.iter("rect"))
    assert high == pytest.approx(4 * low, abs=0.3)
    assert found.find(".//line[@class='mark']").get("x1") == "216"
    assert "here" in [text.text for text in found.iter("text")]


def test_a_range_is_an_upright_bar_with_ends():
    series = [Series("All", [(0, 0), (1, 50)]), Series("Range", [(0.5, 10), (0.5, 40)], "other", "range")]
    bars = [line for line in drawn(plot(series, X, Y, "t")).iter("line") if line.get("class") == "range-bar"]
    upright, low, high = ([float(bar.get(at)) for at in ("x1", "y1", "x2", "y2")] for bar in bars)
    assert upright == [216.0, 198.0, 216.0, 72.0]  # 10 and 40 of 50 between 240 and 30
    assert (low[1], high[1], low[2] - low[0]) == (198.0, 72.0, 8.0)


def test_value_lies_on_a_logarithmic_axis_and_losses_in_a_strip():
    dots = [(0.0, 1.0, 5.0, 0), (0.5, 100.0, 5.0, 1), (1.0, 10.0, 80.0, 9), (0.5, -3.0, 5.0, 1)]
    found = drawn(bubbles(dots, ["gold", "rest"], X, Y, "map"))
    one, hundred, ten, loss = found.findall(".//circle")
    assert float(ten.get("cy")) == pytest.approx((float(one.get("cy")) + float(hundred.get("cy"))) / 2, abs=0.1)
    assert float(loss.get("cy")) > float(one.get("cy"))
    assert float(ten.get("r")) == pytest.approx(2 * float(one.get("r")), abs=0.1)  # 16 times the customers
    assert ten.get("class") == "tier t5"  # there are six colours
    assert "≤ ~0" in [text.text for text in found.iter("text")]


@pytest.mark.parametrize("values", [[], [5.0], [0.0, -1.0], [1e-9, 1e12]])
def test_any_values_can_be_mapped(values):
    found = drawn(bubbles([(0.5, value, 1.0, 0) for value in values], ["a"], X, Y, "map"))
    assert len(found.findall(".//circle")) == len(values)


def test_cells_warm_with_their_count_and_tell_it():
    found = drawn(heat([[0, 5], [10, 1]], ["Mon", "Tue"], ["9", "10"], "Hour", "Messages"))
    boxes = list(found.iter("rect"))
    assert [box.get("fill-opacity") for box in boxes] == ["0.00", "0.71", "1.00", "0.32"]  # roots of 0, .5, 1 and .1
    assert [box[0].text for box in boxes] == ["Mon 9: 0", "Mon 10: 5", "Tue 9: 10", "Tue 10: 1"]
    assert [box.get("fill-opacity") for box in drawn(heat([[0]], ["a"], ["b"], "n", "t")).iter("rect")] == ["0.00"]


def test_names_are_escaped():
    hostile = '"><script>alert(1)</script>'
    pictures = [
        plot([Series(hostile, [(0, 1)]), Series("b", [(0, 1)])], Axis(hostile), Axis(hostile), hostile),
        bubbles([(0.5, 1.0, 1.0, 0)], [hostile, "b"], Axis(hostile), Axis(hostile), hostile),
        heat([[1]], [hostile], [hostile], hostile, hostile),
    ]
    for picture in pictures:
        assert "<script" not in picture
        assert drawn(picture).find("svg").get("aria-label") == hostile


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e12, 1e12), max_size=5))
@example([5e-324])
def test_axes_hold_the_data_with_few_round_ticks(values):
    axis = Axis("a").fitted(values)
    slack = 1e-8 * (axis.high - axis.low)
    assert axis.low <= min([0.0, *values]) + slack
    assert axis.high >= max([0.0, *values]) - slack
    assert 2 <= len(axis.ticks) <= 12
    assert all(LEFT - 1e-6 <= axis.across(value) <= RIGHT + 1e-6 for value in [*values, *axis.ticks])


def test_values_out_of_bounds_lie_at_the_bounds():
    axis = Axis("a", low=0, high=1).fitted([])
    assert (axis.across(-3), axis.across(7)) == (LEFT, RIGHT)


@settings(max_examples=50, deadline=None)
@given(st.floats(-1e4, 1e4))
def test_coordinates_are_short_and_right(value):
    text = coordinate(value)
    assert re.fullmatch(r"-?\d+(\.[1-9])?", text)
    assert float(text) == pytest.approx(value, abs=0.0501)
    assert text != "-0"


def test_an_interval_has_a_dot_at_its_value_and_a_ring_at_what_was_expected():
    rows = [("All", -0.1, 0.1, 0.3, 0.2), ("Some", 0.0, 0.05, 0.1, None)]
    found = drawn(intervals(rows, ["Measured", "Promised"], Axis("Change", "share", -0.1, 0.3), "Did it help?"))
    dots = {circle.get("class"): [] for circle in found.iter("circle")}
    for circle in found.iter("circle"):
        dots[circle.get("class")].append(float(circle.get("cx")))
    low, high = 8.0, RIGHT
    assert dots["dot model"] == pytest.approx([(low + high) / 2, low + (high - low) * 0.375], abs=0.06)
    assert dots["dot other"] == pytest.approx([low + (high - low) * 0.75], abs=0.06)
    reach = [line for line in found.iter("line") if line.get("class") == "reach"]
    assert (float(reach[0].get("x1")), float(reach[0].get("x2"))) == (low, high)
    assert [name.text for name in found.iter("text") if name.get("class") == "name halo"] == ["All", "Some"]
    assert "Promised" in "".join(found.itertext())


def test_without_expectations_there_is_no_ring_and_no_legend():
    found = drawn(intervals([("All", 0.0, 1.0, 2.0, None)], ["Measured", "Promised"], Axis("Change"), "One"))
    assert found.find("ul") is None
