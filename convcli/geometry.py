"""The integer arithmetic of convolutions: sizes, paddings and borders. Standard library only.

Rows and columns never interact, so every formula here is one-dimensional and is applied to each axis.
Notation: ``h`` input size, ``k`` kernel size, ``s`` stride, ``d`` dilation, ``before`` and ``after`` the padding
at the two ends of the axis (``before + after`` is the formulas' ``2·p1``), ``p2`` the one-sided output padding.

The formulas are those of Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016), with
dilation and output padding as in the documentation of ``torch.nn.Conv2d`` and ``torch.nn.ConvTranspose2d``.
"""

from collections.abc import Sequence
from typing import Any

from convcli.records import NamedTuple

ZERO = -1
"""In a border index map: a padded position without a source pixel, which reads as zero."""


class Size(NamedTuple):
    """Height and width, in pixels."""

    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.height}×{self.width}"


class Pair(NamedTuple):
    """One integer for the rows, one for the columns."""

    rows: int
    columns: int


class Pads(NamedTuple):
    """Explicit padding (or, for the transposed operation, cropping) in pixels."""

    top: int
    bottom: int
    left: int
    right: int

    @classmethod
    def of(cls, numbers: Sequence[int]) -> "Pads":
        """Pads from one number, from two (rows and columns), or from four."""
        return cls(*numbers) if len(numbers) == 4 else cls(numbers[0], numbers[0], numbers[-1], numbers[-1])

    def along(self, axis: int) -> tuple[int, int]:
        """Before and after the rows (axis 0) or the columns (1)."""
        return self[2 * axis], self[2 * axis + 1]


def extent(k: int, d: int) -> int:
    """Pixels that a dilated kernel spans: ``d(k-1) + 1``."""
    return d * (k - 1) + 1


def direct_size(h: int, k: int, s: int, d: int, before: int, after: int) -> int:
    """Output size of a convolution: ``⌊(h + before + after - d(k-1) - 1) / s⌋ + 1``; below 1 if the kernel does not fit."""
    return (h + before + after - extent(k, d)) // s + 1


def transposed_size(h: int, k: int, s: int, d: int, before: int, after: int, p2: int) -> int:
    """Output size of a transposed convolution: ``(h-1)s - before - after + d(k-1) + p2 + 1``."""
    return (h - 1) * s - before - after + extent(k, d) + p2


def inputs_sharing(h_out: int, k: int, s: int, d: int, before: int, after: int) -> range:
    """Every input size that a direct convolution maps to ``h_out``.

    There are up to ``s`` of them, because the floor in the size formula drops a remainder. The `output_padding` of the
    transposed convolution chooses one of them.
    """
    smallest = transposed_size(h_out, k, s, d, before, after, 0)
    return range(max(1, smallest), max(1, smallest + s))


def source_at(position: int, size: int, mode: str) -> int:
    """The source index of one position of a padded axis, or `ZERO`.

    Parameters
    ----------
    position : int
        0 is the first pixel. Positions before it are negative, positions after the last pixel are `size` or more.
    size : int
        Pixels along the axis, at least 1.
    mode : str
        One of `PADDING_MODES`: for ``abcd``, ``zeros`` 00|abcd|00, ``replicate`` aa|abcd|dd, ``reflect`` cb|abcd|cb,
        ``symmetric`` ba|abcd|dc, ``circular`` cd|abcd|ab.
    """
    if 0 <= position < size:
        return position
    if mode == "zeros":
        return ZERO
    if mode == "replicate":
        return 0 if position < 0 else size - 1
    folded: int = repeated(position, size, mode)
    return folded


def repeated(positions: Any, size: int, mode: str) -> Any:
    """The source index of positions, an integer or an array, on an axis that repeats (circular) or is reflected at its ends."""
    if mode == "circular":
        return positions % size
    # A reflected axis repeats with this period, which has the edge pixel once (reflect) or twice (symmetric).
    period, turn = (max(1, 2 * size - 2),) * 2 if mode == "reflect" else (2 * size, 2 * size - 1)
    return (turn - abs(turn - 2 * (positions % period))) // 2  # the place, or behind the turn its mirror image


def border_indices(size: int, before: int, after: int, mode: str) -> list[int]:
    """The source index of each padded position of an axis, or `ZERO`: a list of ``before + size + after`` integers.

    `before` and `after` are the padding at the two ends. They may be larger than `size` in every mode; see `source_at`.
    """
    first = [source_at(position, size, mode) for position in range(-before, 0)]
    return [*first, *range(size), *(source_at(position, size, mode) for position in range(size, size + after))]


class AxisGeometry(NamedTuple):
    """A `Geometry` along one axis, in the notation of the formulas. `out` is the output size."""

    h: int
    out: int
    k: int
    s: int
    d: int
    before: int
    after: int
    p2: int

    @property
    def span(self) -> int:
        """Pixels that the dilated kernel spans."""
        return extent(self.k, self.d)

    @property
    def layer(self) -> tuple[int, int, int, int, int]:
        """What the size formulas take besides a size: k, s, d, before, after."""
        return self.k, self.s, self.d, self.before, self.after


class Geometry(NamedTuple):
    """A convolution with every size and padding resolved to integers.

    The direct operation adds `pads` to the input. The transposed operation crops its full result by them, and
    `output_padding` adds rows at the bottom and columns at the right. `padding_mode` says what is beyond the input's border;
    the transposed operation reads it too, with every pixel whose kernel reaches the output.
    """

    transpose: bool
    input: Size
    kernel: Size
    output: Size
    stride: Pair
    dilation: Pair
    pads: Pads
    padding_mode: str
    output_padding: Pair

    def along(self, axis: int) -> AxisGeometry:
        """The rows (axis 0) or the columns (1)."""
        h, out, k, s, d = (pair[axis] for pair in (self.input, self.output, self.kernel, self.stride, self.dilation))
        return AxisGeometry(h, out, k, s, d, *self.pads.along(axis), self.output_padding[axis])

    @property
    def extent(self) -> Size:
        """Pixels that the dilated kernel spans."""
        return Size(self.along(0).span, self.along(1).span)

    @property
    def reach(self) -> Pads:
        """Rows and columns beyond the border that are read: none for a transposed operation with zeros there."""
        if not self.transpose:
            return self.pads
        if self.padding_mode == "zeros":
            return Pads(0, 0, 0, 0)
        pads = []
        for at in (
            self.along(0),
            self.along(1),
        ):  # pixels whose kernels end behind the first output, or start before its end
            pads += [(at.span - 1 - at.before) // at.s, (at.before + at.out - 1) // at.s - at.h + 1]
        return Pads(*(max(0, pad) for pad in pads))

    @property
    def extended(self) -> "Geometry":
        """The transposed operation that gives the same result of an input to which the pixels of `reach` are added."""
        reach, sides, pads, rests = self.reach, [], [], []
        for axis in (0, 1):
            at, (before, after) = self.along(axis), reach.along(axis)
            side, first = at.h + before + after, at.before + at.s * before
            end = (side - 1) * at.s + at.span - first - at.out
            sides.append(side)
            pads += [first, max(0, end)]
            rests.append(max(0, -end))
        return self._replace(input=Size(*sides), pads=Pads(*pads), output_padding=Pair(*rests), padding_mode="zeros")

    def indices(self, axis: int) -> list[int]:
        """Border index map of the rows (axis 0) or columns (1) that are read (see `border_indices`)."""
        return border_indices(self.input[axis], *self.reach.along(axis), self.padding_mode)
