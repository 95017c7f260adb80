"""sRGB values to linear light and back (IEC 61966-2-1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convcli.images.bands import bands


def to_linear(values: NDArray[np.generic], full_scale: float, dtype: str = "float32") -> NDArray[np.floating]:
    """sRGB-encoded values ``0 … full_scale`` to linear light in the same units, floating point."""
    if values.dtype in (np.uint8, np.uint16):  # one table look-up for each pixel instead of a power
        table = _decode(np.arange(256**values.itemsize, dtype=np.float64) / full_scale) * full_scale
        linear: NDArray[np.floating] = table.astype(dtype)[values]
        return linear
    return (_decode(values.astype(np.float64) / full_scale) * full_scale).astype(dtype)


def to_srgb(
    values: NDArray[np.floating], full_scale: float, out: NDArray[np.floating] | None = None
) -> NDArray[np.floating]:
    """Linear light to sRGB-encoded values in the same units; values beyond the range continue the curve, by sign.

    `out`, which may be `values`, takes the result.
    """
    out = np.empty_like(values) if out is None else out
    for rows in bands(values):
        x = values[..., rows, :] / values.dtype.type(full_scale)
        size = np.abs(x)
        encoded = np.where(size <= 0.0031308, 12.92 * size, 1.055 * size ** (1 / 2.4) - 0.055)
        out[..., rows, :] = np.copysign(encoded, x) * full_scale
    return out


def _decode(x: NDArray[np.float64]) -> NDArray[np.float64]:
    size = np.abs(x)
    out: NDArray[np.float64] = np.copysign(np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4), x)
    return out
