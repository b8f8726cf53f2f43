"""Tables of Markdown."""

import re
from collections.abc import Iterable


def grid(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table; a bar within a cell, which would end it, is spelt out."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(re.sub(r"\s*\|\s*", " or ", cell) for cell in line) + " |\n" for line in lines)
