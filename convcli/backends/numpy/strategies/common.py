"""What a strategy is, and what all of them share: what calls cost, how tiles are cut, how a bias is added.

The costs were measured on one core of a 2025 server processor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from convcli.backends import SMALL
from convcli.backends.numpy.job import Job
from convcli.backends.numpy.tiles import Buffers, Steps
from convcli.geometry import Size

PASS = {"uint16": 0.05e-9, "int16": 0.05e-9, "int32": 0.1e-9, "float32": 0.1e-9, "float64": 0.2e-9}
"""Seconds to read, compute and write one value."""

MAC = {"float32": 0.024e-9, "float64": 0.05e-9}
"""Seconds of a multiply-accumulate in BLAS."""

MANY_KERNELS = 64
"""Different kernels of a job beyond which not all are looked at: layers of many channels are for products of windows."""

SEEN = 8
"""Outputs and inputs of such a layer whose kernels are looked at: the others are like them."""

LEAST_STEPS, MACS_A_STEP = 20_000, 400_000
"""Steps of Python that a search for a better way may always take; and multiply-accumulates of the job for each further one, which
take ten times as long in BLAS."""

VALUES_A_STEP = 1000
"""Values that NumPy looks at in the time of a step."""

CACHE_BYTES = 4 << 20
"""Scratch and output of a tile: a core's share of the third-level cache. Long lines pay more than a nearer cache: a line that
goes on where memory does is read ahead, a piece of one is not (measured)."""

CACHED_BYTES = 1 << 20
"""What may be kept of an operation for the next one like it: large kernels are prepared anew."""

COMPARED_BYTES = 4 << 20
"""Kernels up to which like ones are looked for: to compare more takes as long as to look at each."""

ENOUGH_ROWS = 16
"""Output rows of a tile below which lines are cut shorter instead: tall kernels read many rows for each."""

TALL = 4
"""A tile may be up to twice as large as it should be, up to so many times the rows that it reads beyond those of its output."""


class Estimate(NamedTuple):
    """What a strategy would take for a job by itself.

    Attributes
    ----------
    name : str
        Of the strategy.
    job : Job
        As it would see it.
    dtype : str
        Of the computation.
    each : float
        Seconds for each output value.
    calls : float
        Calls into NumPy for each tile.
    reason : str
        Why it takes that, in words.
    rounds : bool
        Whether it rounds more than a plain sum does.
    gathers : str
        The type of the pixels that it is handed; empty: that of the computation.
    block : int
        Rows of the output that are done at once: a lower tile takes as long.
    held : int
        Bytes that are kept of it for the next operation like it, beyond what every strategy keeps.
    """

    name: str
    job: Job
    dtype: str
    each: float
    calls: float
    reason: str
    rounds: bool = False
    gathers: str = ""
    block: int = 1
    held: int = 0


Work = Callable[[Job, NDArray[Any], NDArray[Any], Buffers], Steps]
"""``work(part, scratch, out, buffers)``: the steps that fill the first ``W_out·step`` values of each line of ``out (O, rows,
line)`` from the gathered ``scratch (planes, input rows, line)``, both of the plan's dtype, for the columns of `part`. Both have
lines of one length, so that many of them can be worked on as one: what then comes to lie behind an output line is of no account."""


class Strategy(Protocol):
    """A module that can do jobs in one way."""

    def estimates(self, layouts: list[Job], dtype: str, wanted: bool = False) -> list[Estimate]:
        """What it would take, in each of the ways in which it can do an operation and that may be worth it.

        Parameters
        ----------
        layouts : list of Job
            The job, and, if its channels lie interleaved, the same with a plane for each.
        dtype : {"float32", "float64"}
            Of the computation, where it is not done in exact integers.
        wanted : bool
            Whether to say so though it is not worth it.
        """
        ...

    def tile(self, job: Job, itemsize: int) -> Size:
        """Output rows and columns of a tile, for values of so many bytes."""
        ...

    def prepare(self, job: Job, dtype: str) -> Work:
        """Do once what all tiles share; what is returned says how a tile is filled.

        `dtype` is that of the tiles, or one that `precision` has asked for.
        """
        ...

    def precision(self, job: Job, scratch: NDArray[Any]) -> str | None:
        """The dtype in which a tile can be done whose values are not bounded, see `Job.bounded`; None: only by plain taps."""
        ...


def tile_within(
    job: Job, itemsize: int, values: int = 12000, planes: int | None = None, within: int | None = None
) -> Size:
    """Output rows and columns of a tile of at most `values` values in a line, within so many bytes (or `CACHE_BYTES`).

    Long lines come first, because every NumPy call then does more; but not before half as many rows as a kernel reads beyond
    them. `planes` is how many gathered planes are worked on at a time (by default all).
    """
    planes = planes or job.gathered
    enough = min(max(ENOUGH_ROWS, job.reach.height // 2), job.output.height)
    usual = min(CACHE_BYTES, within or CACHE_BYTES)
    width = min(job.output.width, max(1, values // job.step))
    while True:
        line = (width + job.reach.width) * job.step * itemsize
        each = planes * line * job.stride + width * job.step * itemsize * (job.outputs if planes == job.gathered else 1)
        beyond = planes * line * job.reach.height
        rows = (max(usual, min(2 * usual, TALL * beyond)) - beyond) // each
        if rows >= enough or width * job.step < 1024:
            return Size(max(1, min(job.output.height, rows)), width)
        width //= 2


def steps_allowed(job: Job) -> int:
    """Steps that a search may take, so that it never takes longer than the work that it may save: see `LEAST_STEPS`."""
    return LEAST_STEPS + job.kernels.size * job.output.height * job.output.width * job.step // MACS_A_STEP


def like(job: Job) -> list[int]:
    """For each output plane the first one whose kernels are the same; kernels that are many and large count as all different."""
    if job.outputs > MANY_KERNELS and job.kernels.nbytes > COMPARED_BYTES:
        return [*range(job.outputs)]
    first: dict[bytes, int] = {}
    return [first.setdefault(kernels.tobytes(), o) for o, kernels in enumerate(job.kernels)]


def slower(job: Job, factor: float) -> float:
    """What the work on a value takes longer where rows are left out: lines cannot be worked on as one."""
    return factor if job.stride > 1 else 1.0


def bias_steps(job: Job, out: NDArray[Any]) -> Steps:
    """Add the bias to ``out (O, rows, W_out·step)``, if there is one."""
    if not job.bias.any():
        return []
    pixels = out.reshape(*out.shape[:-1], -1, job.step)
    return [(np.add, (pixels, job.bias.astype(out.dtype)[:, np.newaxis, np.newaxis], pixels))]


def precision(job: Job, scratch: NDArray[Any]) -> str | None:
    """The dtype of a tile, if it can be done by skipping taps of weight 0 and by sums of pixels; else None.

    No taps may be skipped that a NaN or an infinity lies under; nor may pixels be summed that are so large that only their
    products with the weights can be.
    """
    largest = max(float(scratch.max(initial=0)), -float(scratch.min(initial=0)), key=lambda size: (size != size, size))
    return scratch.dtype.name if is_small(largest, scratch.dtype) else None


def is_small(largest: float, kind: np.dtype[Any]) -> bool:
    """Whether pixels of a type can be summed, of which the largest magnitude is this; NaN cannot."""
    return largest < float(np.finfo(kind).max) * SMALL


def spread(scratch: NDArray[Any], block: tuple[int, int]) -> tuple[float, float]:
    """The largest magnitude in a tile, NaN if there is one; and how far it lies above the mean of the tile's faintest block.

    `block` is its rows and columns; blocks that are all zeros are left out.
    """
    sizes = np.abs(scratch)
    largest = float(sizes.max(initial=0))
    if not is_small(largest, scratch.dtype):  # their sums would mean nothing
        return largest, np.inf
    _, rows, columns = sizes.shape
    sums = np.add.reduceat(np.add.reduceat(sizes, range(0, rows, block[0]), 1), range(0, columns, block[1]), 2)
    faintest = float(sums.min(where=sums > 0, initial=np.inf)) / (block[0] * block[1])
    return largest, largest / faintest
