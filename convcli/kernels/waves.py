"""Named kernels that respond to a frequency: Gabor's and Haar's. Frequencies are in cycles per pixel, angles in degrees."""

from __future__ import annotations

from math import ceil, cos, log, pi, radians, sin, sqrt

import numpy as np

from convcli.errors import KernelError
from convcli.kernels.named import MAX_SIDE, Matrix, check_range, named, places, size_of, square_distances
from convcli.kernels.spec import literal


@named("envelope sums to about 1", "Gabor (1946), Daugman (1985); scikit-image's gabor_kernel")
def gabor(
    frequency: float = 0.125, theta: float = 0.0, bandwidth: float = 1.0, phase: float = 0.0, size: int | None = None
) -> Matrix:
    """Cosine of frequency (cycles per pixel) along theta under a Gaussian of the given bandwidth (octaves).

    The real part of scikit-image's `gabor_kernel`, for phase 0 and its default size of 3σ to each side.
    """
    check_range("bandwidth", bandwidth, 0.01, 16, " octaves")
    check_range("frequency", frequency, 0.001, 0.5, " cycles per pixel")
    sigma = sqrt(log(2) / 2) / pi * (2**bandwidth + 1) / (2**bandwidth - 1) / frequency
    if size is None and 2 * ceil(3 * sigma) + 1 > MAX_SIDE:
        rule = f"needs a kernel wider than {MAX_SIDE}"
        remedy = "use a larger frequency or bandwidth, or give size"
        raise KernelError(f"frequency {frequency:g} with bandwidth {bandwidth:g}", rule, remedy)
    x = places(size_of(2 * ceil(3 * sigma) + 1 if size is None else size))
    turned = x[None, :] * cos(radians(theta)) + x[:, None] * sin(radians(theta))
    envelope = np.exp(-square_distances(x) / (2 * sigma**2)) / (2 * pi * sigma**2)
    return np.asarray(envelope * np.cos(2 * pi * frequency * turned + radians(phase)))


@named("envelope sums to about 1", "Adelson and Bergen (1985); scikit-image's gabor, real and imaginary", "real imag")
def gabor_energy(
    frequency: float = 0.125, theta: float = 0.0, bandwidth: float = 1.0, size: int | None = None
) -> dict[str, Matrix]:
    """Strength of a frequency whatever its phase: magnitude of the gabor of phase 0 (real) and of its sine (imag)."""
    return {
        member: gabor(frequency, theta, bandwidth, phase, size) for member, phase in (("real", 0.0), ("imag", -90.0))
    }


@named("sum 0, Σ|k| = 2", "Haar (1910); G'MIC's haar", "x y xy")
def haar() -> dict[str, Matrix]:
    """Magnitude of the three details of the 2×2 Haar wavelet, of length 1: haar-x (-1,1; -1,1 over 2), -y and -xy."""
    x = literal("-0.5,0.5; -0.5,0.5")
    return {"x": x, "y": x.T.copy(), "xy": literal("0.5,-0.5; -0.5,0.5")}
