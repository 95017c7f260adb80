"""Kernels of low rank: a pass along the columns and a pass along the rows for each rank.

A kernel is written as Σ_r u_r v_rᵀ with as few terms as its rank; the passes of all terms are summed. The first passes are
products with banded matrices, the second ones what `convcli.backends.numpy.across` finds cheaper.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.backends.numpy import across
from convcli.backends.numpy.job import Job, Work, tile_within
from convcli.backends.numpy.steps import Buffers, Steps
from convcli.backends.numpy.taps import bias_steps, suits
from convcli.backends.numpy.toeplitz import (
    banded,
    block_rows,
    blocks_of,
    lattices,
    multiply,
    whole_blocks,
)
from convcli.geometry import Size

__all__ = ["across_cost", "factors", "prepare", "rank", "suits", "tile"]


NEAR_BYTES = 768 << 10
"""Scratch and output of a tile of planes taken apart: most of a core's second-level cache."""

FOLD_BYTES = 2 << 20
"""Lines and their sums that are worked on at a time."""

LEFT_OUT = 2.0
"""Roundings of the sum that factors may leave out."""

MAX_RANK = 32
"""Ranks that are looked for: more are never worth their passes."""


def factors(kernel: NDArray[np.float64], dtype: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``u (rank, kh)`` and ``v (rank, kw)`` with ``kernel = Σ_r u_r v_rᵀ`` up to the rounding of `dtype`.

    What they leave out may change a result by `LEFT_OUT` roundings of the sum Σ|x·k| for pixels of one size, no more: small
    taps of a kernel with a large one count by their sum. A kernel of full rank is its own rows, or columns.

    Gaussian elimination with complete pivoting: the column and the row through the largest value, over that value, leave a
    rest of one rank less. Unlike a singular value decomposition it rounds relative to the rest, and not at all where values
    are small multiples of each other.
    """
    return _factors(kernel.tobytes(), kernel.shape, dtype)


@lru_cache(maxsize=64)
def _factors(values: bytes, shape: tuple[int, int], dtype: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    kernel = np.frombuffer(values).reshape(shape)
    allowed = LEFT_OUT * float(np.finfo(dtype).eps) * float(np.abs(kernel).sum())
    rest = kernel.copy()
    u, v = np.empty((0, shape[0])), np.empty((0, shape[1]))
    while len(u) < min(*shape, MAX_RANK):
        row, column = np.unravel_index(np.abs(rest).argmax(), shape)
        u = np.vstack([u, rest[:, column]])
        v = np.vstack([v, rest[row] / (rest[row, column] or 1.0)])
        rest -= np.outer(u[-1], v[-1])
        if np.abs(rest).sum() <= allowed:
            return u, v
    return (np.eye(shape[0]), kernel) if shape[0] <= shape[1] else (kernel.T, np.eye(shape[1]))


def rank(job: Job, dtype: str) -> int:
    """The largest rank of the job's kernels."""
    return max(len(factors(kernel, dtype)[0]) for kernel in job.kernels.reshape(-1, *job.kernel))


def across_cost(job: Job, dtype: str) -> tuple[float, bool]:
    """What the passes along the rows take for each output, in multiply-accumulates, and whether they fold: of the first output."""
    lines = [line for kernel in job.kernels[0] for line in factors(kernel, dtype)[1].astype(dtype)]
    macs, folds = across.cheapest(lines, job.dilation.columns * job.step, job.output.width * job.step)
    return macs, bool(folds)


def tile(job: Job, itemsize: int) -> Size:
    """Output tiles of enough rows to keep products along the rows busy; of long lines where there are none, or wide ones."""
    if job.step == 1 and not across_cost(job, f"float{8 * itemsize}")[1]:
        size = tile_within(job, itemsize, values=2048, planes=1, within=NEAR_BYTES)
    else:
        size = tile_within(job, itemsize, planes=1)
    return whole_blocks(job, size, block_rows(job.kernel.height))


def prepare(job: Job, dtype: str) -> Work:
    """Factor the kernels and build their banded matrices once; what is returned says how a tile is filled."""
    s, e = job.stride, job.dilation.columns * job.step
    sets, d = lattices(job)
    terms = [
        [
            (job.sources[o] + c, u.astype(dtype), v.astype(dtype))
            for c in range(job.inputs)
            for u, v in zip(*factors(job.kernels[o, c], dtype), strict=True)
        ]
        for o in range(job.outputs)
    ]

    wide = job.output.width * job.step
    folds = [across.cheapest([line for _, _, line in each], e, wide)[1] for each in terms]

    @cache
    def band(o: int, term: int, axis: int, size: int) -> NDArray[Any]:
        _, column, line = terms[o][term]
        return banded(column, size, s, d) if axis == 0 else np.ascontiguousarray(banded(line, size, 1, e).T)

    def by_folds(o: int, scratch: NDArray[Any], first: int, out: NDArray[Any], buffers: Buffers) -> Steps:
        """Into ``out (rows, width)``, the rows of a set: all passes for a few rows at a time, of which much is made on the way."""
        steps: Steps = []
        line, block = scratch.shape[2], block_rows(job.kernel.height)
        slots = sum(len(fold.weights) for fold in folds[o])
        at_once = max(1, FOLD_BYTES // (slots * line * block * out.itemsize)) * block
        room = buffers.get("folds", (at_once, slots, line), dtype)
        for start in range(0, len(out), at_once):
            rows = out[start : start + at_once]
            size, slot = min(block, len(rows)), 0
            for number, ((plane, _, _), fold) in enumerate(zip(terms[o], folds[o], strict=True)):
                lines = scratch[plane, first + sets * s * start :: sets]
                steps += _down(lines, band(o, number, 0, size), size, s, room[: len(rows), slot])
                slot += len(fold.weights)
            steps += across.by_fold(folds[o], room[: len(rows)], e, rows)
        return steps

    def by_bands(o: int, scratch: NDArray[Any], out: NDArray[Any], buffers: Buffers) -> Steps:
        """Into ``out (rows, width)``, one term after the other."""
        rows, width = out.shape
        columns = min(across.BLOCK_COLUMNS, width)
        passed = buffers.get("passed", (rows, scratch.shape[2]), dtype)
        further = buffers.get("further", (rows, width), dtype)
        steps: Steps = []
        for number, (plane, _, _) in enumerate(terms[o]):
            for first in range(min(sets, rows)):
                into = passed[first::sets]
                size = min(block_rows(job.kernel.height), len(into))
                steps += _down(scratch[plane, first::sets], band(o, number, 0, size), size, s, into)
            target = further if number else out
            steps += across.by_band(passed, band(o, number, 1, columns), target)
            if number:
                steps.append((np.add, (out, further, out)))
        return steps

    def work(part: Job, scratch: NDArray[Any], out: NDArray[Any], buffers: Buffers) -> Steps:
        out = out[..., : part.output.width * job.step]
        steps: Steps = []
        for o, target in enumerate(out):
            if folds[o]:
                for first in range(min(sets, len(target))):
                    steps += by_folds(o, scratch, first, target[first::sets], buffers)
            else:
                steps += by_bands(o, scratch, target, buffers)
        return steps + bias_steps(job, out)

    return work


def _down(lines: NDArray[Any], band: NDArray[Any], size: int, stride: int, out: NDArray[Any]) -> Steps:
    """Along the columns: ``out (rows, line)``."""
    rows, line = out.shape
    sources = blocks_of(lines, rows, size, band.shape[1], stride)
    steps = multiply(band, sources, out[: len(sources) * size].reshape(-1, size, line))
    if rows % size:
        start = rows - size
        steps += multiply(band, lines[stride * start :][: band.shape[1]], out[start:])
    return steps
