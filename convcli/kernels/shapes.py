"""Named kernels that take the mean over a shape. ImageMagick has the same shapes, not scaled. Sizes are in pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convcli.errors import KernelError
from convcli.kernels.named import MAX_SIDE, Matrix, named, out_of_range, size_of, sum_one

_MAGICK = "ImageMagick (not normalised)"


def _offsets(radius: int, kernel: str, least: int = 0) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """For each pixel of a square with this radius, its distance from the centre in rows, ``(k, 1)``, and columns, ``(1, k)``."""
    size_of(radius, kernel, odd=False, least=least, most=MAX_SIDE // 2, name="radius")
    x = np.abs(np.arange(-radius, radius + 1))
    return x[:, None], x[None, :]


@named(scale="sum 1", source=_MAGICK)
def square(radius: int = 1) -> Matrix:
    """Mean of 2·radius+1 rows and columns."""
    y, x = _offsets(radius, "square")
    return sum_one(np.ones((y.size, x.size), bool))


@named(scale="sum 1", source=f"{_MAGICK}, with the width first there")
def rectangle(height: int = 3, width: int = 3) -> Matrix:
    """Mean of height rows and width columns."""
    size_of(height, "rectangle", odd=False, name="height")
    size_of(width, "rectangle", odd=False, name="width")
    return sum_one(np.ones((height, width), bool))


@named(scale="sum 1", source=_MAGICK)
def diamond(radius: int = 1) -> Matrix:
    """Mean of the pixels at most radius steps away, rows and columns added."""
    y, x = _offsets(radius, "diamond")
    return sum_one(y + x <= radius)


@named(scale="sum 1", source=_MAGICK)
def octagon(radius: int = 2) -> Matrix:
    """Mean over a square of that radius whose corners are cut: at most radius + ⌊radius/2⌋ steps away."""
    y, x = _offsets(radius, "octagon", 1)
    return sum_one(y + x <= radius + radius // 2)


@named(scale="sum 1", source=_MAGICK)
def plus(radius: int = 2) -> Matrix:
    """Mean of the centre's row and column, radius to each side."""
    y, x = _offsets(radius, "plus")
    return sum_one((y == 0) | (x == 0))


@named(scale="sum 1", source=_MAGICK)
def cross(radius: int = 2) -> Matrix:
    """Mean of the centre's two diagonals, radius to each side."""
    y, x = _offsets(radius, "cross")
    return sum_one(y == x)


@named(scale="sum 1", source=_MAGICK)
def ring(inner: float = 2.5, outer: float = 3.5) -> Matrix:
    """Mean of the pixels whose centres lie further away than inner and no further than outer."""
    if not 0 <= inner < outer <= MAX_SIDE // 2:
        allowed = f"inner from 0, and an outer above it, up to {MAX_SIDE // 2}"
        raise out_of_range(f"ring from {inner:g} to {outer:g}", allowed)
    y, x = _offsets(int(outer), "ring")
    r2 = y**2 + x**2
    inside = (inner**2 < r2) & (r2 <= outer**2)
    if not inside.any():
        remedy = "set inner and outer further apart"
        raise KernelError(f"ring from {inner:g} to {outer:g}", "holds no pixel's centre", remedy)
    return sum_one(inside)
