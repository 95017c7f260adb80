"""The recipe of an operation: its job, its plan and its tiles, but no pixels. It is kept for the next operation like it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from math import prod
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.backends import Considered, Task
from convcli.backends.numpy.job import Job, direct
from convcli.backends.numpy.plan import Plan, check_name, choose, plans, quick
from convcli.backends.numpy.strategies import STRATEGIES, taps
from convcli.backends.numpy.strategies.common import CACHED_BYTES, Work
from convcli.backends.numpy.tiles import (
    Buffers,
    Columns,
    Filling,
    Rows,
    Steps,
    cut,
    described,
    fill,
    fill_lifted,
    filling,
    run,
)
from convcli.geometry import Geometry, Size
from convcli.pointwise.lift import Lift
from convcli.system.context import current
from convcli.system.parallel import workers


class Key(NamedTuple):
    """Everything that a recipe depends on. An array is given by its dtype, shape and bytes."""

    weight: tuple[str, tuple[int, ...], bytes]
    bias: tuple[str, tuple[int, ...], bytes] | None
    geometry: Geometry
    groups: int
    source: str
    interleaved: bool
    dtype: str
    threads: int
    plan: str | None


CACHED_RECIPES = 16
"""The most recipes that are kept. Each may hold at most `CACHED_BYTES`."""

MOST_LEFT_OUT, MOST_COLUMNS = 4, 1 << 20
"""All columns may be computed up to this horizontal stride, and up to so many columns. Beyond this, too much is left
out, or the index map is too large (as for a very long image of few rows)."""


class Tile(NamedTuple):
    """A tile in the arrays of a thread."""

    # the gathered input, and the part of the result that is kept
    scratch: NDArray[Any]
    kept: NDArray[Any]
    filling: Filling | None  # how it is filled; None: by `fill`
    # gives the steps of the strategy in a dtype, or, for None, those of plain taps, up to `kept`. Built when first
    # needed.
    steps: Callable[[str | None], Steps]


class Part(NamedTuple):
    """What all tiles of a range of output columns share."""

    job: Job  # for these columns
    columns: NDArray[np.intp]  # see `Job.columns`. In a block, they are counted from its window.
    gathers: list[Columns]  # how the columns of each class are gathered

    @classmethod
    def of(cls, job: Job, columns: NDArray[np.intp]) -> Part:
        """The part of a job that reads these source columns."""
        return cls(job, columns, [Columns(each, job.step) for each in columns])


class Recipe(NamedTuple):
    """How an operation is done, for any pixels."""

    job: Job
    span: tuple[float, float]  # see `Job.span`
    rounding: float  # how far rounding can move a result beyond it
    # of the computation, and of the gathered pixels
    dtype: str
    gathers: str
    # prepares the strategy for a dtype, or, for None, plain taps, when this is first needed. Only plain taps keep a NaN
    # or an infinity within the kernel's support.
    work: Callable[[str | None], Work]
    # gives the dtype in which a tile with this scratch has to be done, or None
    precision: Callable[[Job, NDArray[Any]], str | None]
    tiles: list[tuple[range, range]]  # output rows and columns
    threads: int
    # by ranges of output rows: how the rows that they read are gathered; by ranges of columns: their part of the job
    strips: dict[range, Rows]
    parts: dict[range, Part]
    text: str  # the plan in words
    considered: tuple[Considered, ...]
    rank: float  # see `Plan`
    mixes: bool  # see `Computed`
    owner: object  # the owner of the tiles that a thread keeps; None: they hold too much to be kept

    def part(self, rows: dict[range, NDArray[np.intp]], columns: dict[range, NDArray[np.intp]]) -> Recipe:
        """The recipe for the tiles of some output rows and columns, each given with the source rows or columns that it reads."""
        return self._replace(
            tiles=[(strip, part) for part in columns for strip in rows],
            strips={strip: Rows(indices) for strip, indices in rows.items()},
            parts={part: Part.of(self.parts[part].job, indices) for part, indices in columns.items()},
            owner=None if self.owner is None else object(),
        )

    def tile(
        self, planes: NDArray[Any], rows: range, columns: range, buffers: Buffers, lift: Lift | None = None
    ) -> NDArray[Any]:
        """Compute the output ``(O, rows, line)`` of a tile of image `planes`, lifted first, in one of the buffers.

        A line begins with the output values that are kept. The values after these have no meaning.
        """
        reads = self.strips[rows]
        make = partial(self._made, len(rows), columns, reads, buffers)
        kept = self.owner is not None
        tile = buffers.made(self.owner, (len(rows), columns, reads.kind), make) if kept else make()
        gathers = self.parts[columns].gathers
        if lift is not None:
            fill_lifted(tile.scratch, planes, reads, gathers, lift, buffers)
        elif tile.filling is None:
            for number, gather in enumerate(gathers):
                fill(tile.scratch[number :: len(gathers)], planes, reads, gather)
        else:
            lines = planes[:, reads.source]
            for gather, target in tile.filling.stretches:
                np.copyto(target, gather.stretch(lines), "unsafe")
            run(tile.filling.border)
        run(tile.steps(self.dtype if self.job.bounded else self.precision(self.job, tile.scratch)))
        return tile.kept

    def _made(self, height: int, columns: range, reads: Rows, buffers: Buffers) -> Tile:
        """The tile of some output rows and columns, in this thread's arrays."""
        job, (part, _, gathers) = self.job, self.parts[columns]
        scratch = buffers.get("scratch", (job.gathered, reads.count, part.line), self.gathers)
        out = buffers.get("out", (job.outputs, height, part.line), self.dtype)
        kept, thinning = out, Steps()
        if job.thin > 1:
            kept = buffers.get("kept", (job.outputs, height, len(columns) * job.step), self.dtype)
            dense, apart = out[..., : part.output.width * job.step], job.thin * job.step
            thinning = [(np.copyto, (kept[..., i :: job.step], dense[..., i::apart])) for i in range(job.step)]
        return Tile(
            scratch,
            kept,
            filling(scratch, reads, gathers),
            cache(lambda kind: self.work(kind)(part, scratch, out, buffers) + thinning),
        )


