"""The operation on tensors: torch's own convolutions, and what they are handed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from convcli.backends.torch import transforms
from convcli.geometry import ZERO, Geometry


@dataclass(frozen=True, slots=True, eq=False)
class Tensors:
    """An operation with its tensors, on their device and in the dtype of the computation.

    Attributes
    ----------
    x, weight, bias : Tensor
        As in `convcli.layer.Layer`; no bias is None.
    geometry : Geometry
    groups : int
    transform : torch.dtype or None
        The dtype in which the operation goes through the frequency domain; None: by torch's own convolution.
    """

    x: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor | None
    geometry: Geometry
    groups: int
    transform: torch.dtype | None

    @property
    def call(self) -> str:
        """What computes it."""
        if self.geometry.transpose:
            return "conv_transpose2d"
        if self.transform is None:
            return "conv2d"
        return "conv2d by fft" + (" in float64" if self.transform != self.x.dtype else "")

    def run(self) -> torch.Tensor:
        """Compute."""
        return _transposed(self) if self.geometry.transpose else _direct(self)


FEW_CHANNELS = 8
"""Channels up to which planes are laid side by side on the CPU: that takes less time than it saves. With more, it may not."""


def tensors(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, geometry: Geometry, groups: int
) -> Tensors:
    """An operation, and the way it takes; pixels ``(N, C, H, W)`` of any dtype become of the weights'."""
    source = x.dtype
    layout = torch.channels_last if _side_by_side(x, weight) else torch.contiguous_format
    # One copy at most: `to` makes none where only the layout is another, and it does not see that.
    x = x.to(weight.dtype, memory_format=layout).contiguous(memory_format=layout)
    narrow = not source.is_floating_point and source.itemsize <= 2
    return Tensors(x, weight, bias, geometry, groups, transforms.dtype_for(x, weight, geometry, groups, narrow))


def plainly(x: torch.Tensor) -> torch.Tensor:
    """The same tensor; where its values lie in the order of its axes, the strides say so.

    Those of a side of 1 say nothing, but torch reads channels_last from them, too, and then goes wrong on other sides of 1: it
    writes where it must not (2.13).
    """
    return x.view(-1).view(x.shape) if x.is_contiguous() else x


def _side_by_side(x: torch.Tensor, weight: torch.Tensor) -> bool:
    """Whether the channels of a pixel are to lie side by side (channels_last), as those of decoded pictures do.

    On the CPU torch is 1.5 to 30 times faster so, in the types that its fast code is for; float64 takes up to six times longer.
    """
    if x.device.type != "cpu" or weight.dtype not in (torch.float32, torch.bfloat16) or x.shape[1] == 1:
        return False
    if min(*x.shape[2:], *weight.shape[2:]) == 1:  # torch 2.13 crashes
        return False
    return x.shape[1] <= FEW_CHANNELS or x.stride(1) < x.stride(3)


def _direct(made: Tensors) -> torch.Tensor:
    geometry, x = made.geometry, made.x
    top, bottom, left, right = geometry.pads
    padding, zeros = (0, 0), geometry.padding_mode == "zeros"
    if zeros and top == bottom and left == right and made.transform is None:
        padding = (top, left)
    elif any(geometry.pads):
        x = F.pad(x, (left, right, top, bottom)) if zeros else _gathered(x, geometry)
    if made.transform is not None:
        return transforms.correlate(x, made.weight, made.bias, geometry, made.groups, made.transform)
    return F.conv2d(plainly(x), made.weight, made.bias, geometry.stride, padding, geometry.dilation, made.groups)


def _gathered(x: torch.Tensor, geometry: Geometry) -> torch.Tensor:
    """The input with its border, row by row and column by column: torch's own modes refuse pads as large as the image."""
    interleaved = not x.is_contiguous()
    if interleaved:  # what index_select returns is contiguous in the order of its axes
        x = x.permute(0, 2, 3, 1)
    for axis, indices in enumerate((geometry.row_indices, geometry.column_indices), 1 if interleaved else 2):
        assert ZERO not in indices
        x = x.index_select(axis, torch.tensor(indices, device=x.device))
    return x.permute(0, 3, 1, 2) if interleaved else x


def _transposed(made: Tensors) -> torch.Tensor:
    x, weight, bias, geometry, groups = made.x, made.weight, made.bias, made.geometry, made.groups
    if any(geometry.reach):
        x, geometry = _gathered(x, geometry), geometry.extended
    top, bottom, left, right = geometry.pads
    limits = (max(s, d) for s, d in zip(geometry.stride, geometry.dilation, strict=True))
    small = all(p2 < limit for p2, limit in zip(geometry.output_padding, limits, strict=True))
    if top == bottom and left == right and small:
        return F.conv_transpose2d(
            plainly(x), weight, bias, geometry.stride, (top, left), geometry.output_padding, groups, geometry.dilation
        )
    full = F.conv_transpose2d(plainly(x), weight, bias, geometry.stride, groups=groups, dilation=geometry.dilation)
    rows, columns = geometry.output_padding
    if rows or columns:  # no input reaches these: they hold the bias alone
        extended = full.new_zeros((*full.shape[:2], full.shape[2] + rows, full.shape[3] + columns))
        if bias is not None:
            extended += bias[:, None, None]
        extended[:, :, : full.shape[2], : full.shape[3]] = full
        full = extended
    return full[:, :, top : top + geometry.output.height, left : left + geometry.output.width]
