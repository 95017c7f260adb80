"""What happens to results at the edge: combine a bank's outputs, apply the range policy, round, cast.

A `Finish` works on any block of an output, so that a backend can apply it while the block is still in the cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.ranges import Clipped, store


@dataclass(frozen=True, slots=True)
class Finish:
    """How real results become what is kept.

    Parameters
    ----------
    parts : tuple of (int, str)
        Runs of a bank's kernels and the rule of `convcli.vocabulary.COMBINES` that joins each; empty: nothing is joined.
    dtype : str, optional
        ``uint8`` or ``uint16`` to round to; None keeps real values.
    full_scale : float
        The value of white.
    policy : {"clip", "abs", "offset"}
        The range policy (those that need no look at the whole image).
    count : bool
        Whether to count what is clipped.
    """

    parts: tuple[tuple[int, str], ...] = ()
    dtype: str | None = None
    full_scale: float = 255.0
    policy: str = "clip"
    count: bool = False

    @property
    def joins(self) -> bool:
        """Whether it changes the number of outputs or their values by joining them; the magnitude of one is its size."""
        return any(rule == "magnitude" or (rule != "none" and count > 1) for count, rule in self.parts)

    def outputs(self, count: int) -> int:
        """How many outputs become of `count`."""
        if not self.joins:
            return count
        kernels = sum(length for length, _ in self.parts)
        return count // kernels * sum(length if rule == "none" else 1 for length, rule in self.parts)

    def keeps(self, span: tuple[float, float]) -> bool:
        """Whether results within `span`, but for their rounding, need no clipping."""
        low, high = span
        return not self.joins and self.policy == "clip" and low > -0.25 and high < self.full_scale + 0.25

    def apply(self, values: NDArray[Any], out: NDArray[Any], within: bool = False) -> Clipped:
        """Finish a block.

        Parameters
        ----------
        values : ndarray
            ``(blocks·K, rows, line)``, K the kernels of the bank; real, or exact integers. Is overwritten.
        out : ndarray
            ``(blocks·P, rows, line)`` of the final dtype.
        within : bool
            Whether it is known (see `keeps`) that there is nothing to clip.
        """
        values = self.join(values)
        if self.dtype is None:
            np.copyto(out, values, casting="unsafe")
            return Clipped()
        return store(values, self.full_scale, self.policy, out, self.count, within)

    def join(self, values: NDArray[Any]) -> NDArray[Any]:
        """``(…, blocks·K, rows, line)`` to ``(…, blocks·P, rows, line)``."""
        if not self.joins:
            return values
        kernels = sum(length for length, _ in self.parts)
        *batch, count, height, width = values.shape
        blocks = values.reshape(*batch, count // kernels, kernels, height, width)
        joined = []
        start = 0
        for length, rule in self.parts:
            block = blocks[..., start : start + length, :, :]
            joined.append(block if rule == "none" else _RULES[rule](block))
            start += length
        out = np.concatenate(joined, axis=-3) if len(joined) > 1 else joined[0]
        return out.reshape(*batch, out.shape[-4] * out.shape[-3], height, width)


def _magnitude(block: NDArray[Any]) -> NDArray[Any]:
    if block.shape[-3] == 1:
        sizes: NDArray[Any] = np.abs(block)
        return sizes
    kind = np.float64 if block.dtype == np.float64 else np.float32
    total = np.square(block[..., :1, :, :], dtype=kind)
    for k in range(1, block.shape[-3]):
        total += np.square(block[..., k : k + 1, :, :], dtype=kind)
    out: NDArray[Any] = np.sqrt(total, out=total)
    return out


def _sum(block: NDArray[Any]) -> NDArray[Any]:
    kind = np.dtype(np.float32) if block.dtype.kind == "i" else block.dtype  # integers might not hold the sum
    out: NDArray[Any] = block.sum(axis=-3, keepdims=True, dtype=kind)
    return out


def _max(block: NDArray[Any]) -> NDArray[Any]:
    out: NDArray[Any] = block.max(axis=-3, keepdims=True)
    return out


_RULES = {"magnitude": _magnitude, "sum": _sum, "max": _max}
