"""The planner: predict the time of each strategy from the kernel, the geometry and the types, and choose the fastest.

The planner adds to a strategy's own cost (its ``estimates``) the time to fill tiles, to finish their results and to
call NumPy, and what threads gain and lose. The constants were measured on one core of a 2025 server processor.
`benchmarks/regret.py` measures how far the choice is from the best plan.
"""

import numpy as np

from convcli.backends import Considered
from convcli.backends.numpy.job import FilterJob
from convcli.backends.numpy.strategies import STRATEGIES, taps
from convcli.backends.numpy.strategies.common import CACHED_BYTES, PASS, Estimate
from convcli.errors import BackendError
from convcli.records import NamedTuple

START = 60e-6
"""Seconds of an operation beside its tiles: to check it, to find its recipe, to make the result."""

CALL = 1.0e-6
"""Seconds of a call into NumPy on a small array."""

THIN = {"uint16": 0.4e-9, "int16": 0.4e-9, "int32": 0.4e-9, "float32": 0.4e-9, "float64": 0.5e-9}
"""Seconds to pick a value that is kept from among those that a stride leaves out."""

FILL, FINISH = 1.3, 3.0
"""Passes over memory to gather an input value; and to round, clip and store an output value."""

REARRANGE, PICK = 0.4e-9, 0.5e-9
"""Seconds to separate an interleaved value from its neighbours, or to put one back; and to gather a value of a class
of columns, which are not neighbours."""

MADE, MANY_PLANES = 50e-6, 16
"""Seconds to make the steps of a plane with kernels of its own: once, or for every tile if they are too many to be kept. Only the
time for more than the second number of planes is worth counting."""

SCATTER = 0.03e-9
"""Seconds, for each phase, to put a value of a horizontal phase in its place: each phase writes to all lines of the result again
(measured with strides of 2 to 32)."""

ROUNDING = 1.5
"""A strategy that rounds must be this many times faster than an exact one, if pixels and kernel are integers."""

NARROW = 1.2
"""A sum in floating point must be this many times faster than one in exact narrow integers, which leave more of the
cache free."""

WIDENING = ("separable",)
"""The strategies that can do widened jobs, see `FilterJob.widen`."""

WORTH_ROUNDING = 200e-6
"""Seconds that a strategy must save to be worth its rounding errors, if these are larger than those of a plain sum."""

AT_ONCE, EXACT_AT_ONCE = 150e-6, 1e-3
"""If plain taps take fewer seconds than this (the second number is for exact integers), no other plan is considered:
exact integers are hard to beat, and comparing plans takes as long."""

WORTH_A_THREAD = 1e-3
"""Seconds of work that each further thread must get."""

SHARED, HANDOVER = 0.65, 250e-6
"""n threads are ``n**SHARED`` times as fast as one, because they share a cache and Python's lock: two are 1.6 times
as fast (measured). The second number is the seconds to hand work to other threads and to wait for them."""

USUAL = 2
"""Number of threads for which a plan is chosen and tiles are cut. It does not depend on the threads that there are,
so that results are always the same to the bit."""

CONTENDED, SHORT = 2.0, 20e-6
"""How many times longer a call takes if threads share Python's lock and the call takes at most this many seconds:
a thread that wants the lock at the same moment is put to sleep and woken again."""


class Plan(NamedTuple):
    """An estimate with the predicted times of all that strategies share."""

    way: Estimate
    rank: float  # predicted seconds on `USUAL` threads. The plan with the least is chosen.
    seconds: float  # predicted seconds on `threads` threads
    threads: int = 1  # number of threads to use: a further one must get `WORTH_A_THREAD` more work
    shares: int = 1  # number of threads to use if there are `USUAL` ones. There is at least one tile for each.

    @property
    def considered(self) -> Considered:
        """The plan, for the user."""
        return Considered(self.way.name, START + self.seconds, self.way.reason)


