"""Banded matrices: a line of taps as a product that computes several output rows at once.

For one line of taps, a block of B output rows is ``T X``. X holds the input rows under the block. Row b of T holds the
taps, beginning at place b. A share of (B - 1)/(B + k - 1) of the work is wasted, but it runs at the speed of BLAS.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from convcli.backends.numpy.job import Job
from convcli.backends.numpy.steps import Steps
from convcli.geometry import Size, extent

LONG_LINE = 4096
"""If a line has at least so many values, NumPy is as fast line by line as on all lines as one."""


def banded(taps: NDArray[Any], block: int, stride: int, dilation: int) -> NDArray[Any]:
    """``T (block, stride·(block - 1) + dilation·(k - 1) + 1)`` for one line of taps ``(k,)``."""
    reach = extent(len(taps), dilation)
    out = np.zeros((block, stride * (block - 1) + reach), taps.dtype)
    for row in range(block):
        out[row, stride * row : stride * row + reach : dilation] = taps
    return out


def block_rows(kernel_rows: int, products: int = 1, line: int = LONG_LINE) -> int:
    """Output rows of a block: fewer rows waste less of a product, more rows use BLAS better (measured).

    Parameters
    ----------
    kernel_rows : int
    products : int
        Products of a block that are computed at once. If there are several, BLAS needs fewer rows. With single rows,
        the products can be added in one long stretch each, which is better if lines are short. And if the kernel has
        only one row, further rows have nothing to share.
    line : int
        Values of a line.
    """
    if products > 2 and kernel_rows < 16:
        return 2 if 1 < kernel_rows < 4 and line >= LONG_LINE else 1
    rows = 4 if kernel_rows < 16 else 8 if kernel_rows < 48 else 16
    return rows // 2 if products > 2 else rows


def lattices(job: Job) -> tuple[int, int]:
    """Into how many sets of rows the output is split, with the rows of a set so far apart; and the dilation that remains in a set.

    With stride 1 and dilation d, a kernel reads only every d-th row. Output rows that are d apart therefore form a set
    with a dense kernel, whose bands hold no zeros between the taps. With other strides there is a single set.
    """
    return (job.dilation.rows, 1) if job.stride == 1 else (1, job.dilation.rows)


def whole_blocks(job: Job, size: Size, rows: int) -> Size:
    """A tile with as many rows as fill whole blocks of `rows` output rows."""
    block = rows * lattices(job)[0]
    return Size(max(size.height // block * block, min(size.height, block)), size.width)


def blocks_of(lines: NDArray[Any], rows: int, size: int, depth: int, apart: int) -> NDArray[Any]:
    """``(blocks, depth, line)``: the overlapping windows of `lines` under blocks of `size` output rows.

    The windows of neighbouring output rows are `apart` lines apart.
    """
    down, along = lines.strides
    return as_strided(lines, (rows // size, depth, lines.shape[1]), (apart * size * down, down, along))


UNPACKED = 1_000_000
"""Multiply-accumulates of a product up to which BLAS reads the matrices in place, instead of packing them first."""


def multiply(band: NDArray[Any], source: NDArray[Any], out: NDArray[Any]) -> Steps:
    """The steps for ``out (…, M, line) = band (M, depth) · source (…, depth, line)``, in pieces for which BLAS is fastest."""
    if band.shape[1] == 1:  # NumPy does not use BLAS for such a product
        return [(np.multiply, (band, source, out))]
    line = source.shape[-1]
    count = -(-band.size * line // UNPACKED)
    size = -(-line // count)
    pieces = [slice(start, start + size) for start in range(0, line, size)]
    return [(np.matmul, (band, source[..., piece], out[..., piece])) for piece in pieces]
