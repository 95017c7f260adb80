"""A pass along the rows, in one of two ways: blocks of columns times a banded matrix, or shifted lines folded and weighed.

The band takes any line of taps, at the price of ``BLOCK_COLUMNS + apart·(k - 1)`` multiply-accumulates for each output.
Folding adds those shifted lines first that have one weight, ``x[i-n] + x[i+n]`` of a symmetric line; a product with the few
weights that differ then sums them up. That suits short lines of taps, above all where channels lie side by side.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from convcli.backends.numpy.steps import Steps

BLOCK_COLUMNS = 32
"""Output values of a product with a band (measured): two registers of AVX-512, few enough to waste little."""

PASS_PRODUCTS, LINE_VALUES = 9.0, 1000
"""Multiply-accumulates of BLAS that take as long as a pass over memory, for each value; and values of a line that take as long
as to go on to the next one (measured)."""

FEW_LINES = 3
"""Lines of taps up to which folding is weighed: more have too many weights."""

TOGETHER = 2
"""Rows whose weighted sums are one product: a single row is a product of a vector, which BLAS is slow at."""


class Fold(NamedTuple):
    """A line of taps as weighted sums of shifted lines.

    Attributes
    ----------
    centre : int
        The tap whose place in the line all sums are brought to.
    sums : list of list of (int, int)
        The taps that have one weight, ``(tap, sign)``, but for the centre's; the first sign is 1.
    weights : list of float
        Of the centre, then of each sum.
    """

    centre: int
    sums: list[list[tuple[int, int]]]
    weights: list[float]

    def runs(self) -> list[list[list[tuple[int, int]]]]:
        """The sums in runs that one call adds up: pairs of taps that move on evenly, as those of a symmetric line do."""
        runs: list[list[list[tuple[int, int]]]] = []
        for taps in self.sums:
            if runs and _moves_on([*runs[-1][-2:], taps]):
                runs[-1].append(taps)
            else:
                runs.append([taps])
        return runs

    def products(self, width: int) -> float:
        """What it takes for each output of lines so wide, in multiply-accumulates."""
        passes = sum(max(1, len(taps) - 1) for taps in self.sums)
        return PASS_PRODUCTS * (1 + LINE_VALUES / width) * passes + TOGETHER * len(self.weights)


def folded(taps: NDArray[Any], centre: int | None = None) -> Fold:
    """The fold of a line of taps ``(k,)``, by default about its first tap whose weight no other has."""
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
    """What lines of taps take for each output, whose sum is wanted, in multiply-accumulates; and their folds, if those are less.

    `width` is that of an output line, in values.
    """
    by_bands = sum(BLOCK_COLUMNS + apart * (len(line) - 1) for line in lines) + PASS_PRODUCTS * 2 * (len(lines) - 1)
    least = PASS_PRODUCTS * sum(
        len(np.unique(np.abs(line[line != 0]))) - 1 for line in lines
    )  # a pass for a weight, at least
    if len(lines) > FEW_LINES or least >= by_bands:
        return by_bands, []
    first = folded(lines[0])
    folds = [first, *(folded(line, first.centre) for line in lines[1:])]
    by_folds = sum(fold.products(width) for fold in folds)
    return (by_folds, folds) if by_folds < by_bands else (by_bands, [])


def by_fold(folds: list[Fold], room: NDArray[Any], apart: int, out: NDArray[Any]) -> Steps:
    """The steps that fill ``out (rows, width)`` with the sum of several lines of taps, each over lines of its own.

    Parameters
    ----------
    folds : list of Fold
        All about one tap.
    room : ndarray
        ``(rows, slots, line)``, a slot for each weight of each fold. The first of each fold holds the lines.
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
    """Whether the taps of every one of these sums are two, of the same signs, as far from those of the sum before."""
    if any(len(taps) != 2 or taps[1][1] != pairs[0][1][1] for taps in pairs):
        return False
    moves = {(after[0][0] - before[0][0], after[1][0] - before[1][0]) for before, after in pairwise(pairs)}
    return len(moves) == 1


def _shifted(lines: NDArray[Any], offsets: list[int], width: int) -> NDArray[Any]:
    """``(rows, offsets, width)``: the parts of `lines` from evenly spaced offsets on."""
    first, *others = offsets
    between = others[0] - first if others else 0
    down, along = lines.strides
    return as_strided(lines[:, first:], (len(lines), len(offsets), width), (down, between * along, along))


def by_band(lines: NDArray[Any], band: NDArray[Any], out: NDArray[Any]) -> Steps:
    """The steps that fill ``out (rows, width)`` with products of ``band (depth, size)``, for each block of columns in one call."""
    (rows, width), size = out.shape, band.shape[1]
    itemsize = out.itemsize

    def product(start: int, count: int) -> Steps:
        windows = as_strided(lines[:, start:], (count, rows, len(band)), (size * itemsize, lines.strides[0], itemsize))
        blocks = as_strided(out[:, start:], (count, rows, size), (size * itemsize, out.strides[0], itemsize))
        return [(np.matmul, (windows, band, blocks))]

    # again some columns that are done: the last block is whole too
    return product(0, width // size) + (product(width - size, 1) if width % size else [])
