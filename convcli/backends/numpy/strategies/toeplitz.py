"""A dense kernel as products with banded matrices.

For one column j of the kernel, a block of B output rows is ``T_j X``. X holds the B + kh - 1 input rows under the
block. Row b of ``T_j (B, B + kh - 1)`` holds the column's taps, beginning at place b. A single matrix product computes
this for all columns; then the results are added, each shifted by its tap. So kw additions and a matrix product replace
2·kh·kw passes over memory. The product wastes (B - 1)/(B + kh - 1) of its work, but runs at the speed of BLAS. Equal
columns, as in a symmetric kernel, share their product.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from convcli.backends.numpy.job import FilterJob
from convcli.backends.numpy.strategies import common
from convcli.backends.numpy.strategies.common import MAC, PASS, Estimate, Estimates, Work, precision
from convcli.backends.numpy.strategies.passes import banded, block_rows, blocks_of, lattices, multiply, whole_blocks
from convcli.backends.numpy.tiles import Buffers, Steps
from convcli.geometry import Size, extent
from convcli.windows import Array

__all__ = ["estimates", "precision", "prepare", "tile"]

KEEP = 0.7
"""Additional passes over memory of a product in BLAS, for each value that it writes."""

SINGLE = 1.5
"""Passes over memory of a product with a single input row."""

STRIDED = 1.2
"""How many times slower the strategy is if a stride leaves out rows."""

MOST_COLUMNS = 4096
"""The most columns of the first kernels that are looked at, to choose the number of rows of a block."""

PRODUCT_BYTES = 3 << 20
"""Bytes of the products of one call: enough to hide the cost of the call and of Python's lock, few enough to stay in
a fast cache (measured)."""


def estimates(layouts: list[FilterJob], dtype: str, wanted: bool = False) -> Estimates:
    """The cost, with channels as they are and with a plane for each. The strategy can do every job."""
    for job in layouts:
        kh, kw = job.kernel
        seen = common.some_kernels(job)[: max(1, common.steps_allowed(job) // kw)]
        found = [distinct_columns(kernel) for kernel in seen]
        products, sums = (sum(map(len, counts)) * job.inputs / len(found) for counts in zip(*found, strict=True))
        block = rows_of(job, job.line)
        depth = job.stride * (block - 1) + extent(kh, lattices(job)[1])
        product = SINGLE * PASS[dtype] if depth == 1 else depth * MAC[dtype] + KEEP * PASS[dtype]
        each = (products * product + sums * PASS[dtype]) * common.slower(job, STRIDED)
        calls = job.outputs * job.inputs * (kw + 1) * 2
        reason = f"{kh}×{kw} dense → products with bands of {block} row{'s' * (block > 1)}"
        yield Estimate("toeplitz", job, dtype, each, calls, reason, block=block)


def tile(job: FilterJob, itemsize: int) -> Size:
    """Output rows and columns of a tile with long lines (see `common.tile`) and whole blocks of rows."""
    size = common.tile(job, itemsize)
    return whole_blocks(job, size, rows_of(job, (size.width + job.reach.width - 1) * job.step))


def rows_of(job: FilterJob, line: int) -> int:
    """Rows of a block, if lines have `line` values. The first kernels of the job decide: others are assumed to be like them."""
    first = job.kernels[:4, :4].reshape(-1, *job.kernel)[: max(1, MOST_COLUMNS // job.kernel.width)]
    return block_rows(job.kernel.height, max(len(distinct_columns(kernel)[0]) for kernel in first), line)


def distinct_columns(kernel: Array) -> tuple[list[int], list[tuple[int, int]]]:
    """The different columns of a kernel that have taps, and ``(column, number of the equal one)`` for every column with taps."""
    found: dict[bytes, tuple[int, int]] = {}  # the first column of each kind, and the number of the kind
    places = np.flatnonzero(kernel.any(axis=0)).tolist()
    used = [(j, found.setdefault(kernel[:, j].tobytes(), (j, len(found)))) for j in places]
    return [first for first, _ in found.values()], [(j, kind) for j, (_, kind) in used]


def prepare(job: FilterJob, dtype: str) -> Work:
    """Build the banded matrices, once. The result gives the steps that fill a tile. Columns without taps are left out."""
    kernels = job.kernels.astype(dtype)
    columns = [[distinct_columns(kernel) for kernel in each] for each in kernels]
    most = max(1, *(len(distinct) for each in columns for distinct, _ in each))
    sets, dilation = lattices(job)

    @cache
    def bands(o: int, c: int, size: int) -> Array:
        return np.concatenate([banded(kernels[o, c, :, j], size, job.stride, dilation) for j in columns[o][c][0]])

    def work(width: int, scratch: Array, out: Array, buffers: Buffers) -> Steps:
        block = rows_of(job, out.shape[2])
        for o, each in enumerate(columns):
            used = [(c, taps) for c, (_, taps) in enumerate(each) if taps]
            if not used:
                yield out[o].fill, (0,)
            for first in range(min(sets, out.shape[1])):
                target = out[o, first::sets]
                size = min(block, len(target))
                for number, (c, taps) in enumerate(used):
                    offsets = [(j * job.apart, i) for j, i in taps]
                    lines = scratch[job.sources[o] + c, first::sets]
                    products = _Products(bands(o, c, size), size, lines.shape[1], most, buffers)
                    yield from products.added_up(lines, job.stride, offsets, width, target, number > 0)

    return work


class _Products:
    """The products of a band with blocks of `size` output rows, many at a time, for lines of `line` values.

    ``band (n·size, depth)`` holds the matrices of n columns of a kernel, one after the other; `most` is the largest n of
    all kernels of the job.
    """

    def __init__(self, band: Array, size: int, line: int, most: int, buffers: Buffers) -> None:
        self.band, self.size, count = band, size, len(band) // size
        self.at_once = max(1, PRODUCT_BYTES // (most * size * line * band.itemsize))
        kind = band.dtype.name
        if size == 1:  # the products of each column in one stretch
            room = buffers.get("products", (most, self.at_once, line), kind)
            self.results = room[:count].transpose(1, 0, 2)
            self.products = [room[i, :, np.newaxis] for i in range(count)]
        else:
            room = buffers.get("products", (self.at_once, most, size, line), kind)
            self.results = room[:, :count].reshape(self.at_once, len(band), line)
            self.products = [room[:, i] for i in range(count)]

    def added_up(
        self,
        lines: Array,
        stride: int,
        offsets: list[tuple[int, int]],
        width: int,
        out: Array,
        onto: bool,
    ) -> Steps:
        """The steps that set ``out (rows, line)`` to the sum of products with `lines`, or add to it if `onto` is set.

        `offsets` lists the shifts along a line, in values, each with the number of the matrix whose product is shifted.
        """
        (rows, line), size = out.shape, self.size
        blocks, rest = divmod(rows, size)
        whole = out.flags.c_contiguous  # then the lines of a block, or all single lines, are treated as one

        def cut(blocks: Array, offset: int = 0) -> Array:
            if not whole:
                return blocks[..., offset : offset + width]
            stretches = blocks.reshape(1 if size == 1 else len(blocks), -1)
            return stretches[:, offset : stretches.shape[1] - line + width + offset]

        sources = blocks_of(lines, rows, size, self.band.shape[1], stride)
        targets = out[: blocks * size].reshape(blocks, size, -1)
        for first in range(0, blocks, self.at_once):
            source, target = sources[first : first + self.at_once], targets[first : first + self.at_once]
            yield from multiply(self.band, source, self.results[: len(source)])
            views = [cut(self.products[i][: len(source)], offset) for offset, i in offsets]
            yield from _sum(views, cut(target), onto)
        if rest:  # the last block is whole, too: it begins higher up, and its first rows are left alone
            yield from multiply(self.band, lines[stride * (rows - size) :][: self.band.shape[1]], self.results[0])
            views = [self.products[i][0, size - rest :, offset : offset + width] for offset, i in offsets]
            yield from _sum(views, out[rows - rest :, :width], onto)


def _sum(views: list[Array], target: Array, onto: bool) -> Steps:
    """The steps that set `target` to the sum of `views`, or add them to it if `onto` is set."""
    if onto:
        views = [target, *views]
    if len(views) == 1:
        yield np.copyto, (target, views[0])
        return
    yield np.add, (views[0], views[1], target)
    for view in views[2:]:
        yield np.add, (target, view, target)
