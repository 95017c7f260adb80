"""Large kernels on few channels in the frequency domain, for the whole image at once.

As in the numpy backend, the rounding errors of a transform are relative to the largest of all values. So values with a
wide range are transformed in float64. If the range is even wider, or if there is a NaN or an infinity, torch's own
convolution is used.
"""

from __future__ import annotations

from math import inf, prod

import torch
import torch.nn.functional as F

from convcli.backends import SMALL, TOO_WIDE, WIDE, block, scale_of, spectra
from convcli.geometry import Geometry, Size


def dtype_for(
    x: torch.Tensor, weight: torch.Tensor, geometry: Geometry, groups: int, narrow: bool = False
) -> torch.dtype | None:
    """The dtype in which an operation is transformed, or None if it is not. Sizes and values decide.

    `narrow` says that the pixels were integers of at most 16 bits. Their range is never too wide, so they are not
    looked at. The windows of a dilated kernel may miss the pixels that raise the mean of a block. They are always done
    in float64.
    """
    if x.dtype not in (torch.float32, torch.float64) or not spectra.suits(weight.shape, groups, geometry):
        return None
    if not x.numel():  # an empty batch
        return None
    if narrow:
        return x.dtype
    sizes = x.abs()
    largest = float(sizes.max())
    if largest == 0:
        return x.dtype
    if not largest < torch.finfo(x.dtype).max * SMALL:  # also for NaN and infinity
        return None
    sides = [min(block(taps), side) for taps, side in zip(weight.shape[2:], x.shape[2:], strict=True)]
    sums = F.avg_pool2d(sizes, sides, ceil_mode=True, divisor_override=1)
    ratio = largest * prod(sides) / float(sums.where(sums > 0, inf).min())
    if ratio > TOO_WIDE:
        return None
    return torch.float64 if ratio > WIDE or max(geometry.dilation) > 1 else x.dtype


def correlate(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    geometry: Geometry,
    groups: int,
    dtype: torch.dtype,
) -> torch.Tensor:
    """The direct operation on a padded input, as the product of its transform and the conjugate transform of the kernel.

    The outputs that wrap around come after the last window and are cut off. Equal kernels are transformed once: an
    image filter has the same kernel for every channel. `convcli.backends.spectra.HELD` limits the spectra that are held
    at a time.
    """
    count, channels, *size = x.shape
    filters, inputs = weight.shape[:2]
    sides = spectra.sides_for(size)
    each = spectra.COPIES * spectra.plane_bytes(sides, dtype.itemsize)
    image = x.new_empty((count, channels, sides.height, sides.width // 2 + 1), dtype=dtype.to_complex())
    for few in spectra.blocks(count, channels * each):
        for part in spectra.blocks(channels, (few.stop - few.start) * each):
            image[few, part] = torch.fft.rfft2(x[few, part].to(dtype), sides)
    image = image.view(count, groups, inputs, *image.shape[2:])
    out = x.new_empty((count, filters, *geometry.output))
    scale = scale_of(float(weight.double().abs().sum(dim=(1, 2, 3)).max()))
    kernels, inverse = torch.unique(weight / scale if scale != 1 else weight, dim=0, return_inverse=True)
    which: list[int] = inverse.tolist()
    for some in spectra.blocks(len(kernels), inputs * each):
        conjugate = _kernels(kernels[some], sides, dtype, geometry)
        members = [o for o, kernel in enumerate(which) if some.start <= kernel < some.stop]
        for few in spectra.blocks(count, each):
            for part in spectra.blocks(len(members), (few.stop - few.start) * each):
                pairs = [(o // (filters // groups), which[o] - some.start) for o in members[part]]
                dense = torch.fft.irfft2(_products(image[few], conjugate, pairs), sides)
                for plane, o in enumerate(members[part]):
                    out[few, o] = _kept(dense[:, plane], geometry)
    if scale != 1:
        out *= scale
    return out if bias is None else out.add_(bias[:, None, None])


def _kernels(kernels: torch.Tensor, sides: Size, dtype: torch.dtype, geometry: Geometry) -> torch.Tensor:
    """The conjugate spectra of kernels, with their taps spread by the dilation."""
    d, e = geometry.dilation
    spread = torch.zeros((*kernels.shape[:2], *geometry.extent), dtype=dtype, device=kernels.device)
    spread[..., ::d, ::e] = kernels
    found: torch.Tensor = torch.fft.rfft2(spread, sides)
    return found.conj_physical_()


def _products(image: torch.Tensor, kernels: torch.Tensor, pairs: list[tuple[int, int]]) -> torch.Tensor:
    """For each pair of a group and a kernel, the product of their spectra, summed over the group's channels."""
    out = image.new_empty((len(image), len(pairs), *image.shape[-2:]))
    for plane, (group, kernel) in enumerate(pairs):
        torch.mul(image[:, group, 0], kernels[kernel, 0], out=out[:, plane])
        for channel in range(1, kernels.shape[1]):
            out[:, plane] += image[:, group, channel] * kernels[kernel, channel]
    return out


def _kept(dense: torch.Tensor, geometry: Geometry) -> torch.Tensor:
    """The outputs that a stride keeps of dense results, without those that wrap around."""
    (s, t), (height, width) = geometry.stride, geometry.output
    return dense[..., : s * (height - 1) + 1 : s, : t * (width - 1) + 1 : t]
