"""The frequency response of a kernel, and its largest value.

The response is computed by its definition, ``H(ωy, ωx) = Σn Σm k[n, m] e^{-i(ωy·n + ωx·m)}``, as two matrix products.
Frequencies are in cycles per pixel, from -½ to ½; ``ω = 2πf``.
"""

from __future__ import annotations

from itertools import chain
from math import fsum
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.kernels.bank import Matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray


def magnitude(values: Matrix, vertical: Matrix, horizontal: Matrix) -> Matrix:
    """``|H|`` of a kernel ``(kh, kw)`` at every pair of a vertical and a horizontal frequency, in cycles per pixel.

    Frequencies of shape ``(…, V)`` and ``(…, W)`` give a result of shape ``(…, V, W)``.
    """
    down, along = (
        np.exp(-2j * np.pi * np.multiply.outer(frequencies, np.arange(side)))
        for frequencies, side in zip((vertical, horizontal), values.shape, strict=True)
    )
    return np.asarray(np.abs(down @ values @ along.swapaxes(-1, -2)))


def response(values: Matrix, side: int) -> Matrix:
    """``|H|`` as an array ``(side, side)``. `side` is odd: frequency 0 is the value in the middle, ±½ are the outer edges."""
    frequencies = (np.arange(side) + 0.5) / side - 0.5
    return magnitude(values, frequencies, frequencies)


def gain(values: Matrix) -> tuple[float, tuple[float, float]]:
    """The largest ``|H|`` and its frequency ``(fy, fx)``, in cycles per pixel.

    First ``|H|`` is computed on a grid with eight points for each tap. Between such points a trigonometric polynomial is at
    most 4 % higher than at them (Ehlich and Zeller, "Schwankung von Polynomen zwischen Gitterpunkten", 1964). Then the search
    goes uphill from every maximum of the grid that may lead to the highest value, because for a rotationally symmetric kernel
    all points on a ring are nearly equal. ``|H|`` is the same at opposite frequencies, so half of the plane is enough.
    """
    if (values >= 0).all() or (values <= 0).all():  # nothing cancels at frequency 0
        return abs(total_of(values)), (0.0, 0.0)
    points = [min(1024, max(64, 8 * side)) if side > 1 else 1 for side in values.shape]  # one tap: the same everywhere
    grids = ((np.arange(points[0]) / points[0] + 0.5) % 1 - 0.5, np.arange(points[1] // 2 + 1) / points[1])
    found = magnitude(values, *grids)
    rows, columns = _peaks(found)
    starts = np.stack([grids[0][rows], grids[1][columns]], axis=-1)
    squares, at = _climb(values / np.abs(values).max(), starts, 1 / max(points))
    highest = int(np.argmax(squares >= squares.max() * (1 - 1e-12)))  # the first of equal values
    y, x = (_folded(float(frequency)) for frequency in at[highest])
    if x < 0 or (x == 0 and y < 0):  # the opposite frequency, which is the same wave
        y, x = _folded(-y), _folded(-x)
    best = float(np.sqrt(squares.max()) * np.abs(values).max())
    return min(best, float(np.abs(values).sum())), (y, x)


def total_of(values: Matrix) -> float:
    """The sum of all values, rounded only once, at the end."""
    return fsum(chain.from_iterable(row.tolist() for row in values))


HIDDEN = 0.04
"""The share of the largest ``|H|`` by which it may be higher between the points of the grid."""

_PEAKS = 64
"""How many of the highest maxima of the grid are followed. A large kernel may have thousands."""


def _peaks(found: Matrix) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the grid's maxima from which the search has to start, in the order of the grid."""
    framed = np.pad(found, 1)
    neighbours = np.lib.stride_tricks.sliding_window_view(framed, (3, 3))
    high = (found >= neighbours.max((-2, -1))) & (found >= (1 - HIDDEN) * found.max())
    places = np.flatnonzero(high)
    if len(places) > _PEAKS:
        places = np.sort(places[np.argsort(-found.ravel()[places], kind="stable")[:_PEAKS]])
    rows, columns = np.unravel_index(places, found.shape)
    return rows, columns


def _climb(values: Matrix, at: Matrix, reach: float) -> tuple[Matrix, Matrix]:
    """Go uphill on ``|H|²`` from every frequency in `at`, ``(N, 2)``: the maxima, ``(N,)``, and their places, ``(N, 2)``.

    Takes steps of Newton's method that always lead uphill and are no longer than `reach`. On a ring the surface rises so
    gently that a search on finer and finer grids would stop too early.
    """
    at, (height, slope, bend) = at.copy(), _squares(values, at)
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
        for old, new in zip((height, slope, bend, at), (*tried, at + step), strict=True):
            old[up] = new[up]
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
        return np.asarray(2 * (np.conj(one) * other).real)

    mixed = both(hy, hx) + both(h, hxy)
    bend = [[both(hy, hy) + both(h, hyy), mixed], [mixed, both(hx, hx) + both(h, hxx)]]
    return both(h, h) / 2, np.stack([both(h, hy), both(h, hx)], -1), np.moveaxis(np.array(bend), -1, 0)


def _folded(frequency: float) -> float:
    """The equivalent frequency above -½ and up to ½, rounded to six decimals, which is the precision of the search."""
    folded = round(0.5 - (0.5 - frequency) % 1, 6)
    return 0.5 if folded == -0.5 else folded + 0.0
