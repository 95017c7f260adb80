"""The planner: predict what each strategy would take, from the kernel, the geometry and the types, and take the least.

The cost model counts, for one output value, passes over memory and multiply-accumulates of BLAS, and for a tile the calls
into NumPy. Its constants were measured on one core of a 2025 server processor; `benchmarks/` measures how far the choice
lies from the best.
"""

from __future__ import annotations

from math import log2
from types import ModuleType
from typing import NamedTuple

import numpy as np

from convcli.backends import Considered
from convcli.backends.numpy import fft, gemm, prefix, separable, taps, toeplitz
from convcli.backends.numpy.job import Job
from convcli.errors import BackendError
from convcli.geometry import extent

STRATEGIES: dict[str, ModuleType] = {
    "taps": taps,
    "prefix": prefix,
    "toeplitz": toeplitz,
    "separable": separable,
    "fft": fft,
    "gemm": gemm,
}

CALL = 1.0e-6
"""Seconds of a call into NumPy on a small array."""

PASS = {"uint16": 0.05e-9, "int16": 0.05e-9, "int32": 0.1e-9, "float32": 0.1e-9, "float64": 0.2e-9}
"""Seconds to read, compute and write one value."""

MAC = {"float32": 0.024e-9, "float64": 0.05e-9}
"""Seconds of a multiply-accumulate in BLAS."""

KEEP = 0.5
"""Passes that a product in BLAS takes longer for each value that it leaves in memory."""

FEW_ROWS = {1: 3.0, 2: 1.5}
"""How much slower BLAS is where a matrix has so many rows only."""

THIN = {"uint16": 0.4e-9, "int16": 0.4e-9, "int32": 0.4e-9, "float32": 0.4e-9, "float64": 0.5e-9}
"""Seconds to take a value that is kept from among those that a stride leaves out."""

GATHER = {"float32": 0.25e-9, "float64": 0.4e-9}
"""Seconds to copy a value of a window to its place in a matrix."""

TRANSFORM = {"float32": 0.16e-9, "float64": 0.3e-9}
"""Seconds of a real transform for each value and each doubling of its size."""

FILL, FINISH = 1.3, 3.0
"""Passes to gather a value of the input, and to round, clip and store one of the output."""

PUT = 1.8
"""Passes to add a partial sum of integers to the result."""

REARRANGE = 0.4e-9
"""Seconds to take an interleaved value apart, or to put one back."""

STRIDED = {"taps": 2.8, "separable": 1.4, "prefix": 2.8, "toeplitz": 1.2}
"""How much slower a strategy is where rows are left out: lines cannot be worked on as one."""

ROUNDING = 1.5
"""How much faster a strategy that rounds must be than one that is exact, where pixels and kernel are integers."""

NARROW = 1.2
"""How much faster than exact narrow integers a sum in floating point must be: they leave more of the cache to others."""

WORTH_ROUNDING = 200e-6
"""Seconds that a strategy must gain to be worth its rounding, which is larger than that of a plain sum."""

AT_ONCE, EXACT_AT_ONCE = 150e-6, 1e-3
"""Seconds below which no other plan than taps is weighed: exact integers are hard to beat, and weighing takes as long."""

WORTH_A_THREAD = 1e-3
"""Seconds of work that a further thread must get."""

SHARED, HANDOVER = 0.65, 250e-6
"""What becomes of the gain of threads, which share a cache and Python's lock: two are 1.6 times as fast as one (measured);
seconds to hand work to others and to wait for them."""

CONTENDED = 4.0
"""How much longer a call takes where threads share Python's lock: whoever wants it at the same moment is put to sleep and woken."""

MANY_KERNELS = 64
"""Different kernels beyond which their ranks are not worth finding: layers of many channels are for products of windows."""


SPECTRA_BYTES = 256 << 20
"""Transforms of kernels beyond which the frequency domain is out of the question."""


class Plan(NamedTuple):
    """A strategy for one job.

    Attributes
    ----------
    name, reason : str
        The strategy, and why it costs what it does.
    dtype, gathers : str
        Of the computation, and of the pixels that it is handed.
    job : Job
        As the strategy sees it.
    seconds : float
        Predicted, on `threads` threads: a further one is worth it for `WORTH_A_THREAD` more only.
    mixes : bool
        See `Computed`.
    threads : int
    """

    name: str
    dtype: str
    job: Job
    seconds: float
    reason: str
    mixes: bool
    gathers: str
    threads: int = 1

    @property
    def considered(self) -> Considered:
        """What of it is told to the user."""
        return Considered(self.name, self.seconds, self.reason)


