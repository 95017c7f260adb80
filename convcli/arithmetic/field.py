"""Receptive fields: which part of the input the outputs of a chain depend on ("see"). Standard library only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, gcd, lcm

from convcli.errors import GeometryError
from convcli.geometry import Geometry, Pair, Size, extent

_PHASES = 1024
"""The most neighbouring outputs that are looked at one by one: after a transposed layer they differ in what they see."""

_WORK = 1 << 20
"""The most spans that are looked at. Beyond this and `_PHASES`, a field may be given too large, but never too small."""

_WAYS = 64
"""The most different strides of branches that meet in one result."""

Span = tuple[int, int]
"""The first and the last pixel."""


@dataclass(frozen=True, slots=True)
class Node:
    """The input of a chain, or the result of a step.

    `parents` are the results that the step uses: their places in the chain (0 is the input), and the rows and columns that are
    cut off at their top and left. The input has none. Only layers have a `geometry`, not steps that join or keep results.
    """

    size: Size
    channels: int
    parents: tuple[tuple[int, Pair], ...] = ()
    geometry: Geometry | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """What outputs see away from the border, by rows and columns, in pixels of the input.

    `size` is the receptive field: from the first pixel that an output depends on to the last. After a transposed layer outputs
    differ, and it is the largest field. `jump` is the distance between neighbouring outputs: a stride multiplies it, a transposed
    stride divides it. `start` is the centre of the first output's field; the centre of the first pixel is 0. A layer adds
    ``((k - 1)·d/2 - padding)·jump``; a transposed layer subtracts it, with the new jump.
    """

    size: tuple[int, int]
    jump: tuple[Fraction, Fraction]
    start: tuple[Fraction, Fraction]


def fields(nodes: Sequence[Node]) -> list[Field]:
    """The field of every result of a chain, beginning with the input.

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
    """The jump and the start of every result, along one axis."""
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
    """The largest field of every result along one axis. It begins at the input; a layer needs only what its parents see."""
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
    """The largest field of an output, over all ways from the input to it together."""
    first = ways[0]
    if len(ways) == 1 and isinstance(first, Reach):
        return max(0, floor(first.high - first.low) + 1)
    outputs = range(max(len(way.spans) if isinstance(way, Pattern) else 1 for way in ways))
    return max(0 if (span := _hull(way.at(o) for way in ways)) is None else span[1] - span[0] + 1 for o in outputs)


def _hull(spans: Iterable[Span | None]) -> Span | None:
    """The smallest span that contains all of them; None if all are None."""
    found = [span for span in spans if span is not None]
    return (min(first for first, _ in found), max(last for _, last in found)) if found else None


@dataclass(frozen=True, slots=True)
class Pattern:
    """What every output sees of the input, exactly: a pattern that repeats after `shift` pixels.

    `spans` has what the first outputs see: the first and the last pixel, or None for an output that sees nothing.
    """

    shift: int
    spans: tuple[Span | None, ...]

    @property
    def jump(self) -> Fraction:
        """Pixels from one output to the next, on average."""
        return Fraction(self.shift, len(self.spans))

    def at(self, output: int) -> Span | None:
        """What output number `output` sees."""
        times, place = divmod(output, len(self.spans))
        span = self.spans[place]
        return None if span is None else (span[0] + times * self.shift, span[1] + times * self.shift)

    def moved(self, by: int) -> Pattern:
        """The same without the first `by` outputs."""
        return Pattern(self.shift, tuple(self.at(o + by) for o in range(len(self.spans)))) if by else self

    def joined(self, other: Pattern | Reach) -> Pattern | Reach:
        """What is seen on this way or the other one. Both have the same jump."""
        period = lcm(len(self.spans), len(other.spans)) if isinstance(other, Pattern) else _PHASES + 1
        if period > _PHASES:
            return self.reach().joined(other)
        spans = tuple(_hull((self.at(o), other.at(o))) for o in range(period))
        return Pattern(self.shift * (period // len(self.spans)), spans)

    def reach(self) -> Reach:
        """The bounds of all spans."""
        ends = [(a - o * self.jump, b - o * self.jump) for o, span in enumerate(self.spans) if span for a, b in [span]]
        low, high = min((a for a, _ in ends), default=Fraction(0)), max((b for _, b in ends), default=Fraction(-1))
        return Reach(self.jump, low, high)

    def work(self, transpose: bool, k: int, s: int, d: int) -> int:
        """How many spans have to be looked at to go through a layer; more than `_WORK` if the pattern would get too long."""
        size = len(self.spans)
        period = size * s if transpose else size // gcd(size, s)
        return period * min(k, 2 * size) if period <= _PHASES else _WORK + 1

    def through_direct(self, before: int, k: int, s: int, d: int) -> Pattern:
        """What the outputs of a direct operation see: output o reads the places ``s·o + d·m - before``."""
        period = len(self.spans) // gcd(len(self.spans), s)
        spans = tuple(self._over(s * o - before, d, k) for o in range(period))
        return Pattern(self.shift * s * period // len(self.spans), spans)

    def through_transposed(self, before: int, k: int, s: int, d: int) -> Pattern:
        """What the outputs of a transposed operation see: output o reads the places ``(o + before - d·m) / s`` that are whole."""
        common = gcd(d, s)
        step = s // common  # from one tap that reads a place to the next
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
        """What `count` outputs see together, each `step` after the one before. Of each phase the first and the last decide."""
        cycle = len(self.spans) // gcd(len(self.spans), step)
        places = range(count) if count <= 2 * cycle else (*range(cycle), *range(count - cycle, count))
        return _hull(self.at(first + step * place) for place in places)


@dataclass(frozen=True, slots=True)
class Reach:
    """Bounds of what outputs see: output o from ``jump·o + low`` to ``jump·o + high``. May be too wide, never too narrow."""

    jump: Fraction
    low: Fraction
    high: Fraction

    def at(self, output: int) -> Span | None:
        """The most that output number `output` can see."""
        first, last = ceil(self.jump * output + self.low), floor(self.jump * output + self.high)
        return (first, last) if first <= last else None

    def moved(self, by: int) -> Reach:
        """The same without the first `by` outputs."""
        return Reach(self.jump, self.low + self.jump * by, self.high + self.jump * by)

    def joined(self, other: Pattern | Reach) -> Reach:
        """What is seen on this way or the other one. Both have the same jump."""
        other = other.reach() if isinstance(other, Pattern) else other
        return Reach(self.jump, min(self.low, other.low), max(self.high, other.high))

    def through_direct(self, before: int, k: int, s: int, d: int) -> Pattern | Reach:
        """As `Pattern.through_direct`. If the new jump is whole, a pattern can begin again."""
        low, high = self.low - self.jump * before, self.high + self.jump * (d * (k - 1) - before)
        moved = Reach(self.jump * s, low, high)
        return Pattern(int(moved.jump), (moved.at(0),)) if moved.jump.denominator == 1 else moved

    def through_transposed(self, before: int, k: int, s: int, d: int) -> Reach:
        """As `Pattern.through_transposed`."""
        jump = self.jump / s
        return Reach(jump, self.low + jump * (before - d * (k - 1)), self.high + jump * before)


Ways = dict[Fraction, Pattern | Reach]
"""What outputs see on the ways through the chain, by the jump of the way."""
