"""A kernel as a sum of columns times rows, as few of them as its rank."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

LEFT_OUT = 2.0
"""Roundings of the sum that factors may leave out."""

MAX_RANK = 32
"""Ranks that are looked for: more are never worth their passes."""


def rank(kernel: NDArray[np.float64], dtype: str, most: int) -> int | None:
    """How many terms `factors` has; None if they are more than `most` and it is not looked how many."""
    found = _factors(kernel.tobytes(), kernel.shape, dtype, min(most, MAX_RANK))
    if found is not None:
        return len(found[0])
    return min(kernel.shape) if most >= min(*kernel.shape, MAX_RANK) else None


def factors(kernel: NDArray[np.float64], dtype: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``u (rank, kh)`` and ``v (rank, kw)`` with ``kernel = Σ_r u_r v_rᵀ`` up to the rounding of `dtype`.

    What they leave out may change a result by `LEFT_OUT` roundings of the sum Σ|x·k| for pixels of one size, no more: small
    taps of a kernel with a large one count by their sum. A kernel of full rank is its own rows, or columns.

    Gaussian elimination with complete pivoting: the column and the row through the largest value, over that value, leave a
    rest of one rank less. Unlike a singular value decomposition it rounds relative to the rest, and not at all where values
    are small multiples of each other.
    """
    found = _factors(kernel.tobytes(), kernel.shape, dtype, MAX_RANK)
    if found is not None:
        return found
    height, width = kernel.shape
    return (np.eye(height), kernel) if height <= width else (kernel.T, np.eye(width))


@lru_cache(maxsize=64)
def _factors(
    values: bytes, shape: tuple[int, int], dtype: str, most: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """The factors, if they are at most so many."""
    kernel = np.frombuffer(values).reshape(shape)
    allowed = LEFT_OUT * float(np.finfo(dtype).eps) * float(np.abs(kernel).sum())
    rest = kernel.copy()
    u, v = np.empty((0, shape[0])), np.empty((0, shape[1]))
    while len(u) < min(*shape, most):
        row, column = np.unravel_index(np.abs(rest).argmax(), shape)
        u = np.vstack([u, rest[:, column]])
        v = np.vstack([v, rest[row] / (rest[row, column] or 1.0)])
        rest -= np.outer(u[-1], v[-1])
        if np.abs(rest).sum() <= allowed:
            return u, v
    return None
