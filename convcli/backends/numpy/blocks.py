"""Run an operation: block by block of the result, and tile by tile in each block.

A block is a part of the result, with the window of the image that it depends on. A picture in memory is done as one
block. The tiles are always those of the whole picture. So every value is the same to the bit for blocks of any size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import product
from math import prod
from threading import Lock
from typing import NamedTuple

import numpy as np

from convcli.backends import Computed, Task, finished
from convcli.backends.numpy.job import lines
from convcli.backends.numpy.recipe import FilterRecipe, recipe_of
from convcli.backends.numpy.tiles import Buffers
from convcli.geometry import Size
from convcli.pointwise.finish import Finish
from convcli.pointwise.ranges import NOTHING, Clipped, Known, wider
from convcli.system.context import current
from convcli.system.parallel import run_all
from convcli.windows import WHOLE, Array

LARGEST = 1e30
"""If all results are smaller than this, no sum on the way has overflowed, so that none of them is NaN."""


NO_VALUES = Clipped()


class Block(NamedTuple):
    """A part of a result. It begins where a tile begins."""

    # of the result
    rows: range
    columns: range
    window: tuple[slice, slice]  # rows and columns of the image that the block depends on
    # for the tiles of the block. Its source rows and columns are counted from the corner of the window.
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
    """

    def __init__(self, task: Task, block: Block) -> None:
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
        self._first = rows.start // s, columns.start // t
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
        self._lock, self.clipped, self.span = Lock(), NO_VALUES, NOTHING  # so far
        if len(self.job.phases) < s * t:  # no tap reaches the other outputs: they hold the finished bias
            reached = sum(len(range(a, height, s)) * len(range(b, width, t)) for a, b in self.job.phases)
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
        if self._lines is not None:
            step, (y, x) = self.job.step, self._first
            place = self._lines[image][
                :, rows.start - y : rows.stop - y, (columns.start - x) * step : (columns.stop - x) * step
            ]
            self._note(self.finish.apply(values, place, self.known))
            return
        for part, place in self._places(image, values, rows, columns):
            self._note(self._put(part, place, buffers))

    def look(self, image: int, values: Array, rows: range, columns: range, buffers: Buffers) -> None:
        """Find the extremes of a tile, and keep nothing else of it."""
        for part, place in self._places(image, values, rows, columns):
            self._widen(self.finish.extremes(part[..., : place.shape[2] * self.job.step]))

    def _places(self, image: int, values: Array, rows: range, columns: range) -> Iterator[tuple[Array, Array]]:
        """The parts ``(F, rows, line)`` of a tile, each with the place ``(C, rows, W)`` that it goes to once it is finished."""
        job, (s, t) = self.job, self.job.upsample
        planes, (y, x) = values.reshape(-1, len(job.phases), *values.shape[1:]), self._first
        top, bottom = s * (rows.start - y), s * (rows.stop - y)
        left, right = t * (columns.start - x), t * (columns.stop - x)
        for number, (a, b) in enumerate(job.phases):
            place = self.array[image, :, a + top : a + bottom : s, b + left : b + right : t]
            if place.size:  # the last phases may be outside the image
                yield planes[:, number, : place.shape[1]], place

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


def run(task: Task) -> Computed:
    """Compute an operation in plain NumPy; `task.dtype` is float32 or float64.

    If the finish needs the extremes of the whole result first, real results are kept until the extremes are known.
    Large results, and those for a target, are computed twice instead.
    """
    recipe = recipe_of(task)
    if task.target is not None or not task.finish.looks or _twice(task):
        return _by_blocks(task, recipe)
    computed = _by_blocks(task._replace(finish=Finish()), recipe)
    done = finished(computed.array, task.finish, computed.plan, computed.mixes)
    return done._replace(considered=computed.considered)


def _by_blocks(task: Task, recipe: FilterRecipe) -> Computed:
    """Hand the blocks of a result to the target. Without a target, there is one block, which is returned."""
    parts = partial(blocks, recipe, task.geometry.output, None if task.target is None else task.block)
    if task.finish.looks:
        span = NOTHING
        for block in parts():
            output = BlockOutput(task, block)
            _each(task, block, output.look)
            span = wider(span, output.span)
        task = task._replace(finish=task.finish.stretching(span))
    clipped = NO_VALUES
    for block in parts():
        output = BlockOutput(task, block)
        _each(task, block, output.emit)
        clipped = Clipped.sum(clipped, output.clipped) if clipped.total else output.clipped
        if task.target is not None:
            task.target.put(block.rows, block.columns, output.array)
    array = output.array if task.target is None else np.empty((*output.array.shape[:2], 0, 0), output.array.dtype)
    return Computed(array, recipe.text, clipped, recipe.considered, recipe.mixes)


def blocks(recipe: FilterRecipe, output: Size, size: Size | None = None) -> Iterator[Block]:
    """The blocks of a result of size `output`. Each has at least `size` and ends where a tile ends; None: a single block."""
    if size is None:
        yield Block(range(output.height), range(output.width), (WHOLE, WHOLE), recipe)
        return
    if not recipe.tiles:  # no tap reaches the image: nothing is read
        for top, left in product(range(0, output.height, size.height), range(0, output.width, size.width)):
            bottom, right = min(top + size.height, output.height), min(left + size.width, output.width)
            yield Block(range(top, bottom), range(left, right), (WHOLE, WHOLE), recipe)
        return
    s, t = recipe.job.upsample
    for strips in _runs(recipe.rows, max(1, size.height // s)):
        rows = range(s * strips[0].start, min(s * strips[-1].stop, output.height))
        for parts in _runs(recipe.columns, max(1, size.width // t)):
            columns = range(t * parts[0].start, min(t * parts[-1].stop, output.width))
            yield Block(rows, columns, *recipe.part(strips, parts))


def _runs(parts: Iterable[range], least: int) -> list[list[range]]:
    """The parts of an axis in runs of neighbours. A run ends as soon as it holds at least `least` rows or columns."""
    runs: list[list[range]] = []
    for part in sorted(parts, key=lambda part: part.start):
        if not runs or part.start - runs[-1][0].start >= least:
            runs.append([])
        runs[-1].append(part)
    return runs


def _each(task: Task, block: Block, act: Callable[[int, Array, range, range, Buffers], None]) -> None:
    """Call `act` for every tile of a block, in every image."""
    recipe, buffers = block.recipe, current().kept(Buffers, Buffers)
    if not recipe.tiles:
        return
    for image in range(task.images):
        planes = lines(task.source.read(image, *block.window), recipe.job.step)

        def work(tile: tuple[range, range], image: int = image, planes: Array = planes) -> None:
            rows, columns = tile
            act(image, recipe.tile(planes, rows, columns, buffers, task.lift), rows, columns, buffers)

        run_all(work, recipe.tiles, recipe.threads)


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
