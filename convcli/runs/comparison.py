"""One operation on every backend: shapes, errors against the float64 reference, times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import inf, sqrt
from statistics import median

import numpy as np
from numpy.typing import NDArray

from convcli import backends, engine, extras
from convcli.convspec import ConvSpec
from convcli.engine import Call, Compute, ConvResult
from convcli.errors import BackendError
from convcli.layer import Layer
from convcli.records import NamedTuple

EPSILON = {"float64": 2.0**-52, "float32": 2.0**-23, "tf32": 2.0**-10, "float16": 2.0**-10, "bfloat16": 2.0**-7}
"""Distance from 1 to the next larger number in each arithmetic."""


class Row(NamedTuple):
    """One backend's result."""

    backend: str
    device: str
    dtype: str
    plan: str
    output_shape: tuple[int, ...]
    max_abs_error: float  # the largest absolute difference from the float64 reference, in the input's units
    # `max_abs_error` divided by the largest Σ|x·w| of any output, so that results near zero do not make it large. For a
    # plan that mixes more than the terms of one output (transforms, passes of several ranks), it is divided by max|x|
    # times the largest Σ|w| of an output channel.
    relative_error: float
    tolerance: float  # the largest `relative_error` that is allowed: see the function `tolerance`
    agree: bool  # whether `relative_error` is within `tolerance`
    # wall time of a call, from arrays to arrays, in milliseconds. On CUDA the time between two events around the
    # operation, with the data already on the device.
    median_ms: float
    min_ms: float
    max_ms: float
    repeats: int  # number of timed calls
    speedup: float  # the reference's time divided by this median


class Comparison(NamedTuple):
    """All rows, what is missing and why, and the backend that ``auto`` chooses for this operation and why."""

    rows: tuple[Row, ...]
    missing: tuple[str, ...]
    auto: str
    reason: str

    @property
    def agree(self) -> bool:
        """Whether every row agrees with the reference."""
        return all(row.agree for row in self.rows)


def tolerance(arithmetic: str, terms: int) -> float:
    """The error that rounding explains, relative to Σ|x·w|, for a sum of `terms` products.

    The worst case is ``terms · ε`` (Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 3.1).
    Errors of random sign grow only with the square root of `terms`; eight times that is allowed.
    """
    return EPSILON[arithmetic] * min(terms + 2, 8 * sqrt(terms + 2))


TRANSFORMED = 30
"""The fewest terms that are counted for transforms. One of n points adds log2 n times on the way there, and as often on the way
back (Higham, section 24.1); n is about 2**15 along both axes together."""


def compare(
    image: NDArray[np.generic],
    layer: Layer,
    spec: ConvSpec,
    compute: Compute = Compute(),
    repeats: int = 5,
    limit: float | None = None,
) -> Comparison:
    """Run an operation on every backend that is available.

    Parameters
    ----------
    image, layer, spec
        As for `engine.run`.
    compute : Compute
        If it names a backend or a device, only this one is compared with the reference. dtype and threads are for all.
    repeats : int
        Timed calls of each backend, after one to warm up. The reference runs once.
    limit : float, optional
        Replaces `tolerance` in every row.

    Raises
    ------
    ConvError
        The operation does not fit the image, or a backend or device that the user asks for is not available.
    """
    offsets = None if layer.bias is None else np.abs(layer.bias)
    sizes = replace(layer, weight=np.abs(layer.weight), bias=offsets)

    def prepared(choice: Compute) -> Call:
        return engine.prepare(image, layer, spec, choice)

    auto = prepared(compute._replace(backend="auto"))  # before torch is imported, because its import time counts here
    truth = prepared(Compute("reference")).run()
    sums = engine.run(np.abs(image), sizes, spec, Compute("reference")).array
    scale = float(sums.max(where=np.isfinite(sums), initial=0))
    finite = np.abs(image.astype(np.float64)).max(where=np.isfinite(image), initial=0)
    scales = scale, max(scale, float(finite) * layer.largest_sum)

    def row(result: ConvResult, times: list[float]) -> Row:
        """One row. Errors are divided by one scale for plain sums, and by another for plans that mix all pixels."""
        same_shape = result.output_shape == truth.output_shape
        error = largest_difference(result.array, truth.array) if same_shape else inf
        relative = error / (scales[result.mixes] or 1.0)
        terms = max(layer.terms, TRANSFORMED) if result.mixes else layer.terms
        allowed = tolerance(result.dtype, terms) if limit is None else limit
        middle = median(times)
        return Row(
            result.backend, result.device, result.dtype, result.plan, result.output_shape,
            max_abs_error=error, relative_error=relative, tolerance=allowed, agree=relative <= allowed,
            median_ms=middle, min_ms=min(times), max_ms=max(times), repeats=len(times),
            speedup=truth.seconds * 1e3 / middle,
        )  # fmt: skip

    choices, missing = _choices(compute)
    rows = []
    for choice in choices:
        try:
            call = prepared(choice)
        except BackendError as error:
            if _only_one(compute):
                raise
            missing.append(f"{choice.backend}: {error.text}")
            continue
        for result, times in _timed(call, repeats):
            rows.append(row(result, times))
        if choice.backend == "numpy" and choice.plan is None:
            worth, dear = _others(prepared, choice, result)
            rows += [row(*timed) for plan in worth for timed in _timed(prepared(choice._replace(plan=plan)), repeats)]
            if dear:
                missing.append(f"numpy {', '.join(dear)}: predicted to take more than {SLOWER} times as long")
    rows.append(row(truth, [truth.seconds * 1e3]))
    return Comparison(tuple(rows), tuple(missing), auto.backend, auto.reason)


