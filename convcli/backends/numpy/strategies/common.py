"""What a strategy has to provide, and what all strategies share: costs, the size of tiles, the bias.

The costs were measured on one core of a 2025 server processor.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from convcli.backends import SMALL
from convcli.backends.numpy.job import FilterJob
from convcli.backends.numpy.tiles import Buffers, Steps
from convcli.geometry import Size
from convcli.records import NamedTuple
from convcli.windows import Array

if TYPE_CHECKING:
    from numpy.typing import NDArray

PASS = {"uint16": 0.05e-9, "int16": 0.05e-9, "int32": 0.1e-9, "float32": 0.1e-9, "float64": 0.2e-9}
"""Seconds to read, compute and write one value."""

MAC = {"float32": 0.024e-9, "float64": 0.05e-9}
"""Seconds of a multiply-accumulate in BLAS."""

MANY_KERNELS = 64
"""If a job has more kernels than this, only some of them are looked at: layers of many channels are best done by
products of windows anyway."""

SEEN = 8
"""Outputs and inputs of such a layer whose kernels are looked at. The others are assumed to be like them."""

LEAST_STEPS, MACS_A_STEP = 20_000, 400_000
"""Steps of Python that a search for a better way may always take; and the multiply-accumulates of the job that allow
one more step. In BLAS they take ten times as long as the step."""

VALUES_A_STEP = 1000
"""Values that NumPy looks at in the time of one step."""

CACHE_BYTES = 4 << 20
"""Bytes of the scratch and output of a tile: a core's share of the third-level cache. Long lines are worth more than
a faster cache: the processor reads ahead in long stretches of memory, but not from one short piece to the next
(measured)."""

CACHED_BYTES = 1 << 20
"""Recipes of at most this many bytes are kept for the next operations like theirs, and with them the tiles of each
thread. Of larger ones, each thread keeps only its last."""

COMPARED_BYTES = 4 << 20
"""Equal kernels are only searched for if the kernels have at most this many bytes: beyond this, comparing takes as long as
looking at each."""

LARGE = 4096
"""Pictures of more rows than this may be computed in blocks."""

ENOUGH_ROWS = 16
"""If a tile would have fewer output rows, its lines are made shorter instead, because tall kernels read many input
rows for each tile."""

TALL = 4
"""A tile may be up to twice as large as usual, but at most this many times as large as the input rows that it reads
beyond those of its output."""


class Estimate(NamedTuple):
    """The predicted cost of a strategy for a job, without the costs that all strategies share."""

    name: str  # of the strategy
    job: FilterJob  # as the strategy sees it
    dtype: str  # of the computation
    each: float  # seconds for each output value
    calls: float  # calls into NumPy for each tile
    reason: str  # what the cost comes from, in words
    rounds: bool = False  # whether its rounding errors are larger than those of a plain sum
    gathers: str = ""  # the dtype of the gathered pixels; empty: that of the computation
    block: int = 1  # output rows that are computed at once: a lower tile takes as long
    held: int = 0  # bytes that are kept for the next operation like it, beyond what is kept for every strategy


Estimates = Iterable[Estimate]

Work = Callable[[int, Array, Array, Buffers], Steps]
"""``work(width, scratch, out, buffers)``: the steps that fill the first `width` values of each line of
``out (O, rows, line)`` from the gathered ``scratch (planes, input rows, line)``, without the bias. Their dtypes are
those of the plan. Lines of both have the same length, so that many lines can be treated as one: the
values after the end of an output line then have no meaning."""


class Strategy(Protocol):
    """A module that can do jobs in one way."""

    def estimates(self, layouts: list[FilterJob], dtype: str, wanted: bool = False) -> Estimates:
        """The cost of each way in which the strategy can do an operation and that may be worth it.

        Parameters
        ----------
        layouts : list of FilterJob
            The job and, if its channels are interleaved, the same job with a plane for each channel.
        dtype : {"float32", "float64"}
            Of the computation, unless it is done in exact integers.
        wanted : bool
            Whether to return a cost even if the strategy is not worth it.
        """
        ...

    def tile(self, job: FilterJob, itemsize: int) -> Size:
        """Output rows and columns of a tile, for values of `itemsize` bytes."""
        ...

    def prepare(self, job: FilterJob, dtype: str) -> Work:
        """Do the work that all tiles share, once. The result gives the steps that fill a tile.

        `dtype` is that of the tiles, or one that `precision` has returned.
        """
        ...

    def precision(self, job: FilterJob, scratch: Array) -> str | None:
        """The dtype in which a tile can be done if its values are not `bounded`; None: only by plain taps."""
        ...


def tile(
    job: FilterJob, itemsize: int, values: int = 12288, planes: int | None = None, within: int | None = None
) -> Size:
    """Output rows and columns of a tile, with at most `values` values in a line and `within` bytes (default `CACHE_BYTES`).

    Lines are as long as possible, because every NumPy call then does more. But a tile has at least `ENOUGH_ROWS` output
    rows, and at least half as many as a window, unless its lines would become very short. `planes` is the number of
    gathered planes that are worked on at a time (default: all).

    In a large picture, the sides of a tile are powers of two, so that whole tiles fill the blocks of a picture beyond memory.
    """
    planes = planes or job.gathered
    enough = min(max(ENOUGH_ROWS, job.reach.height // 2), job.output.height)
    usual = min(CACHE_BYTES, within or CACHE_BYTES)
    widened = job.step * job.widen
    width = max(1, values // widened)
    if width < job.output.width:
        width = power_of_two(width)
    width = min(job.output.width, width)
    while True:
        line = (width + job.reach.width) * job.step * itemsize
        each = planes * line * job.stride + width * widened * itemsize * (job.outputs if planes == job.gathered else 1)
        beyond = planes * line * job.reach.height
        rows = (max(usual, min(2 * usual, TALL * beyond)) - beyond) // each
        if rows >= enough or width * widened < 1024:
            rows = max(1, min(job.output.height, rows))
            aligned = power_of_two(rows) if job.output.height > LARGE else rows
            return Size(aligned if aligned >= enough else rows, width)
        width //= 2


def power_of_two(count: int) -> int:
    """The largest power of two that is at most `count`."""
    return 1 << (count.bit_length() - 1)


def steps_allowed(job: FilterJob) -> int:
    """Steps that a search may take, so that it never takes longer than the work that it may save (see `LEAST_STEPS`)."""
    return LEAST_STEPS + job.kernels.size * job.output.height * job.output.width * job.step // MACS_A_STEP


def like(job: FilterJob) -> list[int]:
    """For each output plane, the first one with the same kernels. If kernels are many and large, all count as different."""
    if job.outputs > MANY_KERNELS and job.kernels.nbytes > COMPARED_BYTES:
        return [*range(job.outputs)]
    first: dict[bytes, int] = {}
    return [first.setdefault(kernels.tobytes(), o) for o, kernels in enumerate(job.kernels)]


def some_kernels(job: FilterJob) -> "NDArray[np.float64]":
    """The kernels ``(n, kh, kw)`` that are looked at: all, or a few if there are many (see `MANY_KERNELS`)."""
    many = job.outputs * job.inputs > MANY_KERNELS
    return (job.kernels[:SEEN, :SEEN] if many else job.kernels).reshape(-1, *job.kernels.shape[2:])


def slower(job: FilterJob, factor: float) -> float:
    """`factor` if the stride leaves out rows, because lines then cannot be treated as one; else 1."""
    return factor if job.stride > 1 else 1.0


def bias_steps(job: FilterJob, out: Array) -> Steps:
    """The steps that add the bias to ``out (O, rows, W_out·step)``; none if there is no bias."""
    if job.bias.any():
        pixels = out.reshape(*out.shape[:-1], -1, job.step)
        yield np.add, (pixels, job.bias.astype(out.dtype)[:, np.newaxis, np.newaxis], pixels)


def precision(job: FilterJob, scratch: Array) -> str | None:
    """The dtype of a tile, if its values allow skipping taps of weight 0 and adding pixels before they are multiplied; else None.

    A tap may not be skipped if it reads a NaN or an infinity. Pixels may not be added if they are so large that
    only their products with the weights are small enough.
    """
    largest = max(float(scratch.max(initial=0)), -float(scratch.min(initial=0)), key=lambda size: (size != size, size))
    return scratch.dtype.name if is_small(largest, scratch.dtype) else None


def is_small(largest: float, kind: np.dtype[Any]) -> bool:
    """Whether pixels of type `kind` can be summed if their largest magnitude is `largest`. NaN cannot."""
    return largest < float(np.finfo(kind).max) * SMALL


def spread(scratch: Array, block: tuple[int, int]) -> tuple[float, float]:
    """The largest magnitude in a tile (NaN if there is one), and how many times larger it is than the mean of the faintest block.

    `block` gives the rows and columns of a block. Blocks that are all zeros are left out.
    """
    sizes = np.abs(scratch)
    largest = float(sizes.max(initial=0))
    if not is_small(largest, scratch.dtype):  # their sums could overflow
        return largest, np.inf
    _, rows, columns = sizes.shape
    sums = np.add.reduceat(np.add.reduceat(sizes, range(0, rows, block[0]), 1), range(0, columns, block[1]), 2)
    faintest = float(sums.min(where=sums > 0, initial=np.inf)) / (block[0] * block[1])
    return largest, largest / faintest


def magnitudes(taps: Array) -> int:
    """How many different absolute values taps have, but for zero. To count them, `numpy.unique` would import `numpy.ma` first."""
    return len({*np.abs(taps[taps != 0]).tolist()})
