"""Receptive fields: which part of the input the outputs of a chain depend on ("see"). Standard library only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import ceil, floor, gcd, lcm

from convcli.arithmetic.resampled import ResampledAxis, Resampling
from convcli.errors import GeometryError
from convcli.geometry import AxisGeometry, Geometry, Pair, Size
from convcli.records import NamedTuple

_PHASES = 1024
"""The most neighbouring outputs that are looked at one by one: after a transposed layer they differ in what they see."""

_WORK = 1 << 20
"""The most spans that are looked at. Beyond this and `_PHASES`, a field may be too large, but never too small."""

_WAYS = 64
"""The most different strides of branches that meet in one result."""

Number = int | Fraction
Span = tuple[Number, Number]
"""The first and the last pixel."""


class Node(NamedTuple):
    """The input of a chain, or the result of a step.

    `parents` are the results that the step uses: their places in the chain (0 is the input), and the rows and columns that are
    cut off at their top and left. The input has none. Only layers have a `geometry`, not steps that join or keep results, and
    not those that change no size. What is `flat` has no height and width: its size is 1×1, its channels are features.
    """

    size: Size
    channels: int
    parents: tuple[tuple[int, Pair], ...] = ()
    geometry: Geometry | Resampling | None = None
    flat: bool = False


class ReceptiveField(NamedTuple):
    """What outputs see away from the border, by rows and columns, in pixels of the input.

    `size` is the receptive field: from the first pixel that an output depends on to the last. After a transposed layer outputs
    differ, and it is the largest field. `jump` is the distance between neighbouring outputs: a stride multiplies it, a transposed
    stride divides it. `start` is the centre of the first output's field; the centre of the first pixel is 0. A layer adds
    ``((k - 1)·d/2 - padding)·jump``; a transposed layer subtracts it, with the new jump.
    """

    size: tuple[int, int]
    jump: tuple[Fraction, Fraction]
    start: tuple[Fraction, Fraction]


def fields(nodes: Sequence[Node]) -> list[ReceptiveField]:
    """The field of every result of a chain, beginning with the input.

    Raises
    ------
    GeometryError
        Branches of too many different strides are joined.
    """
    axes = [zip(_sizes(nodes, axis), *_centres(nodes, axis), strict=True) for axis in (0, 1)]
    return [ReceptiveField(*zip(rows, columns, strict=True)) for rows, columns in zip(*axes, strict=True)]


def _centres(nodes: Sequence[Node], axis: int) -> tuple[list[Fraction], list[Fraction]]:
    """The jump and the start of every result, along one axis."""
    jumps, starts = [Fraction(1)], [Fraction(0)]
    for node in nodes[1:]:
        parent, _ = node.parents[0]
        jump, start = jumps[parent], starts[parent]
        geometry = node.geometry
        if isinstance(geometry, Resampling):
            factor = geometry.along(axis).factor
            start += (factor - 1) / 2 * jump
            jump *= factor
        elif geometry is not None:
            at = geometry.along(axis)
            reach = Fraction(at.span - 1, 2) - at.before
            if geometry.transpose:
                jump /= at.s
                start -= reach * jump
            else:
                start += reach * jump
                jump *= at.s
        jumps.append(jump)
        starts.append(start)
    return jumps, starts


def _sizes(nodes: Sequence[Node], axis: int) -> list[int]:
    """The largest field of every result along one axis. It begins at the input; a layer needs only what its parents see."""
    ways: list[dict[Number, Pattern]] = [{1: Pattern(1, ((0, 0),))}]  # from the input to each result, by their jumps
    left = _WORK
    for node in nodes[1:]:
        seen: dict[Number, Pattern] = {}
        for parent, cut in node.parents:
            for way in ways[parent].values():
                moved = way.moved(cut[axis])
                geometry = node.geometry
                if isinstance(geometry, Resampling):
                    moved = moved.resampled(geometry.along(axis))
                elif geometry is not None:
                    at = geometry.along(axis)
                    work = moved.work(geometry.transpose, at)
                    if work > left:
                        moved = moved.bounds()
                    left -= min(work, left)
                    moved = moved.transposed(at) if geometry.transpose else moved.direct(at)
                seen[moved.jump] = moved.joined(seen[moved.jump]) if moved.jump in seen else moved
        if len(seen) > _WAYS:
            raise GeometryError(f"branches of more than {_WAYS} different strides", "are joined", "join fewer of them")
        ways.append(seen)
    return [_largest([*each.values()]) for each in ways]


def _largest(ways: Sequence[Pattern]) -> int:
    """The largest field of an output, over all ways from the input to it together."""
    if len(ways) == 1:
        return max(0, *map(_length, ways[0].spans))
    outputs = range(max(len(way.spans) for way in ways))
    return max(_length(_hull(_whole(way.at(output)) for way in ways)) for output in outputs)


def _length(span: Span | None) -> int:
    return 0 if span is None else floor(span[1] - span[0]) + 1


def _whole(span: Span | None) -> Span | None:
    """The whole pixels of a span; None if there are none."""
    if span is None:
        return None
    first, last = ceil(span[0]), floor(span[1])
    return (first, last) if first <= last else None


def _hull(spans: Iterable[Span | None]) -> Span | None:
    """The smallest span that contains all of them; None if all are None."""
    found = [span for span in spans if span is not None]
    return (min(first for first, _ in found), max(last for _, last in found)) if found else None


class Pattern(NamedTuple):
    """What every output sees of the input: a pattern that repeats after `shift` pixels.

    `spans` has what the first outputs see: the first and the last pixel, or None for an output that sees nothing. Fractions are
    bounds, which may be too wide.
    """

    shift: Number
    spans: tuple[Span | None, ...]

    @property
    def jump(self) -> Fraction:
        """Pixels from one output to the next, on average."""
        return Fraction(self.shift) / len(self.spans)

    def at(self, output: int) -> Span | None:
        """What output number `output` sees."""
        times, place = divmod(output, len(self.spans))
        span = self.spans[place]
        return None if span is None else (span[0] + times * self.shift, span[1] + times * self.shift)

    def moved(self, by: int) -> Pattern:
        """The same without the first `by` outputs."""
        return Pattern(self.shift, tuple(self.at(o + by) for o in range(len(self.spans)))) if by else self

    def joined(self, other: Pattern) -> Pattern:
        """What is seen on this way or the other one. Both have the same jump."""
        period = lcm(len(self.spans), len(other.spans))
        if period > _PHASES:
            return self.bounds().joined(other.bounds())
        spans = tuple(_hull((self.at(o), other.at(o))) for o in range(period))
        return Pattern(self.shift * (period // len(self.spans)), spans)

    def bounds(self) -> Pattern:
        """The bounds of all spans, as a pattern of a single one."""
        jump = self.jump
        ends = [(span[0] - o * jump, span[1] - o * jump) for o, span in enumerate(self.spans) if span is not None]
        return Pattern(jump, (_hull(ends),))

    def work(self, transpose: bool, at: AxisGeometry) -> int:
        """How many spans have to be looked at to go through a layer; more than `_WORK` if the pattern would get too long."""
        size = len(self.spans)
        period = size * at.s if transpose else size // gcd(size, at.s)
        return period * min(at.k, 2 * size) if period <= _PHASES else _WORK + 1

    def direct(self, at: AxisGeometry) -> Pattern:
        """What the outputs of a direct operation see: output o reads the places ``s·o + d·m - before``."""
        size = len(self.spans)
        period = size // gcd(size, at.s)
        spans = [self._over(at.s * o - at.before, at.d, at.k) for o in range(period)]
        shift = self.shift * (at.s * period // size)
        return Pattern(shift, tuple(map(_whole, spans) if shift == int(shift) else spans))

    def resampled(self, at: ResampledAxis) -> Pattern:
        """What the outputs of an adaptive pool or of an interpolation see."""
        factor, size = at.factor, len(self.spans)
        period = factor.denominator * (size // gcd(size, factor.numerator))
        if period > _PHASES:
            (span,), jump, (before, after) = self.bounds().spans, self.jump, at.reach
            return Pattern(jump * factor, (span and (span[0] - before * jump, span[1] + after * jump),))
        windows = map(at.window, range(period))
        shift = self.shift * (factor * period / size)
        whole = shift == int(shift)
        spans = [self._over(first, 1, count) for first, count in windows]
        return Pattern(int(shift) if whole else shift, tuple(map(_whole, spans) if whole else spans))

    def transposed(self, at: AxisGeometry) -> Pattern:
        """What the outputs of a transposed operation see: output o reads the places ``(o + before - d·m) / s`` that are whole."""
        _, _, k, s, d, before, _, _ = at
        if len(self.spans) * s > _PHASES:
            (span,), jump = self.bounds().spans, self.jump / s
            return Pattern(jump, (span and (span[0] + jump * (before - d * (k - 1)), span[1] + jump * before),))
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
