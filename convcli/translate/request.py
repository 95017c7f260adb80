"""The operation to translate, and what it consists of: the same few kernels on every channel, or a layer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.geometry import Geometry, Pads, Size


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """An operation on one image, checked and resolved.

    Attributes
    ----------
    source : str
        The path of the image; ``-`` stands for one that has no name.
    weight : ndarray
        float64 ``(C_out, C_in/groups, kh, kw)``, transposed ``(C_in, C_out/groups, kh, kw)``, as it is applied: already
        flipped where the operation flips it.
    geometry : Geometry
        Every size, stride and padding.
    groups : int
    bias : ndarray or None
        ``(C_out,)``, in pixel units.
    parts : tuple of (int, str)
        How the outputs of a bank are joined, as in `convcli.pointwise.finish.Finish`.
    channels : {"each", "sum", "gray"} or None
        How kernels are applied to the channels. ``gray`` also with weights; None for weights without ``gray``.
    input_channels : int
        Colours of the image, before ``gray`` made one of them.
    flipped : bool
        Whether the operation flipped the kernel.
    label : str
        Names the operation.
    linear : bool
        Whether it works in linear light.
    full_scale : float
        The value of white.
    weights : str
        ``FILE[:KEY]`` of the weights, or empty: read by scripts for which they are too many to paste.
    tensor : bool
        Whether it is a .npy file.
    item : int or None
        Which image of a batch ``(N, C, H, W)``; None: it is no batch.
    frames : int
        Of an animation or a document, of which the first is meant.
    transparent : bool
        Whether it has opacity, which the operation does not read.
    border : Border or None
        What is added to the image before a transposed operation reads it; `geometry` is then that of the larger image.
    """

    source: str
    weight: NDArray[np.float64]
    geometry: Geometry
    groups: int = 1
    bias: NDArray[np.float64] | None = None
    parts: tuple[tuple[int, str], ...] = ()
    channels: str | None = "each"
    input_channels: int = 3
    flipped: bool = False
    label: str = "kernel"
    linear: bool = False
    full_scale: float = 255.0
    weights: str = ""
    tensor: bool = False
    item: int | None = None
    frames: int = 1
    transparent: bool = False
    border: Border | None = None

    def with_border(self) -> Request:
        """The same, with what a transposed operation reads beyond the border added to the image first."""
        geometry = self.geometry
        if not geometry.transpose or not any(geometry.reach):
            return self
        return replace(self, geometry=geometry.extended, border=Border(geometry.reach, geometry.padding_mode))

    @property
    def size(self) -> Size:
        """Height and width of the image."""
        (height, width), pads = self.geometry.input, Pads(0, 0, 0, 0) if self.border is None else self.border.pads
        return Size(height - pads.top - pads.bottom, width - pads.left - pads.right)

    @property
    def gray(self) -> bool:
        """Whether several colours become gray first."""
        return self.channels == "gray" and self.input_channels > 1

    @property
    def planes(self) -> int:
        """Channels that the weights take, C_in."""
        return int(self.weight.shape[0] if self.geometry.transpose else self.weight.shape[1] * self.groups)

    @property
    def outputs(self) -> int:
        """Channels before they are joined, C_out."""
        return int(self.weight.shape[1] * self.groups if self.geometry.transpose else self.weight.shape[0])

    @property
    def each(self) -> NDArray[np.float64] | None:
        """The kernels ``(K, kh, kw)``, if the same ones are applied to every channel alone; else None."""
        if self.groups != self.planes:
            return None
        blocks = self.weight.reshape(self.planes, -1, *self.weight.shape[2:])
        return blocks[0] if (blocks == blocks[0]).all() else None

    @property
    def summed(self) -> NDArray[np.float64] | None:
        """The kernels ``(K, kh, kw)``, if each is applied to the sum of several channels; else None."""
        if self.groups != 1 or self.planes == 1:
            return None
        blocks = self.weight if self.geometry.transpose else self.weight.swapaxes(0, 1)
        return blocks[0] if (blocks == blocks[0]).all() else None

    @property
    def kernels(self) -> NDArray[np.float64] | None:
        """`each` or `summed`: the kernels ``(K, kh, kw)``, or None for a layer."""
        return self.summed if self.each is None else self.each

    @property
    def blocks(self) -> int:
        """How often the kernels of a bank are applied: once for each channel, or once."""
        return 1 if self.kernels is None else self.outputs // len(self.kernels)

    @property
    def offset(self) -> float | None:
        """The bias if it is one value for all outputs, 0 if there is none; else None."""
        if self.bias is None:
            return 0.0
        return float(self.bias[0]) if (self.bias == self.bias[0]).all() else None

    @property
    def joined(self) -> tuple[Part, ...]:
        """The parts of a bank whose outputs are combined. Empty if there are none."""
        parts, start = [], 0
        for count, rule in self.parts:
            rule = "none" if count == 1 and rule != "magnitude" else rule
            parts.append(Part(start, start + count, rule))
            start += count
        return tuple(parts) if any(part.rule != "none" for part in parts) else ()

    @property
    def window(self) -> Window:
        """How the padding compares with the dilated kernel."""
        pads, (high, wide) = self.geometry.pads, self.geometry.extent
        keeps = (pads.top + pads.bottom, pads.left + pads.right) == (high - 1, wide - 1)
        return Window(keeps, (pads.top, pads.left) == (high // 2, wide // 2))


class Border(NamedTuple):
    """Rows and columns that are added to an image, and the padding mode that says what they hold."""

    pads: Pads
    mode: str


class Part(NamedTuple):
    """Kernels ``start … stop - 1`` of a bank and the rule that joins their outputs."""

    start: int
    stop: int
    rule: str


class Window(NamedTuple):
    """Whether a direct operation keeps the image's size (apart from its stride), and whether the kernel is centred on the output.

    The middle of an even size is the second of two, as in SciPy, OpenCV and vips.
    """

    keeps_size: bool
    centred: bool
