"""The operation to translate, and what it consists of: the same few kernels on every channel, or a layer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from convcli.geometry import Geometry, Pads, Size
from convcli.layer import Layer
from convcli.records import NamedTuple

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """An operation on one image, checked and resolved."""

    source: str  # the path of the image; ``-`` if it has none
    layer: Layer  # its weights are float64
    geometry: Geometry  # every size, stride and padding
    parts: tuple[tuple[int, str], ...] = ()  # how a bank's outputs are joined, as in `convcli.pointwise.finish.Finish`
    # how kernels are applied to the channels: each, sum or gray. For weights it is gray or None.
    channels: str | None = "each"
    input_channels: int = 3  # colours of the image, before ``gray`` made one of them
    flipped: bool = False  # whether the operation flipped the kernel
    label: str = "kernel"  # names the operation
    linear: bool = False  # whether it works in linear light
    full_scale: float = 255.0  # the value of white
    weights: str = ""  # ``FILE[:KEY]`` or empty: scripts read long weights there
    tensor: bool = False  # whether it is a .npy file
    item: int | None = None  # which image of a batch ``(N, C, H, W)``; None: it is not a batch
    frames: int = 1  # of an animation or a document; the script takes the first
    drops_alpha: bool = False  # whether it has alpha that the operation does not read
    turned: bool = False  # whether its file may have an orientation
    # is added to the image before a transposed operation reads it; `geometry` is that of the larger image
    border: Extension | None = None

    def with_border(self) -> Request:
        """The same. What a transposed operation reads beyond the border is added to the image first."""
        geometry = self.geometry
        if not geometry.transpose or not any(geometry.reach):
            return self
        return replace(self, geometry=geometry.extended, border=Extension(geometry.reach, geometry.padding_mode))

    @property
    def size(self) -> Size:
        """Height and width of the image."""
        (height, width), pads = self.geometry.input, Pads(0, 0, 0, 0) if self.border is None else self.border.pads
        return Size(height - pads.top - pads.bottom, width - pads.left - pads.right)

    @property
    def padding(self) -> Extension:
        """What a direct operation reads beyond the border."""
        return Extension(self.geometry.pads, self.geometry.padding_mode)

    @property
    def gray(self) -> bool:
        """Whether several colours become gray first."""
        return self.channels == "gray" and self.input_channels > 1

    @property
    def each(self) -> Array | None:
        """The kernels ``(K, kh, kw)``, if the same ones are applied to every channel alone; else None."""
        inputs, weight = self.layer.inputs, self.layer.weight
        return _same(weight.reshape(inputs, -1, *weight.shape[2:])) if self.layer.groups == inputs else None

    @property
    def summed(self) -> Array | None:
        """The kernels ``(K, kh, kw)``, if each is applied to the sum of several channels; else None."""
        if self.layer.groups != 1 or self.layer.inputs == 1:
            return None
        return _same(self.layer.weight if self.layer.transpose else self.layer.weight.swapaxes(0, 1))

    @property
    def kernels(self) -> Array | None:
        """`each` or `summed`: the kernels ``(K, kh, kw)``, or None for a layer."""
        return self.summed if self.each is None else self.each

    @property
    def named(self) -> tuple[str, Array]:
        """The name that scripts give to the weights, and their values: ``kernel``, ``kernels``, or ``weight`` of a layer."""
        if (kernels := self.kernels) is None:
            return "weight", self.layer.weight.astype(np.float64, copy=False)
        return ("kernel", kernels[0]) if len(kernels) == 1 else ("kernels", kernels)

    @property
    def blocks(self) -> int:
        """How often the kernels of a bank are applied: once, or once for each channel."""
        return 1 if self.kernels is None else self.layer.outputs // len(self.kernels)

    @property
    def offset(self) -> float | None:
        """The bias if it is one value for all outputs, 0 if there is none; else None."""
        bias = self.layer.bias
        if bias is None:
            return 0.0
        return float(bias[0]) if (bias == bias[0]).all() else None

    @property
    def joined(self) -> tuple[Joined, ...]:
        """The parts of a bank whose outputs are combined. Empty if there are none."""
        parts, start = [], 0
        for count, rule in self.parts:
            rule = "none" if count == 1 and rule != "magnitude" else rule
            parts.append(Joined(start, start + count, rule))
            start += count
        return tuple(parts) if any(part.rule != "none" for part in parts) else ()

    @property
    def keeps_size(self) -> bool:
        """Whether a direct operation keeps the image's size, apart from its stride."""
        (top, bottom, left, right), (high, wide) = self.geometry.pads, self.geometry.extent
        return (top + bottom, left + right) == (high - 1, wide - 1)

    @property
    def centred(self) -> bool:
        """Whether the middle of the kernel is on the output; for an even size the second of two, as in SciPy, OpenCV and vips."""
        (top, _, left, _), (high, wide) = self.geometry.pads, self.geometry.extent
        return (top, left) == (high // 2, wide // 2)


def _same(blocks: NDArray[np.floating]) -> Array | None:
    """The first block, if all are the same."""
    return blocks[0].astype(np.float64, copy=False) if (blocks == blocks[0]).all() else None


class Extension(NamedTuple):
    """Rows and columns that are added to an image, and the padding mode that says what they hold."""

    pads: Pads
    mode: str


class Joined(NamedTuple):
    """Kernels ``start … stop - 1`` of a bank and the rule that joins their outputs."""

    start: int
    stop: int
    rule: str
