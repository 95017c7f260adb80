"""How much of a window a figure shows, and how the numbers in its cells are written."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
from numpy.typing import NDArray

from convcli.drawing.grid import number
from convcli.explanation import phrases

MOST_NUMBERED = 11
"""A window with more rows or columns is shown in colours, without numbers."""

MOST_ROOMY = 5
"""Up to this many rows and columns, cells have room for six characters, else for four."""

MOST_DRAWN = 93
"""Of a window with more rows or columns, only some are drawn. This many cells of three pixels fill its room."""


def thinning(shape: tuple[int, ...]) -> int:
    """One of how many rows and columns is drawn: 1 for all of them, 2 for every other one, …"""
    return ceil(max(shape) / MOST_DRAWN)


def digits(matrices: Sequence[NDArray[np.float64]]) -> int:
    """The significant digits of the numbers in cells: four if all numbers fit with four, else three."""
    largest = max(max(matrix.shape) for matrix in matrices)
    if largest > MOST_NUMBERED:
        return 3
    room = 6 if largest <= MOST_ROOMY else 4
    return 4 if all(len(number(float(value), 4)) <= room for matrix in matrices for value in matrix.flat) else 3


def dust(matrix: NDArray[np.float64]) -> float:
    """Numbers closer to 0 than this are written as ``~0``, as in the terminal. 0 if the matrix has no fixed decimals."""
    decimals = phrases.decimals_of(np.abs(matrix[np.isfinite(matrix)]))
    return 0.0 if decimals is None else 0.5 * 10.0**-decimals


def text(value: float, figures: int, least: float) -> str:
    """A number in a cell. `least` is the `dust` of its matrix."""
    return "~0" if 0 < abs(value) < least else number(value, figures)
