"""Kernels of low rank: for each rank, a pass along the columns and a pass along the rows.

A kernel is written as Σ_r u_r v_rᵀ with as few terms as its rank, and the passes of all terms are summed. The first
passes are products with banded matrices. For the second passes, `convcli.backends.numpy.strategies.passes` finds the
cheaper way.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from convcli.backends.numpy.job import FilterJob
from convcli.backends.numpy.strategies import common, passes
from convcli.backends.numpy.strategies.common import MAC, PASS, Estimate, Estimates, Work, precision
from convcli.backends.numpy.tiles import Buffers, Steps
from convcli.geometry import Size, extent
from convcli.records import NamedTuple
from convcli.windows import Array

__all__ = ["estimates", "precision", "prepare", "tile"]

LEFT_OUT = 2.0
"""The factors may leave out as much as this number of roundings of the sum."""

MAX_RANK = 32
"""The largest rank that is searched for: more passes are never worth it."""


def factors(
    kernel: NDArray[np.float64], dtype: str, most: int = MAX_RANK
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """``u (rank, kh)`` and ``v (rank, kw)`` with ``kernel = Σ_r u_r v_rᵀ`` up to the rounding of `dtype`.

    None if the rank is more than `most`. They may change a result by at most `LEFT_OUT` roundings of the sum Σ|x·k|,
    for pixels of the same magnitude. The sum of what is left out counts, so that many small taps next to a large one are
    not lost. A kernel of full rank is returned as its own rows or columns.

    The method is Gaussian elimination with complete pivoting: the column and the row through the largest value, divided
    by this value, leave a rest whose rank is smaller by one. Unlike in a singular value decomposition, rounding errors
    are relative to the rest, and there are none if values are small multiples of each other.
    """
    found = _factors(kernel.tobytes(), kernel.shape, dtype, min(most, MAX_RANK))
    height, width = kernel.shape
    if found is not None or most < min(height, width, MAX_RANK):
        return found
    return (np.eye(height), kernel) if height <= width else (kernel.T, np.eye(width))


@lru_cache(maxsize=64)
def _factors(
    values: bytes, shape: tuple[int, int], dtype: str, most: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """The factors, or None if they have more than `most` terms."""
    kernel = np.frombuffer(values).reshape(shape)
    allowed = LEFT_OUT * float(np.finfo(dtype).eps) * float(np.abs(kernel).sum())
    rest = kernel.copy()
    u, v = np.empty((0, shape[0])), np.empty((0, shape[1]))
    while len(u) < min(*shape, most):
        row, column = np.unravel_index(np.abs(rest).argmax(), shape)
        u = np.vstack([u, rest[:, column]])
        v = np.vstack([v, rest[row] / (rest[row, column] or 1.0)])
        rest -= np.outer(u[-1], v[-1])
        if np.abs(rest).sum() <= allowed:
            return u, v
    return None


NEAR_BYTES = 768 << 10
"""Bytes of the scratch and output of a tile, if channels have planes of their own: most of a core's second-level
cache."""

FOLD_BYTES = 2 << 20
"""Bytes of the lines and their sums that are worked on at a time."""

RANK_STEPS, RANK_PASSES = 6, 4
"""Steps to find a term of a kernel, and passes over the kernel's values."""

STRIDED = 1.4
"""How many times slower the strategy is if a stride leaves out rows."""


def estimates(layouts: list[FilterJob], dtype: str, wanted: bool = False) -> Estimates:
    """The cost, with channels as they are and with a plane for each. Kernels must be few or equal, and wider than one column.

    If it is wanted, the strategy can do every job: a kernel of full rank is its own rows.
    """
    job = layouts[0]
    alike = bool((job.kernels == job.kernels[0, 0]).all())
    few = alike or len({*common.like(job)}) * job.inputs <= common.MANY_KERNELS
    if not wanted and not (few and job.kernels.shape[3] > 1):  # a single column needs only one pass
        return
    seen, most = job.kernels[:1, 0] if alike else common.some_kernels(job), MAX_RANK
    if not wanted:
        each = RANK_STEPS + job.kernels[0, 0].size * RANK_PASSES // common.VALUES_A_STEP
        most = common.steps_allowed(job) // (len(seen) * each)
    largest = 0
    for kernel in seen:
        if (found := factors(kernel, dtype, most)) is None:
            return
        largest = max(largest, len(found[0]))
    kh, kw = job.kernel
    block, passed = passes.block_rows(kh), largest * job.inputs
    reason = f"rank {largest} → {largest * 2} passes of {kh} and {kw} taps"
    for job in layouts:
        down = job.stride * (block - 1) + extent(kh, passes.lattices(job)[1])
        across, folds = _across(job, _terms(job, dtype, 0))  # the first output plane stands for all
        each = ((passed * down / job.widen + across) * MAC[dtype] + passed * PASS[dtype]) * common.slower(job, STRIDED)
        calls = job.outputs * passed * (15 if folds else 3)
        yield Estimate("separable", job, dtype, each, calls, reason, rounds=largest > 1, block=block)


def tile(job: FilterJob, itemsize: int) -> Size:
    """Output rows and columns of a tile. It has long lines if channels are interleaved or the passes fold.

    Otherwise it has shorter lines and more rows, with which products along the rows are faster.
    """
    if job.widen > 1:
        size = common.tile(job, itemsize)
    elif job.step == 1 and not _across(job, _terms(job, f"float{8 * itemsize}", 0))[1]:
        size = common.tile(job, itemsize, values=2048, planes=1, within=NEAR_BYTES)
    else:
        size = common.tile(job, itemsize, planes=1)
    return passes.whole_blocks(job, size, passes.block_rows(job.kernel.height))


