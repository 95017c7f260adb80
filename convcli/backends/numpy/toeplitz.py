"""A dense kernel as products with banded matrices.

For one column j of the kernel, a block of B output rows is ``T_j X``: X holds the B + kh - 1 input rows under the block,
and row b of ``T_j (B, B + kh - 1)`` holds the column's taps from place b on. The products of all columns are one matrix
product; then they are added, each shifted by its tap. That trades 2·kh·kw passes over memory for kw additions and a
matrix product that wastes (B - 1)/(B + kh - 1) of its work, but runs at the speed of BLAS.
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

__all__ = ["banded", "batches", "block_rows", "prepare", "suits", "tile", "windows"]


BATCH_VALUES = 12000
"""Output values of one call: enough to hide its cost, few enough for its products to stay in the cache (measured)."""


def tile(job: Job, itemsize: int) -> Size:
    """Output tiles whose scratch and output share the second-level cache."""
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


def batches(rows: int, size: int, line: int) -> list[tuple[int, int]]:
    """Where batches of blocks of `size` rows start in `rows`, and how many blocks each has.

    Short lines make small products: several are then one call. The last block is moved up so that it is whole.
    """
    count, whole = max(1, BATCH_VALUES // (size * line)), rows // size
    found = [(first * size, min(count, whole - first)) for first in range(0, whole, count)]
    return found if rows % size == 0 else [*found, (rows - size, 1)]


def windows(lines: NDArray[Any], count: int, rows: int, apart: int) -> NDArray[Any]:
    """``(count, rows, line)``: overlapping windows of `lines`, `apart` rows apart."""
    down, along = lines.strides
    return as_strided(lines, (count, rows, lines.shape[1]), (apart * down, down, along))


def prepare(job: Job, dtype: str) -> Work:
    """Build the banded matrices once; what is returned fills a tile. Columns of a kernel without taps are left out."""
    s, d = job.stride, job.dilation.rows
    kernels = job.kernels.astype(dtype)
    columns = [[np.flatnonzero(kernel.any(axis=0)).tolist() for kernel in each] for each in kernels]
    most = max((len(used) for each in columns for used in each), default=0)

    @cache
    def bands(o: int, c: int, size: int) -> NDArray[Any]:
        return np.concatenate([banded(kernels[o, c, :, j], size, s, d) for j in columns[o][c]])

    def work(part: Job, scratch: NDArray[Any], out: NDArray[Any], buffers: Buffers) -> None:
        _, rows, width = out.shape
        size = min(block_rows(job.kernel.height), rows)
        plan = batches(rows, size, part.line)
        products = buffers.get("products", (max(count for _, count in plan), most, size, part.line), dtype)
        for o, each in enumerate(columns):
            used = [(c, taps) for c, taps in enumerate(each) if len(taps)]
            if not used:
                out[o] = 0
            for start, count in plan:
                target = out[o, start : start + count * size].reshape(count, size, width)
                for number, (c, taps) in enumerate(used):
                    band = bands(o, c, size)
                    source = windows(scratch[job.sources[o] + c, s * start :], count, band.shape[1], s * size)
                    product = products[:count, : len(taps)]
                    np.matmul(band, source, out=product.reshape(count, len(band), -1))
                    _sum([part.shifted(product[:, i], j) for i, j in enumerate(taps)], target, number > 0)
        add_bias(job, out)

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
