"""What a kernel does, without an image: its sums, its gain, its symmetries, its rank, its frequency response."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from convcli.errors import KernelError
from convcli.kernels.factors import ALIKE, Factor, common_denominator, factorise
from convcli.kernels.kernel import Kernel
from convcli.kernels.response import Matrix, gain, total_of

ZERO_SUM = 1e-6
"""A sum below this share of Σ|k| is none: values rounded to float32 or to seven digits do not cancel any better."""

EXTREME = 1e100
"""Values beyond it, or all below its reciprocal, are refused: float64 does not hold their products."""


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """A kernel and its properties.

    Attributes
    ----------
    name : str
        As the user wrote it.
    values : ndarray
        ``(kh, kw)``, float64, as a correlation lays it on the image.
    denominator : int or None
        The least common denominator of the values, if they are fractions with one up to `DENOMINATOR`.
    sum, abs_sum : float
        Σk and Σ|k|: the response to a constant image, and the largest response to values from -1 to 1.
    low, high : float
        The least and the greatest response to values from 0 to 1: the sums of the negative and of the positive values.
    gain : float
        The largest ``|H|``: how much the wave that is amplified most gains. At most `abs_sum`.
    gain_at : tuple of float
        The frequency of that wave, ``(fy, fx)``, in cycles per pixel.
    zero_sum, symmetric, antisymmetric : bool
        Whether it sums to zero; whether turning it by 180° leaves it as it is (convolution and correlation are the same)
        or changes its sign.
    left_right, top_bottom : bool
        Whether it is its own mirror image.
    rank : int or None
        Of the matrix; None where it is not worth the time.
    factors : tuple of Factor
        Terms that sum to the kernel, as many as its rank; empty if there are more than `FEW` in a large kernel.
    centre : tuple of int
        The tap ``(y, x)`` that lies on the output pixel when the padding is ``same``, as PyTorch rules: the one before
        the middle where a side is even.
    offset : tuple of float
        The kernel's middle minus that tap, in pixels: ½ where a side is even.
    """

    name: str
    values: Matrix
    denominator: int | None
    sum: float
    abs_sum: float
    low: float
    high: float
    gain: float
    gain_at: tuple[float, float]
    zero_sum: bool
    symmetric: bool
    antisymmetric: bool
    left_right: bool
    top_bottom: bool
    rank: int | None
    factors: tuple[Factor, ...]
    centre: tuple[int, int]
    offset: tuple[float, float]

    @property
    def integers(self) -> tuple[tuple[int, ...], ...] | None:
        """The values times the common denominator; None if there is none."""
        if self.denominator is None:
            return None
        return tuple(tuple(round(value * self.denominator) for value in row) for row in self.values.tolist())


def analyse(kernel: Kernel) -> Analysis:
    """Find out everything about one kernel.

    Raises
    ------
    KernelError
        Values so large or so small that their products are beyond float64.
    """
    values = kernel.values
    peak = float(np.abs(values).max())
    if peak and not 1 / EXTREME < peak < EXTREME:
        raise KernelError(f"kernel '{kernel.name}' has values of {peak:.3g}, beyond what can be analysed: scale it")
    high, low = total_of(np.maximum(values, 0)), total_of(np.minimum(values, 0))
    total, abs_sum = total_of(values), high - low
    denominator = common_denominator(values)
    rank, factors = factorise(values, denominator)
    highest, where = gain(values)
    turned = values[::-1, ::-1]
    height, width = values.shape
    return Analysis(
        name=kernel.name,
        values=values,
        denominator=denominator,
        sum=total,
        abs_sum=abs_sum,
        low=low,
        high=high,
        gain=highest,
        gain_at=where,
        zero_sum=abs(total) <= ZERO_SUM * abs_sum,
        symmetric=_alike(values, turned),
        antisymmetric=_alike(values, -turned),
        left_right=_alike(values, values[:, ::-1]),
        top_bottom=_alike(values, values[::-1]),
        rank=rank,
        factors=factors,
        centre=((height - 1) // 2, (width - 1) // 2),
        offset=((height - 1) % 2 / 2, (width - 1) % 2 / 2),
    )


def _alike(one: Matrix, other: Matrix) -> bool:
    return bool(np.abs(one - other).max() <= ALIKE * np.abs(one).max())


def reduced(values: Matrix, most: int) -> Matrix:
    """A matrix for a picture of at most `most` pixels to a side: of every block the value of the largest magnitude.

    The count of blocks is odd, by which they lie symmetrically.
    """
    count = max(1, most - 1 + most % 2)
    for axis in (0, 1):
        side = values.shape[axis]
        if side <= most:
            continue
        edges = [int(place * side / count + 0.5) for place in range(1, count)]
        blocks = np.split(values, edges, axis)
        reach = [np.abs(block).argmax(axis, keepdims=True) for block in blocks]
        values = np.concatenate(
            [np.take_along_axis(block, at, axis) for block, at in zip(blocks, reach, strict=True)], axis
        )
    return values