def plans(jobs: list[FilterJob], dtype: str, threads: int, wanted: str | None = None) -> list[Plan]:
    """All plans that can do an operation, which is given in one form or more: one for each strategy, the fastest first.

    `threads` share the work. `dtype` is that of the computation, unless it is done in exact integers. `wanted` is a
    strategy to consider even if it is not worth it.
    """
    found = []
    for job in jobs:
        layouts = [job] if job.step == 1 else [job, job.planar()]
        names = STRATEGIES if job.widen == 1 else WIDENING
        estimates = [one for name in names for one in STRATEGIES[name].estimates(layouts, dtype, name == wanted)]
        exact = any(estimate.dtype.startswith("int") for estimate in estimates)
        found += [_plan(job, estimate, threads, exact) for estimate in estimates]
    cheapest: dict[str, Plan] = {}
    for plan in sorted(found, key=lambda plan: plan.rank):
        cheapest.setdefault(plan.way.name, plan)
    return [*cheapest.values()]


def _plan(job: FilterJob, estimate: Estimate, threads: int, exact: bool = False) -> Plan:
    """The plan that an estimate leads to. `exact` says that another plan computes in integers."""
    layout, kind = estimate.job, estimate.dtype
    tile = STRATEGIES[estimate.name].tile(layout, np.dtype(kind).itemsize)
    values = job.outputs * job.output.height * job.output.width * job.step * job.widen
    tiles = -(-job.output.height // tile.height) * -(-job.output.width // tile.width)
    each = estimate.each * max(1.0, estimate.block / tile.height)  # the rest of a block below a lower tile is wasted
    apart = REARRANGE if layout.step != job.step else 0.0
    read = ((tile.height - 1) * job.stride + job.reach.height) / tile.height  # input rows for each output row
    fill = (
        (FILL * PASS[kind] + (apart if len(job.columns) == 1 else PICK))
        * read
        * job.gathered
        / (job.outputs * job.widen)
    )
    finish = (FINISH * PASS[kind] + apart + (THIN[kind] if job.thin > 1 else 0.0)) / job.thin
    if job.upsample.columns > 1:
        finish += SCATTER * len(job.phases)
    work, called = values * (each + fill + finish), tiles * (estimate.calls + 12) * CALL
    if job.inputs == len(job.phases) == 1 and job.outputs > MANY_PLANES:
        called += job.outputs * MADE * (tiles if 4 * job.kernels.nbytes > CACHED_BYTES else 1)
    factor = (ROUNDING if estimate.rounds else NARROW) if exact and not kind.startswith("int") else 1.0
    further = WORTH_ROUNDING if estimate.rounds else 0.0
    (shares, rank), (threads, seconds) = (_spread(work, called, count) for count in (USUAL, threads))
    return Plan(estimate, rank * factor + further, seconds * factor + further, threads, shares)


def _spread(work: float, called: float, threads: int) -> tuple[int, float]:
    """The best number of threads, at most `threads`, and the seconds that the work then takes.

    On one thread it takes `work` seconds for the computation and `called` seconds for the calls.
    """
    alone = work + called
    most = max(1, min(threads, int(alone / WORTH_A_THREAD)))
    contended = 1 + (CONTENDED - 1) * min(1.0, SHORT * called / (CALL * work))
    together = work / most**SHARED + called * contended + HANDOVER
    return (most, together) if most > 1 and together < alone else (1, alone)


def quick(jobs: list[FilterJob], dtype: str) -> list[Plan] | None:
    """Plain taps as the only plan, for a job so small that comparing plans would take longer than doing it; else None."""
    jobs = [job for job in jobs if job.widen == 1]
    if all(2 * CALL * np.count_nonzero(job.kernels.any(axis=(1, 2, 3))) * job.stride >= EXACT_AT_ONCE for job in jobs):
        return None  # even two calls for each output plane take too long
    found = [_plan(job, estimate, 1) for job in jobs for estimate in taps.estimates([job], dtype)]
    plan = min(found, key=lambda plan: plan.seconds)
    limit = EXACT_AT_ONCE if plan.way.dtype.startswith("int") else AT_ONCE
    return [plan] if plan.seconds * plan.way.job.stride < limit else None  # taps are slowest with a stride


def choose(found: list[Plan], name: str | None) -> Plan:
    """The first of `found`, or the one called `name`.

    Raises
    ------
    BackendError
        The plan of that name cannot do this job.
    """
    for plan in found:
        if name in (None, plan.way.name):
            return plan
    wanted = getattr(STRATEGIES[str(name)], "WANTS", "another job")
    remedy = f"it needs {wanted}; use one of {', '.join(plan.way.name for plan in found)}"
    raise BackendError(f"plan '{name}'", "cannot do this", remedy)