class _Estimate(NamedTuple):
    """What a strategy would cost: seconds for each output value, calls for each tile; whether it rounds more than a sum."""

    name: str
    dtype: str
    planar: bool
    each: float
    calls: float
    reason: str
    rounds: bool = False
    gathers: str = ""


def plans(jobs: list[Job], dtype: str, threads: int, wanted: str | None = None) -> list[Plan]:
    """Every plan that can do an operation, the cheapest first, once for each strategy.

    Parameters
    ----------
    jobs : list of Job
        The operation, in one way or more.
    dtype : {"float32", "float64"}
        Of the computation, where it is not done in exact integers.
    threads : int
        How many share the work.
    wanted : str, optional
        A strategy to weigh though it is not worth it.
    """
    weighed = sorted(
        (plan for job in jobs for plan in _plans(job, dtype, threads, wanted)),
        key=lambda plan: plan.seconds,
    )
    cheapest: dict[str, Plan] = {}
    for plan in weighed:
        cheapest.setdefault(plan.name, plan)
    return [*cheapest.values()]


def _plans(job: Job, dtype: str, threads: int, wanted: str | None) -> list[Plan]:
    """The plans for a job, see `plans`: of one strategy there may be several."""
    plain = _plan(job, _taps(job, dtype), threads)
    exact = plain.dtype.startswith("int")
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
    return [plain, *(_plan(job, each, threads, exact) for each in found)]


