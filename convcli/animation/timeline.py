"""A convolution step by step: what is on the grid, and where the kernel is for each output. Standard library only.

The transposed operation is shown as the equal direct convolution (Dumoulin and Visin 2016, chapter 4): s-1 zeros
between the input's pixels, padding ``p' = d(k-1) - p``, `output_padding` more at the bottom and right, stride 1, and the
kernel flipped. With a padding mode, the input continues in that padding, with zeros between its pixels there too.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from convcli.errors import GeometryError
from convcli.geometry import ZERO, Geometry, Size, source_at
from convcli.records import NamedTuple

MAX_OUTPUTS, MAX_CELLS, MAX_TAPS = 32 * 32, 64 * 64, 64 * 1024
"""The most outputs, cells of the grid, and taps over all frames. Nobody could follow more."""

Rows = Sequence[Sequence[float]]


class Kind(StrEnum):
    """What a cell of the grid is."""

    INPUT = "input"
    INSERTED = "inserted"
    PADDING = "padding"
    OUTPUT_PADDING = "output_padding"


class GridCell(NamedTuple):
    """A cell of the grid, and the input pixel ``(y, x)`` that is read there; None for a zero."""

    kind: Kind
    source: tuple[int, int] | None


class Tap(NamedTuple):
    """One weight over one cell: row and column of the grid, and ``(i, j)`` in the kernel as the user gave it."""

    row: int
    column: int
    kernel: tuple[int, int]


class WindowStep(NamedTuple):
    """One output ``(y, x)``, the top left corner of its window on the grid, and what is under the kernel."""

    output: tuple[int, int]
    top: int
    left: int
    taps: tuple[Tap, ...]


class Values(NamedTuple):
    """The numbers of an animation: input ``(H, W)``, kernel ``(kh, kw)`` as given, output ``(H_out, W_out)``; None: unknown."""

    input: Rows | None = None
    kernel: Rows | None = None
    output: Rows | None = None


class Timeline(NamedTuple):
    """All steps of one convolution, one for each output, row by row.

    The kernel moves over the `grid`: the input with its padding, or with zeros between its pixels; some cells may not be read. It
    is `flipped` there, turned by 180°, for the transposed operation or for ``conv``, but not for both.
    """

    geometry: Geometry
    flipped: bool
    grid: tuple[tuple[GridCell, ...], ...]
    steps: tuple[WindowStep, ...]

    @property
    def size(self) -> Size:
        """Height and width of the grid, in cells."""
        return Size(len(self.grid), len(self.grid[0]))

    def value(self, tap: Tap, values: Values) -> float | None:
        """What the input holds under a tap; None if the values are unknown."""
        return None if values.input is None else read(self.grid[tap.row][tap.column], values.input)


def read(field: GridCell, rows: Rows) -> float:
    """The value of a cell."""
    return 0.0 if field.source is None else rows[field.source[0]][field.source[1]]


def timeline_of(geometry: Geometry, op: str = "corr") -> Timeline:
    """All steps of a convolution of one channel. The `op` ``conv`` flips the kernel.

    Raises
    ------
    GeometryError
        There are more cells, outputs or taps than an animation can show.
    """
    flipped = geometry.transpose != (op == "conv")
    _check(geometry)
    rows, tops = _axis(geometry, 0)
    columns, lefts = _axis(geometry, 1)
    grid = tuple(tuple(_crossing(row, column) for column in columns) for row in rows)
    (kh, kw), (d, e) = geometry.kernel, geometry.dilation
    steps = tuple(
        WindowStep((y, x), top, left, tuple(
            Tap(top + d * i, left + e * j, (kh - 1 - i, kw - 1 - j) if flipped else (i, j))
            for i in range(kh) for j in range(kw)
        ))
        for y, top in enumerate(tops) for x, left in enumerate(lefts)
    )  # fmt: skip
    return Timeline(geometry, flipped, grid, steps)


class _Mark(NamedTuple):
    """A row or column of the grid, and the row or column of the input that is read there."""

    kind: Kind
    source: int | None


def equivalent_pads(geometry: Geometry, axis: int) -> tuple[int, int]:
    """Padding before and after the input with zeros between its pixels: ``p' = d(k-1) - p``. Negative numbers are a crop."""
    at = geometry.along(axis)
    return at.span - 1 - at.before, at.span - 1 - at.after


def _bounds(geometry: Geometry, axis: int) -> tuple[int, int]:
    """The first row of the grid, and the row after the last, counted from the first pixel of the input."""
    at = geometry.along(axis)
    if not geometry.transpose:
        return -at.before, at.h + at.after
    before, after = equivalent_pads(geometry, axis)
    return min(-before, 0), (at.h - 1) * at.s + 1 + max(after + at.p2, 0)


def _axis(geometry: Geometry, axis: int) -> tuple[list[_Mark], list[int]]:
    """The rows (axis 0) or columns (1) of the grid, and where the window starts for each output."""
    h, out, _, s, *_ = geometry.along(axis)
    first, last = _bounds(geometry, axis)
    if not geometry.transpose:
        places = zip(range(first, last), geometry.indices(axis), strict=True)
        marks = [
            _Mark(Kind.INPUT if 0 <= place < h else Kind.PADDING, None if index == ZERO else index)
            for place, index in places
        ]
        return marks, [s * y for y in range(out)]
    before, after = equivalent_pads(geometry, axis)
    stuffed = (h - 1) * s + 1

    def mark(place: int) -> _Mark:
        if 0 <= place < stuffed:
            return _Mark(Kind.INSERTED, None) if place % s else _Mark(Kind.INPUT, place // s)
        kind = Kind.OUTPUT_PADDING if place >= stuffed + max(after, 0) else Kind.PADDING
        if place % s:
            return _Mark(kind if geometry.padding_mode == "zeros" else Kind.INSERTED, None)
        source = source_at(place // s, h, geometry.padding_mode)
        return _Mark(kind, None if source == ZERO else source)

    return [mark(place) for place in range(first, last)], [y - before - first for y in range(out)]


def _crossing(row: _Mark, column: _Mark) -> GridCell:
    """The cell where a row and a column meet. Its kind is that of the two which is further from the input."""
    order = [*Kind]
    kind = max(row.kind, column.kind, key=order.index)
    known = row.source is not None and column.source is not None
    return GridCell(kind, (row.source, column.source) if known else None)  # type: ignore[arg-type]


def _check(geometry: Geometry) -> None:
    """Refuse what would be too large, before it is made."""
    outputs, taps = geometry.output.height * geometry.output.width, geometry.kernel.height * geometry.kernel.width
    height, width = (last - first for first, last in (_bounds(geometry, axis) for axis in (0, 1)))
    grid = "the zero-stuffed input" if geometry.transpose else "the padded input"
    smaller = "use a smaller input"
    for count, most, what, rule, remedy, shown in (
        (outputs, MAX_OUTPUTS, f"an output of {geometry.output}", f"takes {outputs} frames", f"{smaller} or a larger stride",
         f"has at most {MAX_OUTPUTS} (32×32)"),
        (height * width, MAX_CELLS, grid, f"has {height}×{width} cells", smaller, f"shows at most {MAX_CELLS} (64×64)"),
        (outputs * taps, MAX_TAPS, f"a kernel of {geometry.kernel} at {outputs} outputs", f"has {outputs * taps} taps",
         "use a smaller kernel or input", f"shows at most {MAX_TAPS}"),
    ):  # fmt: skip
        if count > most:
            raise GeometryError(what, rule, remedy, f"an animation {shown}")
