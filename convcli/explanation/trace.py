"""The sum behind one output pixel, term by term, and the outputs that one input pixel reaches: the formulas, in plain float64.

    direct      R(o, y, x) = bias(o) + Σc Σi Σj k(o, c, i, j) · I(c, s·y + d·i - top, s·x + d·j - left)
    transposed  R(o, y, x) = bias(o) + Σc Σi Σj k(c, o, i, j) · I(c, (y + top - d·i) / s, (x + left - d·j) / s)

The second sum has only those terms whose quotients are whole numbers; beyond the image they count where a padding mode puts
pixels there. It is the same as a direct sum over the image with s - 1 zeros between its pixels and the kernel turned by 180°.
Nothing here calls a backend.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.errors import GeometryError, param
from convcli.geometry import ZERO, Geometry, border_indices, source_at

PIXEL, COPY, OUTSIDE, BETWEEN = "pixel", "copy", "zero", "between"
"""What a cell of a window is: a pixel, a copy of one beyond the border, a zero beyond the border, or a zero between the pixels
of a transposed operation's input."""

MOST_TOUCHES = 1_000_000
"""The most ways that are listed. There are more only with an extreme padding."""


class Reading(NamedTuple):
    """What one row or one column of taps reads.

    Attributes
    ----------
    tap : int
        The row of the kernel as it is applied.
    position : int
        Where the tap lies: a row of the image. Negative rows, and rows from the image's height on, are beyond the border.
        Of a transposed operation, a row of the image with zeros between its pixels, but for the copies beyond the border.
    source : int or None
        The row of the image that is read; None for a zero.
    mark : str
        `PIXEL`, `COPY`, `OUTSIDE` or `BETWEEN`.
    """

    tap: int
    position: int
    source: int | None
    mark: str


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """One output of one filter at one pixel.

    Rows, columns, values and kernel are in the order of the window, from its top left corner. For a transposed operation the
    kernel is turned by 180°; `Reading.tap` has the index of each tap before that.

    Attributes
    ----------
    filter : int
        The output channel of the layer.
    channels : tuple of int
        The input channels of its group.
    rows, columns : tuple of Reading
    values : ndarray
        ``(C_in/groups, kh, kw)``, float64: what the taps read.
    kernel : ndarray
        ``(C_in/groups, kh, kw)``, float64: what it is multiplied by.
    bias : float
    """

    filter: int
    channels: tuple[int, ...]
    rows: tuple[Reading, ...]
    columns: tuple[Reading, ...]
    values: NDArray[np.float64]
    kernel: NDArray[np.float64]
    bias: float

    @property
    def products(self) -> NDArray[np.float64]:
        """``(C_in/groups, kh, kw)``."""
        return self.values * self.kernel

    @property
    def sum(self) -> float:
        """The sum of the products and the bias."""
        return float(self.products.sum()) + self.bias

    def mark(self, row: int, column: int) -> str:
        """What a cell of the window is."""
        marks = {self.rows[row].mark, self.columns[column].mark}
        return next(mark for mark in (OUTSIDE, BETWEEN, COPY, PIXEL) if mark in marks)

    def source(self, row: int, column: int) -> tuple[int, int] | None:
        """The pixel that a cell of the window reads; None for a zero."""
        above, left = self.rows[row].source, self.columns[column].source
        return None if above is None or left is None else (above, left)

    @property
    def reached(self) -> list[tuple[int, int]]:
        """The cells of the window that read a pixel, also those that read a copy of it."""
        cells = np.ndindex(len(self.rows), len(self.columns))
        return [(row, column) for row, column in cells if self.source(row, column) is not None]


def trace(
    image: NDArray[np.generic],
    weight: NDArray[np.floating],
    bias: NDArray[np.floating] | None,
    geometry: Geometry,
    groups: int,
    filter_: int,
    at: tuple[int, int],
) -> Trace:
    """Work out one output.

    Parameters
    ----------
    image : ndarray
        ``(C_in, H, W)``, any real dtype.
    weight : ndarray
        ``(C_out, C_in/groups, kh, kw)``, transposed ``(C_in, C_out/groups, kh, kw)``; already flipped if the operation
        flips it.
    bias : ndarray or None
        ``(C_out,)``.
    geometry : Geometry
        Every size, stride and padding.
    groups : int
    filter_ : int
        Which of the ``C_out`` outputs.
    at : (int, int)
        Row and column of the output.
    """
    channels = image.shape[0] // groups
    if geometry.transpose:
        group, place = divmod(filter_, weight.shape[1])
        kernel = weight[group * channels : (group + 1) * channels, place, ::-1, ::-1]
    else:
        group, kernel = filter_ // (weight.shape[0] // groups), weight[filter_]
    inputs = range(group * channels, (group + 1) * channels)
    rows, columns = readings(geometry, 0, at[0]), readings(geometry, 1, at[1])
    values = np.zeros((channels, len(rows), len(columns)))
    (down, above), (across, left) = _read(rows), _read(columns)
    values[np.ix_(range(channels), down, across)] = image[np.ix_(inputs, above, left)]
    offset = 0.0 if bias is None else float(bias[filter_])
    return Trace(filter_, tuple(inputs), rows, columns, values, kernel.astype(np.float64), offset)


