"""Named kernels that blur along a line. Sigmas are in pixels, angles in degrees, counter-clockwise."""

from __future__ import annotations

from math import cos, radians, sin

import numpy as np

from convcli.kernels.named import MAX_SIDE, Matrix, named, out_of_range, size_of
from convcli.kernels.smoothing import gaussian_size


def _by_thirds(sigma: float, first: int, count: int) -> Matrix:
    """ImageMagick's Gaussian: sampled at thirds of pixels, from third `first` on, summed over each of `count` pixels; sum 1."""
    thirds = (np.arange(3 * count) + first) / 3
    out = np.exp(((thirds**2).min() - thirds**2) / (2 * sigma**2)).reshape(count, 3).sum(axis=1)
    scaled: Matrix = out / out.sum()
    return scaled


def _turned(row: Matrix, angle: int, kernel: str) -> Matrix:
    if angle % 90:
        raise out_of_range(f"{kernel} angle {angle}", "a multiple of 90, or motion for a slanted line")
    return np.ascontiguousarray(np.rot90(row[np.newaxis], angle // 90 % 4))


@named("blur", scale="sum 1", source="ImageMagick's Blur")
def blur(sigma: float = 1.0, size: int | None = None, angle: int = 0) -> Matrix:
    """Gaussian along one row (angle 0) or column (90), sampled at the thirds of pixels."""
    side = size_of(gaussian_size(sigma, size, "blur"), "blur")
    return _turned(_by_thirds(sigma, -(3 * side // 2), side), angle, "blur")


@named("comet", scale="sum 1", source="ImageMagick's Comet flipped, for convolution")
def comet(sigma: float = 1.0, length: int | None = None, angle: int = 0) -> Matrix:
    """Half a Gaussian: every bright point draws a tail of length pixels, itself included, to angle (0: right, 90: up)."""
    whole = gaussian_size(sigma, None if length is None else 1, "comet")
    pixels = whole // 2 + 1 if length is None else length
    size_of(pixels, "comet", odd=False, most=MAX_SIDE // 2 + 1, name="length")
    tail = _by_thirds(sigma, 0, pixels)
    return _turned(np.concatenate([tail[::-1], np.zeros(pixels - 1)]), angle, "comet")


@named("motion-nearest", scale="sum 1", source="kornia's motion")
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
    out: Matrix = np.where(on, line[column.clip(0, size - 1)], 0.0)
    out /= out.sum()
    return out
