"""Named kernels that average, sharpen or move. Sigmas and radii are in pixels, angles in degrees."""

from __future__ import annotations

from math import ceil, cos, radians, sin

import numpy as np

from convcli.errors import KernelError
from convcli.kernels.named import (
    MAX_SIDE,
    Matrix,
    binomial_row,
    check_range,
    named,
    out_of_range,
    places,
    size_of,
    square_distances,
    sum_one,
)
from convcli.kernels.spec import literal


def gaussian_1d(sigma: float, size: int) -> Matrix:
    """Samples of ``exp(-x²/2σ²)`` at the pixel centres, scaled to sum 1: ``(size,)``."""
    squares = places(size) ** 2  # relative to the nearest pixel: with a tiny sigma all samples could become 0
    return sum_one(np.exp((squares.min() - squares) / (2 * sigma**2)))


def gaussian_size(sigma: float, size: int | None, reach: int = 3) -> int:
    """`size` if it is given, else the odd size that reaches `reach` σ to both sides.

    Raises `KernelError` if sigma or size is out of range.
    """
    if not sigma >= 0.01:
        raise out_of_range(f"sigma {sigma:g}", "0.01 or more (pixels)")
    if size is None and 2 * ceil(reach * sigma) + 1 > MAX_SIDE:
        raise too_wide(sigma, ", or give size")
    return size_of(2 * ceil(reach * sigma) + 1 if size is None else size, odd=False)


def too_wide(sigma: float, otherwise: str = "") -> KernelError:
    """The error for a sigma that is too large."""
    return KernelError(f"sigma {sigma:g}", f"needs a kernel wider than {MAX_SIDE}", f"use a smaller sigma{otherwise}")


def minimum_amplitude(value: float) -> None:
    """Check the share of the peak at which libvips cuts off a Gaussian."""
    if not 1e-6 <= value < 1:
        raise out_of_range(f"min_ampl {value:g}", "1e-6 to less than 1")


@named("sum 1", "every library; ImageMagick's Unity")
def identity(size: int = 1) -> Matrix:
    """A single 1 in the centre: the image as it is."""
    out = np.zeros((size_of(size), size))
    out[size // 2, size // 2] = 1
    return out


@named("sum 1", "kornia, G'MIC's boxfilter, OpenCV's blur, ImageMagick's Square and Rectangle")
def box(size: int = 3, width: int | None = None) -> Matrix:
    """Mean of size rows by width (default: size) columns."""
    rows = size_of(size, odd=False)
    columns = rows if width is None else size_of(width, "width", odd=False)
    return np.full((rows, columns), 1 / (rows * columns))


@named("sum 1", "ImageMagick, kornia, SciPy, OpenCV")
def gaussian(sigma: float = 1.0, size: int | None = None) -> Matrix:
    """Sampled Gaussian of standard deviation sigma; size defaults to 2⌈3σ⌉+1."""
    samples = gaussian_1d(sigma, gaussian_size(sigma, size))
    return np.outer(samples, samples)


@named("sum 1", "kornia's pascal, ImageMagick (not normalised)")
def binomial(size: int = 3) -> Matrix:
    """Outer product of a row of Pascal's triangle: the Gaussian of small integers (3: 1,2,1)."""
    if size_of(size, odd=False) > 512:
        raise out_of_range(f"size {size}", "512 or less, or gaussian")
    row = binomial_row(size)
    return np.outer(row, row)


@named("sum 1", "ImageMagick (not normalised)")
def disk(radius: float = 3.0) -> Matrix:
    """Mean of the pixels whose centres are within radius: an out-of-focus lens."""
    check_range("radius", radius, 0, MAX_SIDE // 2)
    return sum_one(square_distances(places(2 * int(radius) + 1)) <= radius**2)


@named("sum 1", "the length of line in each pixel; kornia's is motion-nearest")
def motion(size: int = 9, angle: float = 0.0, direction: float = 0.0) -> Matrix:
    """Mean along a line of length size at angle (counter-clockwise); direction -1 to 1 weights one end."""
    size_of(size)
    check_range("direction", direction, -1, 1)
    # The weight of a pixel is the length of the line within it, measured by counting fine points.
    t = (np.arange(64 * size) + 0.5) / (32 * size) - 1
    row, column = (
        np.rint((size - 1) / 2 + size / 2 * t * slope).astype(int)
        for slope in (-sin(radians(angle)), cos(radians(angle)))
    )
    out = np.zeros((size, size))
    np.add.at(out, (row, column), 1 + direction * t)
    return sum_one(out)


@named("sum 1", "GIMP's manual (convolution matrix)")
def sharpen(amount: float = 1.0) -> Matrix:
    """The image minus amount times its 4-neighbour Laplacian (1: 0,-1,0; -1,5,-1; 0,-1,0)."""
    return np.array([[0, -amount, 0], [-amount, 1 + 4 * amount, -amount], [0, -amount, 0]])


@named("sum 1", "scikit-image's unsharp_mask; G'MIC's unsharp, by a recursive blur")
def unsharp(sigma: float = 1.0, amount: float = 1.0, size: int | None = None) -> Matrix:
    """The image plus amount times its difference from its Gaussian blur."""
    side = size_of(gaussian_size(sigma, size))
    samples = gaussian_1d(sigma, side)
    out = -amount * np.outer(samples, samples)
    out[side // 2, side // 2] += 1 + amount
    return out


@named("sum 1", "GIMP's manual (convolution matrix)")
def emboss() -> Matrix:
    """Relief lit from the upper left, on the image's own values: -2,-1,0; -1,1,1; 0,1,2."""
    return literal("-2,-1,0; -1,1,1; 0,1,2")


@named("sum 1", "kornia's binary kernels")
def shift(dy: int, dx: int) -> Matrix:
    """The image moved dy pixels down and dx to the right."""
    if max(abs(dy), abs(dx)) > MAX_SIDE // 2:
        raise out_of_range(f"{dy},{dx}", f"-{MAX_SIDE // 2} to {MAX_SIDE // 2}")
    out = np.zeros((2 * abs(dy) + 1, 2 * abs(dx) + 1))
    out[abs(dy) - dy, abs(dx) - dx] = 1
    return out


@named("Σ|k| = 1", "NumPy's default_rng")
def random(size: int = 3, seed: int = 0) -> Matrix:
    """Normally distributed values (NumPy's default generator)."""
    size_of(size, odd=False)
    if seed < 0:
        raise out_of_range(f"seed {seed}", "0 or more")
    values = np.random.default_rng(seed).standard_normal((size, size))
    return np.asarray(values / np.abs(values).sum())
