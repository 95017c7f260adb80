"""Banded matrices: lines of taps as products that do several output rows at once.

For one line of taps, a block of B output rows is ``T X``: X holds the input rows under the block, and row b of T the taps from
place b on. That wastes (B - 1)/(B + k - 1) of the work, but runs at the speed of BLAS.
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
