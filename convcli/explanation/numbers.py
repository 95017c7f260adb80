"""How much of a window a figure shows, and how its numbers are written in the cells."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
from numpy.typing import NDArray

from convcli.drawing.grid import number
from convcli.explanation import phrases

MOST_NUMBERED = 11
"""A window of more rows or columns is shown in colours, without numbers."""

MOST_ROOMY = 5
"""Up to so many rows and columns cells have room for six signs, beyond it for four."""

MOST_DRAWN = 93
"""A window of more rows or columns is thinned out: so many cells of three pixels are as wide as a window should be."""


def thinning(shape: tuple[int, ...]) -> int:
    """Which of the rows and columns are drawn: every one, every other one, …"""
    return ceil(max(shape) / MOST_DRAWN)


def digits(matrices: Sequence[NDArray[np.float64]]) -> int:
    """Four where the usual cell has room for so many of all numbers, else three."""
    largest = max(max(matrix.shape) for matrix in matrices)
    if largest > MOST_NUMBERED:
        return 3
    room = 6 if largest <= MOST_ROOMY else 4
    return 4 if all(len(number(float(value), 4)) <= room for matrix in matrices for value in matrix.flat) else 3


def dust(matrix: NDArray[np.float64]) -> float:
    """What is smaller, but not 0, is ``~0`` where the matrix is written with a number of decimals, as in the terminal."""
    decimals = phrases.decimals_of(np.abs(matrix[np.isfinite(matrix)]))
    return 0.0 if decimals is None else 0.5 * 10.0**-decimals


def text(value: float, figures: int, least: float) -> str:
    """A number in a cell; `least` is what `dust` says of its matrix."""
    return "~0" if 0 < abs(value) < least else number(value, figures)
