"""Run an operation: block by block of the result, and tile by tile in each block.

A block is a part of the result, with the window of the image that it depends on. A picture in memory is done as one
block. The tiles are always those of the whole picture: a block computes all tiles that it meets, and keeps its part of
them. So every value is the same to the bit for blocks of any size.
"""

from collections.abc import Callable, Iterator
from math import prod
from threading import Lock
from typing import Any

import numpy as np

from convcli.backends import Computed, Task, Watch, finished
from convcli.backends.numpy.job import lines
from convcli.backends.numpy.recipe import FilterRecipe, recipe_of
from convcli.backends.numpy.tiles import Buffers
from convcli.pointwise.finish import Finish
from convcli.pointwise.ranges import NOTHING, NOTHING_CLIPPED, Clipped, Known, wider
from convcli.records import NamedTuple
from convcli.system.context import current
from convcli.system.parallel import run_all
from convcli.windows import WHOLE, Array

LARGEST = 1e30
"""If all results are smaller than this, no sum on the way has overflowed, so that none of them is NaN."""


class Block(NamedTuple):
    """A part of a result."""

    # of the result
    rows: range
    columns: range
    window: tuple[slice, slice]  # rows and columns of the image that the block depends on
    # for the tiles that the block meets. Its source rows and columns are counted from the corner of the window.
    recipe: FilterRecipe


