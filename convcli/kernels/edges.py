"""Named kernels that differentiate. Signs are those of the derivative: x grows to the right, y downwards, so that a
correlation is positive where brightness grows to the right (x) or downwards (y), and a Laplacian has a negative centre.
Roberts' pair is diagonal and keeps the signs of its author.
"""

from __future__ import annotations

from math import ceil, cos, pi, radians, sin, sqrt
from math import log as ln

import numpy as np

from convcli.errors import KernelError
from convcli.kernels.named import MAX_SIDE, Matrix, named, size_of
from convcli.kernels.smoothing import binomial_row, gaussian_1d, gaussian_size

_COMPASS = ("n", "ne", "e", "se", "s", "sw", "w", "nw")
_RING = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))


def _pair(across: list[float], along: list[float]) -> dict[str, Matrix]:
    """The x kernel, which smooths by `across` over the rows and differentiates by `along`, and its transpose."""
    x = np.outer(across, along)
    return {"x": x, "y": x.T.copy()}


def _compass(ring: tuple[int, ...], centre: int = 0) -> dict[str, Matrix]:
    """Eight kernels: the outer ring of a 3×3 matrix, clockwise from the upper left, turned by 45° each."""
    out = {}
    for turn, direction in enumerate(_COMPASS):
        values = np.full((3, 3), float(centre))
        for place, cell in enumerate(_RING):
            values[cell] = ring[(place - turn) % 8]
        out[direction] = values
    return out


@named("sobel", scale="sum 0, Σ|k| = 8 (3×3)", combine="magnitude", members=("x", "y"))
def sobel(size: int = 3) -> dict[str, Matrix]:
    """Gradient magnitude of sobel-x (-1,0,1; -2,0,2; -1,0,1) and sobel-y; larger sizes smooth binomially."""
    size_of(size, "sobel", least=3, most=31)
    smooth = binomial_row(size) * 2.0 ** (size - 1)
    derivative = np.convolve(binomial_row(size - 2) * 2.0 ** (size - 3), [-1, 0, 1])
    return _pair(list(smooth), list(derivative))


@named("prewitt", scale="sum 0, Σ|k| = 6", combine="magnitude", members=("x", "y"))
def prewitt() -> dict[str, Matrix]:
    """Gradient magnitude of prewitt-x (-1,0,1 in every row) and prewitt-y."""
    return _pair([1, 1, 1], [-1, 0, 1])


@named("scharr", scale="sum 0, Σ|k| = 32", combine="magnitude", members=("x", "y"))
def scharr() -> dict[str, Matrix]:
    """Gradient magnitude of scharr-x (-3,0,3; -10,0,10; -3,0,3) and scharr-y: nearly the same in every direction."""
    return _pair([3, 10, 3], [-1, 0, 1])


@named("roberts", scale="sum 0, Σ|k| = 2", combine="magnitude", members=("x", "y"))
def roberts() -> dict[str, Matrix]:
    """Gradient magnitude of the diagonal differences roberts-x (1,0; 0,-1) and roberts-y (0,1; -1,0)."""
    return {"x": np.array([[1.0, 0], [0, -1]]), "y": np.array([[0.0, 1], [-1, 0]])}


@named("farid", scale="sum 0, Σ|k| = 0.77", combine="magnitude", members=("x", "y"))
def farid() -> dict[str, Matrix]:
    """Gradient magnitude of the 5×5 derivatives of Farid and Simoncelli (2004), made to turn with the image.

    Farid and Simoncelli, "Differentiation of discrete multidimensional signals", IEEE Trans. Image Processing 13(4).
    """
    prefilter = [0.0376593171958126, 0.249153396177344, 0.426374573253687, 0.249153396177344, 0.0376593171958126]
    derivative = [-0.109603762960254, -0.276690988455557, 0.0, 0.276690988455557, 0.109603762960254]
    return _pair(prefilter, derivative)


@named("kirsch", scale="sum 0, Σ|k| = 30 each", combine="max", members=_COMPASS)
def kirsch() -> dict[str, Matrix]:
    """Largest of eight compass responses; kirsch-n is 5,5,5; -3,0,-3; -3,-3,-3 (bright to the north)."""
    return _compass((5, 5, 5, -3, -3, -3, -3, -3))


