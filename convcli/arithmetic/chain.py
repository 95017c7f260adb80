"""The sizes, parameters, operations, memory and receptive fields along a chain of layers. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import NamedTuple

from convcli.arithmetic.field import Node, ReceptiveField, fields
from convcli.arithmetic.layers import Layer, in_settings
from convcli.errors import ConvError, GeometryError, param
from convcli.geometry import Geometry, Pair, Size, direct_size

FLOAT32 = 4
"""Bytes of a value."""

LONGEST = 2**63 - 1
"""The most pixels of a side, and of a jump: no tensor can have more."""


class ChainStep(NamedTuple):
    """A layer of a chain and its output, whose `size` is in pixels.

    `parameters` counts weights and biases. `macs` counts multiplications with an addition, for one image: ``C_out · C_in/g · kh
    · kw`` for every output pixel of a convolution, ``C_in · C_out/g · kh · kw`` for every input pixel of a transposed one. Taps
    on padding are counted, pooling is not. `field` is the part of the input that its outputs depend on.
    """

    layer: Layer
    channels: int
    size: Size
    parameters: int
    macs: int
    field: ReceptiveField

    @property
    def flops(self) -> int:
        """Multiplications and additions: two for each of `macs`. Adding the bias costs nothing, as a sum begins with it."""
        return 2 * self.macs

    @property
    def activation_bytes(self) -> int:
        """Memory of the output in float32; 0 for a step that only keeps a result or goes back to one."""
        kept = self.layer.kind in ("save", "from")
        return 0 if kept else FLOAT32 * self.channels * self.size.height * self.size.width


class Chain(NamedTuple):
    """A chain's input and its steps."""

    size: Size
    channels: int
    steps: tuple[ChainStep, ...]

    def total(self, name: str) -> int:
        """The `parameters`, `macs`, `flops` or `activation_bytes` of all steps, as training keeps all outputs but the input."""
        return sum(getattr(step, name) for step in self.steps)


def walk(layers: Sequence[Layer], size: Size, channels: int) -> Chain:
    """Work out a chain for an input of this size, in pixels, and with this number of channels.

    Raises
    ------
    GeometryError
        A layer does not fit the size or the channels before it. The error names its place in the chain.
    """
    nodes = trace(layers, size, channels)
    looks = fields(nodes)
    for number, (layer, look) in enumerate(zip(layers, looks[1:], strict=True), 1):
        if max(look.jump) > LONGEST:
            what = f"layer {number} '{layer.text}': all strides together"
            raise GeometryError(what, f"are beyond {LONGEST}", "use fewer")
    steps = (
        ChainStep(layer, node.channels, node.size, *_costs(layer, before, node), look)
        for layer, before, node, look in zip(layers, nodes, nodes[1:], looks[1:], strict=False)
    )
    return Chain(size, channels, tuple(steps))


def trace(layers: Sequence[Layer], size: Size, channels: int) -> list[Node]:
    """Sizes and channels along a chain, beginning with the input. Raises the errors of `walk`."""
    nodes, kept = [Node(size, channels)], dict[str, int]()
    for number, layer in enumerate(layers, 1):
        try:
            nodes.append(_step(layer, nodes, kept))
        except ConvError as error:
            raise in_settings(error.within(f"layer {number} '{layer.text}': ")) from None
        if layer.kind == "save":
            kept[layer.name] = number
    return nodes


_UNCUT = Pair(0, 0)


def _step(layer: Layer, nodes: Sequence[Node], kept: dict[str, int]) -> Node:
    last, place = nodes[-1], (len(nodes) - 1, _UNCUT)
    if layer.kind == "save":
        return Node(last.size, last.channels, (place,))
    if layer.kind in ("from", "cat", "add"):
        if layer.name not in kept:
            remedy = f"use {' or '.join(kept)}" if kept else "put save:NAME before it"
            raise GeometryError("nothing", f"is kept under '{layer.name}'", remedy)
        number = kept[layer.name]
        other = nodes[number]
        if layer.kind == "from":
            return Node(other.size, other.channels, ((number, _UNCUT),))
        return _join(layer, last, place, other, number)
    geometry = layer.spec.resolve(last.size, layer.kernel)
    if layer.ceil:
        geometry = replace(geometry, output=Size(*(_ceiled(geometry, axis) for axis in (0, 1))))
    if max(geometry.output) > LONGEST:
        remedy = f"a side has at most {LONGEST} pixels"
        raise GeometryError(f"its output of {geometry.output}", "is larger than any tensor", remedy)
    if layer.kind in ("pool", "upsample"):
        return Node(geometry.output, last.channels, (place,), geometry)
    inputs = layer.in_channels or last.channels
    outputs = layer.channels or inputs
    for what, count in (("input", inputs), ("output", outputs)):
        if count % layer.spec.groups:
            rule = f"are not divisible by {layer.spec.groups} groups"
            raise GeometryError(f"{count} {what} channels", rule, "change c or g")
    return Node(geometry.output, outputs, (place,), geometry)


def _join(layer: Layer, last: Node, place: tuple[int, Pair], other: Node, number: int) -> Node:
    """Two results joined: their channels one after the other (cat), or their sum (add).

    For cat, a kept result that is larger is cropped to its centre.
    """
    if layer.kind == "add":
        if (other.size, other.channels) != (last.size, last.channels):
            rule = f"cannot be added to {last.channels}×{last.size}"
            raise GeometryError(f"{other.channels}×{other.size}", rule, "make channels and sizes equal")
        return Node(last.size, last.channels, (place, (number, _UNCUT)))
    if other.size.height < last.size.height or other.size.width < last.size.width:
        rule = f"has {other.size} pixels, fewer than the {last.size} here"
        raise GeometryError("the kept result", rule, f"use another padding or {param('hin')}")
    cut = Pair((other.size.height - last.size.height) // 2, (other.size.width - last.size.width) // 2)
    return Node(last.size, last.channels + other.channels, (place, (number, cut)))


def _ceiled(geometry: Geometry, axis: int) -> int:
    """Size of a pool with PyTorch's ceil_mode: rounded up, unless the last window would begin in the padding at the end."""
    h, _, k, s, d, before, after, _ = geometry.along(axis)
    size = direct_size(h, k, s, d, before, after + s - 1)  # ⌈x/s⌉ = ⌊(x + s - 1)/s⌋
    return size - 1 if (size - 1) * s >= h + before else size


def _costs(layer: Layer, before: Node, node: Node) -> tuple[int, int]:
    """Parameters and MACs."""
    if layer.kind not in ("conv", "transpose"):
        return 0, 0
    weights = node.channels * (layer.in_channels or before.channels) // layer.spec.groups * prod(layer.kernel)
    places = (before if layer.kind == "transpose" else node).size  # every weight is used once at each of them
    return weights + layer.bias * node.channels, weights * places.height * places.width
