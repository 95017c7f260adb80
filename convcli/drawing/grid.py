"""Grids of cells with numbers in them. Standard library only."""

import re
from collections.abc import Iterator, Sequence
from math import floor, log10

from convcli.drawing.colors import readable_on
from convcli.drawing.scene import Colors, Pixels, Rect, Shape, Text, fitting_size
from convcli.records import NamedTuple

_MARGIN = 0.12
"""The share of a cell's width that stays free at each side of its text."""


class Cell(NamedTuple):
    """One cell: its fill (None: transparent), its text, and its outline."""

    fill: str | None = None
    text: str = ""
    stroke: str | None = None
    stroke_width: float = 1.0
    dash: float = 0.0
    ink: str | None = None


def cells(x: float, y: float, side: float, rows: Sequence[Sequence[Cell | None]], ink: str) -> Iterator[Shape]:
    """The shapes of a grid with its top left corner at (x, y). Cells are `side` pixels wide and high; None leaves a gap.

    All texts have the same size, at which the longest fits. Thick lines are drawn over the lines of neighbouring cells.
    """
    texts = [cell.text for row in rows for cell in row if cell is not None and cell.text]
    size = min((fitting_size(text, side * (1 - 2 * _MARGIN), side * 0.42) for text in texts), default=0.0)
    placed = [
        (x + column * side, y + row * side, cell)
        for row, line in enumerate(rows)
        for column, cell in enumerate(line)
        if cell is not None
    ]
    for left, top, cell in placed:
        if cell.fill is not None:
            yield Rect(left, top, side, side, fill=cell.fill)
    for left, top, cell in sorted(placed, key=lambda item: item[2].stroke_width):
        if cell.stroke is not None:
            yield Rect(left, top, side, side, stroke=cell.stroke, stroke_width=cell.stroke_width, dash=cell.dash)
    for left, top, cell in placed:
        if cell.text:
            color = cell.ink or (readable_on(cell.fill) if cell.fill else ink)
            yield Text(left + side / 2, top + side / 2, cell.text, size, color, "middle")


def pixels(x: float, y: float, side: float, colors: Colors, frame: str) -> list[Shape]:
    """The shapes of a grid whose cells have no room for texts: a picture in a frame of the colour `frame`."""
    width, height = side * len(colors[0]), side * len(colors)
    return [Pixels(x, y, width, height, colors), Rect(x, y, width, height, stroke=frame)]


def number(value: float, digits: int = 3) -> str:
    """A number as a text short enough for a cell, for example ``−.25``.

    Integers are written in full, other numbers with `digits` significant digits. Below a million all digits before the point
    are written, and at least one digit after the point if the number is not an integer.
    """
    size = abs(value)
    if 1e-4 <= size < 1e6:
        whole = abs(value - round(value)) <= 1e-9 * size
        shown = f"{value:.{0 if whole else max(1, digits - 1 - floor(log10(size)))}f}"
        text = shown if whole else re.sub(r"(\.\d+?)0+$", r"\1", shown)
    else:
        text = f"{value + 0.0:.{digits}g}"  # no -0
        text = text.replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
    return re.sub(r"^(-?)0\.", r"\1.", text).replace("-", "−")