@named("robinson", scale="sum 0, Σ|k| = 8 each", combine="max", members=_COMPASS)
def robinson() -> dict[str, Matrix]:
    """Largest of eight compass responses; robinson-n is 1,2,1; 0,0,0; -1,-2,-1 (bright to the north)."""
    return _compass((1, 2, 1, 0, -1, -2, -1, 0))


@named("laplacian", scale="sum 0")
def laplacian(neighbours: int = 4) -> Matrix:
    """Sum of second derivatives over 4 (0,1,0; 1,-4,1; 0,1,0) or 8 (1,1,1; 1,-8,1; 1,1,1) neighbours."""
    if neighbours not in (4, 8):
        raise KernelError(f"laplacian neighbours {neighbours} is out of range: use 4 or 8")
    corner = 1.0 if neighbours == 8 else 0.0
    return np.array([[corner, 1, corner], [1, -neighbours, 1], [corner, 1, corner]])


@named("log", scale="sum 0")
def log(sigma: float = 1.4, size: int | None = None) -> Matrix:
    """Laplacian of Gaussian, (r²-2σ²)/σ⁴ times the Gaussian of sum 1, then shifted to sum 0; negative centre.

    Marr and Hildreth, "Theory of edge detection" (1980).
    """
    side = gaussian_size(sigma, 2 * ceil(4 * sigma) + 1 if size is None else size, "log")
    samples, x = gaussian_1d(sigma, side), np.arange(side) - (side - 1) / 2
    r2 = x[:, None] ** 2 + x[None, :] ** 2
    out = (r2 - 2 * sigma**2) / sigma**4 * np.outer(samples, samples)
    centred: Matrix = out - out.mean()
    return centred


@named("dog", scale="sum 0")
def dog(sigma1: float = 1.0, sigma2: float = 1.6, size: int | None = None) -> Matrix:
    """Difference of Gaussians, sigma1 minus sigma2 (positive centre when sigma1 is the smaller)."""
    side = max(gaussian_size(sigma, size, "dog") for sigma in (sigma1, sigma2))
    first, second = (gaussian_1d(sigma, side) for sigma in (sigma1, sigma2))
    return np.outer(first, first) - np.outer(second, second)


@named("gabor", scale="envelope sums to about 1")
def gabor(
    frequency: float = 0.125, theta: float = 0.0, bandwidth: float = 1.0, phase: float = 0.0, size: int | None = None
) -> Matrix:
    """Cosine of frequency (cycles per pixel) along theta under a Gaussian of the given bandwidth (octaves).

    The real part of scikit-image's `gabor_kernel`, for phase 0 and its default size of 3σ to each side.
    """
    if not 0.01 <= bandwidth <= 16:
        raise KernelError(f"gabor bandwidth {bandwidth:g} is out of range: use 0.01 to 16 octaves")
    if not 0.001 <= frequency <= 0.5:
        raise KernelError(f"gabor frequency {frequency:g} is out of range: use 0.001 to 0.5 cycles per pixel")
    sigma = sqrt(ln(2) / 2) / pi * (2**bandwidth + 1) / (2**bandwidth - 1) / frequency
    if size is None and 2 * ceil(3 * sigma) + 1 > MAX_SIDE:
        raise KernelError(
            f"gabor frequency {frequency:g} with bandwidth {bandwidth:g} needs a kernel wider than {MAX_SIDE}: use a larger "
            "frequency or bandwidth, or give size"
        )
    side = size_of(2 * ceil(3 * sigma) + 1 if size is None else size, "gabor")
    x = np.arange(side) - (side - 1) / 2
    turned = x[None, :] * cos(radians(theta)) + x[:, None] * sin(radians(theta))
    r2 = x[:, None] ** 2 + x[None, :] ** 2
    out: Matrix = (
        np.exp(-r2 / (2 * sigma**2)) / (2 * pi * sigma**2) * np.cos(2 * pi * frequency * turned + radians(phase))
    )
    return out