class BlockOutput:
    """A block of a result, filled tile by tile by several threads.

    If the finish needs the extremes of the whole result first, every tile comes twice: once to `look`, then to the
    `emit` of another output, which knows the extremes.

    Parameters
    ----------
    task : Task
        If its picture is interleaved and has as many channels as the result, the result is interleaved, too.
    block : Block
    watch : callable, optional
        Called for finished rows; only if the block is the whole result of a single picture.
    """

    def __init__(self, task: Task, block: Block, watch: Watch | None = None) -> None:
        rows, columns, _, recipe = block
        self.job, self.finish = recipe.job, task.finish
        kind = task.finish.dtype or task.dtype
        within = task.finish.keeps(recipe.span)
        surely = within and recipe.rounding * task.finish.scale < 0.2
        self.known = Known(within, surely, max(map(abs, recipe.span)) < LARGEST)
        count, channels = task.source.shape[:2]
        filters = task.layer.outputs
        outputs = task.finish.outputs(filters)
        height, width = len(rows), len(columns)
        s, t = self.job.upsample
        self._rows, self._columns = rows, columns
        self.interleaved = outputs == channels and task.source.interleaved
        if self.interleaved:
            self.array = np.empty((count, height, width, outputs), kind).transpose(0, 3, 1, 2)
        else:
            self.array = np.empty((count, outputs, height, width), kind)
        # per image ``(O, H, W·step)``, if values have the same order as in a tile; else None
        self._lines: list[Array] | None = None
        in_order = self.interleaved and outputs == self.job.step if self.job.step > 1 else not self.interleaved
        if in_order and len(self.job.phases) == 1 and self.job.upsample == (1, 1):
            self._lines = [lines(picture, self.job.step) for picture in self.array]
        self._lock, self.clipped, self.span = Lock(), NOTHING_CLIPPED, NOTHING  # so far
        self._watch, self._left = watch, dict.fromkeys(recipe.rows, len(recipe.columns))  # tiles of each strip
        if len(self.job.phases) < s * t:  # no tap reaches the other outputs: they hold the finished bias
            reached = sum(
                len(rows[(a - rows.start) % s :: s]) * len(columns[(b - columns.start) % t :: t])
                for a, b in self.job.phases
            )
            unreached = count * (height * width - reached)
            bias = np.zeros(filters) if task.layer.bias is None else task.layer.bias
            gaps = bias.astype(task.dtype)[:, np.newaxis, np.newaxis]
            if self.finish.looks:
                self._widen(self.finish.extremes(gaps))
            else:
                finished = np.empty((outputs, 1, 1), kind)
                clipped = self.finish.apply(gaps, finished)
                self.array[...] = finished
                self._note(Clipped(*(count * unreached for count in clipped)))

    def emit(self, image: int, values: Array, rows: range, columns: range, buffers: Buffers) -> None:
        """Finish the values ``(O, rows, line)`` of a tile (see `FilterRecipe.tile`), and put them in their place in the block."""
        self._emit(image, values, rows, columns, buffers)
        if self._watch is not None:
            self._tell(self._watch, rows)

    def _tell(self, watch: Watch, strip: range) -> None:
        """Call `watch` if this was the last tile of a strip."""
        with self._lock:
            self._left[strip] -= 1
            if self._left[strip]:
                return
        step = self.job.upsample.rows
        watch(self.array[0], range(strip.start * step, min(strip.stop * step, len(self._rows))))

    def _emit(self, image: int, values: Array, rows: range, columns: range, buffers: Buffers) -> None:
        columns = range(columns.start * self.job.widen, columns.stop * self.job.widen)
        if self._lines is not None:
            step, (y, x) = self.job.step, (self._rows.start, self._columns.start)
            top, bottom = max(rows.start, y), min(rows.stop, self._rows.stop)
            left, right = max(columns.start, x), min(columns.stop, self._columns.stop)
            if top > rows.start or bottom < rows.stop or left > columns.start:  # the block ends within the tile
                values = values[:, top - rows.start : bottom - rows.start, (left - columns.start) * step :]
            place = self._lines[image][:, top - y : bottom - y, (left - x) * step : (right - x) * step]
            self._note(self.finish.apply(values, place, self.known))
            return
        for part, place in self._places(image, values, rows, columns):
            self._note(self._put(part, place, buffers))

    def look(self, image: int, values: Array, rows: range, columns: range, buffers: Buffers) -> None:
        """Find the extremes of a tile, and keep nothing else of it."""
        columns = range(columns.start * self.job.widen, columns.stop * self.job.widen)
        for part, place in self._places(image, values, rows, columns):
            self._widen(self.finish.extremes(part[..., : place.shape[2] * self.job.step]))

    def _places(self, image: int, values: Array, rows: range, columns: range) -> Iterator[tuple[Array, Array]]:
        """The parts ``(F, rows, line)`` of a tile, each with the place ``(C, rows, W)`` that it goes to once it is finished."""
        job, (s, t) = self.job, self.job.upsample
        planes = values.reshape(-1, len(job.phases), *values.shape[1:])
        for number, (a, b) in enumerate(job.phases):
            down, kept = _of_phase(rows, self._rows, s, a)
            along, still = _of_phase(columns, self._columns, t, b)
            place = self.array[image, :, down, along]
            if place.size:  # the last phases may be outside the image
                yield planes[:, number, kept, still.start * job.step :], place

    def _put(self, values: Array, place: Array, buffers: Buffers) -> Clipped:
        """Finish ``values (F, rows, line)`` into ``place (C, rows, W)``."""
        step = self.job.step
        if step == 1 and (place.strides[2] == place.itemsize or self.finish.dtype is None):
            return self.finish.apply(values, place, self.known)
        _, height, width = place.shape
        if self.interleaved and len(place) == step and place.strides[2] == step * place.itemsize:
            return self.finish.apply(values, lines(place, step), self.known)
        planes = len(place) // step  # finished first: fewer bytes are then written to places far apart
        finished = buffers.get("finished", (planes, height, width * step), self.array.dtype.str)
        clipped = self.finish.apply(values, finished, self.known)
        pixels = finished.reshape(planes, height, width, step)
        for channel, targets in enumerate(place.reshape(step, planes, height, width)):
            for target, plane in zip(targets, pixels[..., channel], strict=True):  # together, NumPy goes pixel by pixel
                np.copyto(target, plane)
        return clipped

    def _widen(self, span: tuple[float, float]) -> None:
        with self._lock:
            self.span = wider(self.span, span)

    def _note(self, clipped: Clipped) -> None:
        if not clipped.total:  # nothing is counted
            return
        with self._lock:
            self.clipped = Clipped.sum(self.clipped, clipped)


