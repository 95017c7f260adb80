"""Many channels: the windows under a strip's outputs are gathered as columns of matrices, one product for each kernel row.

Neighbouring kernel rows read the same windows, for different output rows. So the windows are gathered only once for all
kernel rows that read the same rows of the image with this stride.
"""

from __future__ import annotations

import numpy as np

from convcli.backends.numpy.job import FilterJob
from convcli.backends.numpy.strategies import common
from convcli.backends.numpy.strategies.common import MAC, PASS, Estimate, Estimates, Work, precision
from convcli.backends.numpy.tiles import Buffers, Steps
from convcli.geometry import Size
from convcli.windows import Array

__all__ = ["estimates", "precision", "prepare", "tile"]

FEW_ROWS = {1: 3.0, 2: 1.5}
"""How many times slower BLAS is for matrices of one row and of two."""

MANY_ROWS, PACKED = 16, 1.5
"""If a matrix has at least this number of rows, BLAS first packs it and the windows; and how many times slower it is then."""

GATHER = {"float32": 0.25e-9, "float64": 0.4e-9}
"""Seconds to copy a value of a window to its place in a matrix."""

LEFT_OUT = 4
"""How many times `CACHE_BYTES` may be gathered if a stride leaves out most of it."""


def estimates(layouts: list[FilterJob], dtype: str, wanted: bool = False) -> Estimates:
    """The cost, with a plane for each channel. The strategy can do every job."""
    job = layouts[-1]
    kh, kw = job.kernel
    depth, sources, sets = job.inputs * kh * kw, len(set(job.sources)), len(row_sets(job))
    rows = 1 + reach(job) / tile(job, np.dtype(dtype).itemsize).height  # gathered for each output row
    gathered = sources / job.outputs * sets * job.inputs * kw * rows * GATHER[dtype]
    outputs = job.outputs // sources
    packed = PACKED if outputs >= MANY_ROWS else FEW_ROWS.get(outputs, 1.0)
    each = depth * MAC[dtype] * packed + gathered + 2 * kh * PASS[dtype]
    reason = f"{job.outputs} outputs of {depth} terms → products of gathered windows, one for each kernel row"
    yield Estimate("gemm", job, dtype, each, sources * (sets * kw + 2 * kh), reason)


def row_sets(job: FilterJob) -> list[tuple[int, list[tuple[int, int]]]]:
    """The kernel's rows by the image rows that they read: ``(first, [(kernel row, rows further on), …])``."""
    sets: dict[int, list[tuple[int, int]]] = {}
    for i in range(job.kernel.height):
        ahead, first = divmod(i * job.dilation.rows, job.stride)
        sets.setdefault(first, []).append((i, ahead))
    return [*sets.items()]


def reach(job: FilterJob) -> int:
    """Number of rows that are gathered in addition to those of the outputs."""
    return max(ahead for _, members in row_sets(job) for _, ahead in members)


def tile(job: FilterJob, itemsize: int) -> Size:
    """Output rows and columns whose gathered windows stay within `CACHE_BYTES`, with enough rows to use most windows several times.

    Rows that a stride leaves out are gathered, too. A tile is made lower if they take too much memory.
    """
    each = (job.inputs * job.kernel.width + 2 * job.outputs) * itemsize
    pixels, further = max(64, common.CACHE_BYTES // each), reach(job)
    enough = min(job.output.height, 2 * further + 1) + further
    width = max(1, min(job.output.width, pixels // enough))
    below = job.gathered * (width + job.reach.width) * job.stride * itemsize  # bytes to gather for each further row
    rows = min(pixels // width - further, 1 + LEFT_OUT * common.CACHE_BYTES // below)
    return Size(max(1, min(job.output.height, rows)), width)


def prepare(job: FilterJob, dtype: str) -> Work:
    """Lay out the kernels as matrices, once. The result gives the steps that fill a tile."""
    kw, s, e = job.kernel.width, job.stride, job.dilation.columns
    matrices = np.ascontiguousarray(np.moveaxis(job.kernels, 2, 0).astype(dtype)).reshape(
        job.kernel.height, job.outputs, -1
    )
    sets = row_sets(job)
    banks = job.banks

    def work(width: int, scratch: Array, out: Array, buffers: Buffers) -> Steps:
        rows = out.shape[1]
        for outputs in banks:
            block, source = slice(outputs.start, outputs.stop), job.sources[outputs.start]
            target = out[block, :, :width]
            products = buffers.get("products", (len(outputs), rows, width), dtype)
            begun = False
            for first, members in sets:
                height = rows + members[-1][1]
                columns = buffers.get("columns", (job.inputs, kw, height, width), dtype)
                lines = scratch[source : source + job.inputs, first : first + s * (height - 1) + 1 : s]
                for j in range(kw):
                    yield np.copyto, (columns[:, j], lines[..., j * e : j * e + width])
                flat = columns.reshape(-1, height * width)
                for i, ahead in members:
                    windows = flat[:, ahead * width : (ahead + rows) * width]
                    yield np.matmul, (matrices[i, block], windows, products.reshape(len(outputs), -1))
                    yield (np.add, (target, products, target)) if begun else (np.copyto, (target, products))
                    begun = True

    return work
