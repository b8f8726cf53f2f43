"""Shapes of a picture as escaped SVG markup; the page's style sheet colours them by class.

This module knows nothing of data. The same arguments give the same text.
"""

from collections.abc import Sequence

from markupsafe import Markup

_LINE = Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>')
_TEXT = Markup('<text class="{}" text-anchor="{}" x="{}" y="{}">{}</text>')
_PATH = Markup('<polyline class="{}" points="{}"/>')
_CIRCLE = Markup('<circle class="{}" cx="{}" cy="{}" r="{}"/>')
_BOX = Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="2"{}><title>{}</title></rect>')
_PICTURE = Markup('<svg role="img" aria-label="{}" viewBox="0 0 {} {}">{}</svg>')
_BAR = Markup(
    '<svg class="bar" aria-hidden="true" viewBox="0 0 100 6" preserveAspectRatio="none"><rect width="{}" height="6"/></svg>'
)
_KEY = Markup('<li><span class="key {}"></span>{}</li>')

Place = tuple[float, float]


def line(look: str, start: Place, end: Place) -> Markup:
    """Return a straight line."""
    return _LINE.format(look, *map(coordinate, (*start, *end)))


def text(look: str, place: Place, content: str, anchor: str = "middle") -> Markup:
    """Return one line of text that starts, ends or has its middle at ``place``."""
    return _TEXT.format(look, anchor, *map(coordinate, place), content)


def path(look: str, places: Sequence[Place]) -> Markup:
    """Return a line through all ``places``."""
    return _PATH.format(look, " ".join(f"{coordinate(x)},{coordinate(y)}" for x, y in places))


def circle(look: str, place: Place, radius: float) -> Markup:
    """Return a disc."""
    return _CIRCLE.format(look, *map(coordinate, (*place, radius)))


def box(look: str, place: Place, size: Place, told: str, opacity: float | None = None) -> Markup:
    """Return a rectangle from its upper left corner; ``told`` shows under the pointer."""
    styled = Markup(' fill-opacity="{:.2f}"').format(opacity) if opacity is not None else ""
    return _BOX.format(look, *map(coordinate, (*place, *size)), styled, told)


def bar(share: float) -> Markup:
    """Return a bar whose length is ``share`` of the room it has; no attribute of style, which the page forbids."""
    return _BAR.format(coordinate(min(max(share, 0.0), 1.0) * 100))


def picture(title: str, size: Place, shapes: Sequence[Markup]) -> Markup:
    """Return the shapes as one picture; ``title`` is what a reader who cannot see it is told."""
    return _PICTURE.format(title, *map(coordinate, size), Markup("").join(shapes))


def legend(names: Sequence[tuple[str, str]]) -> Markup:
    """Return a list of names with their looks; nothing for fewer than two, which need no telling apart."""
    if len(names) < 2:
        return Markup("")
    items = Markup("").join(_KEY.format(look, name) for name, look in names)
    return Markup('<ul class="legend">{}</ul>').format(items)


def coordinate(value: float) -> str:
    """Return a coordinate to a tenth, without a trailing zero.

    >>> coordinate(12.04), coordinate(0.25), coordinate(-0.04)
    ('12', '0.2', '0')
    """
    rounded = f"{value:.1f}".removesuffix(".0")
    return "0" if rounded == "-0" else rounded
