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

__all__ = ["banded", "block_rows", "blocks_of", "distinct_columns", "multiply", "prepare", "suits", "tile"]


PRODUCT_BYTES = 3 << 19
"""Products of one call: enough to hide its cost and that of Python's lock, few enough to stay near (measured)."""


def tile(job: Job, itemsize: int) -> Size:
    """Output tiles of long lines: see `tile_within`."""
    return tile_within(job, itemsize)


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


AT_ONCE = 1_000_000
"""Multiply-accumulates of a product up to which BLAS reads the matrices where they lie instead of packing them first."""


def multiply(band: NDArray[Any], source: NDArray[Any], out: NDArray[Any]) -> None:
    """``out (…, M, line) = band (M, depth) · source (…, depth, line)``, in stretches of columns that BLAS is fastest at."""
    line = source.shape[-1]
    count = -(-band.size * line // AT_ONCE)
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


def prepare(job: Job, dtype: str) -> Work:
    """Build the banded matrices once; what is returned fills a tile. Columns of a kernel without taps are left out."""
    s, d = job.stride, job.dilation.rows
    kernels = job.kernels.astype(dtype)
    columns = [[distinct_columns(kernel) for kernel in each] for each in kernels]
    most = max(1, *(len(distinct) for each in columns for distinct, _ in each))

    @cache
    def bands(o: int, c: int, size: int) -> NDArray[Any]:
        return np.concatenate([banded(kernels[o, c, :, j], size, s, d) for j in columns[o][c][0]])

    def work(part: Job, scratch: NDArray[Any], out: NDArray[Any], buffers: Buffers) -> None:
        _, rows, line = out.shape
        size = min(block_rows(job.kernel.height), rows)
        blocks, rest = divmod(rows, size)
        at_once = min(blocks, max(1, PRODUCT_BYTES // (most * size * line * out.itemsize)))
        products = buffers.get("products", (at_once, most, size * line), dtype)
        width, apart = part.output.width * job.step, job.dilation.columns * job.step
        length = (size - 1) * line + width
        for o, each in enumerate(columns):
            used = [(c, taps) for c, (_, taps) in enumerate(each) if taps]
            if not used:
                out[o] = 0
            targets = out[o, : blocks * size].reshape(blocks, size * line)[:, :length]
            for number, (c, taps) in enumerate(used):
                band, lines = bands(o, c, size), scratch[job.sources[o] + c]
                sources = blocks_of(lines, rows, size, band.shape[1], s)
                results = products[:, : len(band) // size].reshape(at_once, len(band), line)
                views = [products[:, i, j * apart : j * apart + length] for j, i in taps]
                for first in range(0, blocks, at_once):
                    source, target = sources[first : first + at_once], targets[first : first + at_once]
                    multiply(band, source, results[: len(source)])
                    _sum(
                        views if len(source) == at_once else [view[: len(source)] for view in views], target, number > 0
                    )
                if rest:  # a block that begins higher up, so that it is whole; its first rows are done already
                    done = (size - rest) * line
                    multiply(band, lines[s * (rows - size) :][: band.shape[1]], results[0])
                    _sum(
                        [view[0, done:] for view in views],
                        out[o, rows - rest :].reshape(-1)[: length - done],
                        number > 0,
                    )
        add_bias(job, out[..., :width])

    return work


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
