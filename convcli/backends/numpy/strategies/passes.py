"""Passes along the columns and along the rows: lines of taps as products with banded matrices, or as folds.

For one line of taps, a block of B output rows is ``T X``: X holds the input rows under the block, and row b of T the taps from
place b on. That wastes (B - 1)/(B + k - 1) of the work, but runs at the speed of BLAS.

A pass along the rows has blocks of columns instead, at the price of ``BLOCK_COLUMNS + apart·(k - 1)`` multiply-accumulates for each
output. Folding adds those shifted lines first that have one weight, ``x[i-n] + x[i+n]`` of a symmetric line; a product with the few
weights that differ then sums them up. That suits short lines of taps, above all where channels lie side by side.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from convcli.backends.numpy.job import Job
from convcli.backends.numpy.tiles import Steps
from convcli.geometry import Size, extent

LONG_LINE = 4096
"""Values of a line from which on NumPy works on every line as fast as on all of them as one."""


def banded(taps: NDArray[Any], block: int, stride: int, dilation: int) -> NDArray[Any]:
    """``T (block, stride·(block - 1) + dilation·(k - 1) + 1)`` of one line of taps ``(k,)``."""
    reach = extent(len(taps), dilation)
    out = np.zeros((block, stride * (block - 1) + reach), taps.dtype)
    for row in range(block):
        out[row, stride * row : stride * row + reach : dilation] = taps
    return out


def block_rows(kernel_rows: int, products: int = 1, line: int = LONG_LINE) -> int:
    """Output rows of a block: fewer waste less of a product, more keep BLAS busier (measured).

    `products` of a block are done at once, and keep it busy. Of single rows they can be added up in one stretch each, which
    short lines ask for; and many products of a kernel of one row have nothing that further rows could share.
    """
    if products > 2 and kernel_rows < 16:
        return 2 if 1 < kernel_rows < 4 and line >= LONG_LINE else 1
    rows = 4 if kernel_rows < 16 else 8 if kernel_rows < 48 else 16
    return rows // 2 if products > 2 else rows


def lattices(job: Job) -> tuple[int, int]:
    """Into how many sets of rows, each of rows so far apart, the output falls apart; and the dilation that remains in each.

    A dilation reads every so many rows only: outputs so far apart have a dense kernel of their own, and no zeros in their
    bands.
    """
    return (job.dilation.rows, 1) if job.stride == 1 else (1, job.dilation.rows)


def whole_blocks(job: Job, size: Size, rows: int) -> Size:
    """A tile without the rows that would be left over behind its last block of so many."""
    block = rows * lattices(job)[0]
    return Size(max(size.height // block * block, min(size.height, block)), size.width)


def blocks_of(lines: NDArray[Any], rows: int, size: int, depth: int, apart: int) -> NDArray[Any]:
    """``(blocks, depth, line)``: the overlapping windows of `lines` under blocks of `size` output rows, `apart` rows apart."""
    down, along = lines.strides
    return as_strided(lines, (rows // size, depth, lines.shape[1]), (apart * size * down, down, along))


UNPACKED = 1_000_000
"""Multiply-accumulates of a product up to which BLAS reads the matrices where they lie instead of packing them first."""


def multiply(band: NDArray[Any], source: NDArray[Any], out: NDArray[Any]) -> Steps:
    """``out (…, M, line) = band (M, depth) · source (…, depth, line)``, in stretches of columns that BLAS is fastest at."""
    if band.shape[1] == 1:  # NumPy does not leave such a product to BLAS
        return [(np.multiply, (band, source, out))]
    line = source.shape[-1]
    count = -(-band.size * line // UNPACKED)
    size = -(-line // count)
    pieces = [slice(start, start + size) for start in range(0, line, size)]
    return [(np.matmul, (band, source[..., piece], out[..., piece])) for piece in pieces]


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