def prepare(job: FilterJob, dtype: str) -> Work:
    """Factor the kernels, once. The result gives the steps that fill a tile."""
    planes = [_Passes(job, dtype, o) for o in range(job.outputs)]

    def work(width: int, scratch: Array, out: Array, buffers: Buffers) -> Steps:
        for each, target in zip(planes, out[..., :width], strict=True):
            yield from each.steps(scratch, target, buffers)

    return work


class _Term(NamedTuple):
    """A gathered plane, and the taps of the passes along its columns and its rows."""

    plane: int
    column: Array
    line: Array


def _terms(job: FilterJob, dtype: str, output: int) -> list[_Term]:
    """The terms whose passes are summed to the output plane of this number."""
    terms = []
    for plane, kernel in enumerate(job.kernels[output], job.sources[output]):
        found = factors(kernel, dtype)
        assert found is not None
        terms += [_Term(plane, u.astype(dtype), v.astype(dtype)) for u, v in zip(*found, strict=True)]
    return terms


def _across(job: FilterJob, terms: list[_Term]) -> tuple[float, list[passes.Fold]]:
    """The cost of the passes along the rows, in multiply-accumulates for each output, and their folds: see `passes.cheapest`."""
    if job.widen > 1:
        depth = _columns(job) * job.step + job.apart * (job.kernel.width - 1)
        return len(terms) * depth + passes.PASS_PRODUCTS * 2 * (len(terms) - 1), []
    return passes.cheapest([term.line for term in terms], job.apart, job.output.width * job.step)


def _columns(job: FilterJob) -> int:
    """How many gathered columns of a widened job a product with a band is for."""
    return max(1, passes.BLOCK_COLUMNS // (job.widen * job.step))


class _Passes:
    """The passes whose sum is the output plane of this number."""

    def __init__(self, job: FilterJob, dtype: str, output: int) -> None:
        self.dtype, self.stride, self.apart = dtype, job.stride, job.apart
        self.sets, self.dilation = passes.lattices(job)
        self.block = passes.block_rows(job.kernel.height)
        self.step, self.widen = job.step, job.widen
        self.columns = _columns(job) if job.widen > 1 else 0
        self.terms = _terms(job, dtype, output)
        self.folds = _across(job, self.terms)[1]
        self._built: dict[tuple[int, ...], Array] = {}

    def steps(self, scratch: Array, out: Array, buffers: Buffers) -> Steps:
        """The steps that fill ``out (rows, width)``."""
        return (self._by_folds if self.folds else self._by_bands)(scratch, out, buffers)

    def _by_folds(self, scratch: Array, out: Array, buffers: Buffers) -> Steps:
        """All passes, for a few rows at a time, because their intermediate results take much memory."""
        line, slots = scratch.shape[2], sum(len(fold.weights) for fold in self.folds)
        at_once = max(1, FOLD_BYTES // (slots * line * self.block * out.itemsize)) * self.block
        room = buffers.get("folds", (at_once, slots, line), self.dtype)
        for first in range(min(self.sets, len(out))):
            target = out[first :: self.sets]
            for start in range(0, len(target), at_once):
                rows, slot = target[start : start + at_once], 0
                for number, (term, fold) in enumerate(zip(self.terms, self.folds, strict=True)):
                    lines = scratch[term.plane, first + self.sets * self.stride * start :: self.sets]
                    yield from self._down(number, lines, room[: len(rows), slot])
                    slot += len(fold.weights)
                yield from passes.by_fold(self.folds, room[: len(rows)], self.apart, rows)

    def _by_bands(self, scratch: Array, out: Array, buffers: Buffers) -> Steps:
        """One term after the other."""
        rows, width = out.shape
        columns = min(self.columns, width // (self.widen * self.step)) or min(passes.BLOCK_COLUMNS, width)
        passed = buffers.get("passed", (rows, scratch.shape[2]), self.dtype)
        further = buffers.get("further", (rows, width), self.dtype)
        for number, term in enumerate(self.terms):
            for first in range(min(self.sets, rows)):
                yield from self._down(number, scratch[term.plane, first :: self.sets], passed[first :: self.sets])
            band = self._band(number, columns, along=True)
            yield from passes.by_band(passed, band, further if number else out, self.widen)
            if number:
                yield np.add, (out, further, out)

    def _down(self, number: int, lines: Array, out: Array) -> Steps:
        """The steps of a term's pass along the columns of `lines`, into ``out (rows, line)``."""
        rows, line = out.shape
        size = min(self.block, rows)
        band = self._band(number, size)
        sources = passes.blocks_of(lines, rows, size, band.shape[1], self.stride)
        yield from passes.multiply(band, sources, out[: len(sources) * size].reshape(-1, size, line))
        if rows % size:
            start = rows - size
            yield from passes.multiply(band, lines[self.stride * start :][: band.shape[1]], out[start:])

    def _band(self, number: int, size: int, along: bool = False) -> Array:
        """The banded matrix of a term for blocks of `size` rows, or of `size` columns if `along` is set. Built once."""
        key = number, size, along
        if key not in self._built:
            _, column, line = self.terms[number]
            if not along:
                band = passes.banded(column, size, self.stride, self.dilation)
            elif self.columns:
                band = passes.banded_across(line.reshape(self.widen, -1), size, self.step, self.apart)
            else:
                band = np.ascontiguousarray(passes.banded(line, size, 1, self.apart).T)
            self._built[key] = band
        return self._built[key]
