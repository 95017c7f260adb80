"""Opacity as the last channel beside the colours, or unfiltered in a picture's new geometry."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from convcli.borders import sources
from convcli.geometry import ZERO, Geometry


def joined(colour: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Colours ``(C, H, W)`` and opacity ``(H, W)`` as one array ``(C + 1, H, W)``.

    No copy where they are views of one array in which the opacity follows the colours, as in a decoded picture; else one that is
    interleaved in memory.
    """
    across, *along = colour.strides
    follows = colour.ctypes.data + len(colour) * across == alpha.ctypes.data and tuple(along) == alpha.strides
    if colour.base is not None and colour.base is alpha.base and colour.dtype == alpha.dtype and follows:
        return as_strided(colour, (len(colour) + 1, *alpha.shape), colour.strides, writeable=colour.flags.writeable)
    out = np.empty((*alpha.shape, len(colour) + 1), np.result_type(colour, alpha)).transpose(2, 0, 1)
    out[:-1], out[-1] = colour, alpha
    return out


def resample(alpha: NDArray[np.generic], geometry: Geometry) -> NDArray[np.generic]:
    """Alpha under the kernel's centre at every output pixel: the unfiltered opacity in the picture's new geometry.

    For the transposed operation, the nearest input pixel, which lies beyond the border only if a border is read there.
    """
    if geometry.transpose:
        return alpha[_nearest(geometry, 0)[:, np.newaxis], _nearest(geometry, 1)[np.newaxis, :]]
    rows, columns = _centres(geometry, 0), _centres(geometry, 1)
    picked = alpha[rows[:, np.newaxis], columns[np.newaxis, :]]
    picked[rows == ZERO] = 0
    picked[:, columns == ZERO] = 0
    return picked


def _centres(geometry: Geometry, axis: int) -> NDArray[np.intp]:
    """The source index under the kernel's centre tap for each output of an axis, or `ZERO`."""
    centre = geometry.dilation[axis] * ((geometry.kernel[axis] - 1) // 2) - geometry.pads[2 * axis]
    positions = centre + geometry.stride[axis] * np.arange(geometry.output[axis])
    return sources(positions, geometry.input[axis], geometry.padding_mode)


def _nearest(geometry: Geometry, axis: int) -> NDArray[np.intp]:
    """The input whose kernel centre lands nearest to each output of an axis."""
    before, mode = geometry.pads[2 * axis], geometry.padding_mode
    position = np.arange(geometry.output[axis]) + before - (geometry.extent[axis] - 1) / 2
    nearest = np.floor(position / geometry.stride[axis] + 0.5).astype(np.intp)
    return sources(nearest, geometry.input[axis], "replicate" if mode == "zeros" else mode)
