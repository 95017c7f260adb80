"""The recipe of an operation: its job, its plan and its tiles, but no pixels. It is kept for the next operation like it."""

from collections.abc import Callable
from functools import cache, partial
from math import prod
from threading import Lock, local

import numpy as np

from convcli.backends import Considered, Task
from convcli.backends.numpy.job import FilterJob, direct
from convcli.backends.numpy.plan import Plan, choose, plans, quick
from convcli.backends.numpy.strategies import STRATEGIES, taps
from convcli.backends.numpy.strategies.common import CACHED_BYTES, Estimate, Strategy, Work, bias_steps
from convcli.backends.numpy.tiles import (
    FEW_COLUMNS,
    Buffers,
    Filling,
    Gather,
    Step,
    cut,
    described,
    fill,
    fill_lifted,
    filling,
    run,
)
from convcli.errors import BackendError
from convcli.geometry import ZERO, Geometry, Size
from convcli.pointwise.lift import Lift
from convcli.records import NamedTuple
from convcli.system.context import current
from convcli.system.parallel import workers
from convcli.windows import Array


class Key(NamedTuple):
    """Everything that a recipe depends on. Weights and bias are given by their float64 bytes."""

    weight: bytes
    shape: tuple[int, ...]  # of the weights
    bias: bytes | None
    geometry: Geometry
    groups: int
    source: str
    interleaved: bool
    dtype: str
    threads: int
    plan: str | None


CACHED_RECIPES = 16
"""The most recipes of at most `CACHED_BYTES` that are kept."""

MOST_LEFT_OUT, MOST_COLUMNS = 4, 1 << 20
"""All columns may be computed up to this horizontal stride, and up to this number of columns. Beyond this, too much is left
out, or the index map is too large (as for a very long image of few rows)."""


MOST_WIDENED = 256
"""The largest horizontal stride of a transposed operation whose phases may be computed in one line, see `FilterJob.widen`."""


class PreparedTile(NamedTuple):
    """A tile in the arrays of a thread."""

    # the gathered input, and the part of the result that is kept
    scratch: Array
    kept: Array
    filling: Filling | None  # how it is filled; None: by `fill`
    # gives the steps of the strategy in a dtype, or, for None, those of plain taps, up to `kept`. Built when first
    # needed.
    steps: Callable[[str | None], list[Step]]