def _of_phase(tile: range, block: range, step: int, phase: int) -> tuple[slice, slice]:
    """Along one axis, the places in a block of a tile's outputs, and which of the tile's values these are.

    Value i of the tile belongs to output ``step·i + phase``.
    """
    first = max(tile.start, -(-(block.start - phase) // step))
    stop = max(first, min(tile.stop, -(-(block.stop - phase) // step)))
    begin = first * step + phase - block.start
    return slice(begin, max(begin, (stop - 1) * step + phase - block.start + 1), step), slice(
        first - tile.start, stop - tile.start
    )


class Blockwise:
    """An operation whose result can be computed in blocks, in any order and by several threads.

    Parameters
    ----------
    task : Task
    """

    def __init__(self, task: Task) -> None:
        self.task, self.recipe = task, recipe_of(task)

    @property
    def whole(self) -> Block:
        """The whole result as one block."""
        height, width = self.task.geometry.output
        return Block(range(height), range(width), (WHOLE, WHOLE), self.recipe)

    def block(self, rows: range, columns: range) -> Block:
        """The block of some rows and columns of the result. It is done by one thread: others do other blocks."""
        recipe, (s, t) = self.recipe, self.recipe.job.upsample
        strips, parts = _met(recipe.rows, rows, s), _met(recipe.columns, columns, t * recipe.job.widen)
        if not strips or not parts:  # no tap reaches the image: nothing is read
            return Block(rows, columns, (slice(0, 1), slice(0, 1)), recipe._replace(rows={}, columns={}))
        window, part = recipe.part(strips, parts)
        return Block(rows, columns, window, part._replace(threads=1))

    def needs(self, block: Block) -> int:
        """About how many bytes a block takes while it is computed: its window, its result with copies of it, and a tile."""
        task, recipe = self.task, block.recipe
        rows, columns = block.window
        height = min(rows.stop, task.geometry.input.height) - rows.start
        width = min(columns.stop, task.geometry.input.width) - columns.start
        window = height * width * task.source.shape[1] * task.source.dtype.itemsize
        copies = 3 if task.finish.dtype is None else 1
        kind = np.dtype(task.finish.dtype or task.dtype)
        result = len(block.rows) * len(block.columns) * task.finish.outputs(task.layer.outputs) * kind.itemsize * copies
        tile = 0
        if recipe.rows:
            job, strip, part = recipe.job, next(iter(recipe.rows)), next(iter(recipe.columns))
            gathered = len(recipe.rows[strip].indices) * len(recipe.columns[part][0].indices) * job.step * job.gathered
            tile = gathered + len(strip) * len(part) * job.step * job.outputs * job.thin
        return int(window + result + 3 * np.dtype(recipe.dtype).itemsize * tile)

    def look(self, block: Block) -> tuple[float, float]:
        """The smallest and the largest value of a block that ``minmax`` would stretch."""
        output = BlockOutput(self.task, block)
        _each(self.task, block, output.look)
        return output.span

    def emit(self, block: Block, finish: Finish | None = None, watch: Watch | None = None) -> tuple[Array, Clipped]:
        """The finished block ``(N, C, rows, columns)``, and the counts of its clipped values.

        `finish` is by default that of the task. If it stretches, its `span` has to be known. For `watch`, see `BlockOutput`.
        """
        task = self.task if finish is None else self.task._replace(finish=finish)
        output = BlockOutput(task, block, watch)
        _each(task, block, output.emit)
        return output.array, output.clipped


def run(task: Task) -> Computed:
    """Compute an operation in plain NumPy; `task.dtype` is float32 or float64.

    If the finish needs the extremes of the whole result first, real results are kept until the extremes are known.
    Large results are computed twice instead.
    """
    work, finish = Blockwise(task), task.finish
    recipe = work.recipe
    if finish.looks and not _twice(task):
        array, _ = work.emit(work.whole, Finish())
        return finished(array, finish, recipe.text, recipe.mixes)._replace(considered=recipe.considered)
    if finish.looks:
        finish = finish.stretching(work.look(work.whole))
    array, clipped = work.emit(work.whole, finish, task.watch if task.images == 1 else None)
    return Computed(array, recipe.text, clipped, recipe.considered, recipe.mixes)


def _met(parts: dict[range, Any], outputs: range, step: int) -> list[range]:
    """Which parts of an axis meet a range of outputs. All but the last have the same length, and each value has `step` outputs."""
    if not parts:
        return []
    length, end = len(next(iter(parts))), next(reversed(parts)).stop
    first, stop = outputs.start // step // length * length, min(end, -(-outputs.stop // step))
    return [range(start, min(start + length, end)) for start in range(first, stop, length)]


def _each(task: Task, block: Block, act: Callable[[int, Array, range, range, Buffers], None]) -> None:
    """Call `act` for every tile of a block, in every image."""
    recipe, buffers = block.recipe, current().lasting.kept(Buffers, Buffers)
    tiles = recipe.tiles
    if not tiles:
        return
    for image in range(task.images):
        planes = lines(task.source.read(image, *block.window), recipe.job.step)

        def work(tile: tuple[range, range], image: int = image, planes: Array = planes) -> None:
            rows, columns = tile
            act(image, recipe.tile(planes, rows, columns, buffers, task.lift), rows, columns, buffers)

        run_all(work, tiles, recipe.threads)


KEPT_BYTES = 64 << 20
"""The most bytes of real results that are kept until their extremes are known."""


def _twice(task: Task) -> bool:
    """Whether a task's results are too large to keep until their extremes are known."""
    count = task.images * task.layer.outputs * prod(task.geometry.output)
    return count * np.dtype(task.dtype).itemsize > KEPT_BYTES


def predicted_seconds(task: Task) -> float:
    """The time in seconds that the planner predicts for `task`, on `convcli.backends.numpy.plan.USUAL` threads."""
    times = 2 if task.finish.looks and _twice(task) else 1
    return recipe_of(task).rank * task.images * times
