"""Large kernels of few channels through the frequency domain, the whole image at once.

As in the numpy backend's transforms, rounding is relative to the largest value of all: a wide range of values is done in
float64, a wider one, or one with a NaN or an infinity, is left to torch's own convolution.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from convcli.geometry import Geometry

TAPS, CHANNELS = 225, 4
"""Kernels from which, and channels in a group up to which, transforms are worth it; found on the CPU, where torch's own
convolution of a photograph with 31×31 taps takes a minute and a half."""

MOST_FILTERS = 16
"""Filters for each channel up to which they are: the transforms of each take twice the image's memory, or more."""

BLOCK = 16
"""Rows and columns over which faint values are averaged."""

WIDE, TOO_WIDE = 2.0**8, 2.0**32
"""Ranges of an image (largest value over the faintest block) above which it is done in float64, and not at all."""


def dtype_for(x: torch.Tensor, weight: torch.Tensor) -> torch.dtype | None:
    """The dtype in which a direct operation is transformed, or None if it is not: a look at sizes and values."""
    filters, inputs, kh, kw = weight.shape
    if kh * kw < TAPS or inputs > CHANNELS or min(kh, kw) == 1 or x.dtype not in (torch.float32, torch.float64):
        return None
    if filters > MOST_FILTERS * x.shape[1]:
        return None
    if not x.numel():  # of an empty batch there is nothing to look at
        return None
    sizes = x.abs()
    largest = float(sizes.max())
    if largest == 0:
        return x.dtype
    means = F.avg_pool2d(sizes, BLOCK, ceil_mode=True, count_include_pad=False)
    faintest = float(means[means > 0].min()) if largest == largest else 0.0
    ratio = largest / faintest if 0 < faintest < largest * 2 else 1.0
    if not largest < torch.finfo(x.dtype).max * 2.0**-32 or ratio > TOO_WIDE:  # NaN and infinities, too
        return None
    return torch.float64 if ratio > WIDE else x.dtype


def correlate(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    geometry: Geometry,
    groups: int,
    dtype: torch.dtype,
) -> torch.Tensor:
    """The direct operation on a padded input, as a product of its transform and the kernel's conjugate one.

    The wrap-around of the periodic correlation falls on outputs beyond the last window, which are cut off.
    """
    count, _, *size = x.shape
    filters, inputs = weight.shape[:2]
    (s, t), (d, e), (height, width) = geometry.stride, geometry.dilation, geometry.output
    sides = [_fast_side(side) for side in size]
    spread = torch.zeros((filters, inputs, *geometry.extent), dtype=dtype, device=weight.device)
    spread[..., ::d, ::e] = weight
    image = torch.fft.rfft2(x.to(dtype), sides).reshape(count, groups, 1, inputs, sides[0], -1)
    kernel = torch.fft.rfft2(spread, sides).conj().reshape(1, groups, filters // groups, inputs, sides[0], -1)
    product = image[:, :, :, 0] * kernel[:, :, :, 0]
    for channel in range(1, inputs):
        product += image[:, :, :, channel] * kernel[:, :, :, channel]
    dense = torch.fft.irfft2(product.reshape(count, filters, sides[0], -1), sides)
    out: torch.Tensor = dense[..., : s * (height - 1) + 1 : s, : t * (width - 1) + 1 : t].to(x.dtype)
    return out.contiguous() if bias is None else out + bias[:, None, None]


def _fast_side(side: int) -> int:
    """The next even number whose prime factors are 2, 3 and 5."""
    while True:
        rest = side
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1 and side % 2 == 0:
            return side
        side += 1
