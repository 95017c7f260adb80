"""Named Laplacians and differences of Gaussians.

A Laplacian has a negative centre: its result is positive in a dark valley. If a library's Laplacian has the opposite sign,
the kernel's source says so.
"""

from __future__ import annotations

from math import exp

import numpy as np

from convcli.errors import KernelError
from convcli.kernels.named import MAX_SIDE, Matrix, named, out_of_range, places, size_of, square_distances
from convcli.kernels.smoothing import gaussian_1d, gaussian_size, minimum_amplitude, too_wide
from convcli.kernels.spec import literal


@named("sum 0", "G'MIC, OpenCV; scikit-image's laplace and ImageMagick's Laplacian:1 and :0 negated")
def laplacian(neighbours: int = 4) -> Matrix:
    """Sum of second derivatives over 4 (0,1,0; 1,-4,1; 0,1,0) or 8 (1,1,1; 1,-8,1; 1,1,1) neighbours."""
    if neighbours not in (4, 8):
        raise out_of_range(f"neighbours {neighbours}", "4 or 8")
    corner = 1.0 if neighbours == 8 else 0.0
    return np.array([[corner, 1, corner], [1, -neighbours, 1], [corner, 1, corner]])


@named("sum 0", "Marr and Hildreth (1980); SciPy's gaussian_laplace, which is not shifted to sum 0")
def log(sigma: float = 1.4, size: int | None = None) -> Matrix:
    """Laplacian of Gaussian, (r²-2σ²)/σ⁴ times the Gaussian of sum 1, then shifted to sum 0; negative centre.

    Marr and Hildreth, "Theory of edge detection" (1980).
    """
    side = gaussian_size(sigma, size, 4)
    samples = gaussian_1d(sigma, side)
    out = (square_distances(places(side)) - 2 * sigma**2) / sigma**4 * np.outer(samples, samples)
    return np.asarray(out - out.mean())


@named("sum 0", "Marr and Hildreth (1980); scikit-image's difference_of_gaussians")
def dog(sigma1: float = 1.0, sigma2: float = 1.6, size: int | None = None) -> Matrix:
    """Difference of Gaussians, sigma1 minus sigma2 (positive centre when sigma1 is the smaller)."""
    side = max(gaussian_size(sigma, size) for sigma in (sigma1, sigma2))
    first, second = (gaussian_1d(sigma, side) for sigma in (sigma1, sigma2))
    return np.outer(first, first) - np.outer(second, second)


@named("sum 0", "kornia's laplacian")
def laplacian_box(size: int = 3) -> Matrix:
    """Sum of the size² pixels minus size² times the centre (3: 1,1,1; 1,-8,1; 1,1,1)."""
    out = np.ones((size_of(size, least=3), size))
    out[size // 2, size // 2] -= size**2
    return out


_TYPES = {
    0: "-8,1; 1,1",
    1: "-4,1; 1,0",
    2: "-4,-1; -1,2",
    3: "-4,2; 2,-1",
    5: "-4,-3,0; -3,-2,1; 0,1,4",
    7: "-8,-7,-4,1; -7,-6,-3,2; -4,-3,0,5; 1,2,5,10",
    15: "-16,2,1; 2,1,0; 1,0,0",
    19: "-40,-24,0,5,2; -24,-12,3,5,2; 0,3,5,4,1; 5,5,4,2,1; 2,2,1,1,0",
}
"""By type: the lower right quarter of ImageMagick's Laplacian, with the centre row and column, negated."""


@named("sum 0", "ImageMagick's Laplacian negated")
def laplacian_type(type: int = 0) -> Matrix:
    """ImageMagick's Laplacian 0 (8 neighbours), 1 (4), 2, 3 (3×3), 5, 7 (5×5, 7×7), 15 or 19 (LoG, 5×5, 9×9), negated."""
    if type not in _TYPES:
        raise KernelError(f"type {type}", "is unknown", f"use {', '.join(map(str, _TYPES))}")
    quarter = literal(_TYPES[type])
    half = np.hstack([quarter[:, :0:-1], quarter])
    return np.vstack([half[:0:-1], half])


def _balanced(values: Matrix, what: str) -> Matrix:
    """`values` with the positive ones scaled to sum 1 and the negative ones to sum -1, as ImageMagick's ``^`` does."""
    positive, negative = values.clip(min=0), values.clip(max=0)
    if not positive.any() or not negative.any():
        rule = "has values of one sign only, which cannot sum to 0"
        raise KernelError(what, rule, "use another sigma or a larger size")
    return np.asarray(positive / positive.sum() - negative / negative.sum())


@named("sum 0, Σ|k| = 2", "ImageMagick's LoG negated")
def log_unit(sigma: float = 1.4, size: int | None = None) -> Matrix:
    """Laplacian of Gaussian, positive values scaled to sum 1 and negative ones to sum -1; negative centre."""
    side = gaussian_size(sigma, size, 4)
    samples = gaussian_1d(sigma, side)
    out = (square_distances(places(side)) / sigma**2 - 2) * np.outer(samples, samples)
    return _balanced(out, f"of sigma {sigma:g} and size {side}")


@named("sum 0, Σ|k| = 2", "ImageMagick's DoG")
def dog_unit(sigma1: float = 1.0, sigma2: float = 1.6, size: int | None = None) -> Matrix:
    """Difference of Gaussians, sigma1 minus sigma2, positive values scaled to sum 1 and negative ones to sum -1.

    Unlike dog, the Gaussians are not scaled to sum 1 first but have their continuous height 1/2πσ².
    """
    side = max(gaussian_size(sigma, size) for sigma in (sigma1, sigma2))
    r2 = square_distances(places(side))
    first, second = (np.exp(-r2 / (2 * sigma**2)) / sigma**2 for sigma in (sigma1, sigma2))
    return _balanced(first - second, f"of sigmas {sigma1:g} and {sigma2:g} and size {side}")


@named("centre 1", "libvips (floating point)")
def logmat(sigma: float = 1.0, min_ampl: float = 0.1) -> Matrix:
    """Laplacian of Gaussian with a positive centre of 1, out to where it is smaller than min_ampl; its sum is not quite 0.

    libvips divides by that sum when it convolves with the matrix.
    """
    minimum_amplitude(min_ampl)
    gaussian_size(sigma, 1)

    def value(r2: float) -> float:
        return (1 - r2 / (2 * sigma**2)) * exp(-r2 / (2 * sigma**2))

    reach, last = 1, 1.0
    while not (value(reach**2) >= last and abs(value(reach**2)) < min_ampl):
        last, reach = value(reach**2), reach + 1
        if 2 * reach + 1 > MAX_SIDE:
            raise too_wide(sigma)
    r2 = square_distances(places(2 * reach + 1)) / (2 * sigma**2)
    return np.asarray((1 - r2) * np.exp(-r2))