class FilterRecipe(NamedTuple):
    """How an operation is done, for any pixels."""

    job: FilterJob
    span: tuple[float, float]  # see `FilterJob.span`
    rounding: float  # how far rounding can move a result beyond it
    # of the computation, and of the gathered pixels
    dtype: str
    gathers: str
    # prepares the strategy for a dtype, or, for None, plain taps, when this is first needed. Only plain taps keep a NaN
    # or an infinity within the kernel's support.
    work: Callable[[str | None], Work]
    strategy: Strategy
    threads: int
    # for each strip of output rows, in order, how the rows that it reads are gathered; for each range of output columns,
    # the same for each class of columns. In a block, source rows and columns are counted from the corner of its window.
    rows: dict[range, Gather]
    columns: dict[range, list[Gather]]
    text: str  # the plan in words
    considered: tuple[Considered, ...]
    rank: float  # see `Plan`
    mixes: bool  # see `Computed`
    owner: object  # the owner of the tiles that a thread keeps; None: they hold too much to be kept

    @property
    def tiles(self) -> list[tuple[range, range]]:
        """Output rows and columns of every tile."""
        return [(strip, part) for part in self.columns for strip in self.rows]

    def part(self, strips: list[range], parts: list[range]) -> "tuple[tuple[slice, slice], FilterRecipe]":
        """The window of the image that some output rows and columns read, and the recipe for their tiles alone."""
        top = _stretch([self.rows[strip] for strip in strips])
        left = _stretch([gather for part in parts for gather in self.columns[part]])
        recipe = self._replace(
            rows={strip: self.rows[strip].counted_from(top.start) for strip in strips},
            columns={part: [each.counted_from(left.start) for each in self.columns[part]] for part in parts},
            owner=None if self.owner is None else object(),
        )
        return (top, left), recipe

    def tile(self, planes: Array, rows: range, columns: range, buffers: Buffers, lift: Lift | None = None) -> Array:
        """Compute the output ``(O, rows, line)`` of a tile of image `planes`, lifted first, in one of the buffers.

        A line begins with the output values that are kept. The values after these have no meaning.
        """
        reads, gathers = self.rows[rows], self.columns[columns]
        make = partial(self._made, len(rows), columns, reads, buffers)
        tile = make() if self.owner is None else buffers.made(self.owner, (len(rows), columns, reads.kind), make)
        if lift is not None:
            fill_lifted(tile.scratch, planes, reads, gathers, lift, buffers)
        elif tile.filling is None:
            for number, gather in enumerate(gathers):
                fill(tile.scratch[number :: len(gathers)], planes, reads, gather)
        else:
            lines = planes[:, reads.source]
            for source, target in tile.filling.stretches:
                np.copyto(target, lines[..., source], "unsafe")
            run(tile.filling.border)
        run(tile.steps(self.dtype if self.job.bounded else self.strategy.precision(self.job, tile.scratch)))
        return tile.kept

    def _made(self, height: int, columns: range, reads: Gather, buffers: Buffers) -> PreparedTile:
        """The tile of some output rows and columns, in this thread's arrays."""
        job, gathers = self.job, self.columns[columns]
        step, line = job.step, len(gathers[0].indices) * job.step
        width = ((len(columns) - 1) * job.thin + 1) * step * job.widen
        scratch = buffers.get("scratch", (job.gathered, len(reads.indices), line), self.gathers)
        out = buffers.get("out", (job.outputs, height, line if job.widen == 1 else width), self.dtype)
        dense = out[..., :width]
        kept, last = out, [*bias_steps(job, dense)]
        if job.thin > 1:
            kept = buffers.get("kept", (job.outputs, height, len(columns) * step), self.dtype)
            last += [(np.copyto, (kept[..., i::step], dense[..., i :: job.thin * step])) for i in range(step)]
        return PreparedTile(
            scratch,
            kept,
            filling(scratch, reads, gathers),
            cache(lambda kind: [*self.work(kind)(width, scratch, out, buffers), *last]),
        )


def _stretch(gathers: list[Gather]) -> slice:
    """From the first to the last source line that is read; one line if everything is border."""
    read = np.concatenate([gather.indices for gather in gathers])
    read = read[read != ZERO]
    return slice(int(read.min()), int(read.max()) + 1) if read.size else slice(0, 1)


def recipe_of(task: Task) -> FilterRecipe:
    """The recipe of a task: a kept one, if the same operation was done before."""
    layer = task.layer
    apart = task.finish.apart or (task.lift is not None and task.lift.mixes)  # channels that are treated differently
    key = Key(
        *layer.content, task.geometry, layer.groups, task.pixels.str, task.source.interleaved and not apart,
        task.dtype, workers(task.threads), task.plan,
    )  # fmt: skip
    return current().kept(Recipes, Recipes).of(key)


class Recipes:
    """The recipes that are kept for the next operations like theirs: small ones, and the last large one of each thread.

    So one recipe serves the choice of a backend, the run and all frames of a film, however large it is.
    """

    def __init__(self) -> None:
        self._kept: dict[Key, FilterRecipe] = {}
        self._lock = Lock()
        self._large = local()

    def of(self, key: Key) -> FilterRecipe:
        """The recipe for a key: a kept one, if there is one."""
        large: dict[Key, FilterRecipe] = getattr(self._large, "kept", {})
        recipe = self._kept.get(key) or large.get(key)
        if recipe is None:
            recipe, size = _recipe(key)
            if size > CACHED_BYTES:
                self._large.kept = {key: recipe}
                return recipe
            with self._lock:
                while len(self._kept) >= CACHED_RECIPES:  # drop the oldest
                    self._kept.pop(next(iter(self._kept)), None)
                self._kept[key] = recipe
        return recipe


