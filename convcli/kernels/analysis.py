"""What a kernel does, without an image: its sums, its gain, its symmetries, its rank and its frequency response.

The frequency response is the definition, ``H(ωy, ωx) = Σn Σm k[n, m] e^{-i(ωy·n + ωx·m)}``, evaluated as two matrix
products; frequencies are in cycles per pixel, from -½ to ½, ``ω = 2πf``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from math import fsum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.errors import KernelError
from convcli.kernels.factors import ALIKE, Factor, common_denominator, factorise
from convcli.kernels.kernel import Kernel

Matrix = NDArray[np.float64]

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

    def document(self, kernel: Any = None) -> dict[str, Any]:
        """The JSON of this kernel; `kernel` is what stands for its values, by default nested lists."""
        frequencies = np.linspace(0, 0.5, 33)
        zero = np.zeros(1)
        return {
            "name": self.name,
            "kernel": self.values.tolist() if kernel is None else kernel,
            "height": self.values.shape[0],
            "width": self.values.shape[1],
            "denominator": self.denominator,
            "sum": self.sum,
            "abs_sum": self.abs_sum,
            "range": [self.low, self.high],
            "gain": self.gain,
            "gain_at": list(self.gain_at),
            "zero_sum": self.zero_sum,
            "symmetric": self.symmetric,
            "antisymmetric": self.antisymmetric,
            "mirror": {"left_right": self.left_right, "top_bottom": self.top_bottom},
            "separable": None if self.rank is None else self.rank <= 1,
            "rank": self.rank,
            "factors": [
                {"scale": factor.scale, "column": list(factor.column), "row": list(factor.row)}
                for factor in self.factors
            ],
            "centre": list(self.centre),
            "offset": list(self.offset),
            "response": {
                "frequency": frequencies.tolist(),
                "vertical": magnitude(self.values, frequencies, zero)[:, 0].tolist(),
                "horizontal": magnitude(self.values, zero, frequencies)[0].tolist(),
            },
        }


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
    high, low = _sum(np.maximum(values, 0)), _sum(np.minimum(values, 0))
    total, abs_sum = _sum(values), high - low
    denominator = common_denominator(values)
    rank, factors = factorise(values, denominator)
    gain, where = _gain(values)
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
        gain=gain,
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


def magnitude(values: Matrix, vertical: Matrix, horizontal: Matrix) -> Matrix:
    """``|H|`` of a kernel ``(kh, kw)`` at every pair of frequencies, in cycles per pixel: ``(vertical, horizontal)``.

    Frequencies ``(…, V)`` and ``(…, W)`` give ``(…, V, W)``.
    """
    down, along = (
        np.exp(-2j * np.pi * np.multiply.outer(frequencies, np.arange(side)))
        for frequencies, side in zip((vertical, horizontal), values.shape, strict=True)
    )
    out: Matrix = np.abs(down @ values @ along.swapaxes(-1, -2))
    return out


def response(values: Matrix, side: int) -> Matrix:
    """``|H|`` as a square picture of `side` pixels: frequency 0 in its middle, ±½ cycle per pixel at its edges."""
    frequencies = (np.arange(side) + 0.5) / side - 0.5
    return magnitude(values, frequencies, frequencies)


def _gain(values: Matrix) -> tuple[float, tuple[float, float]]:
    """The largest ``|H|`` and where: on a grid of eight points for each tap, then uphill from its maxima.

    On such a grid a trigonometric polynomial cannot hide more than 4 % of its maximum between the points (Ehlich and
    Zeller, "Schwankung von Polynomen zwischen Gitterpunkten", 1964), which the second step finds: every maximum of
    the grid that may be the highest is followed, since on the ring of a rotationally symmetric kernel all are nearly alike.
    ``|H|`` is the same at opposite frequencies: half of the plane is enough.
    """
    if (values >= 0).all() or (values <= 0).all():  # nothing cancels at frequency 0
        return abs(_sum(values)), (0.0, 0.0)
    points = [min(1024, max(64, 8 * side)) if side > 1 else 1 for side in values.shape]  # one tap answers all alike
    grids = ((np.arange(points[0]) / points[0] + 0.5) % 1 - 0.5, np.arange(points[1] // 2 + 1) / points[1])
    found = magnitude(values, *grids)
    rows, columns = _peaks(found)
    starts = np.stack([grids[0][rows], grids[1][columns]], axis=-1)
    squares, at = _climb(values / np.abs(values).max(), starts, 1 / max(points))
    highest = int(np.argmax(squares >= squares.max() * (1 - 1e-12)))  # of equal ones the first
    y, x = (_folded(float(frequency)) for frequency in at[highest])
    if x < 0 or (x == 0 and y < 0):  # the opposite frequency, which is the same wave
        y, x = _folded(-y), _folded(-x)
    best = float(np.sqrt(squares.max()) * np.abs(values).max())
    return min(best, float(np.abs(values).sum())), (y, x)


def _sum(values: Matrix) -> float:
    """Rounded once, at the end; a row at a time becomes Python's numbers."""
    return fsum(chain.from_iterable(row.tolist() for row in values))


