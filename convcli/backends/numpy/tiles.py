"""Cut the output into tiles, fill each one's padded input through the border index map, run them on threads.

No padded copy of the whole image is ever made; a tile's input, its result and its conversion stay in the cache.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Thread
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from convcli.backends.numpy.job import Buffers, Compute, Job, lines
from convcli.geometry import ZERO, Size

Emit = Callable[[NDArray[Any], range, range], None]
"""``emit(values, rows, columns)``: take a finished tile ``(O, rows, W_out·step)``; it may overwrite `values`."""

T = TypeVar("T")


def workers(threads: int | None) -> int:
    """The threads to use: as asked for, else one for each processor that this process may use."""
    if threads is not None:
        return threads
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # not on every platform
        return os.cpu_count() or 1


def cut(output: Size, tile: Size, threads: int) -> list[tuple[range, range]]:
    """Output rows and columns of every tile; rows are cut finer where there would be fewer tiles than threads."""
    columns = [range(x, min(x + tile.width, output.width)) for x in range(0, output.width, tile.width)]
    height = min(tile.height, max(1, -(-output.height * len(columns) // threads)))
    rows = [range(y, min(y + height, output.height)) for y in range(0, output.height, height)]
    return [(strip, part) for part in columns for strip in rows]


def described(tiles: int, threads: int) -> str:
    """``94 tiles, 2 threads``."""
    used = min(tiles, threads)
    return f"{tiles} tile{'s' * (tiles > 1)}, {used} thread{'s' * (used > 1)}"


def run_all(work: Callable[[T], None], jobs: list[T], threads: int) -> None:
    """Do every job on at most `threads` threads, this one among them; NumPy releases the interpreter while it computes."""
    queue = iter(jobs)  # next() is atomic: whoever is idle takes the next job
    failures: list[BaseException] = []

    def worker() -> None:
        try:
            for job in queue:
                work(job)
                if failures:
                    return
        except BaseException as error:  # raised again by the caller's thread
            failures.append(error)

    helpers = [Thread(target=worker, daemon=True) for _ in range(min(threads, len(jobs)) - 1)]
    for helper in helpers:
        helper.start()
    worker()
    for helper in helpers:
        helper.join()
    if failures:
        raise failures[0]


class Runner:
    """Computes tiles of one job from one image: the padded input, the strategy, and the way out.

    Parameters
    ----------
    job : Job
    compute : Compute
        The strategy.
    fallback : callable
        Prepares, when first needed, the one for tiles with a NaN or an infinity, which must not leave the kernel's support.
    image : ndarray
        ``(C, H, W)``, interleaved in memory if the job has a step.
    dtype : str
        Of the computation.
    """

    def __init__(
        self, job: Job, compute: Compute, fallback: Callable[[], Compute], image: NDArray[Any], dtype: str
    ) -> None:
        self.job, self.compute, self.fallback, self.dtype = job, compute, fallback, dtype
        self.planes = lines(image, job.step)
        self.check_finite = image.dtype.kind == "f"
        self.buffers = Buffers()
        self.parts: dict[range, tuple[Job, Columns]] = {}

    def part(self, columns: range) -> tuple[Job, Columns]:
        """The job of some columns and how they are gathered: the same for all tiles below each other."""
        if columns not in self.parts:
            part = self.job.part(columns)
            self.parts[columns] = part, Columns(part.columns, part.step)
        return self.parts[columns]

    def tile(self, rows: range, columns: range, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Output ``(O, rows, W_out·step)`` of a tile, in `out` or in a buffer."""
        part, gathered = self.part(columns)
        source_rows = self.job.rows[self.job.input_rows(rows)]
        scratch = self.buffers.get("scratch", (self.job.planes, len(source_rows), part.line), self.dtype)
        fill(scratch, self.planes, source_rows, gathered)
        if out is None:
            out = self.buffers.get("out", (self.job.outputs, len(rows), len(columns) * self.job.step), self.dtype)
        finite = not self.check_finite or bool(np.isfinite(scratch).all())
        (self.compute if finite else self.fallback())(part, scratch, out, self.buffers)
        return out


class Columns:
    """How the columns of a tile are gathered: one stretch that runs through the image as it lies, and single ones."""

    def __init__(self, indices: NDArray[np.intp], step: int) -> None:
        run = _longest_run(indices)
        first = int(indices[run.start]) if run else 0
        self.step = step
        self.source = slice(first * step, (first + len(run)) * step)
        self.target = slice(run.start * step, run.stop * step)
        self.outside = np.array([*range(run.start), *range(run.stop, len(indices))], dtype=np.intp)
        self.picks = indices[self.outside]


def fill(scratch: NDArray[Any], planes: NDArray[Any], rows: NDArray[np.intp], columns: Columns) -> None:
    """Gather ``planes (P, H, W·step)`` through index maps into ``scratch (P, rows, line)``."""
    target = scratch[:, :, columns.target]
    inner = _longest_run(rows)
    if inner:
        top = int(rows[inner.start])
        place = target[:, inner.start : inner.stop]
        np.copyto(place, planes[:, top : top + len(inner), columns.source], casting="unsafe")
    for number in (*range(inner.start), *range(inner.stop, len(rows))):
        if rows[number] == ZERO:
            target[:, number] = 0
        else:
            np.copyto(target[:, number], planes[:, rows[number], columns.source], casting="unsafe")
    if len(columns.outside):
        pixels = scratch.reshape(*scratch.shape[:2], -1, columns.step)
        source = planes.reshape(*planes.shape[:2], -1, columns.step)
        values = source[:, rows[:, np.newaxis], columns.picks[np.newaxis, :]]
        values[:, rows == ZERO] = 0
        values[:, :, columns.picks == ZERO] = 0
        pixels[:, :, columns.outside] = values


def _longest_run(indices: NDArray[np.intp]) -> range:
    """The longest stretch of places whose indices count up by 1 (and are no `ZERO`)."""
    count = len(indices)
    # Indices grow by 1 at most, so that their ends tell whether all of them do.
    if indices[0] != ZERO and indices[-1] - indices[0] == count - 1:
        return range(count)
    breaks = np.flatnonzero((np.diff(indices) != 1) | (indices[:-1] == ZERO)) + 1
    edges = np.concatenate([[0], breaks, [count]])
    best = int(np.argmax(np.diff(edges)))
    start, stop = int(edges[best]), int(edges[best + 1])
    return range(start, stop if indices[start] != ZERO else start)
