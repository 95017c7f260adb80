"""Alpha policies: what becomes of transparency when the colours are filtered."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convcli.borders import sources
from convcli.geometry import ZERO, Geometry
from convcli.images.bands import bands


def premultiply(
    colour: NDArray[np.generic], alpha: NDArray[np.generic], full_scale: float, dtype: str
) -> NDArray[np.floating]:
    """Colours weighted by their opacity, and the opacity as a further channel: ``(C + 1, H, W)``."""
    out = np.empty((len(colour) + 1, *alpha.shape), dtype)
    for rows in bands(out):
        out[:-1, rows] = colour[:, rows]
        out[-1, rows] = alpha[rows]
        out[:-1, rows] *= out[-1, rows] / full_scale
    return out


def unpremultiply(
    filtered: NDArray[np.floating], full_scale: float, gain: float
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Undo `premultiply` after a filter whose kernel sums to `gain`: colour ``(C, H, W)`` and alpha ``(H, W)``.

    Where nothing opaque was under the kernel the colour is 0: it cannot be seen. `filtered` is overwritten.
    """
    for rows in bands(filtered):
        colour, alpha = filtered[:-1, rows], filtered[-1, rows] / gain
        visible = alpha > full_scale * 1e-6
        safe = np.where(visible, alpha / full_scale, 1)
        filtered[:-1, rows] = np.where(visible, colour / safe, 0)
        filtered[-1, rows] = alpha
    return filtered[:-1], filtered[-1]


def resample(alpha: NDArray[np.generic], geometry: Geometry) -> NDArray[np.generic]:
    """Alpha under the kernel's centre at every output pixel: the unfiltered opacity in the picture's new geometry.

    For the transposed operation, the nearest input pixel.
    """
    if geometry.transpose:
        return alpha[_nearest(geometry, 0)[:, np.newaxis], _nearest(geometry, 1)[np.newaxis, :]]
    rows, columns = _centres(geometry, 0), _centres(geometry, 1)
    picked = alpha[rows[:, np.newaxis], columns[np.newaxis, :]]
    outside = (rows == ZERO)[:, np.newaxis] | (columns == ZERO)[np.newaxis, :]
    return np.where(outside, alpha.dtype.type(0), picked)


def _centres(geometry: Geometry, axis: int) -> NDArray[np.intp]:
    """The source index under the kernel's centre tap for each output of an axis, or `ZERO`."""
    centre = geometry.dilation[axis] * ((geometry.kernel[axis] - 1) // 2) - geometry.pads[2 * axis]
    positions = centre + geometry.stride[axis] * np.arange(geometry.output[axis])
    return sources(positions, geometry.input[axis], geometry.padding_mode)


def _nearest(geometry: Geometry, axis: int) -> NDArray[np.intp]:
    """The input whose kernel centre lands nearest to each output of an axis."""
    before = geometry.pads[2 * axis]
    position = np.arange(geometry.output[axis]) + before - (geometry.extent[axis] - 1) / 2
    nearest = np.floor(position / geometry.stride[axis] + 0.5).astype(np.intp)
    return np.clip(nearest, 0, geometry.input[axis] - 1)
