"""Passes along the columns and along the rows: lines of taps as products with banded matrices, or as folds.

For one line of taps, a block of B output rows is ``T X``. X holds the input rows under the block. Row b of T holds the
taps, beginning at place b. A share of (B - 1)/(B + k - 1) of the work is wasted, but it runs at the speed of BLAS.

A pass along the rows has blocks of columns instead, and costs ``BLOCK_COLUMNS + apart·(k - 1)`` multiply-accumulates for
each output. A fold first adds the shifted lines that have the same weight, for example ``x[i-n] + x[i+n]`` for a symmetric line.
Then a product with the few different weights sums up the results. This is good for short lines of taps, above all if
channels are interleaved.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import as_strided

from convcli.backends.numpy.job import FilterJob
from convcli.backends.numpy.strategies.common import magnitudes
from convcli.backends.numpy.tiles import Steps
from convcli.geometry import Size, extent
from convcli.records import NamedTuple
from convcli.windows import Array

LONG_LINE = 4096
"""If a line has at least this many values, NumPy is as fast line by line as on all lines as one."""


def banded(taps: Array, block: int, stride: int, dilation: int) -> Array:
    """``T (block, stride·(block - 1) + dilation·(k - 1) + 1)`` for one line of taps ``(k,)``."""
    reach = extent(len(taps), dilation)
    out = np.zeros((block, stride * (block - 1) + reach), taps.dtype)
    for row in range(block):
        out[row, stride * row : stride * row + reach : dilation] = taps
    return out


def banded_across(taps: Array, columns: int, step: int, apart: int) -> Array:
    """``T (depth, columns·widen·step)`` for a block of columns, and for taps ``(widen, k)``: a line for each value of a column.

    `step` channels are interleaved, and neighbouring taps are `apart` values from each other.
    """
    widen, length = taps.shape
    out = np.zeros((step * columns + apart * (length - 1), columns, widen, step), taps.dtype)
    for column in range(columns):
        for channel in range(step):
            first = column * step + channel
            out[first : first + extent(length, apart) : apart, column, :, channel] = taps.T
    return out.reshape(len(out), -1)


def block_rows(kernel_rows: int, products: int = 1, line: int = LONG_LINE) -> int:
    """Output rows of a block, for lines of `line` values: fewer rows waste less of a product, more rows use BLAS better (measured).

    If several `products` of a block are computed at once, BLAS needs fewer rows. With single rows, the products can be
    added in one long stretch each, which is better if lines are short. And if the kernel has only one row, further rows
    have nothing to share.
    """
    if products > 2 and kernel_rows < 16:
        return 2 if 1 < kernel_rows < 4 and line >= LONG_LINE else 1
    rows = 4 if kernel_rows < 16 else 8 if kernel_rows < 48 else 16
    return rows // 2 if products > 2 else rows


def lattices(job: FilterJob) -> tuple[int, int]:
    """Into how many sets of rows the output is split, and the dilation that remains in a set.

    With stride 1 and dilation d, a kernel reads only every d-th row. So output rows that are d apart form a set with a
    dense kernel, and its bands hold no zeros between the taps. With other strides there is a single set.
    """
    return (job.dilation.rows, 1) if job.stride == 1 else (1, job.dilation.rows)


def whole_blocks(job: FilterJob, size: Size, rows: int) -> Size:
    """A tile with as many rows as fill whole blocks of `rows` output rows."""
    block = rows * lattices(job)[0]
    return Size(max(size.height // block * block, min(size.height, block)), size.width)


def blocks_of(lines: Array, rows: int, size: int, depth: int, apart: int) -> Array:
    """``(blocks, depth, line)``: the overlapping windows of `lines` under blocks of `size` output rows.

    The windows of neighbouring output rows are `apart` lines apart.
    """
    down, along = lines.strides
    return as_strided(lines, (rows // size, depth, lines.shape[1]), (apart * size * down, down, along))


UNPACKED = 1_000_000
"""Multiply-accumulates of a product up to which BLAS reads the matrices in place, instead of packing them first."""


def multiply(band: Array, source: Array, out: Array) -> Steps:
    """The steps for ``out (…, M, line) = band (M, depth) · source (…, depth, line)``, in pieces for which BLAS is fastest."""
    if band.shape[1] == 1:  # NumPy does not use BLAS for such a product
        yield np.multiply, (band, source, out)
        return
    line = source.shape[-1]
    size = -(-line // -(-band.size * line // UNPACKED))
    for start in range(0, line, size):
        piece = slice(start, start + size)
        yield np.matmul, (band, source[..., piece], out[..., piece])


BLOCK_COLUMNS = 32
"""Output values of a product with a band (measured): two registers of AVX-512, and few enough to waste little."""

PASS_PRODUCTS, LINE_VALUES = 9.0, 1000
"""Multiply-accumulates in BLAS that take as long as a pass over memory, for each value; and the number of values of
a line that take as long as the step to the next line (measured)."""

FEW_LINES = 3
"""A fold is considered for at most this many lines of taps: more lines have too many weights."""

TOGETHER = 2
"""Rows whose weighted sums are computed by one product: for a single row it would be a product with a vector, which
is slow in BLAS."""


class Fold(NamedTuple):
    """A line of taps as weighted sums of shifted lines."""

    centre: int  # the tap to whose place in the line all sums are shifted
    # the taps of each sum, ``(tap, sign)``: they have the same weight, except for the sign. The first sign is 1. There
    # is no sum for the centre if no other tap has its weight.
    sums: list[list[tuple[int, int]]]
    weights: list[float]  # the weight of the centre (0 if it is in a sum), then the weight of each sum

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


def folded(taps: Array, centre: int | None = None) -> Fold:
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


def cheapest(lines: list[Array], apart: int, width: int) -> tuple[float, list[Fold]]:
    """The cheaper way for several lines of taps ``(k,)`` whose results are summed to output lines of `width` values.

    Neighbouring taps are `apart` values from each other. Returns the cost, in multiply-accumulates for each output
    value, and the folds, which are none if bands are cheaper.
    """
    by_bands = sum(BLOCK_COLUMNS + apart * (len(line) - 1) for line in lines) + PASS_PRODUCTS * 2 * (len(lines) - 1)
    # at least one pass for each weight
    least = PASS_PRODUCTS * sum(magnitudes(line) - 1 for line in lines)
    if len(lines) > FEW_LINES or least >= by_bands:
        return by_bands, []
    first = folded(lines[0])
    folds = [first, *(folded(line, first.centre) for line in lines[1:])]
    by_folds = sum(fold.products(width) for fold in folds)
    return (by_folds, folds) if by_folds < by_bands else (by_bands, [])


def by_fold(folds: list[Fold], room: Array, apart: int, out: Array) -> Steps:
    """The steps that fill ``out (rows, width)`` with the sum of several lines of taps. Each is applied to its own lines.

    All folds have the same centre. ``room (rows, slots, line)`` has a slot for each weight of each fold. The first slot
    of a fold holds its lines. Neighbouring taps are `apart` values from each other.
    """
    rows, width = out.shape
    start, slot = folds[0].centre * apart, 0
    for fold in folds:
        lines, number = room[:, slot], slot + 1
        for run in fold.runs():
            target = room[:, number : number + len(run), start : start + width]
            total, *others = (_shifted(lines, [taps[i][0] * apart for taps in run], width) for i in range(len(run[0])))
            if not others:
                yield np.copyto, (target, total)
            for (_, sign), shifted in zip(run[0][1:], others, strict=True):
                yield np.add if sign > 0 else np.subtract, (total, shifted, target)
                total = target
            number += len(run)
        slot += len(fold.weights)
    weights = np.array([weight for fold in folds for weight in fold.weights], out.dtype)
    sums = room[:, :, start : start + width]
    down, between, along = sums.strides
    for first, count in ((0, TOGETHER), (rows - rows % TOGETHER, 1)):
        if many := (rows - first) // count:
            matrix = np.kron(np.eye(count, dtype=out.dtype), weights)
            windows = as_strided(sums[first:], (many, count * slot, width), (count * down, between, along))
            yield np.matmul, (matrix, windows, out[first : first + many * count].reshape(many, count, width))


def _moves_on(pairs: list[list[tuple[int, int]]]) -> bool:
    """Whether each sum has two taps, with the same signs, and both move on by the same steps from one sum to the next."""
    if any(len(taps) != 2 or taps[1][1] != pairs[0][1][1] for taps in pairs):
        return False
    moves = {(after[0][0] - before[0][0], after[1][0] - before[1][0]) for before, after in pairwise(pairs)}
    return len(moves) == 1


def _shifted(lines: Array, offsets: list[int], width: int) -> Array:
    """``(rows, offsets, width)``: the parts of `lines` that begin at evenly spaced offsets."""
    first, *others = offsets
    between = others[0] - first if others else 0
    down, along = lines.strides
    return as_strided(lines[:, first:], (len(lines), len(offsets), width), (down, between * along, along))


def by_band(lines: Array, band: Array, out: Array, widen: int = 1) -> Steps:
    """The steps that fill ``out (rows, width)`` with products of `lines` and ``band (depth, size)``, all blocks in one call.

    From a value of `lines` to the next it is `widen` values of `out`.
    """
    (rows, width), size = out.shape, band.shape[1]
    itemsize = out.itemsize
    # the last block is whole, too: it computes some columns again
    for start, count in ((0, width // size), (width - size, int(width % size > 0))):
        if count:
            windows = as_strided(
                lines[:, start // widen :],
                (count, rows, len(band)),
                (size // widen * itemsize, lines.strides[0], itemsize),
            )
            blocks = as_strided(out[:, start:], (count, rows, size), (size * itemsize, out.strides[0], itemsize))
            yield np.matmul, (windows, band, blocks)
