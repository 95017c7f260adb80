"""A pass along the rows, in one of two ways: by products with a banded matrix, or by a fold.

The band works for any line of taps, and costs ``BLOCK_COLUMNS + apart·(k - 1)`` multiply-accumulates for each output. A
fold first adds the shifted lines that have the same weight, such as ``x[i-n] + x[i+n]`` of a symmetric line. Then a
product with the few different weights sums up the results. This is good for short lines of taps, above all if channels
are interleaved.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from convcli.backends.numpy.steps import Steps

BLOCK_COLUMNS = 32
"""Output values of a product with a band (measured): two registers of AVX-512, and few enough to waste little."""

PASS_PRODUCTS, LINE_VALUES = 9.0, 1000
"""Multiply-accumulates in BLAS that take as long as a pass over memory, for each value; and the number of values of
a line that take as long as the step to the next line (measured)."""

FEW_LINES = 3
"""A fold is considered for at most so many lines of taps: more lines have too many weights."""

TOGETHER = 2
"""Rows whose weighted sums are computed by one product: for a single row it would be a product with a vector, which
is slow in BLAS."""


class Fold(NamedTuple):
    """A line of taps as weighted sums of shifted lines.

    Attributes
    ----------
    centre : int
        The tap to whose place in the line all sums are shifted.
    sums : list of list of (int, int)
        The taps of each sum, ``(tap, sign)``: they have the same weight, except for the sign. The first sign is 1.
        There is no sum for the centre if no other tap has its weight.
    weights : list of float
        The weight of the centre (0 if it is in a sum), then the weight of each sum.
    """

    centre: int
    sums: list[list[tuple[int, int]]]
    weights: list[float]

    def runs(self) -> list[list[list[tuple[int, int]]]]:
        """The sums in runs. One call adds up a run: its sums are pairs of taps that move on evenly, as in a symmetric line."""
        runs: list[list[list[tuple[int, int]]]] = []
        for taps in self.sums:
            if runs and _moves_on([*runs[-1][-2:], taps]):
                runs[-1].append(taps)
            else:
                runs.append([taps])
        return runs

    def products(self, width: int) -> float:
        """The cost for each output value, in multiply-accumulates, if lines have `width` values."""
        passes = sum(max(1, len(taps) - 1) for taps in self.sums)
        return PASS_PRODUCTS * (1 + LINE_VALUES / width) * passes + TOGETHER * len(self.weights)


def folded(taps: NDArray[Any], centre: int | None = None) -> Fold:
    """The fold of a line of taps ``(k,)``. By default, its centre is the first tap whose weight no other tap has."""
    groups: dict[float, list[tuple[int, int]]] = {}
    for place, tap in enumerate(taps.tolist()):
        if tap:
            groups.setdefault(abs(tap), []).append((place, 1 if tap > 0 else -1))
    if centre is None:
        centre = next((group[0][0] for group in groups.values() if len(group) == 1), 0)
    weights, sums = [0.0], []
    for size, group in groups.items():
        (place, sign), *others = group
        if place == centre and not others:
            weights[0] = sign * size
        else:
            weights.append(sign * size)
            sums.append([(place, 1), *((other, sign * its) for other, its in others)])
    return Fold(centre, sums, weights)


def cheapest(lines: list[NDArray[Any]], apart: int, width: int) -> tuple[float, list[Fold]]:
    """The cost of the cheaper way for several lines of taps whose results are summed, and its folds.

    Parameters
    ----------
    lines : list of ndarray
        Lines of taps, ``(k,)``.
    apart : int
        Values between neighbouring taps.
    width : int
        Values of an output line.

    Returns
    -------
    float
        Multiply-accumulates for each output value.
    list of Fold
        Empty if bands are cheaper.
    """
    by_bands = sum(BLOCK_COLUMNS + apart * (len(line) - 1) for line in lines) + PASS_PRODUCTS * 2 * (len(lines) - 1)
    least = PASS_PRODUCTS * sum(
        len(np.unique(np.abs(line[line != 0]))) - 1 for line in lines
    )  # at least one pass for each weight
    if len(lines) > FEW_LINES or least >= by_bands:
        return by_bands, []
    first = folded(lines[0])
    folds = [first, *(folded(line, first.centre) for line in lines[1:])]
    by_folds = sum(fold.products(width) for fold in folds)
    return (by_folds, folds) if by_folds < by_bands else (by_bands, [])


def by_fold(folds: list[Fold], room: NDArray[Any], apart: int, out: NDArray[Any]) -> Steps:
    """The steps that fill ``out (rows, width)`` with the sum of several lines of taps. Each is applied to its own lines.

    Parameters
    ----------
    folds : list of Fold
        All have the same centre.
    room : ndarray
        ``(rows, slots, line)``, one slot for each weight of each fold. The first slot of a fold holds its lines.
    apart : int
        Values between neighbouring taps.
    out : ndarray
        Is overwritten.
    """
    rows, width = out.shape
    start = folds[0].centre * apart
    steps: Steps = []
    slot = 0
    for fold in folds:
        lines, number = room[:, slot], slot + 1
        for run in fold.runs():
            target = room[:, number : number + len(run), start : start + width]
            total, *others = (_shifted(lines, [taps[i][0] * apart for taps in run], width) for i in range(len(run[0])))
            if not others:
                steps.append((np.copyto, (target, total)))
            for (_, sign), shifted in zip(run[0][1:], others, strict=True):
                steps.append((np.add if sign > 0 else np.subtract, (total, shifted, target)))
                total = target
            number += len(run)
        slot += len(fold.weights)
    weights = np.array([weight for fold in folds for weight in fold.weights], out.dtype)
    sums = room[:, :, start : start + width]

    def weighed(first: int, count: int) -> Steps:
        matrix = np.kron(np.eye(count, dtype=out.dtype), weights)
        many = (rows - first) // count
        if not many:
            return []
        down, between, along = sums.strides
        windows = as_strided(sums[first:], (many, count * slot, width), (count * down, between, along))
        return [(np.matmul, (matrix, windows, out[first : first + many * count].reshape(many, count, width)))]

    return steps + weighed(0, TOGETHER) + (weighed(rows - rows % TOGETHER, 1) if rows % TOGETHER else [])


def _moves_on(pairs: list[list[tuple[int, int]]]) -> bool:
    """Whether each sum has two taps, with the same signs, and both move on by the same steps from one sum to the next."""
    if any(len(taps) != 2 or taps[1][1] != pairs[0][1][1] for taps in pairs):
        return False
    moves = {(after[0][0] - before[0][0], after[1][0] - before[1][0]) for before, after in pairwise(pairs)}
    return len(moves) == 1


def _shifted(lines: NDArray[Any], offsets: list[int], width: int) -> NDArray[Any]:
    """``(rows, offsets, width)``: the parts of `lines` that begin at evenly spaced offsets."""
    first, *others = offsets
    between = others[0] - first if others else 0
    down, along = lines.strides
    return as_strided(lines[:, first:], (len(lines), len(offsets), width), (down, between * along, along))


def by_band(lines: NDArray[Any], band: NDArray[Any], out: NDArray[Any]) -> Steps:
    """The steps that fill ``out (rows, width)`` with products of `lines` and ``band (depth, size)``, all blocks in one call."""
    (rows, width), size = out.shape, band.shape[1]
    itemsize = out.itemsize

    def product(start: int, count: int) -> Steps:
        windows = as_strided(lines[:, start:], (count, rows, len(band)), (size * itemsize, lines.strides[0], itemsize))
        blocks = as_strided(out[:, start:], (count, rows, size), (size * itemsize, out.strides[0], itemsize))
        return [(np.matmul, (windows, band, blocks))]

    # the last block is whole, too: it computes some columns again
    return product(0, width // size) + (product(width - size, 1) if width % size else [])
