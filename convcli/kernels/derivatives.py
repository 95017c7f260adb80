"""Named kernels that are plain finite differences. Signs are those of the derivative: x grows to the right, y downwards."""

from __future__ import annotations

from math import sqrt

import numpy as np

from convcli.errors import KernelError
from convcli.kernels.edges import pair
from convcli.kernels.named import Matrix, named

_SCHEMES: dict[int, tuple[list[float], list[float]]] = {
    -1: ([0, 1, 0], [-1, 1, 0]),
    0: ([0, 1, 0], [-0.5, 0, 0.5]),
    1: ([0, 1, 0], [0, -1, 1]),
    2: ([1, 2, 1], [-1, 0, 1]),
    3: ([(2 - sqrt(2)) / 4, (sqrt(2) - 1) / 2, (2 - sqrt(2)) / 4], [-1, 0, 1]),
}
"""By G'MIC's number of the scheme: the weights that smooth down the columns, and those that differentiate along the rows."""


@named("gradient", scale="sum 0", source="G'MIC's gradient", combine="magnitude", members=("x", "y"))
def gradient(scheme: int = 0) -> dict[str, Matrix]:
    """Gradient magnitude by backward (-1), centred (0) or forward (1) differences, Sobel (2) or rotation-invariant (3).

    Schemes 3, whose weights are ¼(2-√2) and ½(√2-1), and 0, ±1 answer a ramp of 1 per pixel with 1; scheme 2 with 8.
    """
    if scheme not in _SCHEMES:
        raise KernelError(f"gradient scheme {scheme}", "is unknown", f"use {', '.join(map(str, _SCHEMES))}")
    return pair(*_SCHEMES[scheme])


@named("diff", scale="sum 0, Σ|k| = 2", source="kornia's diff", combine="magnitude", members=("x", "y"))
def diff() -> dict[str, Matrix]:
    """Gradient magnitude of diff-x (-1,0,1 in the middle row) and diff-y."""
    return pair([0, 1, 0], [-1, 0, 1])


def _second(across: list[float], first: list[float], second: list[float], mixed: float) -> dict[str, Matrix]:
    xx = np.outer(across, second)
    return {"xx": xx, "xy": mixed * np.outer(first, first), "yy": xx.T.copy()}


@named("hessian", scale="sum 0", source="G'MIC's hessian", combine="magnitude", members=("xx", "xy", "yy"))
def hessian() -> dict[str, Matrix]:
    """Magnitude of the second derivatives hessian-xx (1,-2,1), -xy (1,0,-1; 0,0,0; -1,0,1 over 4) and -yy."""
    return _second([0, 1, 0], [-1, 0, 1], [1, -2, 1], 1 / 4)


@named(
    "diff2", scale="sum 0, Σ|k| = 4", source="kornia's diff of order 2", combine="magnitude", members=("xx", "xy", "yy")
)
def diff2() -> dict[str, Matrix]:
    """Magnitude of the second differences diff2-xx (1,-2,1), -xy (1,0,-1; 0,0,0; -1,0,1) and -yy."""
    return _second([0, 1, 0], [-1, 0, 1], [1, -2, 1], 1)


@named("sobel2", scale="sum 0", source="kornia's sobel of order 2", combine="magnitude", members=("xx", "xy", "yy"))
def sobel2() -> dict[str, Matrix]:
    """Magnitude of the 5×5 Sobel second derivatives sobel2-xx (1,0,-2,0,1 smoothed by 1,4,6,4,1), -xy and -yy."""
    return _second([1, 4, 6, 4, 1], [-1, -2, 0, 2, 1], [1, 0, -2, 0, 1], 1)
