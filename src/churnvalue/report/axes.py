"""Axes: bounds that hold the data, ticks at round numbers, and where a value lies in the picture."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from churnvalue.report import svg
from churnvalue.report.numbers import percent, short

WIDTH, HEIGHT = 400.0, 290.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 388.0, 30.0, 240.0
# Below it a step would vanish in floating point.
SMALLEST_SPAN = 1e-200


@dataclass(frozen=True)
class Axis:
    """An axis.

    Attributes:
        name: What it measures, with the unit.
        unit: "share" is labelled in per cent; "power" holds logarithms to the base of ten.
        low: Where it starts; None: chosen to hold zero and the data.
        high: Where it ends; None: likewise.
        ticks: Where labels stand; None: at round numbers.
    """

    name: str
    unit: Literal["share", "number", "power"] = "number"
    low: float | None = None
    high: float | None = None
    ticks: Sequence[float] | None = None

    def fitted(self, values: Sequence[float]) -> "FittedAxis":
        """Return this axis with bounds and ticks for ``values``."""
        low = min(0.0, 0.0, *values) if self.low is None else self.low
        high = max(0.0, 0.0, *values) if self.high is None else self.high
        high = high if high - low > SMALLEST_SPAN else low + 1.0
        step = round_step(low, high)
        low = step * math.floor(low / step + 1e-9) if self.low is None else low
        high = step * math.ceil(high / step - 1e-9) if self.high is None else high
        multiples = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
        ticks = [multiple * step for multiple in multiples] if self.ticks is None else self.ticks
        return FittedAxis(self.name, self.unit, low, high, tuple(ticks))


@dataclass(frozen=True)
class FittedAxis:
    """An axis whose bounds and ticks are settled; see ``Axis``."""

    name: str
    unit: str
    low: float
    high: float
    ticks: tuple[float, ...]

    def place(self, value: float, start: float, end: float) -> float:
        """Return where ``value`` lies from ``start`` to ``end``; values out of bounds lie at the bounds."""
        inside = min(max(value, self.low), self.high)
        return start + (inside - self.low) / (self.high - self.low) * (end - start)

    def across(self, value: float) -> float:
        """Return where ``value`` lies from left to right."""
        return self.place(value, LEFT, RIGHT)

    def upwards(self, value: float, base: float = BOTTOM) -> float:
        """Return where ``value`` lies from ``base`` to the top."""
        return self.place(value, base, TOP)

    def label(self, tick: float) -> str:
        """Return the text at a tick."""
        if self.unit == "share":
            return percent(tick, 0)
        return short(10.0**tick if self.unit == "power" else tick)


def round_step(low: float, high: float, wanted: int = 5) -> float:
    """Return the smallest 1, 2 or 5 times a power of ten that makes at most ``wanted`` steps.

    >>> round_step(0.0, 1.0), round_step(0.0, 730.0)
    (0.2, 200.0)
    """
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)


def grid(x: FittedAxis, y: FittedAxis, base: float = BOTTOM) -> list[Markup]:
    """Return the level lines, the labels and the names of both axes; ``base`` is where y starts."""
    shapes = []
    for tick in y.ticks:
        height = y.upwards(tick, base)
        look = "axis" if tick == 0 and y.unit != "power" else "grid"
        shapes.append(svg.line(look, (LEFT, height), (RIGHT, height)))
        shapes.append(svg.text("tick", (LEFT - 6, height + 4), y.label(tick), "end"))
    shapes += [svg.text("tick", (x.across(tick), BOTTOM + 16), x.label(tick)) for tick in x.ticks]
    shapes.append(svg.text("name", (2, 14), y.name, "start"))
    shapes.append(svg.text("name", ((LEFT + RIGHT) / 2, BOTTOM + 38), x.name))
    return shapes
