"""Matrices in a figure: how much of them is shown, their sizes, and how they are drawn side by side."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np

from convcli.drawing.colors import Palette
from convcli.drawing.grid import Cell, cells, number
from convcli.drawing.scene import ADVANCE, Pixels, Rect, Shape, Text, text_width
from convcli.explanation import phrases
from convcli.explanation.trace import Matrix
from convcli.records import NamedTuple

MARGIN, GAP = 28.0, 34.0
BODY, SMALL = 12.5, 10.5
NUMBERED = 16.0
"""Cells with a larger side have numbers and labels."""

MOST_NUMBERED = 11
"""A window with more rows or columns is shown in colours, without numbers."""

MOST_ROOMY = 5
"""Up to this number of rows and columns, cells have room for six characters, else for four."""

MOST_DRAWN = 93
"""If a window has more rows or columns, only some are drawn. This number of cells of three pixels fills its room."""


class Grid(NamedTuple):
    """A matrix with a title and labels for its rows and columns."""

    title: str
    rows: list[list[Cell]]
    beside: Sequence[str] = ()
    above: Sequence[str] = ()

    def width(self, side: float) -> float:
        """The width of the grid or of its title, whichever is wider."""
        return max(len(self.rows[0]) * side, text_width(self.title, BODY) + 4)

    def labels(self, side: float) -> float:
        """The width of the labels of the rows."""
        return max(text_width(label, SMALL) for label in self.beside) + 6 if side > NUMBERED else 0.0

    def drawn(self, x: float, y: float, side: float, palette: Palette) -> tuple[list[Shape], float, float]:
        """The grid under its title and labels. Returns the shapes, and the top and bottom of its cells."""
        top = y + (44 if side > NUMBERED else 26)
        shapes: list[Shape] = [Text(x, y + 8, self.title, BODY, palette.ink, bold=True)]
        width, height = len(self.rows[0]) * side, len(self.rows) * side
        if side > NUMBERED:
            for place, label in enumerate(self.above):
                shapes.append(Text(x + (place + 0.5) * side, top - 9, label, SMALL, palette.faint, "middle"))
            for place, label in enumerate(self.beside):
                shapes.append(Text(x - 6, top + (place + 0.5) * side, label, SMALL, palette.faint, "end"))
            shapes += cells(x, top, side, self.rows, palette.ink)
        else:
            colours = tuple(tuple(cell.fill or palette.background for cell in line) for line in self.rows)
            shapes += [Pixels(x, top, width, height, colours), Rect(x, top, width, height, stroke=palette.faint)]
        return shapes, top, top + height


def cell_side(grids: Sequence[Grid]) -> float:
    """The side of a cell: wide enough for the longest number, and narrow if there are many cells."""
    count = max(max(len(grid.rows), len(grid.rows[0])) for grid in grids)
    if count > MOST_NUMBERED:
        return max(3.0, min(NUMBERED, 280 / count))
    longest = max(len(cell.text) for grid in grids for line in grid.rows for cell in line)
    room = max(longest * 9.0 * ADVANCE / 0.76, 34.0 if count > MOST_ROOMY else 46.0)
    return float(ceil(room))  # a whole number, so that lines meet


def drawn_row(
    band: Sequence[Grid], side: float, beside: float, widths: Sequence[float], y: float, palette: Palette
) -> tuple[list[Shape], float, float]:
    """Grids side by side, with × and = between them. Returns the shapes, their right edge, and the top of the next row."""
    shapes = []
    x, bottom = MARGIN + beside, y
    for sign, grid, width in zip(("", "×", "="), band, widths, strict=True):
        x += GAP if sign else 0
        drawn, top, bottom = grid.drawn(x, y, side, palette)
        shapes += drawn
        if sign:
            shapes.append(Text(x - GAP / 2, (top + bottom) / 2, sign, 20, palette.ink, "middle"))
        x += width
    return shapes, x, bottom + 26


def thinning(shape: tuple[int, ...]) -> int:
    """The step between the rows and columns that are drawn: 1 for all of them, 2 for every other one, …"""
    return ceil(max(shape) / MOST_DRAWN)


def digits(matrices: Sequence[Matrix]) -> int:
    """The significant digits of the numbers in cells: four if all numbers fit with four, else three."""
    largest = max(max(matrix.shape) for matrix in matrices)
    if largest > MOST_NUMBERED:
        return 3
    room = 6 if largest <= MOST_ROOMY else 4
    return 4 if all(len(number(float(value), 4)) <= room for matrix in matrices for value in matrix.flat) else 3


def dust(matrix: Matrix) -> float:
    """Numbers closer to 0 than this are written as ``~0``, as in the terminal. 0 if the matrix has no fixed decimals."""
    decimals = phrases.decimals_of(np.abs(matrix[np.isfinite(matrix)]))
    return 0.0 if decimals is None else 0.5 * 10.0**-decimals


def cell_text(value: float, figures: int, least: float) -> str:
    """A number in a cell. `least` is the `dust` of its matrix."""
    return "~0" if 0 < abs(value) < least else number(value, figures)