def _plan(job: Job, estimate: _Estimate, threads: int, exact: bool = False) -> Plan:
    """What an estimate comes to for the whole job; `exact` says that another plan would not round."""
    name, kind, planar, each, calls, reason, rounds, gathers = estimate
    layout = job.planar() if planar else job
    tile = STRATEGIES[name].tile(layout, np.dtype(kind).itemsize)
    values = job.outputs * job.output.height * job.output.width * job.step
    tiles = -(-job.output.height // tile.height) * -(-job.output.width // tile.width)
    if name in ("toeplitz", "separable"):  # a tile too low for a block of rows wastes the rest of the product
        rows = toeplitz.rows_of(job, job.line) if name == "toeplitz" else toeplitz.block_rows(job.kernel.height)
        each *= max(1.0, rows / tile.height)
    if job.stride > 1:
        each *= STRIDED.get(name, 1.0)
    apart = REARRANGE if planar and job.step > 1 else 0.0
    read = ((tile.height - 1) * job.stride + job.reach.height) / tile.height  # rows of the input for each of the output
    fill = (FILL * PASS[kind] + (apart if len(job.columns) == 1 else REARRANGE)) * read * job.gathered / job.outputs
    finish = (FINISH * PASS[kind] + apart + (THIN[kind] if job.thin > 1 else 0.0)) / job.thin
    work, called = values * (each + fill + finish), tiles * (calls + 12) * CALL
    most = max(1, min(threads, int((work + called) / WORTH_A_THREAD)))
    alone, together = work + called, work / most**SHARED + called * CONTENDED + HANDOVER
    threads, seconds = (most, together) if most > 1 and together < alone else (1, alone)
    if exact:
        seconds *= ROUNDING if rounds else NARROW
    if rounds:
        seconds += WORTH_ROUNDING
    return Plan(name, kind, layout, seconds, reason, rounds, gathers or kind, threads)


def quick(jobs: list[Job], dtype: str) -> list[Plan] | None:
    """Plain taps alone, for a job so small that weighing plans would take longer than doing it."""
    plan = min((_plan(job, _taps(job, dtype), 1) for job in jobs), key=lambda plan: plan.seconds)
    exact = plan.dtype.startswith("int")
    return [plan] if plan.seconds < (EXACT_AT_ONCE if exact else AT_ONCE) else None


def choose(found: list[Plan], name: str | None) -> Plan:
    """The first of `found`, or the one called `name`.

    Raises
    ------
    BackendError
        No plan of that name.
    """
    for plan in found:
        if name in (None, plan.name):
            return plan
    if name in STRATEGIES:
        raise BackendError(
            f"plan '{name}' cannot do this: it wants 8- or 16-bit pixels as they are stored, and a kernel of small integers "
            f"times one value, whose sums fit into 32 bits; "
            f"use one of {', '.join(plan.name for plan in found)}"
        )
    raise BackendError(f"plan '{name}' is unknown: use one of {', '.join(STRATEGIES)}")


def _taps(job: Job, dtype: str) -> _Estimate:
    exact = taps.exact_type(job)
    kind = exact or dtype
    count = int(np.count_nonzero(job.kernels))
    products = sum(len({abs(tap) for tap in kernel.ravel().tolist() if tap}) for kernel in job.kernels)
    passes = float(count + products)
    zeros = "" if count == job.taps.sum() else f" of {int(job.taps.sum())}"
    reason = f"{count}{zeros} tap{'s' * (count != 1 or bool(zeros))}" + (", exact" if exact else "")
    return _Estimate("taps", kind, False, passes / job.outputs * PASS[kind], passes, reason)


def _prefix(job: Job, dtype: str) -> list[_Estimate]:
    """The estimates, if the pixels are integers, and so are the kernels but for a unit."""
    found = prefix.units(job)
    estimates = []
    for layout in [] if found is None else prefix.layouts(job, found[1]):
        steps, passes = sum(len(c.steps) for c in layout.classes), sum(c.passes for c in layout.classes)
        each = (passes + 3 * job.gathered) * PASS[layout.kind] + (layout.puts * PUT + 5 * job.outputs) * PASS[dtype]
        kinds = len(layout.classes)
        reason = f"flat → prefix sums, {steps} differences in {kinds} kind{'s' * (kinds > 1)} of columns, exact in {layout.kind}"
        calls = 2 * prefix.GROUP * job.gathered + passes + layout.puts
        estimates.append(_Estimate("prefix", dtype, False, each / job.outputs, calls, reason, gathers=layout.kind))
    return estimates


def _toeplitz(job: Job, dtype: str) -> _Estimate:
    kh, kw = job.kernel
    found = [toeplitz.distinct_columns(kernel) for kernel in job.kernels.reshape(-1, kh, kw)]
    products, sums = (sum(map(len, counts)) / job.outputs for counts in zip(*found, strict=True))
    block = toeplitz.rows_of(job, job.line)
    depth = job.stride * (block - 1) + extent(kh, toeplitz.lattices(job)[1])
    product = 1.5 * PASS[dtype] if depth == 1 else depth * MAC[dtype] + KEEP * PASS[dtype]
    each = products * product + sums * PASS[dtype]
    reason = f"{kh}×{kw} dense → products with bands of {block} row{'s' * (block > 1)}"
    return _Estimate("toeplitz", dtype, job.step == 1, each, job.outputs * job.inputs * (kw + 1) * 2, reason)


def _separable(job: Job, dtype: str) -> _Estimate:
    kh, kw = job.kernel
    rank = separable.rank(job, dtype)
    down = job.stride * (toeplitz.block_rows(kh) - 1) + extent(kh, toeplitz.lattices(job)[1])
    across, folds = separable.across_cost(job, dtype)
    macs = rank * job.inputs * down + across
    each = macs * MAC[dtype] + rank * job.inputs * PASS[dtype]
    reason = f"rank {rank} → {rank * 2} passes of {kh} and {kw} taps"
    calls = job.outputs * rank * job.inputs * (15 if folds else 6)
    return _Estimate("separable", dtype, job.step == 1, each, calls, reason, rank > 1)


def _fft(job: Job, dtype: str) -> _Estimate:
    height, width = fft.sides(job)
    tiles = [-(-size // side) for size, side in zip(job.output, fft.tile(job, 4), strict=True)]
    values = tiles[0] * height * tiles[1] * width / (job.output.height * job.output.width)
    transforms = job.gathered / job.outputs + 1
    each = values * (transforms * TRANSFORM[dtype] * log2(height * width) + job.inputs * 4 * PASS[dtype])
    kh, kw = job.reach
    reason = f"{kh}×{kw} is large → tiles of {height}×{width} in the frequency domain"
    return _Estimate("fft", dtype, True, each, job.outputs * 6, reason, True)


def _gemm(job: Job, dtype: str) -> _Estimate:
    kh, kw = job.kernel
    depth, sources, sets = job.inputs * kh * kw, len(set(job.sources)), len(gemm.row_sets(job))
    rows = 1 + gemm.reach(job) / gemm.tile(job, np.dtype(dtype).itemsize).height  # gathered for each of the output
    gathered = sources / job.outputs * sets * job.inputs * kw * rows * GATHER[dtype]
    slower = FEW_ROWS.get(job.outputs // sources, 1.0)
    each = depth * MAC[dtype] * slower + gathered + 2 * kh * PASS[dtype]
    reason = f"{job.outputs} outputs of {depth} terms → products of gathered windows, one for each kernel row"
    return _Estimate("gemm", dtype, True, each, sources * (sets * kw + 2 * kh), reason)
