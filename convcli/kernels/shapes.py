"""Named kernels that take the mean over a shape. ImageMagick has the same shapes, not scaled. Sizes are in pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convcli.errors import KernelError
from convcli.kernels.named import MAX_SIDE, Matrix, named, out_of_range, size_of, sum_one

_MAGICK = "ImageMagick (not normalised)"


def _offsets(radius: int, least: int = 0) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """For each pixel of a square with this radius, its distance from the centre in rows, ``(k, 1)``, and columns, ``(1, k)``."""
    size_of(radius, "radius", odd=False, least=least, most=MAX_SIDE // 2)
    x = np.abs(np.arange(-radius, radius + 1))
    return x[:, None], x[None, :]


@named("sum 1", _MAGICK)
def square(radius: int = 1) -> Matrix:
    """Mean of 2·radius+1 rows and columns."""
    y, x = _offsets(radius)
    return sum_one(np.ones((y.size, x.size), bool))


@named("sum 1", f"{_MAGICK}, with the width first there")
def rectangle(height: int = 3, width: int = 3) -> Matrix:
    """Mean of height rows and width columns."""
    size_of(height, "height", odd=False)
    size_of(width, "width", odd=False)
    return sum_one(np.ones((height, width), bool))


@named("sum 1", _MAGICK)
def diamond(radius: int = 1) -> Matrix:
    """Mean of the pixels at most radius steps away, rows and columns added."""
    y, x = _offsets(radius)
    return sum_one(y + x <= radius)


@named("sum 1", _MAGICK)
def octagon(radius: int = 2) -> Matrix:
    """Mean over a square of that radius whose corners are cut: at most radius + ⌊radius/2⌋ steps away."""
    y, x = _offsets(radius, 1)
    return sum_one(y + x <= radius + radius // 2)


@named("sum 1", _MAGICK)
def plus(radius: int = 2) -> Matrix:
    """Mean of the centre's row and column, radius to each side."""
    y, x = _offsets(radius)
    return sum_one((y == 0) | (x == 0))


@named("sum 1", _MAGICK)
def cross(radius: int = 2) -> Matrix:
    """Mean of the centre's two diagonals, radius to each side."""
    y, x = _offsets(radius)
    return sum_one(y == x)


@named("sum 1", _MAGICK)
def ring(inner: float = 2.5, outer: float = 3.5) -> Matrix:
    """Mean of the pixels whose centres are further away than inner and not further than outer."""
    if not 0 <= inner < outer <= MAX_SIDE // 2:
        allowed = f"inner from 0, and an outer above it, up to {MAX_SIDE // 2}"
        raise out_of_range(f"from {inner:g} to {outer:g}", allowed)
    y, x = _offsets(int(outer))
    r2 = y**2 + x**2
    inside = (inner**2 < r2) & (r2 <= outer**2)
    if not inside.any():
        remedy = "set inner and outer further apart"
        raise KernelError(f"from {inner:g} to {outer:g}", "contains no centre of a pixel", remedy)
    return sum_one(inside)
