"""The planner: predict what each strategy would take, from the kernel, the geometry and the types, and take the least.

The cost model counts, for one output value, passes over memory and multiply-accumulates of BLAS, and for a tile the calls
into NumPy. Its constants were measured on one core of a 2025 server processor; `benchmarks/` measures how far the choice
lies from the best.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2
from types import ModuleType
from typing import Any

import numpy as np

from convcli.backends import Considered
from convcli.backends.numpy import fft, gemm, separable, taps, toeplitz
from convcli.backends.numpy.job import Job
from convcli.errors import BackendError
from convcli.geometry import extent

STRATEGIES: dict[str, ModuleType] = {
    "taps": taps,
    "toeplitz": toeplitz,
    "separable": separable,
    "fft": fft,
    "gemm": gemm,
}

CALL = 1.0e-6
"""Seconds of a call into NumPy on a small array."""

PASS = {"int16": 0.05e-9, "int32": 0.1e-9, "float32": 0.1e-9, "float64": 0.2e-9}
"""Seconds to read, compute and write one value in the second-level cache."""

MAC = {"float32": 0.025e-9, "float64": 0.05e-9}
"""Seconds of a multiply-accumulate in BLAS."""

TRANSFORM = {"float32": 0.37e-9, "float64": 0.6e-9}
"""Seconds of a real transform for each value and each doubling of its size."""

REARRANGE = 0.8e-9
"""Seconds to take an interleaved value apart and to put its result back."""

ROUNDING = 1.5
"""How much faster a strategy that rounds must be than one that is exact, where pixels and kernel are integers."""

WORTH_ROUNDING = 200e-6
"""Seconds that a strategy must gain to be worth its rounding, which is larger than that of a plain sum."""

AT_ONCE = 150e-6
"""Seconds below which no other plan than taps is weighed."""

WORTH_A_THREAD = 300e-6
"""Seconds of work that a further thread must get."""

STRIDED = 4.0
"""How much slower a pass is whose values do not lie side by side."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A strategy for one job, with its dtype, whether it takes planes apart, the predicted seconds and why."""

    name: str
    dtype: str
    planar: bool
    seconds: float
    reason: str

    @property
    def considered(self) -> Considered:
        """What of it is told to the user."""
        return Considered(self.name, self.seconds, self.reason)


_Estimate = tuple[str, str, bool, float, float, str]
"""Strategy, dtype, planar, seconds for each output value, calls for each tile, reason."""


def plans(job: Job, source: np.dtype[Any], dtype: str, threads: int) -> list[Plan]:
    """Every plan that can do the job, the cheapest first.

    Parameters
    ----------
    job : Job
        The operation.
    source : dtype
        Of the pixels.
    dtype : {"float32", "float64"}
        Of the computation, where it is not done in exact integers.
    threads : int
        How many share the work.
    """
    plain = _plan(job, _taps(job, source, dtype), threads)
    exact = plain.dtype.startswith("int")
    found = [_toeplitz(job, dtype), _separable(job, dtype), _fft(job, dtype), _gemm(job.planar(), dtype)]
    return sorted([plain, *(_plan(job, each, threads, exact) for each in found)], key=lambda plan: plan.seconds)


