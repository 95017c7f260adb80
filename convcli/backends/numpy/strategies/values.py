"""What the values of a tile allow: skipping taps of weight 0, adding up pixels, transforms."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SMALL = 2.0**-32
"""The share of the largest number of a type that sums of pixels are safe below."""

BLOCK = 16
"""Rows and columns over which faint values are averaged."""


def suits(scratch: NDArray[Any]) -> bool:
    """Whether a tile can be done by skipping taps of weight 0 and by sums of pixels.

    No taps may be skipped that a NaN or an infinity lies under; nor may pixels be summed that are so large that only their
    products with the weights can be.
    """
    return largest(scratch) < float(np.finfo(scratch.dtype).max) * SMALL


def largest(scratch: NDArray[Any]) -> float:
    """The largest magnitude in a tile; NaN if there is one."""
    return max(float(scratch.max(initial=0)), -float(scratch.min(initial=0)), key=lambda size: (size != size, size))


def value_range(scratch: NDArray[Any], block: int = BLOCK) -> float:
    """How far the largest value of a tile lies above the mean of its faintest block that is not all zeros."""
    sizes = np.abs(scratch, dtype=np.float64)
    _, rows, columns = sizes.shape
    sums = np.add.reduceat(np.add.reduceat(sizes, range(0, rows, block), 1), range(0, columns, block), 2)
    faintest = float(sums.min(where=sums > 0, initial=np.inf)) / block**2
    return float(sizes.max(initial=0)) / faintest
