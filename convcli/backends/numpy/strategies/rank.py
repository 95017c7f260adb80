"""A kernel as a sum of columns times rows, with as few terms as its rank."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

LEFT_OUT = 2.0
"""The factors may leave out as much as this number of roundings of the sum."""

MAX_RANK = 32
"""The largest rank that is searched for: more passes are never worth it."""


def rank(kernel: NDArray[np.float64], dtype: str, most: int) -> int | None:
    """The number of terms that `factors` returns; None if it is more than `most`."""
    found = _factors(kernel.tobytes(), kernel.shape, dtype, min(most, MAX_RANK))
    if found is not None:
        return len(found[0])
    return min(kernel.shape) if most >= min(*kernel.shape, MAX_RANK) else None


def factors(kernel: NDArray[np.float64], dtype: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``u (rank, kh)`` and ``v (rank, kw)`` with ``kernel = Σ_r u_r v_rᵀ`` up to the rounding of `dtype`.

    They may change a result by at most `LEFT_OUT` roundings of the sum Σ|x·k|, for pixels of the same magnitude. The
    sum of what is left out counts, so that many small taps beside a large one are not lost. A kernel of full rank is
    returned as its own rows or columns.

    The method is Gaussian elimination with complete pivoting: the column and the row through the largest value, divided
    by this value, leave a rest whose rank is smaller by one. Unlike in a singular value decomposition, rounding errors
    are relative to the rest, and there are none if values are small multiples of each other.
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
    """The factors, or None if they have more than `most` terms."""
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
