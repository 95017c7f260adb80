"""Named kernels that are Gaussians of another definition or form, or blur along a line.

Sigmas are in pixels, angles in degrees, counter-clockwise.
"""

from __future__ import annotations

from math import ceil, cos, erf, log, radians, sin, sqrt

import numpy as np

from convcli.errors import KernelError
from convcli.kernels.named import MAX_SIDE, Matrix, named, out_of_range, size_of, sum_one
from convcli.kernels.smoothing import gaussian_1d, gaussian_size, minimum_amplitude


def _squared(row: Matrix) -> Matrix:
    """The outer product with itself of a row scaled to sum 1."""
    scaled = sum_one(row)
    return np.outer(scaled, scaled)


@named(scale="sum 1", source="Lindeberg (1990); kornia's gaussian_discrete")
def gaussian_discrete(sigma: float = 1.0, size: int | None = None) -> Matrix:
    """Lindeberg's discrete Gaussian, exp(-σ²) I_n(σ²): blurs follow each other without error; size must be odd.

    Lindeberg, "Scale-space for discrete signals", IEEE Trans. PAMI 12(3), 1990. The values come from its Fourier transform,
    exp(σ²(cos ω - 1)), sampled at so many points that the error of sampling is below rounding.
    """
    side = size_of(gaussian_size(sigma, size, "gaussian-discrete"), "gaussian-discrete")
    if sigma > MAX_SIDE:
        raise out_of_range(f"gaussian-discrete sigma {sigma:g}", f"{MAX_SIDE} or less")
    points = 2 * (side + ceil(12 * sigma) + 40)
    omega = 2 * np.pi * np.arange(points // 2 + 1) / points
    half = np.fft.irfft(np.exp(sigma**2 * (np.cos(omega) - 1)), points)[: side // 2 + 1].clip(min=0)
    row = np.concatenate([half[:0:-1], half])
    return _squared(row)


@named(scale="sum 1", source="kornia's gaussian_erf, MONAI")
def gaussian_erf(sigma: float = 1.0, size: int | None = None) -> Matrix:
    """Gaussian integrated over each pixel rather than sampled at its centre."""
    side = gaussian_size(sigma, size, "gaussian-erf")
    edges = (np.arange(side + 1) - side / 2) / (sqrt(2) * sigma)
    row = np.diff([erf(edge) for edge in edges])
    return _squared(row)


@named(scale="sum 1", source="kornia's gaussian with two sigmas, OpenCV's sigmaX and sigmaY")
def gaussian_ellipse(sigma_y: float = 1.0, sigma_x: float = 2.0, angle: float = 0.0, size: int | None = None) -> Matrix:
    """Sampled Gaussian of two standard deviations, turned by angle (counter-clockwise)."""
    side = max(gaussian_size(sigma, size, "gaussian-ellipse") for sigma in (sigma_y, sigma_x))
    place = np.arange(side) - (side - 1) / 2
    x, y = place[None, :], place[:, None]
    along, across = (
        x * cos(radians(angle)) - y * sin(radians(angle)),
        x * sin(radians(angle)) + y * cos(radians(angle)),
    )
    power = (along / sigma_x) ** 2 + (across / sigma_y) ** 2
    return sum_one(np.exp((power.min() - power) / 2))


@named(scale="sum 1", source="libvips (floating point)")
def gaussmat(sigma: float = 1.0, min_ampl: float = 0.2) -> Matrix:
    """Sampled Gaussian out to where it falls below min_ampl of its peak."""
    minimum_amplitude(min_ampl, "gaussmat")
    gaussian_size(sigma, 1, "gaussmat")
    reach = max(0, ceil(sigma * sqrt(-2 * log(min_ampl)) - 1e-12) - 1)
    while np.exp(-((reach + 1) ** 2) / (2 * sigma**2)) >= min_ampl:
        reach += 1
    if 2 * reach + 1 > MAX_SIDE:
        raise KernelError(f"gaussmat sigma {sigma:g}", f"needs a kernel wider than {MAX_SIDE}", "use a smaller sigma")
    row = gaussian_1d(sigma, 2 * reach + 1)
    return np.outer(row, row)


@named(scale="sum 0", source="Canny (1986); SciPy's gaussian_gradient_magnitude", members="x y")
def gaussian_gradient(sigma: float = 1.0, size: int | None = None) -> dict[str, Matrix]:
    """Gradient magnitude of a Gaussian-blurred image, in brightness per pixel: x/σ² times the Gaussian, and y/σ²."""
    side = gaussian_size(sigma, 2 * ceil(4 * sigma) + 1 if size is None else size, "gaussian-gradient")
    row = gaussian_1d(sigma, side)
    x = np.outer(row, row * (np.arange(side) - (side - 1) / 2) / sigma**2)
    return {"x": x, "y": x.T.copy()}


@named(scale="sum 1", source="kornia's hanning, not normalised there")
def hanning(size: int = 5) -> Matrix:
    """Outer product of a raised cosine, ½ - ½cos(2πn/(size-1)), whose ends are 0."""
    size_of(size, "hanning", odd=False, least=3)
    row = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / (size - 1))
    return _squared(row)


def _by_thirds(sigma: float, first: int, count: int) -> Matrix:
    """ImageMagick's Gaussian: sampled at thirds of pixels, from third `first` on, summed over each of `count` pixels; sum 1."""
    thirds = (np.arange(3 * count) + first) / 3
    return sum_one(np.exp(((thirds**2).min() - thirds**2) / (2 * sigma**2)).reshape(count, 3).sum(axis=1))


def _turned(row: Matrix, angle: int, kernel: str) -> Matrix:
    if angle % 90:
        raise out_of_range(f"{kernel} angle {angle}", "a multiple of 90, or motion for a slanted line")
    return np.ascontiguousarray(np.rot90(row[np.newaxis], angle // 90 % 4))


@named(scale="sum 1", source="ImageMagick's Blur")
def blur(sigma: float = 1.0, size: int | None = None, angle: int = 0) -> Matrix:
    """Gaussian along one row (angle 0) or column (90), sampled at the thirds of pixels."""
    side = size_of(gaussian_size(sigma, size, "blur"), "blur")
    return _turned(_by_thirds(sigma, -(3 * side // 2), side), angle, "blur")


@named(scale="sum 1", source="ImageMagick's Comet flipped, for convolution")
def comet(sigma: float = 1.0, length: int | None = None, angle: int = 0) -> Matrix:
    """Half a Gaussian: every bright point draws a tail of length pixels, itself included, to angle (0: right, 90: up)."""
    whole = gaussian_size(sigma, None if length is None else 1, "comet")
    pixels = whole // 2 + 1 if length is None else length
    size_of(pixels, "comet", odd=False, most=MAX_SIDE // 2 + 1, name="length")
    tail = _by_thirds(sigma, 0, pixels)
    return _turned(np.concatenate([tail[::-1], np.zeros(pixels - 1)]), angle, "comet")


@named(scale="sum 1", source="kornia's motion")
def motion_nearest(size: int = 9, angle: float = 0.0, direction: float = 0.0) -> Matrix:
    """Mean along a line turned by nearest sampling; direction 1 weights its left end at angle 0, -1 its right.

    Unlike motion, whose pixels weigh what of the line lies in them, and whose direction 1 weights the right end.
    """
    size_of(size, "motion-nearest", least=3)
    if not -1 <= direction <= 1:
        raise out_of_range(f"motion-nearest direction {direction:g}", "-1 to 1")
    first = (direction + 1) / 2
    line = np.linspace(first, 1 - first, size)
    centre = size // 2
    x = np.arange(size) - centre
    turn = radians(angle % 360)
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
