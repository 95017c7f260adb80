"""Work in bands of rows: what is made on the way takes no more memory than a band."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

BAND_VALUES = 1 << 20

NEAR_VALUES = 1 << 16
"""Of a band that is worked on in several steps: what these leave stays in a core's own cache."""


def bands(values: NDArray[Any], count: int = BAND_VALUES) -> Iterator[slice]:
    """Slices of the rows of ``(…, H, W)``, of about `count` values each."""
    height = values.shape[-2]
    step = max(1, count * height // max(1, values.size))
    for start in range(0, height, step):
        yield slice(start, start + step)
