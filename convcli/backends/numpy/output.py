"""A block of the result: its memory layout, and the finished tiles that go into it."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.backends import Task
from convcli.backends.numpy.recipe import Recipe
from convcli.backends.numpy.tiles import Buffers
from convcli.pointwise.ranges import NOTHING, Clipped, Known, wider

LARGEST = 1e30
"""If all results lie below this, no sum on the way has overflowed, so that none of them is NaN."""


class Output:
    """A block of a result, filled tile by tile by several threads.

    If the finish needs the extremes of the whole result first, every tile comes twice: once to `look`, then to the
    `emit` of another output, which knows the extremes.

    Parameters
    ----------
    task : Task
        If its picture is interleaved and has as many channels as the result, the result is interleaved, too.
    recipe : Recipe
        Of the tiles.
    rows, columns : range
        The part of the result that the block holds. It begins where a tile begins.
    """

    def __init__(self, task: Task, recipe: Recipe, rows: range, columns: range) -> None:
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
        self._lines = self._as_lines()
        self._lock, self._clipped, self._span = Lock(), Clipped(), NOTHING
        reached = sum(len(range(a, height, s)) * len(range(b, width, t)) for a, b in self.job.phases)
        self._unreached = count * (height * width - reached)
        if self._unreached:
            bias = np.zeros(filters) if task.layer.bias is None else task.layer.bias
            gaps = bias.astype(task.dtype)[:, np.newaxis, np.newaxis]
            if self.finish.looks:
                self._widen(self.finish.extremes(gaps))
            else:
                self._fill_gaps(gaps)

    def _as_lines(self) -> NDArray[Any] | None:
        """The block as ``(N, O, H, W·step)``, if its values lie in the same order as in a tile; else None."""
        count, channels, height, width = self.array.shape
        if len(self.job.phases) != 1 or self.job.upsample != (1, 1) or not self.array.size:
            return None
        if self.job.step == 1:
            return None if self.interleaved else self.array
        if not self.interleaved or channels != self.job.step:
            return None
        return self.array.transpose(0, 2, 3, 1).reshape(count, 1, height, width * channels)

    @property
    def clipped(self) -> Clipped:
        """Counts of the values clipped so far."""
        return self._clipped

    @property
    def span(self) -> tuple[float, float]:
        """The extremes of the values looked at so far."""
        return self._span

    def emit(self, image: int, values: NDArray[Any], rows: range, columns: range, buffers: Buffers) -> None:
        """Finish the values ``(O, rows, line)`` of a tile (see `Recipe.tile`), and put them in their place in the block."""
        if self._lines is not None:
            step, (y, x) = self.job.step, self._first
            place = self._lines[
                image, :, rows.start - y : rows.stop - y, (columns.start - x) * step : (columns.stop - x) * step
            ]
            clipped = self.finish.apply(values, place, self.known)
            if clipped.total:
                self._note(clipped)
            return
        for part, place in self._places(image, values, rows, columns):
            self._note(self._put(part, place, buffers))

    def look(self, image: int, values: NDArray[Any], rows: range, columns: range, buffers: Buffers) -> None:
        """Find the extremes of a tile, and keep nothing else of it."""
        for part, place in self._places(image, values, rows, columns):
            self._widen(self.finish.extremes(part[..., : place.shape[2] * self.job.step]))

    def _places(
        self, image: int, values: NDArray[Any], rows: range, columns: range
    ) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """The parts ``(F, rows, line)`` of a tile, each with the place ``(C, rows, W)`` that it goes to once it is finished."""
        job, (s, t) = self.job, self.job.upsample
        planes = values.reshape(-1, len(job.phases), *values.shape[1:])
        top, bottom, left, right = (
            scale * (place - first)
            for scale, first, part in zip((s, t), self._first, (rows, columns), strict=True)
            for place in (part.start, part.stop)
        )
        for number, (a, b) in enumerate(job.phases):
            place = self.array[image, :, a + top : a + bottom : s, b + left : b + right : t]
            if place.size:  # the last phases may lie beyond the image
                yield planes[:, number, : place.shape[1]], place

    def _put(self, values: NDArray[Any], place: NDArray[Any], buffers: Buffers) -> Clipped:
        """Finish ``values (F, rows, line)`` into ``place (C, rows, W)``."""
        step = self.job.step
        if step == 1 and (place.strides[2] == place.itemsize or self.finish.dtype is None):
            return self.finish.apply(values, place, self.known)
        _, height, width = place.shape
        if self.interleaved and len(place) == step and place.strides[2] == step * place.itemsize:
            flat = place.transpose(1, 2, 0).reshape(1, height, width * step)
            return self.finish.apply(values, flat, self.known)
        planes = len(place) // step  # finished first: fewer bytes are then written to places far apart
        finished = buffers.get("finished", (planes, height, width * step), self.array.dtype.str)
        clipped = self.finish.apply(values, finished, self.known)
        pixels = finished.reshape(planes, height, width, step)
        for channel, targets in enumerate(place.reshape(step, planes, height, width)):
            for target, plane in zip(targets, pixels[..., channel], strict=True):  # together, NumPy goes pixel by pixel
                np.copyto(target, plane)
        return clipped

    def _fill_gaps(self, bias: NDArray[Any]) -> None:
        """Fill the outputs that no tap reaches with the finished bias."""
        finished = np.empty((self.array.shape[1], 1, 1), self.array.dtype)
        clipped = self.finish.apply(bias, finished)
        self.array[...] = finished
        self._note(Clipped(*(count * self._unreached for count in clipped)))

    def _widen(self, span: tuple[float, float]) -> None:
        with self._lock:
            self._span = wider(self._span, span)

    def _note(self, clipped: Clipped) -> None:
        with self._lock:
            self._clipped = Clipped.sum(self._clipped, clipped)
