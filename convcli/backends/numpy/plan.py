"""The planner: predict what each strategy would take, from the kernel, the geometry and the types, and take the least.

To what a strategy costs by itself (its ``estimates``) come the filling of tiles, the finish of their results, the calls into
NumPy, and what threads gain and lose. The constants were measured on one core of a 2025 server processor; `benchmarks/` measures
how far the choice lies from the best.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from convcli.backends import Considered
from convcli.backends.numpy.job import Job
from convcli.backends.numpy.strategies import STRATEGIES, taps
from convcli.backends.numpy.strategies.common import PASS, Estimate
from convcli.errors import BackendError

CALL = 1.0e-6
"""Seconds of a call into NumPy on a small array."""

THIN = {"uint16": 0.4e-9, "int16": 0.4e-9, "int32": 0.4e-9, "float32": 0.4e-9, "float64": 0.5e-9}
"""Seconds to take a value that is kept from among those that a stride leaves out."""

FILL, FINISH = 1.3, 3.0
"""Passes to gather a value of the input, and to round, clip and store one of the output."""

REARRANGE, PICK = 0.4e-9, 0.5e-9
"""Seconds to take an interleaved value apart, or to put one back; and to gather one of a class of columns, which lie apart."""

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

USUAL = 2
"""Threads that a plan is chosen for and that tiles are cut for. However many there are, results are the same to the bit."""

CONTENDED, SHORT = 2.0, 20e-6
"""How much longer a call takes where threads share Python's lock, if it is no longer than so many seconds: whoever wants the lock
at the same moment is put to sleep and woken."""


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
    rank : float
        Seconds predicted on `USUAL` threads: by these a plan is chosen.
    seconds : float
        Predicted on `threads` threads: a further one is worth it for `WORTH_A_THREAD` more only.
    mixes : bool
        See `Computed`.
    held : int
        See `Estimate`.
    threads : int
    shares : int
        Of `USUAL` threads, those that it would use: at least so many tiles it is cut into.
    """

    name: str
    dtype: str
    job: Job
    rank: float
    seconds: float
    reason: str
    mixes: bool
    gathers: str
    held: int = 0
    threads: int = 1
    shares: int = 1

    @property
    def considered(self) -> Considered:
        """What of it is told to the user."""
        return Considered(self.name, self.seconds, self.reason)


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
        key=lambda plan: plan.rank,
    )
    cheapest: dict[str, Plan] = {}
    for plan in weighed:
        cheapest.setdefault(plan.name, plan)
    return [*cheapest.values()]


def _plans(job: Job, dtype: str, threads: int, wanted: str | None) -> list[Plan]:
    """The plans for a job, see `plans`: of one strategy there may be several."""
    layouts = [job] if job.step == 1 else [job, job.planar()]
    found = [
        estimate
        for name, strategy in STRATEGIES.items()
        for estimate in strategy.estimates(layouts, dtype, name == wanted)
    ]
    exact = any(estimate.dtype.startswith("int") for estimate in found)
    return [_plan(job, estimate, threads, exact) for estimate in found]


def _plan(job: Job, estimate: Estimate, threads: int, exact: bool = False) -> Plan:
    """What an estimate comes to for the whole job; `exact` says that there is a plan that computes in integers."""
    name, layout, kind, each, calls, reason, rounds, gathers, block, held = estimate
    tile = STRATEGIES[name].tile(layout, np.dtype(kind).itemsize)
    values = job.outputs * job.output.height * job.output.width * job.step
    tiles = -(-job.output.height // tile.height) * -(-job.output.width // tile.width)
    each *= max(1.0, block / tile.height)  # a tile too low for a block wastes the rest of it
    apart = REARRANGE if layout.step != job.step else 0.0
    read = ((tile.height - 1) * job.stride + job.reach.height) / tile.height  # rows of the input for each of the output
    fill = (FILL * PASS[kind] + (apart if len(job.columns) == 1 else PICK)) * read * job.gathered / job.outputs
    finish = (FINISH * PASS[kind] + apart + (THIN[kind] if job.thin > 1 else 0.0)) / job.thin
    work, called = values * (each + fill + finish), tiles * (calls + 12) * CALL
    factor = (ROUNDING if rounds else NARROW) if exact and not kind.startswith("int") else 1.0
    further = WORTH_ROUNDING if rounds else 0.0
    (shares, rank), (threads, seconds) = (_spread(work, called, count) for count in (USUAL, threads))
    return Plan(
        name, kind, layout, rank * factor + further, seconds * factor + further, reason, rounds, gathers or kind, held,
        threads, shares,
    )  # fmt: skip


def _spread(work: float, called: float, threads: int) -> tuple[int, float]:
    """On how many of some threads to do seconds of work, of which calls take `called`, and the seconds that it then takes."""
    alone = work + called
    most = max(1, min(threads, int(alone / WORTH_A_THREAD)))
    contended = 1 + (CONTENDED - 1) * min(1.0, SHORT * called / (CALL * work))
    together = work / most**SHARED + called * contended + HANDOVER
    return (most, together) if most > 1 and together < alone else (1, alone)


def quick(jobs: list[Job], dtype: str) -> list[Plan] | None:
    """Plain taps alone, for a job so small that weighing plans would take longer than doing it."""
    if all(2 * CALL * np.count_nonzero(job.kernels.any(axis=(1, 2, 3))) * job.stride >= EXACT_AT_ONCE for job in jobs):
        return None  # two calls for every output are too many already
    found = [_plan(job, estimate, 1) for job in jobs for estimate in taps.estimates([job], dtype)]
    plan = min(found, key=lambda plan: plan.seconds)
    limit = EXACT_AT_ONCE if plan.dtype.startswith("int") else AT_ONCE
    return [plan] if plan.seconds * plan.job.stride < limit else None  # a stride is what taps are worst at


def choose(found: list[Plan], name: str | None) -> Plan:
    """The first of `found`, or the one called `name`.

    Raises
    ------
    BackendError
        The plan of that name cannot do this.
    """
    for plan in found:
        if name in (None, plan.name):
            return plan
    wanted = getattr(STRATEGIES[str(name)], "WANTS", "another job")
    raise BackendError(
        f"plan '{name}'",
        "cannot do this",
        f"it wants {wanted}; use one of {', '.join(plan.name for plan in found)}",
    )


def check_name(name: str | None) -> None:
    """Refuse a name that no plan has.

    Raises
    ------
    BackendError
        It is none of `STRATEGIES`.
    """
    if name not in (None, *STRATEGIES):
        raise BackendError(f"plan '{name}'", "is unknown", f"use one of {', '.join(STRATEGIES)}")
