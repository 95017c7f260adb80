"""Named kernels that are Gaussians of another definition or form. Sigmas are in pixels, angles in degrees."""

from __future__ import annotations

from math import ceil, cos, erf, log, radians, sin, sqrt

import numpy as np

from convcli.errors import KernelError
from convcli.kernels.named import MAX_SIDE, Matrix, named, out_of_range, size_of
from convcli.kernels.smoothing import gaussian_1d, gaussian_size, minimum_amplitude


@named("gaussian-discrete", scale="sum 1", source="Lindeberg (1990); kornia's gaussian_discrete")
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
    row /= row.sum()
    return np.outer(row, row)


@named("gaussian-erf", scale="sum 1", source="kornia's gaussian_erf, MONAI")
def gaussian_erf(sigma: float = 1.0, size: int | None = None) -> Matrix:
    """Gaussian integrated over each pixel rather than sampled at its centre."""
    side = gaussian_size(sigma, size, "gaussian-erf")
    edges = (np.arange(side + 1) - side / 2) / (sqrt(2) * sigma)
    row = np.diff([erf(edge) for edge in edges])
    row /= row.sum()
    return np.outer(row, row)


@named("gaussian-ellipse", scale="sum 1", source="kornia's gaussian with two sigmas, OpenCV's sigmaX and sigmaY")
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
    out: Matrix = np.exp((power.min() - power) / 2)
    out /= out.sum()
    return out


@named("gaussmat", scale="sum 1", source="libvips (floating point)")
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


@named(
    "gaussian-gradient",
    scale="sum 0",
    source="Canny (1986); SciPy's gaussian_gradient_magnitude",
    combine="magnitude",
    members=("x", "y"),
)
def gaussian_gradient(sigma: float = 1.0, size: int | None = None) -> dict[str, Matrix]:
    """Gradient magnitude of a Gaussian-blurred image, in brightness per pixel: x/σ² times the Gaussian, and y/σ²."""
    side = gaussian_size(sigma, 2 * ceil(4 * sigma) + 1 if size is None else size, "gaussian-gradient")
    row = gaussian_1d(sigma, side)
    x = np.outer(row, row * (np.arange(side) - (side - 1) / 2) / sigma**2)
    return {"x": x, "y": x.T.copy()}


@named("hanning", scale="sum 1", source="kornia's hanning, not normalised there", aliases=("hann",))
def hanning(size: int = 5) -> Matrix:
    """Outer product of a raised cosine, ½ - ½cos(2πn/(size-1)), whose ends are 0."""
    size_of(size, "hanning", odd=False, least=3)
    row = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / (size - 1))
    row /= row.sum()
    return np.outer(row, row)
