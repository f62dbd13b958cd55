"""Tables for a terminal, and numbers as people read them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence


def percent(part: float | None, digits: int = 1) -> str:
    return "–" if part is None else f"{100 * part:.{digits}f} %"


def number(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def width(text: str) -> int:
    """Columns a terminal needs for it: two for each full-width character."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines of a table: the first column to the left, the others to the right."""
    widths = [max(width(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = ["", title]
    for row in [header, *rows]:
        cells = [row[0] + " " * (widths[0] - width(row[0]))]
        cells += [
            " " * (w - width(cell)) + cell for cell, w in zip(row[1:], widths[1:], strict=True)
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    lines.insert(3, "  " + "  ".join("─" * w for w in widths))
    return "\n".join(lines)
