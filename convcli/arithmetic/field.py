"""Receptive fields: where in the input the outputs of a chain look. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from operator import or_
from typing import Any

from convcli.geometry import Geometry, Pair, Size, extent

_PHASES = 1024
"""Neighbouring outputs that are followed back to the input: after a transposed layer they do not all see alike."""

_MARKED = 1 << 16
"""Places of a result that are marked one by one; beyond it, a field behind transposed layers may be told too large."""


@dataclass(frozen=True, slots=True)
class Node:
    """The input (`geometry` None, no parents), or what a step makes of the results before it.

    `parents` are the places of those results in the chain, the input being 0, each with the rows and columns that are cut
    off its top and left; `geometry` is that of a layer, None for a step that joins or keeps.
    """

    size: Size
    channels: int
    parents: tuple[tuple[int, Pair], ...] = ()
    geometry: Geometry | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """Where outputs look, rows and columns, in pixels of the input; away from the border.

    Attributes
    ----------
    size : (int, int)
        The receptive field, from the first pixel that an output depends on to the last. After a transposed layer the one
        that sees most.
    jump : (Fraction, Fraction)
        Distance between neighbouring outputs: a stride multiplies it, a transposed stride divides it.
    start : (Fraction, Fraction)
        Centre of the first output's field, the centre of the first pixel being 0:
        ``start += ((k - 1)·d/2 - padding)·jump``, of the transposed operation with the opposite sign and the new jump.
    """

    size: tuple[int, int]
    jump: tuple[Fraction, Fraction]
    start: tuple[Fraction, Fraction]


def fields(nodes: Sequence[Node]) -> list[Field]:
    """The fields of every result of a chain, that of the input first."""
    axes = [list(zip(*_centres(nodes, axis), _sizes(nodes, axis), strict=True)) for axis in (0, 1)]
    return [
        Field((rows[2], columns[2]), (rows[0], columns[0]), (rows[1], columns[1]))
        for rows, columns in zip(*axes, strict=True)
    ]


def _centres(nodes: Sequence[Node], axis: int) -> tuple[list[Fraction], list[Fraction]]:
    """Jumps and starts."""
    jumps, starts = [Fraction(1)], [Fraction(0)]
    for node in nodes[1:]:
        jump, start = jumps[node.parents[0][0]], starts[node.parents[0][0]]
        if (geometry := node.geometry) is not None:
            s = geometry.stride[axis]
            reach = Fraction(extent(geometry.kernel[axis], geometry.dilation[axis]) - 1, 2) - geometry.pads[2 * axis]
            if geometry.transpose:
                jump = jump / s
                start -= reach * jump
            else:
                start += reach * jump
                jump = jump * s
        jumps.append(jump)
        starts.append(start)
    return jumps, starts


def _sizes(nodes: Sequence[Node], axis: int) -> list[int]:
    """The largest field at every result, over as many neighbouring outputs as it takes for the pattern to repeat."""
    sizes, phases = [], 1
    for place, node in enumerate(nodes):
        if node.geometry is not None and node.geometry.transpose:
            phases = min(_PHASES, phases * node.geometry.stride[axis])
        sizes.append(max(_size(nodes[: place + 1], axis, output) for output in range(phases)))
    return sizes


def _size(nodes: Sequence[Node], axis: int, output: int) -> int:
    """The field of one output: what it needs of every result before it, from the last to the input, which has no border."""
    needed = _followed(nodes, axis, Span(output, output))
    apart = any(node.geometry is not None and node.geometry.transpose for node in nodes)  # else spans are exact
    if apart and max(len(span) for span in needed if span is not None) <= _MARKED:
        needed = _followed(nodes, axis, Marks(output, b"\1"))
    return 0 if needed[0] is None else len(needed[0])


def _followed(nodes: Sequence[Node], axis: int, wanted: Span | Marks) -> list[Any]:
    """What every result has to give for what is wanted of the last; None for nothing."""
    needed: list[Any] = [None] * len(nodes)
    needed[-1] = wanted
    for place in range(len(nodes) - 1, 0, -1):
        part, geometry = needed[place], nodes[place].geometry
        if part is not None and geometry is not None:
            one = geometry.pads[2 * axis], geometry.kernel[axis], geometry.stride[axis], geometry.dilation[axis]
            part = part.through_transposed(*one) if geometry.transpose else part.through_direct(*one)
        for parent, cut in nodes[place].parents if part is not None else ():
            moved = part.moved(cut[axis])
            needed[parent] = moved if needed[parent] is None else moved.joined(needed[parent])
    return needed


@dataclass(frozen=True, slots=True)
class Span:
    """From the first to the last of the places that are needed: exact before direct layers, else it may hold too much."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1

    def moved(self, by: int) -> Span:
        """The same further on."""
        return Span(self.first + by, self.last + by)

    def joined(self, other: Span) -> Span:
        """From the first of both to the last."""
        return Span(min(self.first, other.first), max(self.last, other.last))

    def through_direct(self, before: int, k: int, s: int, d: int) -> Span:
        """The inputs ``s·o + d·m - before`` of a direct operation."""
        return Span(self.first * s - before, self.last * s - before + d * (k - 1))

    def through_transposed(self, before: int, k: int, s: int, d: int) -> Span | None:
        """The inputs ``(o + before - d·m) / s`` of a transposed operation, where that is whole."""
        first, last = -((d * (k - 1) - self.first - before) // s), (self.last + before) // s
        return Span(first, last) if first <= last else None


@dataclass(frozen=True, slots=True)
class Marks:
    """The places that are needed, each marked by a byte 1, from the first to the last. Whole rows of them are shifted at once."""

    first: int
    marks: bytes

    def __len__(self) -> int:
        return len(self.marks)

    def moved(self, by: int) -> Marks:
        """The same further on."""
        return Marks(self.first + by, self.marks)

    def joined(self, other: Marks) -> Marks:
        """What is marked in one or both."""
        first = min(self.first, other.first)
        size = max(self.first + len(self), other.first + len(other)) - first
        both = (int.from_bytes(one.marks, "little") << 8 * (one.first - first) for one in (self, other))
        return Marks(first, reduce(or_, both).to_bytes(size, "little"))

    def through_direct(self, before: int, k: int, s: int, d: int) -> Marks:
        """The inputs ``s·o + d·m - before`` of a direct operation."""
        spread = bytearray((len(self) - 1) * s + 1)
        spread[::s] = self.marks
        return Marks(self.first * s - before, _smeared(spread, k, d))

    def through_transposed(self, before: int, k: int, s: int, d: int) -> Marks | None:
        """The inputs ``(o + before - d·m) / s`` of a transposed operation, where that is whole."""
        first = self.first + before - d * (k - 1)
        whole = -first % s
        marks = _smeared(self.marks, k, d)[whole::s]
        empty = len(marks) - len(marks.lstrip(b"\0"))
        return Marks((first + whole) // s + empty, marks.strip(b"\0")) if empty < len(marks) else None


def _smeared(marks: bytes | bytearray, k: int, d: int) -> bytes:
    """Every mark repeated `k` times, `d` places apart."""
    number = int.from_bytes(marks, "little")
    return reduce(or_, (number << 8 * d * m for m in range(k))).to_bytes(len(marks) + d * (k - 1), "little")