def _read(readings: tuple[Reading, ...]) -> tuple[list[int], list[int]]:
    """The rows of a window that are not zeros, and the rows of the image that they read."""
    found = [(place, reading.source) for place, reading in enumerate(readings) if reading.source is not None]
    return [place for place, _ in found], [source for _, source in found]


def readings(geometry: Geometry, axis: int, at: int) -> tuple[Reading, ...]:
    """What the taps along an axis read for the output row (or column) `at`, in the order of their positions."""
    k, s, d, before = geometry.kernel[axis], geometry.stride[axis], geometry.dilation[axis], geometry.pads[2 * axis]
    size = geometry.input[axis]
    mode = geometry.padding_mode
    if geometry.transpose:
        return tuple(_collected(at + before - d * tap, tap, s, size, mode) for tap in reversed(range(k)))
    return tuple(_read_at(s * at + d * tap - before, tap, size, mode) for tap in range(k))


def _read_at(position: int, tap: int, size: int, mode: str) -> Reading:
    """What a tap reads at a row of the image."""
    source = source_at(position, size, mode)
    mark = OUTSIDE if source == ZERO else PIXEL if position == source else COPY
    return Reading(tap, position, None if source == ZERO else source, mark)


def _collected(place: int, tap: int, s: int, size: int, mode: str) -> Reading:
    """What a tap reads at a place of the image with s - 1 zeros between its pixels, and between those of its border."""
    pixel, rest = divmod(place, s)
    if rest:
        return Reading(tap, place, None, BETWEEN if 0 <= place < (size - 1) * s or mode != "zeros" else OUTSIDE)
    found = _read_at(pixel, tap, size, mode)
    return found if found.mark == COPY else found._replace(position=place)


def combine(rule: str, sums: list[float]) -> float:
    """The outputs of several kernels as one: ``none`` (of one kernel), ``magnitude`` √(Σ x²), ``sum`` or ``max``."""
    if rule == "magnitude":
        return sqrt(sum(value * value for value in sums))
    if rule == "max":
        return float(np.max(sums))  # NaN stays
    return sum(sums)


class Touch(NamedTuple):
    """One way from an input pixel to an output: the output's pixel and filter, the tap and its weight.

    `mark` is `PIXEL` if the pixel itself is read, `COPY` if a copy of it beyond the border is.
    """

    at: tuple[int, int]
    filter: int
    tap: tuple[int, int]
    weight: float
    mark: str


def touches(
    weight: NDArray[np.floating], geometry: Geometry, groups: int, channels: int, channel: int, at: tuple[int, int]
) -> list[Touch]:
    """Every way from one input pixel to the outputs, in the order of the outputs. `channels` and `channel` are the input's.

    Raises
    ------
    GeometryError
        There are more than `MOST_TOUCHES`.
    """
    rows, columns = (_hits(geometry, axis, at[axis]) for axis in (0, 1))
    group = channel // (channels // groups)
    filters = weight.shape[1] if geometry.transpose else weight.shape[0] // groups
    count = len(rows) * len(columns) * filters
    if count > MOST_TOUCHES:
        raise GeometryError(f"input pixel {at[0]},{at[1]}", f"reaches the output in {count} ways", "use less padding")
    out = []
    for place in range(filters):
        filter_ = group * filters + place
        kernel = weight[channel, place] if geometry.transpose else weight[filter_, channel % (channels // groups)]
        out += [
            Touch((y, x), filter_, (i, j), float(kernel[i, j]), COPY if COPY in (above, beside) else PIXEL)
            for y, i, above in rows
            for x, j, beside in columns
        ]
    return sorted(out)


def _hits(geometry: Geometry, axis: int, source: int) -> list[tuple[int, int, str]]:
    """The outputs along an axis that an input reaches, each with the tap and the mark."""
    s, d, before = geometry.stride[axis], geometry.dilation[axis], geometry.pads[2 * axis]
    taps, size = range(geometry.kernel[axis]), geometry.output[axis]
    if geometry.transpose:
        landings = (
            (s * pixel + d * tap - before, tap, PIXEL if pixel == source else COPY)
            for pixel in (place - geometry.reach[2 * axis] for place in _places(geometry, axis, source))
            for tap in taps
        )
        return [hit for hit in landings if 0 <= hit[0] < size]
    out = []
    for padded in _places(geometry, axis, source):
        for tap in taps:
            output, rest = divmod(padded - d * tap, s)
            if rest == 0 and 0 <= output < size:
                out.append((output, tap, PIXEL if padded - before == source else COPY))
    return out


MOST_PLACES = 10**6
"""The most padded positions of an axis that are searched for copies of a pixel."""


def _places(geometry: Geometry, axis: int, source: int) -> list[int]:
    """The padded positions of an axis that hold the pixel `source`: itself and its copies beyond the border."""
    size, before, after = geometry.input[axis], *geometry.reach[2 * axis : 2 * axis + 2]
    if geometry.padding_mode == "zeros":
        return [before + source]
    if before + size + after > MOST_PLACES:
        raise GeometryError(
            f"padding {before}+{after}",
            "copies a pixel too often to list",
            f"use at most {MOST_PLACES} padded {'rows' if axis == 0 else 'columns'}, or {param('padding_mode', 'zeros')}",
        )
    indices = border_indices(size, before, after, geometry.padding_mode)
    return [place for place, index in enumerate(indices) if index == source]
