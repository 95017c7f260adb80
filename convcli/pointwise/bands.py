"""Work in bands of rows, so that intermediate results take no more memory than a band."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

BAND_VALUES = 1 << 20

NEAR_VALUES = 1 << 16
"""Values of a band that is processed in several steps: few enough for intermediate results to stay in a core's own
cache."""


def bands(values: NDArray[Any], count: int = BAND_VALUES) -> Iterator[slice]:
    """Slices of the rows of an array ``(…, H, W)``, with about `count` values each."""
    height = values.shape[-2]
    step = max(1, count * height // max(1, values.size))
    for start in range(0, height, step):
        yield slice(start, start + step)