def recipe_of(task: Task) -> Recipe:
    """The recipe of a task: a kept one, if the same operation was done before."""

    def frozen(array: NDArray[Any]) -> tuple[str, tuple[int, ...], bytes]:
        return array.dtype.str, array.shape, array.tobytes()

    layer = task.layer
    apart = task.finish.apart or (task.lift is not None and task.lift.mixes)  # channels that are treated differently
    key = Key(
        frozen(layer.weight), None if layer.bias is None else frozen(layer.bias), task.geometry, layer.groups,
        task.pixels.str, task.source.interleaved and not apart, task.dtype, workers(task.threads), task.plan,
    )  # fmt: skip
    return current().kept(Recipes, Recipes).of(key)


class Recipes:
    """The recipes that are kept for the next operations like theirs."""

    def __init__(self) -> None:
        self._kept: dict[Key, Recipe] = {}
        self._lock = Lock()

    def of(self, key: Key) -> Recipe:
        """The recipe for a key: a kept one, if there is one."""
        recipe = self._kept.get(key)
        if recipe is None:
            recipe, size = _recipe(key)
            if size <= CACHED_BYTES:
                with self._lock:
                    while len(self._kept) >= CACHED_RECIPES:  # drop the oldest
                        self._kept.pop(next(iter(self._kept)), None)
                    self._kept[key] = recipe
        return recipe


def _recipe(key: Key) -> tuple[Recipe, int]:
    """A new recipe, and about how many bytes it holds."""

    def thawed(array: tuple[str, tuple[int, ...], bytes]) -> NDArray[Any]:
        dtype, shape, data = array
        return np.frombuffer(data, dtype).reshape(shape).astype(np.float64)

    make: Callable[..., Job] = direct
    if key.geometry.transpose:
        from convcli.backends.numpy.phases import transposed as make
    bias = None if key.bias is None else thawed(key.bias)
    operation = thawed(key.weight), bias, key.geometry, key.groups, np.dtype(key.source), key.interleaved
    ways = [make(*operation)]
    stride = 1 if key.geometry.transpose else key.geometry.stride.columns
    if 1 < stride <= MOST_LEFT_OUT and stride * key.geometry.output.width <= MOST_COLUMNS and ways[0].outputs:
        ways.append(direct(*operation, all_columns=True))
    chosen, *others = _weighed(ways, key)
    job = chosen.job
    strategy = STRATEGIES[chosen.name] if job.outputs else taps
    size = strategy.tile(job, np.dtype(chosen.dtype).itemsize) if job.outputs else job.output
    tiles = cut(job.kept, Size(size.height, -(-size.width // job.thin)), chosen.shares) if job.outputs else []
    parts = {columns: job.part(columns) for columns in {columns for _, columns in tiles}}
    held = 4 * job.kernels.nbytes + 8 * job.columns.size + chosen.held

    lock = Lock()

    @cache
    def prepared(kind: str | None) -> Work:
        return taps.prepare(job, chosen.dtype, gaps_only=True) if kind is None else strategy.prepare(job, kind)

    def work(kind: str | None) -> Work:
        with lock:  # otherwise, several threads would prepare the same thing
            return prepared(kind)

    phases = f"{job.upsample.rows * job.upsample.columns} phases, " if job.upsample != (1, 1) else ""
    thinned = f"all columns, 1 of {job.thin} kept, " if job.thin > 1 else ""
    recipe = Recipe(
        job=job,
        span=job.span,
        rounding=np.inf if chosen.mixes else _rounding(job, chosen.dtype),
        dtype=chosen.dtype,
        gathers=chosen.gathers,
        work=work,
        precision=strategy.precision,
        tiles=tiles,
        threads=chosen.threads,
        strips={rows: Rows(job.rows[job.input_rows(rows)]) for rows in {rows for rows, _ in tiles}},
        parts={columns: Part.of(part, part.columns) for columns, part in parts.items()},
        text=f"{chosen.name}: {phases}{thinned}{chosen.reason}, {chosen.dtype}, {described(tiles, chosen.threads)}",
        considered=tuple(plan.considered for plan in (chosen, *others)),
        rank=chosen.rank,
        mixes=chosen.mixes,
        owner=object() if held <= CACHED_BYTES else None,
    )
    return recipe, held


def _rounding(job: Job, dtype: str) -> float:
    """The largest rounding error of a sum of products that are added one by one in any order: Higham (2002), section 3.1."""
    if np.dtype(dtype).kind != "f":
        return 0.0
    low, high = job.span
    return float(np.finfo(dtype).eps) * (prod(job.kernels.shape[1:]) + 8) * (abs(low) + abs(high))


def _weighed(ways: list[Job], key: Key) -> list[Plan]:
    """The plans for an operation, which is given in one form or more; the chosen plan first."""
    check_name(key.plan)
    if not ways[0].outputs:
        return [Plan(key.plan or "taps", key.dtype, ways[0], 0.0, 0.0, "no tap reaches the image", False, key.dtype)]
    found = (None if key.plan else quick(ways, key.dtype)) or plans(ways, key.dtype, key.threads, key.plan)
    chosen = choose(found, key.plan)
    return [chosen, *(plan for plan in found if plan is not chosen)]