def _recipe(key: Key) -> tuple[FilterRecipe, int]:
    """A new recipe, and about how many bytes it holds."""
    make: Callable[..., FilterJob] = direct
    if key.geometry.transpose:
        from convcli.backends.numpy.phases import transposed as make
        from convcli.backends.numpy.phases import widened
    weight = np.frombuffer(key.weight).reshape(key.shape)
    bias = None if key.bias is None else np.frombuffer(key.bias)
    operation = weight, bias, key.geometry, key.groups, np.dtype(key.source), key.interleaved
    ways = [make(*operation)]
    stride = key.geometry.stride.columns
    if stride == 1 or not ways[0].outputs:
        pass
    elif key.geometry.transpose:
        if stride <= MOST_WIDENED:
            ways.append(make(*operation, widened=True))
    elif stride <= MOST_LEFT_OUT and stride * key.geometry.output.width <= MOST_COLUMNS:
        ways.append(direct(*operation, all_columns=True))
    chosen, *others = _weighed(ways, key)
    way, job = chosen.way, chosen.way.job
    strategy, strips, parts = STRATEGIES[way.name], list[range](), list[range]()
    if job.outputs:
        size = strategy.tile(job, np.dtype(way.dtype).itemsize)
        strips, parts = cut(job.kept, Size(size.height, -(-size.width // job.thin)), chosen.shares)
    held = 4 * job.kernels.nbytes + 8 * job.columns.size + way.held

    lock = Lock()

    @cache
    def prepared(kind: str | None) -> Work:
        if kind is not None:
            return strategy.prepare(job, kind)
        if job.widen == 1:
            return taps.prepare(job, way.dtype, gaps_only=True)
        apart = ways[0] if job.step == ways[0].step else ways[0].planar()
        return widened(job, apart, way.dtype, taps.prepare(apart, way.dtype, gaps_only=True))

    def work(kind: str | None) -> Work:
        with lock:  # otherwise, several threads would prepare the same thing
            return prepared(kind)

    count = job.upsample.rows * job.upsample.columns * job.widen
    phases = f"{count} phases, " if count > 1 else ""
    thinned = f"all columns, 1 of {job.thin} kept, " if job.thin > 1 else ""
    recipe = FilterRecipe(
        job=job,
        span=job.span,
        rounding=np.inf if way.rounds else _rounding(job, way.dtype),
        dtype=way.dtype,
        gathers=way.gathers or way.dtype,
        work=work,
        strategy=strategy,
        threads=chosen.threads,
        rows={strip: Gather(job.rows[job.input_rows(strip)]) for strip in strips},
        columns={
            part: [Gather(each, job.step, 1 if job.step > 1 else None, FEW_COLUMNS) for each in job.reads(part)]
            for part in parts
        },
        text=f"{way.name}: {phases}{thinned}{way.reason}, {way.dtype}, {described(strips, parts, chosen.threads)}",
        considered=tuple(plan.considered for plan in (chosen, *others)),
        rank=chosen.rank,
        mixes=way.rounds,
        owner=object() if held <= CACHED_BYTES else None,
    )
    return recipe, held


def _rounding(job: FilterJob, dtype: str) -> float:
    """The largest rounding error of a sum of products that are added one by one in any order: Higham (2002), section 3.1."""
    if np.dtype(dtype).kind != "f":
        return 0.0
    low, high = job.span
    return float(np.finfo(dtype).eps) * (prod(job.kernels.shape[1:]) + 8) * (abs(low) + abs(high))


def _weighed(ways: list[FilterJob], key: Key) -> list[Plan]:
    """The plans for an operation, which is given in one form or more; the chosen plan first.

    Raises
    ------
    BackendError
        The plan that the user wants does not exist, or it cannot do this job.
    """
    if key.plan not in (None, *STRATEGIES):
        raise BackendError(f"plan '{key.plan}'", "is unknown", f"use one of {', '.join(STRATEGIES)}")
    if not ways[0].outputs:
        return [Plan(Estimate(key.plan or "taps", ways[0], key.dtype, 0.0, 0.0, "no tap reaches the image"), 0.0, 0.0)]
    found = (None if key.plan else quick(ways, key.dtype)) or plans(ways, key.dtype, key.threads, key.plan)
    chosen = choose(found, key.plan)
    return [chosen, *(plan for plan in found if plan is not chosen)]
