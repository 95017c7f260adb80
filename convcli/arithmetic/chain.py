"""The sizes, parameters, operations, memory and receptive fields along a chain of layers. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence

from convcli.arithmetic.field import Node, ReceptiveField, fields
from convcli.arithmetic.kinds import Layer
from convcli.arithmetic.layers import in_settings
from convcli.arithmetic.results import LONGEST, ONE, after, costs
from convcli.errors import ConvError, GeometryError
from convcli.geometry import Size
from convcli.records import NamedTuple

FLOAT32 = 4
"""Bytes of a value."""


class ChainStep(NamedTuple):
    """A layer of a chain and its output, whose `size` is in pixels.

    `parameters` counts weights and biases. `macs` counts multiplications with an addition, for one image: ``C_out · C_in/g · kh
    · kw`` for every output pixel of a convolution, ``C_in · C_out/g · kh · kw`` for every input pixel of a transposed one. Taps
    on padding are counted, pooling and normalisation are not. `field` is the part of the input that its outputs depend on.
    What is `flat` has no height and width; its `channels` are features, and those that come in `in_features`.
    """

    layer: Layer
    channels: int
    size: Size
    parameters: int
    macs: int
    field: ReceptiveField
    flat: bool = False
    in_features: int | None = None

    @property
    def shape(self) -> str:
        """Channels and size, or the number of features."""
        return str(self.channels) if self.flat else f"{self.channels}×{self.size}"

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
        ChainStep(
            layer, node.channels, node.size, *costs(layer, before, node), look, node.flat,
            before.channels if layer.kind == "linear" else None,
        )
        for layer, before, node, look in zip(layers, nodes, nodes[1:], looks[1:], strict=False)
    )  # fmt: skip
    return Chain(size, channels, tuple(steps))


def trace(layers: Sequence[Layer], size: Size, channels: int) -> list[Node]:
    """Sizes and channels along a chain, beginning with the input. Raises the errors of `walk`.

    An input of one pixel is flat if the first layer is for features.
    """
    flat = size == ONE and next((layer.kind for layer in layers if layer.kind != "keep"), "") in ("linear", "unflatten")
    nodes, kept = [Node(size, channels, flat=flat)], dict[str, int]()
    for number, layer in enumerate(layers, 1):
        try:
            nodes.append(after(layer, nodes, kept))
        except ConvError as error:
            raise in_settings(error.within(f"layer {number} '{layer.text}': ")) from None
        if layer.kind == "save":
            kept[layer.name] = number
    return nodes
