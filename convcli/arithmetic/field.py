"""Receptive fields: where in the input the outputs of a chain look. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, gcd, lcm

from convcli.errors import GeometryError
from convcli.geometry import Geometry, Pair, Size, extent

_PHASES = 1024
"""Neighbouring outputs that are told apart: after a transposed layer they do not all see alike."""

_WORK = 1 << 20
"""Spans of outputs that are looked at; beyond it and beyond `_PHASES` a field may be told too large, never too small."""

_WAYS = 64
"""Different strides of branches that meet in one result."""

Span = tuple[int, int]
"""The first and the last pixel."""


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
    """The fields of every result of a chain, that of the input first.

    Raises
    ------
    GeometryError
        Branches of too many different strides are joined.
    """
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
    """The largest field at every result, worked out from the input on: each layer needs only what its parents see."""
    ways: list[Ways] = [{Fraction(1): Pattern(1, ((0, 0),))}]
    left = _WORK
    for node in nodes[1:]:
        seen: Ways = {}
        for parent, cut in node.parents:
            for way in ways[parent].values():
                moved = way.moved(cut[axis])
                if (geometry := node.geometry) is not None:
                    one = geometry.pads[2 * axis], geometry.kernel[axis], geometry.stride[axis], geometry.dilation[axis]
                    work = moved.work(geometry.transpose, *one[1:]) if isinstance(moved, Pattern) else 0
                    if work > left and isinstance(moved, Pattern):
                        moved = moved.reach()
                    left -= min(work, left)
                    moved = moved.through_transposed(*one) if geometry.transpose else moved.through_direct(*one)
                seen[moved.jump] = moved.joined(seen[moved.jump]) if moved.jump in seen else moved
        if len(seen) > _WAYS:
            raise GeometryError(f"branches of more than {_WAYS} different strides", "are joined", "join fewer of them")
        ways.append(seen)
    return [_largest(list(each.values())) for each in ways]


def _largest(ways: Sequence[Pattern | Reach]) -> int:
    """The largest of what the outputs see by all ways together."""
    first = ways[0]
    if len(ways) == 1 and isinstance(first, Reach):
        return max(0, floor(first.high - first.low) + 1)
    outputs = range(max(len(way.spans) if isinstance(way, Pattern) else 1 for way in ways))
    return max(0 if (span := _hull(way.at(o) for way in ways)) is None else span[1] - span[0] + 1 for o in outputs)


def _hull(spans: Iterable[Span | None]) -> Span | None:
    """From the first to the last of what lies in any of them."""
    found = [span for span in spans if span is not None]
    return (min(first for first, _ in found), max(last for _, last in found)) if found else None


@dataclass(frozen=True, slots=True)
class Pattern:
    """What every output sees of the input, exactly: the first outputs see `spans`, those after them the same further on.

    Attributes
    ----------
    shift : int
        How many pixels further on the pattern comes back.
    spans : tuple of (int, int) or None
        The first and the last pixel of each; None for an output that sees nothing.
    """

    shift: int
    spans: tuple[Span | None, ...]

    @property
    def jump(self) -> Fraction:
        """Pixels from an output to the next."""
        return Fraction(self.shift, len(self.spans))

    def at(self, output: int) -> Span | None:
        """What one output sees."""
        times, place = divmod(output, len(self.spans))
        span = self.spans[place]
        return None if span is None else (span[0] + times * self.shift, span[1] + times * self.shift)

    def moved(self, by: int) -> Pattern:
        """Without the first outputs."""
        return Pattern(self.shift, tuple(self.at(o + by) for o in range(len(self.spans)))) if by else self

    def joined(self, other: Pattern | Reach) -> Pattern | Reach:
        """What is seen one way or the other, which have the same jump."""
        period = lcm(len(self.spans), len(other.spans)) if isinstance(other, Pattern) else _PHASES + 1
        if period > _PHASES:
            return self.reach().joined(other)
        spans = tuple(_hull((self.at(o), other.at(o))) for o in range(period))
        return Pattern(self.shift * (period // len(self.spans)), spans)

    def reach(self) -> Reach:
        """Bounds of all spans."""
        ends = [(a - o * self.jump, b - o * self.jump) for o, span in enumerate(self.spans) if span for a, b in [span]]
        low, high = min((a for a, _ in ends), default=Fraction(0)), max((b for _, b in ends), default=Fraction(-1))
        return Reach(self.jump, low, high)

    def work(self, transpose: bool, k: int, s: int, d: int) -> int:
        """How many spans are looked at to go through a layer; more than there is time for where the pattern gets too long."""
        size = len(self.spans)
        period = size * s if transpose else size // gcd(size, s)
        return period * min(k, 2 * size) if period <= _PHASES else _WORK + 1

    def through_direct(self, before: int, k: int, s: int, d: int) -> Pattern:
        """A direct operation sees the outputs ``s·o + d·m - before``."""
        period = len(self.spans) // gcd(len(self.spans), s)
        spans = tuple(self._over(s * o - before, d, k) for o in range(period))
        return Pattern(self.shift * s * period // len(self.spans), spans)

    def through_transposed(self, before: int, k: int, s: int, d: int) -> Pattern:
        """A transposed operation sees the outputs ``(o + before - d·m) / s``, where that is whole."""
        common = gcd(d, s)
        step = s // common  # from a tap that falls on an output to the next one
        inverse = pow(d // common, -1, step)

        def seen(o: int) -> Span | None:
            place = o + before
            tap = place // common * inverse % step
            if place % common or tap >= k:
                return None
            count = (k - 1 - tap) // step + 1
            return self._over((place - d * tap) // s - (count - 1) * (d // common), d // common, count)

        return Pattern(self.shift, tuple(seen(o) for o in range(s * len(self.spans))))

    def _over(self, first: int, step: int, count: int) -> Span | None:
        """What `count` outputs see together, `step` apart: those of one phase see the less, the earlier they lie."""
        cycle = len(self.spans) // gcd(len(self.spans), step)
        places = range(count) if count <= 2 * cycle else (*range(cycle), *range(count - cycle, count))
        return _hull(self.at(first + step * place) for place in places)


@dataclass(frozen=True, slots=True)
class Reach:
    """Bounds of what outputs see, output `o` from ``jump·o + low`` to ``jump·o + high``: may be too wide, but never too narrow."""

    jump: Fraction
    low: Fraction
    high: Fraction

    def at(self, output: int) -> Span | None:
        """What one output sees at most."""
        first, last = ceil(self.jump * output + self.low), floor(self.jump * output + self.high)
        return (first, last) if first <= last else None

    def moved(self, by: int) -> Reach:
        """Without the first outputs."""
        return Reach(self.jump, self.low + self.jump * by, self.high + self.jump * by)

    def joined(self, other: Pattern | Reach) -> Reach:
        """What is seen one way or the other, which have the same jump."""
        other = other.reach() if isinstance(other, Pattern) else other
        return Reach(self.jump, min(self.low, other.low), max(self.high, other.high))

    def through_direct(self, before: int, k: int, s: int, d: int) -> Pattern | Reach:
        """As that of `Pattern`; where every jump is whole, the bounds are whole too, and a pattern begins anew."""
        low, high = self.low - self.jump * before, self.high + self.jump * (d * (k - 1) - before)
        moved = Reach(self.jump * s, low, high)
        return Pattern(int(moved.jump), (moved.at(0),)) if moved.jump.denominator == 1 else moved

    def through_transposed(self, before: int, k: int, s: int, d: int) -> Reach:
        """As that of `Pattern`."""
        jump = self.jump / s
        return Reach(jump, self.low + jump * (before - d * (k - 1)), self.high + jump * before)


Ways = dict[Fraction, Pattern | Reach]
"""What outputs see by ways through the chain, by the jump of each."""
