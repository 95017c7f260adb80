"""Receptive fields: where in the input the outputs of a chain look. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from convcli.geometry import Geometry, Pair, Size, extent

_PHASES = 1024
"""Neighbouring outputs that are followed back to the input: after a transposed layer they do not all see alike."""


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
    needed: list[tuple[int, int] | None] = [None] * len(nodes)
    needed[-1] = (output, output)
    for place in range(len(nodes) - 1, 0, -1):
        node, wanted = nodes[place], needed[place]
        span = wanted if node.geometry is None or wanted is None else _span(node.geometry, axis, wanted)
        if span is not None:
            for parent, cut in node.parents:
                low, high = span[0] + cut[axis], span[1] + cut[axis]
                before = needed[parent]
                needed[parent] = (low, high) if before is None else (min(low, before[0]), max(high, before[1]))
    return needed[0][1] - needed[0][0] + 1 if needed[0] is not None else 0


def _span(geometry: Geometry, axis: int, outputs: tuple[int, int]) -> tuple[int, int] | None:
    """First and last input that a range of outputs depends on; None if they depend on none."""
    s, before = geometry.stride[axis], geometry.pads[2 * axis]
    k, d = geometry.kernel[axis], geometry.dilation[axis]
    if not geometry.transpose:
        return outputs[0] * s - before, outputs[1] * s - before + d * (k - 1)
    low, high = outputs[0] + before, outputs[1] + before
    first, last = -((d * (k - 1) - low) // s), high // s  # inputs whose span of taps meets the range
    reaching = [first, last]
    for side, step in ((0, 1), (1, -1)):  # but the taps themselves may miss it, where they are apart
        while first <= reaching[side] <= last and not _meets(reaching[side] * s, k, d, low, high):
            reaching[side] += step
    return (reaching[0], reaching[1]) if first <= reaching[0] <= reaching[1] <= last else None


def _meets(base: int, k: int, d: int, low: int, high: int) -> bool:
    """Whether one of the taps ``base + d·m`` lies from `low` to `high`."""
    return max(0, -((base - low) // d)) <= min(k - 1, (high - base) // d)
