"""The properties of a kernel: its sums, gain, symmetries, rank and frequency response."""

import numpy as np

from convcli.errors import KernelError
from convcli.kernels.bank import Kernel, Matrix
from convcli.kernels.factors import ALIKE, Factor, common_denominator, factorise
from convcli.kernels.response import gain, total_of
from convcli.records import NamedTuple

ZERO_SUM = 1e-6
"""A sum below this share of Σ|k| counts as 0: values that were rounded to float32 or to seven digits do not cancel better."""

EXTREME = 1e100
"""Kernels with larger values, or with all values below its reciprocal, are refused: float64 cannot hold their products."""


class Analysis(NamedTuple):
    """A kernel and its properties."""

    name: str  # as the user wrote it
    values: Matrix  # ``(kh, kw)``, float64, as a correlation lays it on the image
    # the least common denominator of the values; None if it is beyond `convcli.kernels.factors.DENOMINATOR`
    denominator: int | None
    # Σk and Σ|k|: the response to an image of ones, and the largest response to values from -1 to 1
    sum: float
    abs_sum: float
    # the least and the greatest response to values from 0 to 1: the sums of negative and of positive values
    low: float
    high: float
    gain: float  # the largest ``|H|``: the factor of the wave that is amplified most. At most `abs_sum`.
    gain_at: tuple[float, float]  # the frequency of that wave, ``(fy, fx)``, in cycles per pixel
    zero_sum: bool  # whether it sums to zero
    # whether turning it by 180° does not change it (then convolution and correlation are the same), or changes its sign
    symmetric: bool
    antisymmetric: bool
    # whether it is its own mirror image
    left_right: bool
    top_bottom: bool
    rank: int | None  # of the matrix; None if it would take too long to compute
    # as many terms as its rank, which sum to the kernel; empty for a large kernel of rank above
    # `convcli.kernels.factors.FEW`
    factors: tuple[Factor, ...]
    # the tap ``(y, x)`` on the output pixel with the padding ``same``, as in PyTorch. If a side is even, it is the tap
    # before the middle.
    centre: tuple[int, int]
    offset: tuple[float, float]  # the kernel's middle minus that tap, in pixels: ½ if a side is even, else 0

    @property
    def integers(self) -> tuple[tuple[int, ...], ...] | None:
        """The values times the common denominator; None if there is none."""
        scale = self.denominator
        return None if scale is None else tuple(tuple(round(v * scale) for v in row) for row in self.values.tolist())


def analyse(kernel: Kernel) -> Analysis:
    """Work out all properties of one kernel.

    Raises `KernelError` if the values are so large or so small that float64 cannot hold their products.
    """
    values = kernel.values
    peak = float(np.abs(values).max())
    if peak and not 1 / EXTREME < peak < EXTREME:
        rule = f"has values of {peak:.3g}, too extreme to be analysed"
        raise KernelError(f"kernel '{kernel.name}'", rule, "scale it")
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
    """A matrix reduced to at most `most` values to a side, for a picture. Every block becomes its value of largest magnitude.

    The number of blocks is odd, so that they are symmetric around the middle.
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
