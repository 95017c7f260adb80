"""Shift and accumulate: every non-zero tap adds its shifted view of the input, times its weight, to the output.

In integers where kernel and pixels are integers and no partial sum can leave the type: then the result is exact and
the narrow type is faster. Taps of weight ±1 are added without a product, zeros are skipped.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.backends.numpy.job import Compute, Job, tile_within
from convcli.geometry import Size


def tile(job: Job, itemsize: int) -> Size:
    """Output tiles whose scratch and output share the second-level cache."""
    return tile_within(job, itemsize, rows=32)


def exact_type(job: Job, source: np.dtype[Any]) -> str | None:
    """The narrowest integer type that holds every partial sum exactly, or None if values are not integers."""
    if source.kind not in "u" or source.itemsize > 2:
        return None
    if not (np.equal(job.kernels, np.rint(job.kernels)).all() and np.equal(job.bias, np.rint(job.bias)).all()):
        return None
    largest = np.iinfo(source).max * np.abs(job.kernels).sum(axis=(1, 2, 3)).max() + np.abs(job.bias).max()
    for name in ("int16", "int32"):
        if largest <= np.iinfo(name).max:
            return name
    return None


def prepare(job: Job, dtype: str) -> Compute:
    """List the taps once; what is returned fills a tile."""
    kind = np.dtype(dtype).type
    taps = [
        (o, job.sources[o] + c, int(i) * job.dilation.rows, int(j), kind(job.kernels[o, c, i, j]))
        for o in range(job.outputs)
        for c in range(job.kernels.shape[1])
        for i, j in np.argwhere(job.kernels[o, c])
    ]

    def compute(part: Job, scratch: NDArray[Any], out: NDArray[Any]) -> None:
        reach = (out.shape[1] - 1) * job.stride.rows + 1
        product = np.empty_like(part.as_outputs(out[0]))
        untouched = set(range(job.outputs))
        for o, plane, row, column, tap in taps:
            target = part.as_outputs(out[o])
            view = part.shifted(scratch[plane, row : row + reach : job.stride.rows], column)
            if o in untouched:
                np.multiply(view, tap, out=target)
                untouched.remove(o)
            elif tap == 1:
                np.add(target, view, out=target)
            elif tap == -1:
                np.subtract(target, view, out=target)
            else:
                np.multiply(view, tap, out=product)
                np.add(target, product, out=target)
        for o in untouched:
            out[o] = 0
        add_bias(job, out)

    return compute


def add_bias(job: Job, out: NDArray[Any]) -> None:
    """Add the bias to ``out (O, rows, W_out·step)``."""
    if job.bias.any():
        pixels = out.reshape(*out.shape[:-1], -1, job.step)
        pixels += job.bias.astype(out.dtype)[:, np.newaxis, np.newaxis]
