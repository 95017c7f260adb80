"""Named kernels that respond to a frequency: Gabor's and Haar's. Frequencies are in cycles per pixel, angles in degrees."""

from __future__ import annotations

from math import ceil, cos, pi, radians, sin, sqrt
from math import log as ln

import numpy as np

from convcli.errors import KernelError
from convcli.kernels.named import MAX_SIDE, Matrix, named, out_of_range, size_of


@named(scale="envelope sums to about 1", source="Gabor (1946), Daugman (1985); scikit-image's gabor_kernel")
def gabor(
    frequency: float = 0.125, theta: float = 0.0, bandwidth: float = 1.0, phase: float = 0.0, size: int | None = None
) -> Matrix:
    """Cosine of frequency (cycles per pixel) along theta under a Gaussian of the given bandwidth (octaves).

    The real part of scikit-image's `gabor_kernel`, for phase 0 and its default size of 3σ to each side.
    """
    if not 0.01 <= bandwidth <= 16:
        raise out_of_range(f"gabor bandwidth {bandwidth:g}", "0.01 to 16 octaves")
    if not 0.001 <= frequency <= 0.5:
        raise out_of_range(f"gabor frequency {frequency:g}", "0.001 to 0.5 cycles per pixel")
    sigma = sqrt(ln(2) / 2) / pi * (2**bandwidth + 1) / (2**bandwidth - 1) / frequency
    if size is None and 2 * ceil(3 * sigma) + 1 > MAX_SIDE:
        rule = f"needs a kernel wider than {MAX_SIDE}"
        remedy = "use a larger frequency or bandwidth, or give size"
        raise KernelError(f"gabor frequency {frequency:g} with bandwidth {bandwidth:g}", rule, remedy)
    side = size_of(2 * ceil(3 * sigma) + 1 if size is None else size, "gabor")
    x = np.arange(side) - (side - 1) / 2
    turned = x[None, :] * cos(radians(theta)) + x[:, None] * sin(radians(theta))
    r2 = x[:, None] ** 2 + x[None, :] ** 2
    out: Matrix = (
        np.exp(-r2 / (2 * sigma**2)) / (2 * pi * sigma**2) * np.cos(2 * pi * frequency * turned + radians(phase))
    )
    return out


@named(
    scale="envelope sums to about 1",
    source="Adelson and Bergen (1985); scikit-image's gabor, real and imaginary",
    members="real imag",
)
def gabor_energy(
    frequency: float = 0.125, theta: float = 0.0, bandwidth: float = 1.0, size: int | None = None
) -> dict[str, Matrix]:
    """Strength of a frequency whatever its phase: magnitude of the gabor of phase 0 (real) and of its sine (imag)."""
    return {
        member: gabor(frequency, theta, bandwidth, phase, size) for member, phase in (("real", 0.0), ("imag", -90.0))
    }


@named(scale="sum 0, Σ|k| = 2", source="Haar (1910); G'MIC's haar", members="x y xy")
def haar() -> dict[str, Matrix]:
    """Magnitude of the three details of the 2×2 Haar wavelet, of length 1: haar-x (-1,1; -1,1 over 2), -y and -xy."""
    x = np.array([[-0.5, 0.5], [-0.5, 0.5]])
    return {"x": x, "y": x.T.copy(), "xy": np.array([[0.5, -0.5], [-0.5, 0.5]])}
