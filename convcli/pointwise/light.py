"""sRGB values to linear light and back (IEC 61966-2-1)."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray


def to_linear(values: NDArray[Any], full_scale: float, out: NDArray[np.floating]) -> None:
    """Convert sRGB values ``0 … full_scale`` to linear light in the same units, into `out`, floating point."""
    if values.dtype in (np.uint8, np.uint16):  # one table look-up for each value instead of a power
        np.take(_table(256**values.itemsize, full_scale, out.dtype.name), values, out=out, mode="clip")
    else:
        out[...] = _decode(values.astype(np.float64) / full_scale) * full_scale


def to_srgb(values: NDArray[np.floating], full_scale: float) -> None:
    """Convert linear light to sRGB values in the same units, in place. Beyond the range the curve goes on, symmetric around 0."""
    x = values / values.dtype.type(full_scale)
    size = np.abs(x)
    encoded = np.where(size <= 0.0031308, 12.92 * size, 1.055 * size ** (1 / 2.4) - 0.055)
    np.multiply(np.copysign(encoded, x), full_scale, out=values)


@cache
def _table(levels: int, full_scale: float, dtype: str) -> NDArray[Any]:
    """Linear light of all integers below `levels`."""
    return (_decode(np.arange(levels, dtype=np.float64) / full_scale) * full_scale).astype(dtype)


def _decode(x: NDArray[np.float64]) -> NDArray[np.float64]:
    size = np.abs(x)
    out: NDArray[np.float64] = np.copysign(np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4), x)
    return out
