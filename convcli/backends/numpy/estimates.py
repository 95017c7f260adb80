"""What a strategy costs for one output value by itself, and how many calls into NumPy a tile of it takes.

Counted are passes over memory and multiply-accumulates of BLAS; the constants were measured on one core of a 2025 server
processor. What all strategies have in common is added by `convcli.backends.numpy.plan`.
"""

from __future__ import annotations

from math import log2
from typing import NamedTuple

import numpy as np

from convcli.backends.numpy import fft, gemm, prefix, separable, taps, toeplitz
from convcli.backends.numpy.job import CACHED_BYTES, Job
from convcli.geometry import extent

PASS = {"uint16": 0.05e-9, "int16": 0.05e-9, "int32": 0.1e-9, "float32": 0.1e-9, "float64": 0.2e-9}
"""Seconds to read, compute and write one value."""

MAC = {"float32": 0.024e-9, "float64": 0.05e-9}
"""Seconds of a multiply-accumulate in BLAS."""

KEEP = 0.7
"""Passes that a product in BLAS takes longer for each value that it leaves in memory."""

FEW_ROWS = {1: 3.0, 2: 1.5}
"""How much slower BLAS is where a matrix has so many rows only."""

MANY_ROWS, PACKED = 16, 1.5
"""Rows of a matrix from which on BLAS packs it and the windows first, and how much slower it is then."""

GATHER = {"float32": 0.25e-9, "float64": 0.4e-9}
"""Seconds to copy a value of a window to its place in a matrix."""

TRANSFORM = {"float32": 0.16e-9, "float64": 0.3e-9}
"""Seconds of a real transform for each value and each doubling of its size."""

PUT = 1.8
"""Passes to add a partial sum of integers to the result."""

MANY_KERNELS = 64
"""Different kernels beyond which their ranks are not worth finding: layers of many channels are for products of windows."""

SEEN = 8
"""Outputs and inputs of such a layer whose kernels are looked at: the others are like them."""

SPECTRA_BYTES = 256 << 20
"""Transforms of kernels beyond which the frequency domain is out of the question."""


class Estimate(NamedTuple):
    """What a strategy would cost: seconds for each output value, calls for each tile; whether it rounds more than a sum."""

    name: str
    dtype: str
    planar: bool
    each: float
    calls: float
    reason: str
    rounds: bool = False
    gathers: str = ""


def by_taps(job: Job, dtype: str) -> Estimate:
    """What plain taps cost, in exact integers where they can."""
    exact = taps.exact_type(job)
    kind = exact or dtype
    count, (passes, shared) = int(np.count_nonzero(job.kernels)), taps.passes(job)
    zeros = "" if count == job.taps.sum() else f" of {int(job.taps.sum())}"
    sums = f", {shared} shared sum{'s' * (shared > 1)}" if shared else ""
    reason = f"{count}{zeros} tap{'s' * (count != 1 or bool(zeros))}{sums}" + (", exact" if exact else "")
    return Estimate("taps", kind, False, passes / job.outputs * PASS[kind], float(passes), reason)


def others(job: Job, dtype: str, wanted: str | None = None) -> list[Estimate]:
    """What every strategy but plain taps costs that can do the job and may be worth it, or that is `wanted`."""
    layouts = [job] if job.step == 1 else [job, job.planar()]
    found = [_toeplitz(layout, dtype) for layout in layouts]
    alike = bool((job.kernels == job.kernels[0, 0]).all())
    few = (alike or job.outputs * job.inputs <= MANY_KERNELS) and job.kernel.width > 1  # a column is a single pass
    if few or wanted == "separable":
        found += [_separable(layout, dtype) for layout in layouts]
    if fft.spectra_bytes(layouts[-1]) <= SPECTRA_BYTES or wanted == "fft":
        found.append(_fft(layouts[-1], dtype))
    found.append(_gemm(layouts[-1], dtype))
    found += _prefix(job, dtype)
    return found


