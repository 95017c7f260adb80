"""Cut the output into tiles, fill each one's padded input through the border index map, run them on threads.

No padded copy of the whole image is ever made; a tile's input, its result and its conversion stay in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count, sched_getaffinity
from threading import local
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from convcli.backends.numpy.job import Compute, Job, lines
from convcli.geometry import ZERO, Size

Emit = Callable[[NDArray[Any], range, range], None]
"""``emit(values, rows, columns)``: take a finished tile ``(O, rows, W_out·step)``; it may overwrite `values`."""

T = TypeVar("T")


def workers(threads: int | None) -> int:
    """The threads to use: as asked for, else one for each processor that this process may use."""
    if threads is not None:
        return threads
    try:
        return len(sched_getaffinity(0))
    except (AttributeError, OSError):  # not on every platform
        return cpu_count() or 1


def cut(output: Size, tile: Size, threads: int) -> list[tuple[range, range]]:
    """Output rows and columns of every tile; rows are cut finer where there would be fewer tiles than threads."""
    columns = [range(x, min(x + tile.width, output.width)) for x in range(0, output.width, tile.width)]
    height = min(tile.height, max(1, -(-output.height * len(columns) // threads)))
    rows = [range(y, min(y + height, output.height)) for y in range(0, output.height, height)]
    return [(strip, part) for part in columns for strip in rows]


def run_all(work: Callable[[T], None], jobs: Iterable[T], threads: int) -> None:
    """Do every job, on at most `threads` threads; NumPy releases the interpreter while it computes."""
    jobs = list(jobs)
    if threads == 1 or len(jobs) == 1:
        for job in jobs:
            work(job)
        return
    queue = iter(jobs)  # next() is atomic: idle threads take the next tile

    def worker(_: int) -> None:
        for job in queue:
            work(job)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(worker, range(min(threads, len(jobs)))))


class Runner:
    """Computes tiles of one job from one image: the padded input, the strategy, and the way out.

    Parameters
    ----------
    job : Job
    compute, fallback : Compute
        The strategy, and the one for tiles with a NaN or an infinity, which must not leave the kernel's support.
    image : ndarray
        ``(C, H, W)``, interleaved in memory if the job has a step.
    dtype : str
        Of the computation.
    """

    def __init__(self, job: Job, compute: Compute, fallback: Compute, image: NDArray[Any], dtype: str) -> None:
        self.job, self.compute, self.fallback, self.dtype = job, compute, fallback, dtype
        self.planes = lines(image, job.step)
        self.check_finite = image.dtype.kind == "f"
        self.store = local()

    def buffer(self, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
        """An uninitialised array that this thread uses again for the next tile of the same shape."""
        buffers = self.store.__dict__
        if name not in buffers or buffers[name].shape != shape:
            buffers[name] = np.empty(shape, self.dtype)
        array: NDArray[Any] = buffers[name]
        return array

    def tile(self, rows: range, columns: range, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Output ``(O, rows, W_out·step)`` of a tile, in `out` or in a buffer."""
        part = self.job.part(columns)
        source_rows = self.job.rows[self.job.input_rows(rows)]
        scratch = self.buffer("scratch", (self.job.planes, len(source_rows), part.line))
        fill(scratch, self.planes, source_rows, part.columns, self.job.step)
        if out is None:
            out = self.buffer("out", (self.job.outputs, len(rows), len(columns) * self.job.step))
        finite = not self.check_finite or bool(np.isfinite(scratch).all())
        (self.compute if finite else self.fallback)(part, scratch, out)
        return out


def fill(
    scratch: NDArray[Any],
    planes: NDArray[Any],
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    step: int,
) -> None:
    """Gather ``planes (P, H, W·step)`` through index maps into ``scratch (P, len(rows), len(columns)·step)``."""
    # The columns that run through the image as it lies are copied, the few beyond them picked one by one.
    run = _longest_run(columns)
    first, last = run.start, run.stop
    start = int(columns[first]) if len(run) else 0
    middle = np.s_[start * step : (start + len(run)) * step]
    target = scratch[:, :, first * step : last * step]
    inner = _longest_run(rows)
    if len(inner):
        top = int(rows[inner.start])
        np.copyto(target[:, inner.start : inner.stop], planes[:, top : top + len(inner), middle], casting="unsafe")
    for place, row in enumerate(rows.tolist()):
        if place not in inner:
            if row == ZERO:
                target[:, place] = 0
            else:
                np.copyto(target[:, place], planes[:, row, middle], casting="unsafe")
    outside = [place for place in range(len(columns)) if place not in run]
    if not outside:
        return
    pixels = scratch.reshape(*scratch.shape[:2], -1, step)
    source = planes.reshape(*planes.shape[:2], -1, step)
    known = rows != ZERO
    picks = columns[outside]
    values = source[:, rows[:, np.newaxis], picks[np.newaxis, :]]
    values[:, ~known] = 0
    values[:, :, picks == ZERO] = 0
    pixels[:, :, outside] = values


def _longest_run(indices: NDArray[np.intp]) -> range:
    """The longest stretch of places whose indices count up by 1 (and are no `ZERO`)."""
    if not len(indices):
        return range(0)
    breaks = np.flatnonzero((np.diff(indices) != 1) | (indices[:-1] == ZERO)) + 1
    edges = np.concatenate([[0], breaks, [len(indices)]])
    best = int(np.argmax(np.diff(edges)))
    start, stop = int(edges[best]), int(edges[best + 1])
    return range(start, stop if indices[start] != ZERO else start)
