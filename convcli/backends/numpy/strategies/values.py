"""The methods that the values of a tile allow: skipping taps of weight 0, adding pixels before they are multiplied, transforms."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.backends.limits import SMALL
from convcli.backends.numpy.job import Job


def precision(job: Job, scratch: NDArray[Any]) -> str | None:
    """The dtype of a tile, if its values allow skipping taps of weight 0 and adding pixels before they are multiplied; else None.

    A tap may not be skipped if a NaN or an infinity lies under it. Pixels may not be added if they are so large that
    only their products with the weights are small enough.
    """
    largest = max(float(scratch.max(initial=0)), -float(scratch.min(initial=0)), key=lambda size: (size != size, size))
    return scratch.dtype.name if is_small(largest, scratch.dtype) else None


def is_small(largest: float, kind: np.dtype[Any]) -> bool:
    """Whether pixels of type `kind` can be summed if their largest magnitude is `largest`. NaN cannot."""
    return largest < float(np.finfo(kind).max) * SMALL


def spread(scratch: NDArray[Any], block: tuple[int, int]) -> tuple[float, float]:
    """The largest magnitude in a tile (NaN if there is one), and how many times larger it is than the mean of the faintest block.

    `block` gives the rows and columns of a block. Blocks that are all zeros are left out.
    """
    sizes = np.abs(scratch)
    largest = float(sizes.max(initial=0))
    if not is_small(largest, scratch.dtype):  # their sums could overflow
        return largest, np.inf
    _, rows, columns = sizes.shape
    sums = np.add.reduceat(np.add.reduceat(sizes, range(0, rows, block[0]), 1), range(0, columns, block[1]), 2)
    faintest = float(sums.min(where=sums > 0, initial=np.inf)) / (block[0] * block[1])
    return largest, largest / faintest