HIDDEN = 0.04
"""The share of the largest `|H|` that may be missed between the points of the grid."""

_PEAKS = 64
"""So many maxima of the grid are followed, the highest of them: the ripple of a large kernel has thousands."""


def _peaks(found: Matrix) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns, in their order, of the points as high as all their neighbours, and that may hide the highest."""
    framed = np.pad(found, 1)
    neighbours = np.lib.stride_tricks.sliding_window_view(framed, (3, 3))
    high = (found >= neighbours.max((-2, -1))) & (found >= (1 - HIDDEN) * found.max())
    places = np.flatnonzero(high)
    if len(places) > _PEAKS:
        places = np.sort(places[np.argsort(-found.ravel()[places], kind="stable")[:_PEAKS]])
    rows, columns = np.unravel_index(places, found.shape)
    return rows, columns


def _climb(values: Matrix, at: Matrix, reach: float) -> tuple[Matrix, Matrix]:
    """Follow ``|H|²`` upwards from every frequency of `at`, ``(N, 2)``: the maxima, ``(N,)``, and where they are.

    Newton's steps, uphill whichever way the surface bends and no longer than `reach`: a ring is a ridge, along which it rises
    so gently that a search on grids stops beside the top.
    """
    height, slope, bend = _squares(values, at)
    longest = np.full(len(at), reach)
    for _ in range(60):
        curves, axes = np.linalg.eigh(bend)
        floor = np.maximum(1e-12 * np.abs(curves).max(-1, keepdims=True), 1e-30)
        step = np.einsum("nij,nj->ni", axes, np.einsum("nij,ni->nj", axes, slope) / np.maximum(np.abs(curves), floor))
        length = np.linalg.norm(step, axis=-1)
        if np.minimum(length, longest).max() < 1e-9:
            break
        step *= np.minimum(1, longest / np.maximum(length, 1e-300))[:, np.newaxis]
        tried = _squares(values, at + step)
        up = tried[0] > height
        height = np.where(up, tried[0], height)
        slope, bend = (
            np.where(up[:, np.newaxis], tried[1], slope),
            np.where(up[:, np.newaxis, np.newaxis], tried[2], bend),
        )
        at = np.where(up[:, np.newaxis], at + step, at)
        longest = np.where(up, np.minimum(2 * longest, reach), longest / 4)
    return height, at


def _squares(values: Matrix, at: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """``|H|²`` at frequencies ``(N, 2)``, its gradient ``(N, 2)`` and its second derivatives ``(N, 2, 2)``."""
    waves = []
    for axis, side in enumerate(values.shape):
        turns = -2j * np.pi * (np.arange(side) - (side - 1) / 2)  # from the middle: the magnitude is the same
        waves.append(np.exp(np.multiply.outer(at[:, axis], turns)) * turns ** np.arange(3)[:, np.newaxis, np.newaxis])
    h, hx, hxx = (np.sum(waves[0][0] @ values * wave, -1) for wave in waves[1])
    hy, hxy = (np.sum(waves[0][1] @ values * wave, -1) for wave in waves[1][:2])
    hyy = np.sum(waves[0][2] @ values * waves[1][0], -1)

    def both(one: NDArray[Any], other: NDArray[Any]) -> Matrix:
        product: Matrix = 2 * (np.conj(one) * other).real
        return product

    mixed = both(hy, hx) + both(h, hxy)
    bend = [[both(hy, hy) + both(h, hyy), mixed], [mixed, both(hx, hx) + both(h, hxx)]]
    return both(h, h) / 2, np.stack([both(h, hy), both(h, hx)], -1), np.moveaxis(np.array(bend), -1, 0)


def _folded(frequency: float) -> float:
    """The frequency from -½ (excluded) to ½ that is the same on whole pixels, without the last digits of the search."""
    folded = round(0.5 - (0.5 - frequency) % 1, 6)
    return 0.5 if folded == -0.5 else folded + 0.0


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
