"""The operation on tensors: torch's own convolutions, and what they are handed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from convcli.backends.torch import transforms
from convcli.geometry import ZERO, Geometry


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """An operation with its tensors, on their device and in the dtype of the computation.

    Attributes
    ----------
    x, weight, bias : Tensor
        As in `convcli.backends.Task`; no bias is None.
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
        return "conv2d" if self.transform is None else "conv2d by fft"

    def run(self) -> torch.Tensor:
        """Compute."""
        return _transposed(self) if self.geometry.transpose else _direct(self)


def layer(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, geometry: Geometry, groups: int) -> Layer:
    """An operation, and the way it takes."""
    transform = None if geometry.transpose else transforms.dtype_for(x, weight)
    depthwise = weight.shape[1] == 1 < groups and x.device.type == "cpu" and not geometry.transpose
    if depthwise and transform is None and min(*x.shape[2:], *weight.shape[2:]) > 1:
        x = x.contiguous(memory_format=torch.channels_last)  # ten times faster; torch 2.13 crashes on sides of 1
    return Layer(x, weight, bias, geometry, groups, transform)


def _direct(layer: Layer) -> torch.Tensor:
    geometry, x = layer.geometry, layer.x
    top, bottom, left, right = geometry.pads
    padding = (0, 0)
    if geometry.padding_mode == "zeros" and top == bottom and left == right and layer.transform is None:
        padding = (top, left)
    elif geometry.padding_mode == "zeros":
        x = F.pad(x, (left, right, top, bottom))
    elif any(geometry.pads):
        # torch's own modes refuse pads as large as the image; gathering rows and columns does not.
        for axis, indices in ((2, geometry.row_indices), (3, geometry.column_indices)):
            assert ZERO not in indices
            x = x.index_select(axis, torch.tensor(indices, device=x.device))
    if layer.transform is not None:
        return transforms.correlate(x, layer.weight, layer.bias, geometry, layer.groups, layer.transform)
    return F.conv2d(x, layer.weight, layer.bias, geometry.stride, padding, geometry.dilation, layer.groups)


def _transposed(layer: Layer) -> torch.Tensor:
    x, weight, bias, geometry, groups = layer.x, layer.weight, layer.bias, layer.geometry, layer.groups
    top, bottom, left, right = geometry.pads
    limits = (max(s, d) for s, d in zip(geometry.stride, geometry.dilation, strict=True))
    small = all(p2 < limit for p2, limit in zip(geometry.output_padding, limits, strict=True))
    if top == bottom and left == right and small:
        return F.conv_transpose2d(
            x, weight, bias, geometry.stride, (top, left), geometry.output_padding, groups, geometry.dilation
        )
    full = F.conv_transpose2d(x, weight, bias, geometry.stride, groups=groups, dilation=geometry.dilation)
    rows, columns = geometry.output_padding
    if rows or columns:  # no input reaches these: they hold the bias alone
        extended = full.new_zeros((*full.shape[:2], full.shape[2] + rows, full.shape[3] + columns))
        if bias is not None:
            extended += bias[:, None, None]
        extended[:, :, : full.shape[2], : full.shape[3]] = full
        full = extended
    return full[:, :, top : top + geometry.output.height, left : left + geometry.output.width]
