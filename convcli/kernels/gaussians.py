"""Named kernels that are Gaussians of another definition or form, or blur along a line.

Sigmas are in pixels, angles in degrees, counter-clockwise.
"""

from __future__ import annotations

from math import ceil, cos, erf, radians, sin, sqrt

import numpy as np

from convcli.kernels.named import MAX_SIDE, Matrix, check_range, named, out_of_range, places, size_of, sum_one
from convcli.kernels.smoothing import gaussian_1d, gaussian_size, minimum_amplitude, too_wide


def _squared(row: Matrix) -> Matrix:
    """The outer product with itself of a row scaled to sum 1."""
    scaled = sum_one(row)
    return np.outer(scaled, scaled)


@named("sum 1", "Lindeberg (1990); kornia's gaussian_discrete")
def gaussian_discrete(sigma: float = 1.0, size: int | None = None) -> Matrix:
    """Lindeberg's discrete Gaussian, exp(-σ²) I_n(σ²): blurs follow each other without error; size must be odd.

    Lindeberg, "Scale-space for discrete signals", IEEE Trans. PAMI 12(3), 1990. The values come from its Fourier transform,
    exp(σ²(cos ω - 1)), sampled at enough points to make the sampling error smaller than rounding.
    """
    side = size_of(gaussian_size(sigma, size))
    if sigma > MAX_SIDE:
        raise out_of_range(f"sigma {sigma:g}", f"{MAX_SIDE} or less")
    points = 2 * (side + ceil(12 * sigma) + 40)
    omega = 2 * np.pi * np.arange(points // 2 + 1) / points
    half = np.fft.irfft(np.exp(sigma**2 * (np.cos(omega) - 1)), points)[: side // 2 + 1].clip(min=0)
    return _squared(np.concatenate([half[:0:-1], half]))


@named("sum 1", "kornia's gaussian_erf, MONAI")
def gaussian_erf(sigma: float = 1.0, size: int | None = None) -> Matrix:
    """Gaussian integrated over each pixel rather than sampled at its centre."""
    side = gaussian_size(sigma, size)
    edges = (np.arange(side + 1) - side / 2) / (sqrt(2) * sigma)
    return _squared(np.diff([erf(edge) for edge in edges]))


@named("sum 1", "kornia's gaussian with two sigmas, OpenCV's sigmaX and sigmaY")
def gaussian_ellipse(sigma_y: float = 1.0, sigma_x: float = 2.0, angle: float = 0.0, size: int | None = None) -> Matrix:
    """Sampled Gaussian of two standard deviations, turned by angle (counter-clockwise)."""
    place = places(max(gaussian_size(sigma, size) for sigma in (sigma_y, sigma_x)))
    x, y, cosine, sine = place[None, :], place[:, None], cos(radians(angle)), sin(radians(angle))
    power = ((x * cosine - y * sine) / sigma_x) ** 2 + ((x * sine + y * cosine) / sigma_y) ** 2
    return sum_one(np.exp((power.min() - power) / 2))


@named("sum 1", "libvips (floating point)")
def gaussmat(sigma: float = 1.0, min_ampl: float = 0.2) -> Matrix:
    """Sampled Gaussian out to where it falls below min_ampl of its peak."""
    minimum_amplitude(min_ampl)
    gaussian_size(sigma, 1)
    reach = int((np.exp(-(np.arange(1, MAX_SIDE) ** 2) / (2 * sigma**2)) >= min_ampl).sum())
    if 2 * reach + 1 > MAX_SIDE:
        raise too_wide(sigma)
    row = gaussian_1d(sigma, 2 * reach + 1)
    return np.outer(row, row)


@named("sum 0", "Canny (1986); SciPy's gaussian_gradient_magnitude", "x y")
def gaussian_gradient(sigma: float = 1.0, size: int | None = None) -> dict[str, Matrix]:
    """Gradient magnitude of a Gaussian-blurred image, in brightness per pixel: x/σ² times the Gaussian, and y/σ²."""
    side = gaussian_size(sigma, size, 4)
    row = gaussian_1d(sigma, side)
    x = np.outer(row, row * places(side) / sigma**2)
    return {"x": x, "y": x.T.copy()}


@named("sum 1", "kornia's hanning, not normalised there")
def hanning(size: int = 5) -> Matrix:
    """Outer product of a raised cosine, ½ - ½cos(2πn/(size-1)), whose ends are 0."""
    size_of(size, odd=False, least=3)
    return _squared(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / (size - 1)))


def _by_thirds(sigma: float, first: int, count: int) -> Matrix:
    """ImageMagick's Gaussian: sampled at thirds of pixels, from third `first` on, summed over each of `count` pixels; sum 1."""
    thirds = (np.arange(3 * count) + first) / 3
    return sum_one(np.exp(((thirds**2).min() - thirds**2) / (2 * sigma**2)).reshape(count, 3).sum(axis=1))


def _turned(row: Matrix, angle: int) -> Matrix:
    if angle % 90:
        raise out_of_range(f"angle {angle}", "a multiple of 90, or motion for a slanted line")
    return np.ascontiguousarray(np.rot90(row[np.newaxis], angle // 90 % 4))


@named("sum 1", "ImageMagick's Blur")
def blur(sigma: float = 1.0, size: int | None = None, angle: int = 0) -> Matrix:
    """Gaussian along one row (angle 0) or column (90), sampled at the thirds of pixels."""
    side = size_of(gaussian_size(sigma, size))
    return _turned(_by_thirds(sigma, -(3 * side // 2), side), angle)


@named("sum 1", "ImageMagick's Comet flipped, for convolution")
def comet(sigma: float = 1.0, length: int | None = None, angle: int = 0) -> Matrix:
    """Half a Gaussian: every bright point draws a tail of length pixels, itself included, to angle (0: right, 90: up)."""
    whole = gaussian_size(sigma, None if length is None else 1)
    pixels = whole // 2 + 1 if length is None else length
    size_of(pixels, "length", odd=False, most=MAX_SIDE // 2 + 1)
    tail = _by_thirds(sigma, 0, pixels)
    return _turned(np.concatenate([tail[::-1], np.zeros(pixels - 1)]), angle)


@named("sum 1", "kornia's motion")
def motion_nearest(size: int = 9, angle: float = 0.0, direction: float = 0.0) -> Matrix:
    """Mean along a line turned by nearest sampling; direction 1 weights its left end at angle 0, -1 its right.

    In motion, a pixel weighs as much as the part of the line within it, and direction 1 weights the right end.
    """
    size_of(size, least=3)
    check_range("direction", direction, -1, 1)
    first = (direction + 1) / 2
    line, centre, x, turn = np.linspace(first, 1 - first, size), size // 2, places(size), radians(angle % 360)
    # Rounded to 2⁻²⁰ first. A source halfway between two pixels is then exactly halfway and is rounded to the even pixel.
    column, row = (
        np.rint(np.rint(place * 2**20) / 2**20 + centre).astype(int)
        for place in (
            cos(turn) * x[None, :] - sin(turn) * x[:, None],
            sin(turn) * x[None, :] + cos(turn) * x[:, None],
        )
    )
    on = (row == centre) & (column >= 0) & (column < size)
    return sum_one(np.where(on, line[column.clip(0, size - 1)], 0.0))
