"""Matrices in a figure, with titles and labels: their sizes, and how they are drawn side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from convcli.drawing.colors import Palette
from convcli.drawing.grid import Cell, cells
from convcli.drawing.scene import ADVANCE, Pixels, Rect, Shape, Text, text_width
from convcli.explanation import numbers

MARGIN, GAP = 28.0, 34.0
BODY, SMALL = 12.5, 10.5
NUMBERED = 16.0
"""Cells with a larger side have numbers and labels."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A matrix with a title and labels for its rows and columns."""

    title: str
    rows: list[list[Cell | None]]
    beside: Sequence[str] = ()
    above: Sequence[str] = ()


def cell_side(grids: Sequence[Grid]) -> float:
    """The side of a cell: wide enough for the longest number, narrow enough for many of them."""
    count = max(max(len(grid.rows), len(grid.rows[0])) for grid in grids)
    if count > numbers.MOST_NUMBERED:
        return max(3.0, min(NUMBERED, 280 / count))
    longest = max(len(cell.text) for grid in grids for line in grid.rows for cell in line if cell is not None)
    return float(
        ceil(max(longest * 9.0 * ADVANCE / 0.76, 34.0 if count > numbers.MOST_ROOMY else 46.0))
    )  # a whole number, so that lines meet


def grid_width(grid: Grid, side: float) -> float:
    """The width of a grid or of its title, whichever is wider."""
    return max(len(grid.rows[0]) * side, text_width(grid.title, BODY) + 4)


def labels_width(grid: Grid, side: float) -> float:
    """The width of the labels of a grid's rows."""
    return max(text_width(label, SMALL) for label in grid.beside) + 6 if side > NUMBERED else 0.0


def drawn_grid(grid: Grid, x: float, y: float, side: float, palette: Palette) -> tuple[list[Shape], float, float]:
    """A grid under its title and labels. Returns the shapes, and the top and bottom of its cells."""
    labelled = side > NUMBERED
    top = y + (44 if labelled else 26)
    shapes: list[Shape] = [Text(x, y + 8, grid.title, BODY, palette.ink, bold=True)]
    if labelled:
        for place, label in enumerate(grid.above):
            shapes.append(Text(x + (place + 0.5) * side, top - 9, label, SMALL, palette.faint, "middle"))
        for place, label in enumerate(grid.beside):
            shapes.append(Text(x - 6, top + (place + 0.5) * side, label, SMALL, palette.faint, "end"))
    width, height = len(grid.rows[0]) * side, len(grid.rows) * side
    if labelled:
        shapes += cells(x, top, side, grid.rows, palette.ink)
    else:
        colours = tuple(tuple(cell.fill or palette.background for cell in line if cell) for line in grid.rows)
        shapes += [Pixels(x, top, width, height, colours), Rect(x, top, width, height, stroke=palette.faint)]
    return shapes, top, top + height


def drawn_row(
    band: Sequence[Grid], side: float, beside: float, widths: Sequence[float], y: float, palette: Palette
) -> tuple[list[Shape], float, float]:
    """Grids side by side, with × and = between them. Returns the shapes, their right edge, and the top of the next row."""
    shapes: list[Shape] = []
    x, bottom = MARGIN + beside, y
    for sign, grid, width in zip(("", "×", "="), band, widths, strict=True):
        x += GAP if sign else 0
        drawn, top, bottom = drawn_grid(grid, x, y, side, palette)
        shapes += drawn
        if sign:
            shapes.append(Text(x - GAP / 2, (top + bottom) / 2, sign, 20, palette.ink, "middle"))
        x += width
    return shapes, x, bottom + 26
