"""Pictures as inline SVG: lines over two axes, dots of value against risk, a heat map.

Drawn by hand and not by a plotting library, so that text stays text, light and dark are one drawing, each
takes a few kilobytes, and the same numbers give the same bytes. Words (titles, axis names) come from the
template.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from churnvalue.report import svg
from churnvalue.report.axes import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis, grid
from churnvalue.report.numbers import count, short

COUNTS_HEIGHT, COUNTS_WIDTH = 34.0, 14.0
DOT = 3.6
LARGEST_BUBBLE, SMALLEST_BUBBLE, SINGLE_BUBBLE = 5.8, 1.2, 2.6
STRIP = 28.0
CELL_HEIGHT, CELL_GAP = 24.0, 1.5
WIDE_CELL = 30.0
DARK_CELL = 0.6
MOST_LABELS = 12
TIER_COLOURS = 6
ROW_HEIGHT, ROW_LEFT, BAR_HALF = 36.0, 8.0, 4.0


@dataclass(frozen=True)
class Series:
    """Points in rising order of x, drawn as a line, as dots or as both; ``look`` picks the colour.

    A "range" has two points at the same x: the low and the high end of an interval.
    """

    name: str
    points: Sequence[tuple[float, float]]
    look: Literal["model", "other", "guide"] = "model"
    kind: Literal["line", "dots", "both", "range"] = "line"


def plot(
    series: Sequence[Series],
    x: Axis,
    y: Axis,
    title: str,
    counts: Sequence[tuple[float, float]] = (),
    at: tuple[float, str] | None = None,
) -> Markup:
    """Return lines and dots over two linear axes, with a legend.

    Args:
        series: What is drawn, the last on top; one without points is left out.
        x: Axis to the right.
        y: Axis upwards.
        title: What a reader who cannot see the picture is told.
        counts: Pairs of x and a count, drawn as small columns along the bottom.
        at: A place on x and its name, drawn as an upright line.
    """
    series = [one for one in series if one.points]
    horizontal = x.fitted([px for one in series for px, _ in one.points] + ([at[0]] if at else []))
    vertical = y.fitted([py for one in series for _, py in one.points])
    shapes = grid(horizontal, vertical)
    most = max((n for _, n in counts), default=0.0)
    for px, n in counts if most > 0 else ():
        height = COUNTS_HEIGHT * n / most
        corner = (horizontal.across(px) - COUNTS_WIDTH / 2, BOTTOM - height)
        shapes.append(svg.box("count", corner, (COUNTS_WIDTH, height), count(n)))
    if at:
        place = horizontal.across(at[0])
        anchor, shift = ("end", -5) if place > (LEFT + RIGHT) / 2 else ("start", 5)
        shapes.append(svg.line("mark", (place, TOP), (place, BOTTOM)))
        shapes.append(svg.text("name", (place + shift, BOTTOM - 8), at[1], anchor))
    for one in series:
        places = [(horizontal.across(px), vertical.upwards(py)) for px, py in one.points]
        if one.kind == "range":
            (place, low), *_, (_, high) = places
            ends = [((place - BAR_HALF, end), (place + BAR_HALF, end)) for end in (low, high)]
            shapes += [svg.line("range-bar", *both) for both in [((place, low), (place, high)), *ends]]
        elif one.kind != "dots":
            shapes.append(svg.path(f"line {one.look}", places))
        if one.kind in {"dots", "both"}:
            shapes += [svg.circle(f"dot {one.look}", place, DOT) for place in places]
    names = [(one.name, f"{one.look} {one.kind}") for one in series]
    return svg.picture(title, (WIDTH, HEIGHT), shapes) + svg.legend(names)


def bubbles(
    dots: Sequence[tuple[float, float, float, int]], names: Sequence[str], x: Axis, y: Axis, title: str
) -> Markup:
    """Return dots over a linear x and a logarithmic y; what is not above zero lies in a strip beneath.

    Args:
        dots: x, y, customers and index of the name of each dot; area grows as the root of customers.
        names: Names of the colours, strongest first.
        x: Axis to the right.
        y: Axis upwards; its bounds come from the values above zero.
        title: What a reader who cannot see the picture is told.
    """
    above = [math.log10(value) for _, value, _, _ in dots if value > 0]
    low = math.floor(min(above, default=0.0))
    high = max(math.ceil(max(above, default=1.0)), low + 1)
    powers = [float(power) for power in range(low, high + 1, math.ceil((high - low) / 8))]
    horizontal = x.fitted([place for place, _, _, _ in dots])
    vertical = Axis(y.name, "power", low, high, powers).fitted([])
    strip = len(above) < len(dots)
    base = BOTTOM - STRIP if strip else BOTTOM
    shapes = grid(horizontal, vertical, base)
    if strip:
        shapes.append(svg.text("tick", (LEFT - 6, BOTTOM - 4), "≤ ~0", "end"))
    shapes.append(svg.line("axis", (LEFT, BOTTOM), (RIGHT, BOTTOM)))
    most = max((customers for _, _, customers, _ in dots), default=1.0)
    for place, value, customers, tier in dots:
        height = vertical.upwards(math.log10(value), base) if value > 0 else BOTTOM - 8
        grown = max(SMALLEST_BUBBLE, LARGEST_BUBBLE * (customers / most) ** 0.25)
        radius = grown if most > 1 else SINGLE_BUBBLE
        shapes.append(svg.circle(_tier(tier), (horizontal.across(place), height), radius))
    keys = [(name, f"dots {_tier(index)}") for index, name in enumerate(names)]
    return svg.picture(title, (WIDTH, HEIGHT), shapes) + svg.legend(keys)


def heat(counts: Sequence[Sequence[float]], down: Sequence[str], along: Sequence[str], name: str, title: str) -> Markup:
    """Return a heat map; wide cells carry their number, every cell tells it to the pointer.

    Args:
        counts: Rows of cells.
        down: Name of each row.
        along: Name of each column.
        name: Name of the horizontal axis.
        title: What a reader who cannot see the picture is told.
    """
    width = (RIGHT - LEFT) / len(along)
    bottom = 8.0 + CELL_HEIGHT * len(down)
    most = max((n for row in counts for n in row), default=0.0)
    shapes = []
    for number, (row_name, row) in enumerate(zip(down, counts, strict=True)):
        top = 8.0 + number * CELL_HEIGHT
        shapes.append(svg.text("tick", (LEFT - 6, top + 16), row_name, "end"))
        for place, (column_name, n) in enumerate(zip(along, row, strict=True)):
            warmth = math.sqrt(n / most) if most > 0 else 0.0  # the root, or one busy hour would hide all others
            corner = (LEFT + place * width + CELL_GAP / 2, top + CELL_GAP / 2)
            told = f"{row_name} {column_name}: {count(n)}".lstrip()
            size = (width - CELL_GAP, CELL_HEIGHT - CELL_GAP)
            shapes.append(svg.box("cell", corner, size, told, warmth))
            if width > WIDE_CELL:
                look = "over" if warmth > DARK_CELL else "under"
                shapes.append(svg.text(look, (LEFT + (place + 0.5) * width, top + 16), short(n)))
    every = 1 if len(along) <= MOST_LABELS else 3
    for place in range(0, len(along), every):
        shapes.append(svg.text("tick", (LEFT + (place + 0.5) * width, bottom + 15), along[place]))
    shapes.append(svg.text("name", ((LEFT + RIGHT) / 2, bottom + 36), name))
    return svg.picture(title, (WIDTH, bottom + 44), shapes)


def intervals(
    rows: Sequence[tuple[str, float, float, float, float | None]], names: Sequence[str], x: Axis, title: str
) -> Markup:
    """Return one row for each interval, its name above it: a dot at the value, a ring at what was expected.

    Args:
        rows: Name, low end, value, high end and what was expected (None: nothing was) of each.
        names: What a dot and what a ring stand for; the second is shown only with rings.
        x: Axis to the right.
        title: What a reader who cannot see the picture is told.
    """
    ends = [end for _, low, _, high, expected in rows for end in (low, high, expected) if end is not None]
    axis = x.fitted(ends)
    bottom = ROW_HEIGHT * len(rows) + 8.0

    def place(value: float) -> float:
        return axis.place(value, ROW_LEFT, RIGHT)

    shapes = []
    for tick in axis.ticks:
        shapes.append(svg.line("axis" if tick == 0 else "grid", (place(tick), 0), (place(tick), bottom)))
        shapes.append(svg.text("tick", (place(tick), bottom + 16), axis.label(tick)))
    for number, (name, low, value, high, expected) in enumerate(rows):
        height = ROW_HEIGHT * number + 26.0
        shapes.append(svg.text("name halo", (ROW_LEFT, height - 11), name, "start"))
        shapes.append(svg.line("reach", (place(low), height), (place(high), height)))
        for end in (low, high):
            shapes.append(svg.line("reach", (place(end), height - BAR_HALF), (place(end), height + BAR_HALF)))
        if expected is not None:
            shapes.append(svg.circle("dot other", (place(expected), height), DOT + 1.0))
        shapes.append(svg.circle("dot model", (place(value), height), DOT + 0.6))
    shapes.append(svg.text("name", ((ROW_LEFT + RIGHT) / 2, bottom + 36), axis.name))
    looks = ["model dots", "other dots"]
    keys = list(zip(names, looks, strict=False)) if any(row[4] is not None for row in rows) else []
    return svg.picture(title, (WIDTH, bottom + 42), shapes) + svg.legend(keys)


def _tier(index: int) -> str:
    return f"tier t{min(index, TIER_COLOURS - 1)}"