def _choices(compute: Compute) -> tuple[list[Compute], list[str]]:
    """What is compared with the reference, and a line for everything that is not available."""
    if _only_one(compute):
        chosen = compute._replace(backend="torch" if compute.backend == "auto" else compute.backend)
        return ([] if chosen.backend == "reference" else [chosen]), []
    numpy, torch = compute._replace(backend="numpy"), compute._replace(backend="torch")
    if not extras.is_installed("torch"):
        return [numpy], [f"torch: it is not installed; {extras.how_to_get('torch')}"]
    try:
        backends.load("torch")
    except BackendError as error:
        return [numpy], [f"torch: {error.text}"]
    from convcli.backends.torch import cuda_missing

    if reason := cuda_missing():
        return [numpy, torch], [f"cuda: {reason}"]
    return [numpy, torch, torch._replace(device="cuda")], []


def _only_one(compute: Compute) -> bool:
    """Whether the user asks for one backend or device only."""
    return compute.backend != "auto" or compute.device != "cpu"


SLOWER = 20
"""A plan is left out of the comparison if its predicted time is more than this many times that of the chosen plan."""


def _others(prepared: Callable[[Compute], Call], choice: Compute, result: ConvResult) -> tuple[list[str], list[str]]:
    """The plans that the planner did not choose: those that are fast enough to run, and those that are not."""
    chosen, considered = result.plan.partition(":")[0], result.considered
    if len(considered) == 1:  # no plans are compared for a small job, unless one is asked for by name
        considered = prepared(choice._replace(plan=chosen)).run().considered
    limit = SLOWER * max((plan.seconds for plan in considered if plan.name == chosen), default=0.0)
    others = [plan for plan in considered if plan.name != chosen]
    return [p.name for p in others if p.seconds <= limit], [p.name for p in others if p.seconds > limit]


def _timed(call: Call, repeats: int) -> Iterator[tuple[ConvResult, list[float]]]:
    """The result of a call and the milliseconds of its repeats. On CUDA, float32 is timed a second time with TF32.

    Transforms do not use TF32, which is for products: they are timed once.
    """
    if call.task.device == "cpu":
        result = call.run()
        yield result, [call.run().seconds * 1e3 for _ in range(repeats)]
        return
    from convcli.backends.torch import check_device, timed_on_cuda

    check_device(call.task.device)
    for tf32 in (False, True) if call.task.dtype == "float32" else (False,):
        computed, times = timed_on_cuda(call.task, repeats, tf32)
        result = call.result(computed, median(times) / 1e3)
        yield (result._replace(dtype="tf32") if tf32 else result), times
        if computed.mixes:
            return


def largest_difference(array: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """The largest absolute difference. A NaN or an infinity that only one of the two has counts as infinite."""
    with np.errstate(invalid="ignore"):
        difference = np.abs(array.astype(np.float64) - truth)
    alike = (np.isnan(array) & np.isnan(truth)) | (array == truth)
    return float(np.where(alike, 0, np.where(np.isnan(difference), inf, difference)).max())
