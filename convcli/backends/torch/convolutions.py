"""The operation on tensors: torch's own convolutions, and their arguments."""

from __future__ import annotations

from math import ceil, isfinite, log2

import torch
import torch.nn.functional as F

from convcli.backends.torch import transforms
from convcli.geometry import ZERO, Geometry
from convcli.records import NamedTuple


class Tensors(NamedTuple):
    """An operation with its tensors, on their device and in the dtype of the computation."""

    # the pixels ``(N, C_in, H, W)``, and the weights and bias as in `convcli.layer.Layer`; the bias may be None
    x: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor | None
    geometry: Geometry
    groups: int
    transform: torch.dtype | None  # the dtype of the transforms; None: torch's own convolution is used
    # what the results are multiplied by, because the pixels and the bias were divided by it (see `_scale_of`)
    scale: float = 1.0

    @property
    def call(self) -> str:
        """The name of the function that computes it, for the plan."""
        if self.geometry.transpose:
            return "conv_transpose2d"
        if self.transform is None:
            return "conv2d"
        return "conv2d by fft" + (" in float64" if self.transform != self.x.dtype else "")

    def run(self) -> torch.Tensor:
        """Compute the result ``(N, C_out, H_out, W_out)``: in the dtype of the pixels, or in float32 if it is scaled."""
        out = _transposed(self) if self.geometry.transpose else _direct(self)
        return out if self.scale == 1 else out.float() * self.scale


HALF = 65504.0
"""The largest number of float16."""

FEW_CHANNELS = 8
"""Up to this many channels, planes are interleaved on the CPU, which takes less time than it saves. With more channels
it may not."""


def tensors(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, geometry: Geometry, groups: int
) -> Tensors:
    """An operation, and how it is computed. Pixels ``(N, C, H, W)`` of any dtype are converted to the dtype of the weights."""
    source, scale = x.dtype, 1.0
    if weight.dtype is torch.float16 and (scale := _scale_of(x, weight, bias, geometry, groups)) != 1:
        x, bias = x.double() / scale, None if bias is None else bias / scale
    bias = None if bias is None else bias.to(weight.dtype)
    layout = torch.channels_last if _side_by_side(x, weight, geometry) else torch.contiguous_format
    # At most one copy is made: if only the layout differs, `to` ignores this, and `contiguous` makes the copy.
    x = x.to(weight.dtype, memory_format=layout).contiguous(memory_format=layout)
    narrow = not source.is_floating_point and source.itemsize <= 2
    kind = transforms.dtype_for(x, weight, geometry, groups, narrow)
    return Tensors(x, weight, bias, geometry, groups, kind, scale)


def _scale_of(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, geometry: Geometry, groups: int
) -> float:
    """A power of two: float16 holds all results, and the pixels, if pixels and bias are divided by it. 1 if it does anyway.

    White of 16 bits is larger than its largest number.
    """
    sizes = weight.abs().double()
    if geometry.transpose:
        sizes = sizes.reshape(groups, -1, *sizes.shape[1:])
    sums = float(sizes.sum(dim=(1, 3, 4) if geometry.transpose else (1, 2, 3)).max())
    low, high = (float(edge) for edge in torch.aminmax(x.double())) if x.numel() else (0.0, 0.0)
    peak = max(-low, high) * max(1.0, sums) + (0.0 if bias is None else float(bias.abs().max()))
    return 2.0 ** max(0, ceil(log2(peak / HALF))) if isfinite(peak) and peak > HALF else 1.0


def plainly(x: torch.Tensor) -> torch.Tensor:
    """The same tensor. If its values are in the order of its axes, its strides are set to say so.

    The stride of an axis of length 1 can be any number. But torch (2.13) may take it for channels_last, and then writes
    out of bounds if other axes have length 1.
    """
    return x.view(-1).view(x.shape) if x.is_contiguous() else x


def _side_by_side(x: torch.Tensor, weight: torch.Tensor, geometry: Geometry) -> bool:
    """Whether to interleave the channels of each pixel (channels_last), as in decoded pictures.

    On the CPU, torch is then 1.5 to 30 times faster in the dtypes that its fast code supports. float64 would take up to
    six times longer.
    """
    if x.device.type != "cpu" or weight.dtype not in (torch.float32, torch.bfloat16) or x.shape[1] == 1:
        return False
    if min(*x.shape[2:], *weight.shape[2:]) == 1:  # torch 2.13 would crash
        return False
    if weight.dtype is torch.bfloat16 and geometry.output.width == 1:  # torch 2.13 would leave results out
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
    """The input with its border, gathered by rows and by columns: torch's own padding refuses pads as large as the image."""
    interleaved = not x.is_contiguous()
    if interleaved:  # index_select returns a tensor that is contiguous in the order of its axes
        x = x.permute(0, 2, 3, 1)
    for axis in (0, 1):
        indices = geometry.indices(axis)
        assert ZERO not in indices
        x = x.index_select(axis + (1 if interleaved else 2), torch.tensor(indices, device=x.device))
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
    rows, columns = (-(-p2 // s) for p2, s in zip(geometry.output_padding, geometry.stride, strict=True))
    if rows or columns:  # for outputs that no input reaches
        x = F.pad(x, (0, columns, 0, rows))
    full = F.conv_transpose2d(plainly(x), weight, bias, geometry.stride, groups=groups, dilation=geometry.dilation)
    return full[:, :, top : top + geometry.output.height, left : left + geometry.output.width]