def _plan(job: Job, estimate: _Estimate, threads: int, exact: bool = False) -> Plan:
    """What an estimate comes to for the whole job; `exact` says that another plan would not round."""
    name, kind, planar, each, calls, reason = estimate
    tile = STRATEGIES[name].tile(job.planar() if planar else job, np.dtype(kind).itemsize)
    values = job.outputs * job.output.height * job.output.width * job.step
    tiles = -(-job.output.height // tile.height) * -(-job.output.width // tile.width)
    if name in ("toeplitz", "separable"):  # a tile too low for a block of rows wastes the rest of the product
        each *= max(1.0, toeplitz.block_rows(job.kernel.height) / tile.height)
    move = PASS[kind] * 4 + (REARRANGE if planar and job.step > 1 else 0)
    seconds = (values * (each + move) + tiles * (calls + 12) * CALL) / min(threads, tiles)
    if name == "fft" or (name == "separable" and not reason.startswith("rank 1 ")):
        seconds = seconds * (ROUNDING if exact else 1) + WORTH_ROUNDING
    return Plan(name, kind, planar, seconds, reason)


def quick(job: Job, source: np.dtype[Any], dtype: str) -> list[Plan] | None:
    """Plain taps alone, for a job so small that weighing plans would take longer than doing it."""
    plan = _plan(job, _taps(job, source, dtype), 1)
    return [plan] if plan.seconds < AT_ONCE else None


def threads_for(plan: Plan, threads: int) -> int:
    """How many threads a plan is worth: starting one takes as long as a small image."""
    return max(1, min(threads, int(plan.seconds * threads / WORTH_A_THREAD)))


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
    raise BackendError(f"plan '{name}' is unknown: use one of {', '.join(STRATEGIES)}")


def _strided(job: Job) -> float:
    return STRIDED if job.stride.columns > 1 else 1.0


def _taps(job: Job, source: np.dtype[Any], dtype: str) -> _Estimate:
    exact = taps.exact_type(job, source)
    kind = exact or dtype
    count = int(np.count_nonzero(job.kernels))
    products = sum(len({abs(tap) for tap in kernel.ravel().tolist() if tap}) for kernel in job.kernels)
    passes = float(count + products)
    zeros = "" if count == job.kernels.size else f" of {job.kernels.size}"
    reason = f"{count}{zeros} taps" + (", exact" if exact else "")
    return "taps", kind, False, passes / job.outputs * PASS[kind] * _strided(job), passes, reason


def _toeplitz(job: Job, dtype: str) -> _Estimate:
    inputs, (kh, kw) = job.kernels.shape[1], job.kernel
    block = toeplitz.block_rows(kh)
    depth = job.stride.rows * (block - 1) + extent(kh, job.dilation.rows)
    each = inputs * kw * (depth * MAC[dtype] * job.stride.columns + PASS[dtype] * _strided(job))
    return (
        "toeplitz",
        dtype,
        False,
        each,
        8 * job.outputs * inputs * (kw + 1),
        f"{kh}×{kw} dense → {kw} banded products",
    )


def _separable(job: Job, dtype: str) -> _Estimate:
    inputs, (kh, kw) = job.kernels.shape[1], job.kernel
    rank = separable.rank(job)
    down = job.stride.rows * (toeplitz.block_rows(kh) - 1) + extent(kh, job.dilation.rows)
    across = job.stride.columns * (separable.COLUMNS - 1) + extent(kw, job.dilation.columns)
    each = rank * inputs * ((down * job.stride.columns + across) * MAC[dtype] + PASS[dtype])
    reason = f"rank {rank} → {rank * 2} passes of {kh} and {kw} taps"
    return "separable", dtype, True, each, job.outputs * job.step * rank * inputs * 14, reason


def _fft(job: Job, dtype: str) -> _Estimate:
    planar = job.planar()
    height, width = fft.sides(planar)
    tile = fft.tile(planar, 4)
    transforms = (planar.planes + planar.outputs) / planar.outputs
    values = height * width / (tile.height * tile.width)
    products = job.kernels.shape[1] * 4 * PASS[dtype]
    each = values * (transforms * TRANSFORM[dtype] * log2(height * width) + products)
    kh, kw = fft.reach(job)
    return (
        "fft",
        dtype,
        True,
        each,
        planar.outputs * 6,
        f"{kh}×{kw} is large → tiles of {height}×{width} in the frequency domain",
    )


def _gemm(job: Job, dtype: str) -> _Estimate:
    depth = job.kernels.shape[1] * job.kernel.height * job.kernel.width
    gathered = len(set(job.sources)) / job.outputs * depth * PASS[dtype] * _strided(job)
    calls = len(set(job.sources)) * job.kernel.height * job.kernel.width
    reason = f"{job.outputs} outputs of {depth} terms → one product of gathered windows"
    return "gemm", dtype, True, depth * MAC[dtype] + gathered, calls, reason
