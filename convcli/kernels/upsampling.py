"""Named kernels that enlarge: for `convcli transpose` with the factor as its stride.

A padding of (side - factor)/2 keeps the pixels in their places. The padding rule ``same-upper`` gives this padding.
"""

from __future__ import annotations

import numpy as np

from convcli.kernels.named import MAX_SIDE, Matrix, check_range, named, places


def _taps(factor: int, reach: int) -> Matrix:
    """The place of each tap, in pixels of the small image from the centre, up to `reach` pixels away: ``(side,)``."""
    check_range("factor", factor, 1, MAX_SIDE // (2 * reach))
    return places(2 * reach * factor - factor % 2) / factor


@named("sum factor²", "PyTorch's and Pillow's nearest")
def nearest(factor: int = 2) -> Matrix:
    """Every pixel repeated factor times in both directions, with stride factor and padding 0."""
    check_range("factor", factor, 1, MAX_SIDE)
    return np.ones((factor, factor))


@named("sum factor²", "Long, Shelhamer and Darrell (2015); PyTorch's interpolate")
def bilinear(factor: int = 2) -> Matrix:
    """Bilinear interpolation for a transposed convolution with stride factor.

    The initialisation of Long, Shelhamer and Darrell, "Fully convolutional networks" (2015): side ``2f - f mod 2``;
    with stride f and padding ⌈(f-1)/2⌉ it enlarges as `torch.nn.functional.interpolate(align_corners=False)` does,
    at the border with ``padding_mode replicate``.
    """
    row = 1 - np.abs(_taps(factor, 1))
    return np.outer(row, row)


@named("sum factor²", "Keys (1981): a = -0.75 in PyTorch and OpenCV, -0.5 in Pillow")
def bicubic(factor: int = 2, a: float = -0.75) -> Matrix:
    """Cubic convolution for a transposed convolution with stride factor: side 4f - f mod 2, padding ⌈(3f-1)/2⌉.

    With ``padding_mode replicate`` it enlarges as `torch.nn.functional.interpolate(align_corners=False)` does.
    Keys, "Cubic convolution interpolation for digital image processing", IEEE Trans. ASSP 29(6), 1981.
    """
    x = np.abs(_taps(factor, 2))
    near = ((a + 2) * x - (a + 3)) * x**2 + 1
    far = a * (((x - 5) * x + 8) * x - 4)
    row = np.where(x < 1, near, far)
    return np.outer(row, row)


@named("sum factor²", "Duchon (1979); Pillow's LANCZOS (3 lobes), libvips, ImageMagick")
def lanczos(factor: int = 2, lobes: int = 3) -> Matrix:
    """Windowed sinc for a transposed convolution with stride factor: side 2·lobes·f - f mod 2, padding (side - f)/2.

    Every phase is scaled to sum 1, as resizers do, so that a plain area keeps its value.
    """
    check_range("lobes", lobes, 1, 16)
    x = _taps(factor, lobes)
    row = np.sinc(x) * np.sinc(x / lobes)
    for phase in range(factor):
        row[phase::factor] /= row[phase::factor].sum()
    return np.outer(row, row)
