"""What a geometry leaves out and what it does twice: unused rows, outputs that saw padding, overlapping taps.

Standard library only. Everything is counted in closed form, so that sizes of millions cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from convcli.geometry import Geometry, extent

_COUNTED = 1 << 20
"""Positions of an axis that are looked at; a kernel or stride that asks for more is no layer of a network."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many taps meet at a pixel of the larger side: an output of the transposed operation, an input of the direct one.

    Attributes
    ----------
    least, most : int
        Over all pixels. Of the transposed operation 0 means outputs that nothing reaches, of the direct one inputs that
        nothing reads.
    interior : (int, int) or None
        The same away from the border, where every tap has a pixel to meet: two different numbers are a checkerboard. None
        if the image is too small to have such pixels.
    """

    least: int
    most: int
    interior: tuple[int, int] | None

    @property
    def checkerboard(self) -> bool:
        """Whether the number of taps changes from pixel to pixel even away from the border."""
        return self.interior is not None and self.interior[0] != self.interior[1]


def unused(geometry: Geometry) -> tuple[int, int]:
    """Rows at the bottom and columns at the right of the padded input that no kernel of a direct operation reaches.

    The remainder that the floor of the size formula forgets: ``(h + 2·p1 - d(k-1) - 1) mod s``.
    """
    rows, columns = (_padded(geometry, axis) - geometry.extent[axis] for axis in (0, 1))
    return rows % geometry.stride.rows, columns % geometry.stride.columns


def unused_pixels(geometry: Geometry) -> tuple[int, int]:
    """Those of the `unused` rows and columns that belong to the image, not to its padding."""
    rows, columns = unused(geometry)
    height, width = geometry.input
    return min(height, max(0, rows - geometry.pads.bottom)), min(width, max(0, columns - geometry.pads.right))


def saw_padding(geometry: Geometry) -> float:
    """Share of a direct operation's outputs with at least one tap on padding, from 0 to 1."""
    clean = 1
    for axis in (0, 1):
        before, s = geometry.pads[2 * axis], geometry.stride[axis]
        first = -(-before // s)
        last = (before + geometry.input[axis] - geometry.extent[axis]) // s
        clean *= max(0, min(last, geometry.output[axis] - 1) - first + 1)
    return 1 - clean / (geometry.output.height * geometry.output.width)


def overlap(geometry: Geometry) -> Overlap | None:
    """How many taps meet at a pixel; None for kernels and strides of more than half a million."""
    axes = [_extremes(geometry, axis) for axis in (0, 1)]
    if axes[0] is None or axes[1] is None:
        return None
    (low, high, inner), (left, right, within) = axes[0], axes[1]
    both = None if inner is None or within is None else (inner[0] * within[0], inner[1] * within[1])
    return Overlap(low * left, high * right, both)


def overlap_map(geometry: Geometry, rows: int, columns: int) -> list[list[int]]:
    """How many taps meet at each pixel of the first `rows` and `columns` of the larger side."""
    across = [_taps(geometry, 1, x) for x in range(columns)]
    return [[down * count for count in across] for down in (_taps(geometry, 0, y) for y in range(rows))]


def _padded(geometry: Geometry, axis: int) -> int:
    return geometry.input[axis] + geometry.pads[2 * axis] + geometry.pads[2 * axis + 1]


def _sides(geometry: Geometry, axis: int) -> tuple[int, int]:
    """Sizes of the smaller side, which the stride steps over, and of the larger, where the taps meet."""
    small, large = geometry.output[axis], geometry.input[axis]
    return (large, small) if geometry.transpose else (small, large)


def _taps(geometry: Geometry, axis: int, position: int) -> int:
    """How many pairs of a pixel o and a tap m meet at a position: ``s·o + d·m = position + before``."""
    k, s, d = geometry.kernel[axis], geometry.stride[axis], geometry.dilation[axis]
    at = position + geometry.pads[2 * axis]
    common = gcd(s, d)
    if at % common:
        return 0
    step = s // common  # of m, by which the taps that can meet here follow each other
    first = at // common * pow(d // common, -1, step) % step
    low = max(0, -((s * (_sides(geometry, axis)[0] - 1) - at) // d))
    high = min(k - 1, at // d)
    return max(0, (high - first) // step - (low - 1 - first) // step)


def _extremes(geometry: Geometry, axis: int) -> tuple[int, int, tuple[int, int] | None] | None:
    """Least and most taps along an axis, and the same for its interior."""
    s, d, span = geometry.stride[axis], geometry.dilation[axis], extent(geometry.kernel[axis], geometry.dilation[axis])
    small, large = _sides(geometry, axis)
    before, border = geometry.pads[2 * axis], span + s + d  # beyond it counts repeat with period s
    if 2 * border > _COUNTED:
        return None
    looked_at = [*range(large)] if large <= 2 * border else [*range(border), *range(large - border, large)]
    counts = [_taps(geometry, axis, position) for position in looked_at]
    first, last = max(0, span - 1 - before), min(large - 1, s * (small - 1) - before)
    inner = [_taps(geometry, axis, position) for position in range(first, min(last + 1, first + s))]
    return min(counts), max(counts), (min(inner), max(inner)) if inner else None
