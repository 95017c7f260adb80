"""The sum behind one output pixel, term by term: the formulas, in plain float64.

    direct      R(o, y, x) = bias(o) + Σc Σi Σj k(o, c, i, j) · I(c, s·y + d·i - top, s·x + d·j - left)
    transposed  R(o, y, x) = bias(o) + Σc Σi Σj k(c, o, i, j) · I(c, (y + top - d·i) / s, (x + left - d·j) / s)

The second sum has only the terms whose quotients are whole numbers. Terms beyond the image count if a padding mode puts pixels
there. It is the same as a direct sum over the image with s - 1 zeros between its pixels and the kernel turned by 180°.
No backend is called here.
"""

from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.geometry import ZERO, Geometry, source_at
from convcli.layer import Layer
from convcli.records import NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

Matrix = np.ndarray[tuple[Any, ...], np.dtype[np.float64]]

Point = tuple[int, int]
"""A row and a column."""

PIXEL, COPY, OUTSIDE, BETWEEN = "pixel", "copy", "zero", "between"
"""What a cell of a window is: a pixel, a copy of one beyond the border, a zero beyond the border, or a zero between the pixels
of a transposed operation's input."""


class Reading(NamedTuple):
    """What one row of taps reads. For a column of taps it is the same.

    `tap` is the row of the kernel as it is applied. Its row in the image is `position`, which is beyond the border if it is
    negative, or the image's height or more. For a transposed operation, the image has zeros between its pixels, except for the
    copies beyond the border. `source` is the row that is read, None for a zero; `mark` is `PIXEL`, `COPY`, `OUTSIDE` or `BETWEEN`.
    """

    tap: int
    position: int
    source: int | None
    mark: str


class Term(NamedTuple):
    """A product of a sum: a pixel of an input channel, and the tap that reads it."""

    channel: int
    pixel: Point
    tap: Point
    value: float
    weight: float

    @property
    def product(self) -> float:
        """The value times the weight."""
        return self.value * self.weight


class Trace(NamedTuple):
    """One output of one filter at one pixel: ``(C_in/groups, kh, kw)`` values that the taps read, and the weights for them.

    `filter` is the output channel of the layer, `channels` are the input channels of its group. Rows, columns, values and kernel
    are in the order of the window, from its top left corner. For a transposed operation the kernel is turned by 180°, but
    `Reading.tap` is the index of a tap before that.
    """

    filter: int
    channels: tuple[int, ...]
    rows: tuple[Reading, ...]
    columns: tuple[Reading, ...]
    values: Matrix
    kernel: Matrix
    bias: float

    @property
    def products(self) -> Matrix:
        """``(C_in/groups, kh, kw)``."""
        return self.values * self.kernel

    @property
    def sum(self) -> float:
        """The sum of the products and the bias."""
        return float(self.products.sum()) + self.bias

    @property
    def marks(self) -> list[list[str]]:
        """What every cell of the window is."""
        order = (OUTSIDE, BETWEEN, COPY, PIXEL)
        return [[min(row.mark, column.mark, key=order.index) for column in self.columns] for row in self.rows]

    @property
    def sources(self) -> list[list[Point | None]]:
        """The pixel that every cell of the window reads; None for a zero."""
        lines = ([(row.source, column.source) for column in self.columns] for row in self.rows)
        return [[None if y is None or x is None else (y, x) for y, x in line] for line in lines]

    @property
    def terms(self) -> list[Term]:
        """The products of all cells that read a pixel, or a copy of one."""
        sources = self.sources
        return [
            Term(
                channel, pixel, (row.tap, column.tap), float(self.values[place, i, j]), float(self.kernel[place, i, j])
            )
            for place, channel in enumerate(self.channels)
            for i, row in enumerate(self.rows)
            for j, column in enumerate(self.columns)
            if (pixel := sources[i][j]) is not None
        ]


class Window(NamedTuple):
    """A window of a trace: what its taps read in one input channel."""

    trace: Trace
    place: int

    @property
    def channel(self) -> int:
        """The input channel."""
        return self.trace.channels[self.place]

    @property
    def matrices(self) -> tuple[Matrix, ...]:
        """The values, the kernel and the products, ``(kh, kw)`` each."""
        values, kernel = self.trace.values[self.place], self.trace.kernel[self.place]
        return values, kernel, values * kernel

    @property
    def total(self) -> float:
        """The sum of the products."""
        return float(self.matrices[2].sum())


def trace(image: "NDArray[np.generic]", layer: Layer, geometry: Geometry, filter_: int, at: Point) -> Trace:
    """Work out one of the layer's outputs, at the row and column `at`, of an image ``(C_in, H, W)`` of any real dtype."""
    channels = layer.inputs // layer.groups
    group, place = divmod(filter_, layer.outputs // layer.groups)
    inputs = range(group * channels, (group + 1) * channels)
    kernel = layer.weight[inputs.start : inputs.stop, place, ::-1, ::-1] if layer.transpose else layer.weight[filter_]
    rows, columns = readings(geometry, 0, at[0]), readings(geometry, 1, at[1])
    values = np.zeros((channels, len(rows), len(columns)))
    (down, above), (across, left) = _read(rows), _read(columns)
    values[np.ix_(range(channels), down, across)] = image[np.ix_(inputs, above, left)]
    offset = 0.0 if layer.bias is None else float(layer.bias[filter_])
    return Trace(filter_, tuple(inputs), rows, columns, values, kernel.astype(np.float64), offset)


def _read(readings: tuple[Reading, ...]) -> tuple[list[int], list[int]]:
    """The rows of a window that are not zeros, and the rows of the image that they read."""
    found = [(place, reading.source) for place, reading in enumerate(readings) if reading.source is not None]
    return [place for place, _ in found], [source for _, source in found]


def readings(geometry: Geometry, axis: int, at: int) -> tuple[Reading, ...]:
    """What the taps along an axis read for the output row or column `at`, in the order of their positions."""
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
    """What a tap reads in the image with s - 1 zeros between its pixels, also beyond its border."""
    pixel, rest = divmod(place, s)
    if rest:
        return Reading(tap, place, None, BETWEEN if 0 <= place < (size - 1) * s or mode != "zeros" else OUTSIDE)
    found = _read_at(pixel, tap, size, mode)
    return found if found.mark == COPY else found._replace(position=place)


def combine(rule: str, sums: list[float]) -> float:
    """The combined output of several kernels: ``none`` (one kernel), ``magnitude`` √(Σ x²), ``sum`` or ``max``."""
    if rule == "magnitude":
        return sqrt(sum(value * value for value in sums))
    if rule == "max":
        return float(np.max(sums))  # NaN stays
    return sum(sums)