def _prefix(job: Job, dtype: str) -> list[Estimate]:
    """The estimates, if the pixels are integers, and so are the kernels but for a unit."""
    found = prefix.units(job)
    estimates = []
    for layout in [] if found is None else prefix.layouts(job, found[1]):
        steps, passes = sum(len(c.steps) for c in layout.classes), sum(c.passes for c in layout.classes)
        each = (passes + 3 * job.gathered) * PASS[layout.kind] + (layout.puts * PUT + 5 * job.outputs) * PASS[dtype]
        kinds = len(layout.classes)
        reason = f"flat → prefix sums, {steps} differences in {kinds} kind{'s' * (kinds > 1)} of columns, exact in {layout.kind}"
        calls = 2 * prefix.GROUP * job.gathered + passes + layout.puts
        estimates.append(Estimate("prefix", dtype, False, each / job.outputs, calls, reason, gathers=layout.kind))
    return estimates


def _toeplitz(job: Job, dtype: str) -> Estimate:
    kh, kw = job.kernel
    seen = job.kernels if job.outputs * job.inputs <= MANY_KERNELS else job.kernels[:SEEN, :SEEN]
    found = [toeplitz.distinct_columns(kernel) for kernel in seen.reshape(-1, kh, kw)]
    products, sums = (sum(map(len, counts)) * job.inputs / len(found) for counts in zip(*found, strict=True))
    block = toeplitz.rows_of(job, job.line)
    depth = job.stride * (block - 1) + extent(kh, toeplitz.lattices(job)[1])
    product = 1.5 * PASS[dtype] if depth == 1 else depth * MAC[dtype] + KEEP * PASS[dtype]
    each = products * product + sums * PASS[dtype]
    reason = f"{kh}×{kw} dense → products with bands of {block} row{'s' * (block > 1)}"
    return Estimate("toeplitz", dtype, job.step == 1, each, job.outputs * job.inputs * (kw + 1) * 2, reason)


def _separable(job: Job, dtype: str) -> Estimate:
    kh, kw = job.kernel
    rank = separable.rank(job, dtype)
    down = job.stride * (toeplitz.block_rows(kh) - 1) + extent(kh, toeplitz.lattices(job)[1])
    across, folds = separable.across_cost(job, dtype)
    macs = rank * job.inputs * down + across
    each = macs * MAC[dtype] + rank * job.inputs * PASS[dtype]
    reason = f"rank {rank} → {rank * 2} passes of {kh} and {kw} taps"
    calls = job.outputs * rank * job.inputs * (15 if folds else 3)
    return Estimate("separable", dtype, job.step == 1, each, calls, reason, rank > 1)


def _fft(job: Job, dtype: str) -> Estimate:
    height, width = fft.sides(job)
    tiles = [-(-size // side) for size, side in zip(job.output, fft.tile(job, 4), strict=True)]
    values = tiles[0] * height * tiles[1] * width / (job.output.height * job.output.width)
    transforms = job.gathered / job.outputs + 1
    each = values * (transforms * TRANSFORM[dtype] * log2(height * width) + job.inputs * 4 * PASS[dtype])
    if fft.spectra_bytes(job) > CACHED_BYTES:
        kernels = len(fft.distinct(job)) * job.inputs * height * width * log2(height * width)
        each += kernels * TRANSFORM["float64"] / (job.outputs * job.output.height * job.output.width)
    kh, kw = job.reach
    reason = f"{kh}×{kw} is large → tiles of {height}×{width} in the frequency domain"
    return Estimate("fft", dtype, True, each, job.outputs * 6, reason, True)


def _gemm(job: Job, dtype: str) -> Estimate:
    kh, kw = job.kernel
    depth, sources, sets = job.inputs * kh * kw, len(set(job.sources)), len(gemm.row_sets(job))
    rows = 1 + gemm.reach(job) / gemm.tile(job, np.dtype(dtype).itemsize).height  # gathered for each of the output
    gathered = sources / job.outputs * sets * job.inputs * kw * rows * GATHER[dtype]
    outputs = job.outputs // sources
    slower = PACKED if outputs >= MANY_ROWS else FEW_ROWS.get(outputs, 1.0)
    each = depth * MAC[dtype] * slower + gathered + 2 * kh * PASS[dtype]
    reason = f"{job.outputs} outputs of {depth} terms → products of gathered windows, one for each kernel row"
    return Estimate("gemm", dtype, True, each, sources * (sets * kw + 2 * kh), reason)
