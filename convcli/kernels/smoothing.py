"""Named kernels that average, sharpen or move. Sigmas and radii are in pixels, angles in degrees."""

from __future__ import annotations

from math import ceil, cos, radians, sin

import numpy as np

from convcli.errors import KernelError
from convcli.kernels.named import MAX_SIDE, Matrix, binomial_row, named, out_of_range, size_of, sum_one


def gaussian_1d(sigma: float, size: int) -> Matrix:
    """Samples of ``exp(-x²/2σ²)`` at the pixel centres, scaled to sum 1: ``(size,)``."""
    x = np.arange(size) - (size - 1) / 2
    nearest = (x**2).min()  # relative to the largest sample: with a tiny sigma all samples could become 0
    return sum_one(np.exp((nearest - x**2) / (2 * sigma**2)))


def gaussian_size(sigma: float, size: int | None, kernel: str) -> int:
    """`size` if it is given, else the odd size that reaches 3σ to both sides.

    Raises
    ------
    KernelError
        Sigma or size is out of range.
    """
    if not sigma >= 0.01:
        raise out_of_range(f"{kernel} sigma {sigma:g}", "0.01 or more (pixels)")
    if size is None and 2 * ceil(3 * sigma) + 1 > MAX_SIDE:
        rule = f"needs a kernel wider than {MAX_SIDE}"
        raise KernelError(f"{kernel} sigma {sigma:g}", rule, "use a smaller sigma, or give size")
    return size_of(2 * ceil(3 * sigma) + 1 if size is None else size, kernel, odd=False)


def minimum_amplitude(value: float, kernel: str) -> None:
    """Check the share of the peak below which libvips cuts a Gaussian off."""
    if not 1e-6 <= value < 1:
        raise out_of_range(f"{kernel} min_ampl {value:g}", "1e-6 to less than 1")


@named(scale="sum 1", source="every library; ImageMagick's Unity")
def identity(size: int = 1) -> Matrix:
    """A single 1 in the centre: the image as it is."""
    out = np.zeros((size_of(size, "identity"),) * 2)
    out[size // 2, size // 2] = 1
    return out


@named(scale="sum 1", source="kornia, G'MIC's boxfilter, OpenCV's blur, ImageMagick's Square and Rectangle")
def box(size: int = 3, width: int | None = None) -> Matrix:
    """Mean of size rows by width (default: size) columns."""
    rows = size_of(size, "box", odd=False)
    columns = size_of(size if width is None else width, "box", odd=False, name="width")
    return np.full((rows, columns), 1 / (rows * columns))


@named(scale="sum 1", source="ImageMagick, kornia, SciPy, OpenCV")
def gaussian(sigma: float = 1.0, size: int | None = None) -> Matrix:
    """Sampled Gaussian of standard deviation sigma; size defaults to 2⌈3σ⌉+1."""
    samples = gaussian_1d(sigma, gaussian_size(sigma, size, "gaussian"))
    return np.outer(samples, samples)


@named(scale="sum 1", source="kornia's pascal, ImageMagick (not normalised)")
def binomial(size: int = 3) -> Matrix:
    """Outer product of a row of Pascal's triangle: the Gaussian of small integers (3: 1,2,1)."""
    row = binomial_row(size_of(size, "binomial", odd=False))
    if size > 512:
        raise out_of_range(f"binomial size {size}", "512 or less, or gaussian")
    return np.outer(row, row)


@named(scale="sum 1", source="ImageMagick (not normalised)")
def disk(radius: float = 3.0) -> Matrix:
    """Mean of the pixels whose centres lie within radius: an out-of-focus lens."""
    if not 0 <= radius <= MAX_SIDE // 2:
        raise out_of_range(f"disk radius {radius:g}", f"0 to {MAX_SIDE // 2}")
    x = np.arange(-int(radius), int(radius) + 1)
    inside = (x[:, None] ** 2 + x[None, :] ** 2 <= radius**2).astype(np.float64)
    return sum_one(inside)


@named(scale="sum 1", source="the length of line in each pixel; kornia's is motion-nearest")
def motion(size: int = 9, angle: float = 0.0, direction: float = 0.0) -> Matrix:
    """Mean along a line of length size at angle (counter-clockwise); direction -1 to 1 weights one end."""
    size_of(size, "motion")
    if not -1 <= direction <= 1:
        raise out_of_range(f"motion direction {direction:g}", "-1 to 1")
    # The weight of a pixel is the length of the line within it, measured by counting fine points.
    t = (np.arange(64 * size) + 0.5) / (32 * size) - 1
    row, column = (
        np.rint((size - 1) / 2 + size / 2 * t * slope).astype(int)
        for slope in (-sin(radians(angle)), cos(radians(angle)))
    )
    out = np.zeros((size, size))
    np.add.at(out, (row, column), 1 + direction * t)
    return sum_one(out)


@named(scale="sum 1", source="GIMP's manual (convolution matrix)")
def sharpen(amount: float = 1.0) -> Matrix:
    """The image minus amount times its 4-neighbour Laplacian (1: 0,-1,0; -1,5,-1; 0,-1,0)."""
    return np.array([[0, -amount, 0], [-amount, 1 + 4 * amount, -amount], [0, -amount, 0]])


@named(scale="sum 1", source="scikit-image's unsharp_mask; G'MIC's unsharp, by a recursive blur")
def unsharp(sigma: float = 1.0, amount: float = 1.0, size: int | None = None) -> Matrix:
    """The image plus amount times its difference from its Gaussian blur."""
    side = gaussian_size(sigma, size, "unsharp")
    samples = gaussian_1d(sigma, size_of(side, "unsharp"))
    out = -amount * np.outer(samples, samples)
    out[side // 2, side // 2] += 1 + amount
    return out


@named(scale="sum 1", source="GIMP's manual (convolution matrix)")
def emboss() -> Matrix:
    """Relief lit from the upper left, on the image's own values: -2,-1,0; -1,1,1; 0,1,2."""
    return np.array([[-2.0, -1, 0], [-1, 1, 1], [0, 1, 2]])


@named(scale="sum 1", source="kornia's binary kernels")
def shift(dy: int, dx: int) -> Matrix:
    """The image moved dy pixels down and dx to the right."""
    if max(abs(dy), abs(dx)) > MAX_SIDE // 2:
        raise out_of_range(f"shift {dy},{dx}", f"-{MAX_SIDE // 2} to {MAX_SIDE // 2}")
    out = np.zeros((2 * abs(dy) + 1, 2 * abs(dx) + 1))
    out[abs(dy) - dy, abs(dx) - dx] = 1
    return out


@named(scale="Σ|k| = 1", source="NumPy's default_rng")
def random(size: int = 3, seed: int = 0) -> Matrix:
    """Normally distributed values (NumPy's default generator)."""
    size_of(size, "random", odd=False)
    if seed < 0:
        raise out_of_range(f"random seed {seed}", "0 or more")
    values = np.random.default_rng(seed).standard_normal((size, size))
    out: Matrix = values / np.abs(values).sum()
    return out
