"""A dense kernel as products with banded matrices.

For one column j of the kernel, a block of B output rows is ``T_j X``: X holds the B + kh - 1 input rows under the block,
and row b of ``T_j (B, B + kh - 1)`` holds the column's taps from place b on. The products of all columns are one matrix
product; then they are added, each shifted by its tap. That trades 2·kh·kw passes over memory for kw additions and a
matrix product that wastes (B - 1)/(B + kh - 1) of its work, but runs at the speed of BLAS. Columns that are alike, as those
of a symmetric kernel are, share their product.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from convcli.backends.numpy.job import Buffers, Job, Work, tile_within
from convcli.backends.numpy.taps import add_bias, suits
from convcli.geometry import Size, extent

__all__ = ["banded", "block_rows", "blocks_of", "distinct_columns", "lattices", "multiply", "prepare", "suits", "tile"]


PRODUCT_BYTES = 3 << 19
"""Products of one call: enough to hide its cost and that of Python's lock, few enough to stay near (measured)."""


def tile(job: Job, itemsize: int) -> Size:
    """Output tiles of long lines, see `tile_within`, and of whole blocks of rows."""
    return whole_blocks(job, tile_within(job, itemsize))


def whole_blocks(job: Job, size: Size) -> Size:
    """A tile without the rows that would be left over behind its last block."""
    block = block_rows(job.kernel.height) * lattices(job)[0]
    return Size(max(size.height // block * block, min(size.height, block)), size.width)


def block_rows(kernel_rows: int) -> int:
    """Output rows of a block: fewer waste less of the product, more keep BLAS busier (measured)."""
    return 4 if kernel_rows < 16 else 8 if kernel_rows < 48 else 16


def banded(taps: NDArray[Any], block: int, stride: int, dilation: int) -> NDArray[Any]:
    """``T (block, stride·(block - 1) + dilation·(k - 1) + 1)`` of one line of taps ``(k,)``."""
    reach = extent(len(taps), dilation)
    out = np.zeros((block, stride * (block - 1) + reach), taps.dtype)
    for row in range(block):
        out[row, stride * row : stride * row + reach : dilation] = taps
    return out


def blocks_of(lines: NDArray[Any], rows: int, size: int, depth: int, apart: int) -> NDArray[Any]:
    """``(blocks, depth, line)``: the overlapping windows of `lines` under blocks of `size` output rows, `apart` rows apart."""
    down, along = lines.strides
    return as_strided(lines, (rows // size, depth, lines.shape[1]), (apart * size * down, down, along))


UNPACKED = 1_000_000
"""Multiply-accumulates of a product up to which BLAS reads the matrices where they lie instead of packing them first."""


def multiply(band: NDArray[Any], source: NDArray[Any], out: NDArray[Any]) -> None:
    """``out (…, M, line) = band (M, depth) · source (…, depth, line)``, in stretches of columns that BLAS is fastest at."""
    line = source.shape[-1]
    count = -(-band.size * line // UNPACKED)
    size = -(-line // count)
    for start in range(0, line, size):
        piece = slice(start, start + size)
        np.matmul(band, source[..., piece], out=out[..., piece])


def distinct_columns(kernel: NDArray[Any]) -> tuple[list[int], list[tuple[int, int]]]:
    """The columns of a kernel with taps, like ones once; and for every column with taps, which of those it is like."""
    first: dict[bytes, int] = {}
    places = np.flatnonzero(kernel.any(axis=0)).tolist()
    used = [(j, first.setdefault(kernel[:, j].tobytes(), j)) for j in places]
    distinct = list(first.values())
    return distinct, [(j, distinct.index(like)) for j, like in used]


def lattices(job: Job) -> tuple[int, int]:
    """Into how many sets of rows, each of rows so far apart, the output falls apart; and the dilation that remains in each.

    A dilation reads every so many rows only: outputs so far apart have a dense kernel of their own, and no zeros in their
    bands.
    """
    return (job.dilation.rows, 1) if job.stride == 1 else (1, job.dilation.rows)


def prepare(job: Job, dtype: str) -> Work:
    """Build the banded matrices once; what is returned fills a tile. Columns of a kernel without taps are left out."""
    kernels = job.kernels.astype(dtype)
    columns = [[distinct_columns(kernel) for kernel in each] for each in kernels]
    most = max(1, *(len(distinct) for each in columns for distinct, _ in each))
    sets, dilation = lattices(job)

    @cache
    def bands(o: int, c: int, size: int) -> NDArray[Any]:
        return np.concatenate([banded(kernels[o, c, :, j], size, job.stride, dilation) for j in columns[o][c][0]])

    def work(part: Job, scratch: NDArray[Any], out: NDArray[Any], buffers: Buffers) -> None:
        width = part.output.width * job.step
        for o, each in enumerate(columns):
            used = [(c, taps) for c, (_, taps) in enumerate(each) if taps]
            if not used:
                out[o] = 0
            for first in range(min(sets, out.shape[1])):
                target = out[o, first::sets]
                size = min(block_rows(job.kernel.height), len(target))
                for number, (c, taps) in enumerate(used):
                    offsets = [(j * job.dilation.columns * job.step, i) for j, i in taps]
                    lines = scratch[job.sources[o] + c, first::sets]
                    products = _Products(bands(o, c, size), size, lines.shape[1], most, buffers)
                    products.add_up(lines, job.stride, offsets, width, target, number > 0)
        add_bias(job, out[..., :width])

    return work


class _Products:
    """The products of a band with blocks of lines, a few at a time.

    Parameters
    ----------
    band : ndarray
        ``(n·size, depth)``: the matrices of n columns of a kernel.
    size, line : int
        Output rows of a block, values in a line.
    most : int
        The largest n that a kernel of this job has.
    buffers : Buffers
    """

    def __init__(self, band: NDArray[Any], size: int, line: int, most: int, buffers: Buffers) -> None:
        self.band, self.size = band, size
        self.at_once = max(1, PRODUCT_BYTES // (most * size * line * band.itemsize))
        self.room = buffers.get("products", (self.at_once, most, size, line), band.dtype.name)

    def add_up(
        self,
        lines: NDArray[Any],
        stride: int,
        offsets: list[tuple[int, int]],
        width: int,
        out: NDArray[Any],
        onto: bool,
    ) -> None:
        """Into ``out (rows, line)``, or onto it, the products with `lines`: for each offset along a line, that of one matrix."""
        (rows, line), size = out.shape, self.size
        blocks, rest = divmod(rows, size)
        whole = out.flags.c_contiguous  # then the lines of a block are worked on as one

        def cut(blocks: NDArray[Any], offset: int = 0) -> NDArray[Any]:
            if whole:
                return blocks.reshape(len(blocks), -1)[:, offset : offset + (size - 1) * line + width]
            return blocks[..., offset : offset + width]

        results = self.room[:, : len(self.band) // size].reshape(self.at_once, len(self.band), -1)
        sources = blocks_of(lines, rows, size, self.band.shape[1], stride)
        targets = cut(out[: blocks * size].reshape(blocks, size, -1))
        views = [cut(self.room[:, i], offset) for offset, i in offsets]
        for first in range(0, blocks, self.at_once):
            source = sources[first : first + self.at_once]
            multiply(self.band, source, results[: len(source)])
            some = views if len(source) == self.at_once else [view[: len(source)] for view in views]
            _sum(some, targets[first : first + len(source)], onto)
        if rest:  # a block that begins higher up, so that it is whole; its first rows are done already
            multiply(self.band, lines[stride * (rows - size) :][: self.band.shape[1]], results[0])
            views = [self.room[0, i, size - rest :, offset : offset + width] for offset, i in offsets]
            _sum(views, out[rows - rest :, :width], onto)


def _sum(views: list[NDArray[Any]], target: NDArray[Any], onto: bool) -> None:
    """The sum of `views` into `target`, or onto what is there."""
    if onto:
        views = [target, *views]
    if len(views) == 1:
        np.copyto(target, views[0])
        return
    np.add(views[0], views[1], out=target)
    for view in views[2:]:
        np.add(target, view, out=target)
