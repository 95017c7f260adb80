"""What an operation leaves out, and what it uses more than once: unused rows, outputs that saw padding, overlapping taps.

Standard library only. Everything is computed by formulas, so that sizes of millions cost nothing.
"""

from collections.abc import Sequence
from math import gcd

from convcli.geometry import Geometry
from convcli.records import NamedTuple

_COUNTED = 1 << 20
"""The most positions of an axis that are looked at. Only kernels and strides far larger than in any network need more."""


class Overlap(NamedTuple):
    """How many taps meet at a pixel of the larger side: at an output of a transposed operation, at an input of a direct one.

    `counts` are the different numbers, in order, or a range around very many. A 0 means that there are outputs which no input
    reaches (transposed), or inputs that are never read (direct). `inner` are those away from the border, where no tap is
    outside. It is empty if the image is too small to have as many such pixels as the stride is long. `checkerboard` is whether
    the number differs from pixel to pixel away from the border of a large image: the kernel, the stride and the dilation decide.
    """

    counts: Sequence[int]
    inner: Sequence[int]
    checkerboard: bool

    @property
    def least(self) -> int:
        """The smallest of `counts`."""
        return self.counts[0]

    @property
    def most(self) -> int:
        """The largest of `counts`."""
        return self.counts[-1]

    @property
    def interior(self) -> tuple[int, int] | None:
        """The smallest and the largest of `inner`; None if it is empty."""
        return (self.inner[0], self.inner[-1]) if self.inner else None


def unused(geometry: Geometry) -> tuple[int, int]:
    """Rows at the bottom and columns at the right of the padded input that a direct operation never reads.

    They are the remainder that the floor in the size formula drops: ``(h + 2·p1 - d(k-1) - 1) mod s``.
    """
    rows, columns = ((at.before + at.h + at.after - at.span) % at.s for at in map(geometry.along, (0, 1)))
    return rows, columns


def unused_pixels(geometry: Geometry) -> tuple[int, int]:
    """How many of the `unused` rows and columns belong to the image rather than to its padding."""
    rows, columns = unused(geometry)
    height, width = geometry.input
    return min(height, max(0, rows - geometry.pads.bottom)), min(width, max(0, columns - geometry.pads.right))


def saw_padding(geometry: Geometry) -> float:
    """The share of a direct operation's outputs that have at least one tap on padding, from 0 to 1."""
    clean = 1
    for axis in (0, 1):
        at = geometry.along(axis)
        first, last = -(-at.before // at.s), (at.before + at.h - at.span) // at.s
        clean *= max(0, min(last, at.out - 1) - first + 1)
    return 1 - clean / (geometry.output.height * geometry.output.width)


def overlap(geometry: Geometry) -> Overlap | None:
    """How many taps meet at a pixel; None for kernels and strides of more than half a million pixels."""
    rows, columns = (_counts(geometry, axis) for axis in (0, 1))
    if rows is None or columns is None:
        return None
    counts, inner = map(_products, rows, columns)
    return Overlap(counts, inner, not all(_even(geometry, axis) for axis in (0, 1)))


def _even(geometry: Geometry, axis: int) -> bool:
    """Whether as many taps meet at every pixel, away from the border: ``d·m`` leaves each remainder by s equally often."""
    at = geometry.along(axis)
    return at.s == 1 or (gcd(at.s, at.d) == 1 and at.k % at.s == 0)


def _products(rows: set[int], columns: set[int]) -> Sequence[int]:
    """The different products of two numbers, in order; a range around them if there are very many."""
    if len(rows) * len(columns) > 4096:
        return range(min(rows) * min(columns), max(rows) * max(columns) + 1)
    return sorted({down * across for down in rows for across in columns})


def overlap_map(geometry: Geometry, rows: int, columns: int) -> list[list[int]]:
    """How many taps meet at each pixel of the larger side, for its first `rows` and `columns`: a list of rows."""
    across = [_taps(geometry, 1, x) for x in range(columns)]
    return [[down * count for count in across] for down in (_taps(geometry, 0, y) for y in range(rows))]


def _taps(geometry: Geometry, axis: int, position: int) -> int:
    """How many pairs of a pixel o of the smaller side and a tap m meet at a position: ``s·o + d·m = position + before``."""
    h, out, k, s, d, before, *_ = geometry.along(axis)
    at, common = position + before, gcd(s, d)
    if at % common:
        return 0
    step = s // common  # from one tap that can meet here to the next
    first = at // common * pow(d // common, -1, step) % step
    low = max(0, -((s * ((h if geometry.transpose else out) - 1) - at) // d))
    high = min(k - 1, at // d)
    return max(0, (high - first) // step - (low - 1 - first) // step)


def _counts(geometry: Geometry, axis: int) -> tuple[set[int], set[int]] | None:
    """The different numbers of taps along an axis, and those in its interior."""
    at = geometry.along(axis)
    small, large = (at.h, at.out) if geometry.transpose else (at.out, at.h)
    s, span, border = at.s, at.span, at.span + at.s + at.d  # beyond `border` the counts repeat with period s
    if 2 * border > _COUNTED:
        return None
    looked_at = [*range(large)] if large <= 2 * border else [*range(border), *range(large - border, large)]
    counts = {_taps(geometry, axis, position) for position in looked_at}
    first, last = max(0, span - 1 - at.before), min(large - 1, s * (small - 1) - at.before)
    if last - first + 1 < s:
        return counts, set()
    return counts, {_taps(geometry, axis, position) for position in range(first, first + s)}
