"""Many channels: the windows under a strip's outputs gathered as columns of a matrix, and one matrix product."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.backends.numpy import job as jobs
from convcli.backends.numpy.job import Buffers, Job, Work
from convcli.backends.numpy.taps import add_bias, suits
from convcli.geometry import Size

__all__ = ["prepare", "suits", "tile"]


def tile(job: Job, itemsize: int) -> Size:
    """Output tiles whose gathered windows stay within `CACHE_BYTES`."""
    depth = job.inputs * job.kernel.height * job.kernel.width
    pixels = max(64, jobs.CACHE_BYTES // ((depth + job.outputs) * itemsize))
    width = min(job.output.width, pixels)
    return Size(max(1, min(job.output.height, pixels // width)), width)


def prepare(job: Job, dtype: str) -> Work:
    """Lay the kernels out as a matrix once; what is returned fills a tile."""
    (kh, kw), s, (d, e) = job.kernel, job.stride, job.dilation
    matrix = job.kernels.astype(dtype).reshape(job.outputs, -1)
    groups = [
        (first, [o for o in range(job.outputs) if job.sources[o] == first]) for first in dict.fromkeys(job.sources)
    ]

    def work(part: Job, scratch: NDArray[Any], out: NDArray[Any], buffers: Buffers) -> None:
        rows, width = out.shape[1], part.output.width
        columns = buffers.get("columns", (job.inputs, kh, kw, rows, width), dtype)
        for first, members in groups:
            for i in range(kh):
                for j in range(kw):
                    lines = scratch[first : first + job.inputs, i * d : i * d + s * (rows - 1) + 1 : s]
                    columns[:, i, j] = lines[..., j * e : j * e + width]
            block = slice(members[0], members[-1] + 1)
            products = buffers.get("products", (len(members), rows, width), dtype)
            np.matmul(matrix[block], columns.reshape(-1, rows * width), out=products.reshape(len(members), -1))
            out[block, :, :width] = products
        add_bias(job, out[..., :width])

    return work
