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
from numpy.typing import NDArray

from convcli.backends.numpy.job import Buffers, Compute, Job, tile_within
from convcli.backends.numpy.taps import add_bias
from convcli.geometry import Size, extent


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


def row_blocks(rows: int, size: int) -> list[int]:
    """Where blocks of `size` rows start in `rows`; the last one is moved up so that it is whole."""
    return [min(start, rows - size) for start in range(0, rows, size)]


def prepare(job: Job, dtype: str) -> Compute:
    """Build the banded matrices once; what is returned fills a tile."""
    s, d = job.stride.rows, job.dilation.rows
    kernels = job.kernels.astype(dtype)
    kw = job.kernel.width

    @cache
    def bands(o: int, c: int, size: int) -> NDArray[Any]:
        return np.concatenate([banded(kernels[o, c, :, j], size, s, d) for j in range(kw)])

    def compute(part: Job, scratch: NDArray[Any], out: NDArray[Any], buffers: Buffers) -> None:
        rows = out.shape[1]
        size = min(block_rows(job.kernel.height), rows)
        products = buffers.get("products", (kw, size, part.line), dtype)
        for o in range(job.outputs):
            for start in row_blocks(rows, size):
                target = part.as_outputs(out[o, start : start + size])
                for c in range(kernels.shape[1]):
                    band = bands(o, c, size)
                    source = scratch[job.sources[o] + c, s * start : s * start + band.shape[1]]
                    np.matmul(band, source, out=products.reshape(kw * size, -1))
                    _sum([part.shifted(products[j], j) for j in range(kw)], target, onto=c > 0)
        add_bias(job, out)

    return compute


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
