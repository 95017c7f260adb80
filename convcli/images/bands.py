"""Work in bands of rows: what is made on the way takes no more memory than a band."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

BAND_VALUES = 1 << 20


def bands(values: NDArray[Any]) -> Iterator[slice]:
    """Slices of the rows of ``(…, H, W)``, of about `BAND_VALUES` values each."""
    height = values.shape[-2]
    step = max(1, BAND_VALUES * height // max(1, values.size))
    for start in range(0, height, step):
        yield slice(start, start + step)
