"""The transposed operation as s·t interleaved direct ones: no zero is ever stuffed or multiplied.

Row y of the full result gathers the taps i with ``d·i ≡ y (mod s)``, each from input row ``(y - d·i)/s``. The rows of one
residue (a *phase*) see the same taps, ``i₀, i₀ + s/g, …`` with g the greatest common divisor of s and d, from input rows
d/g apart: a direct convolution with a flipped part of the kernel, stride 1 and dilation d/g. The phases interleave.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.backends import Computed
from convcli.backends.numpy import taps
from convcli.backends.numpy.job import Job, direct_job
from convcli.backends.numpy.output import Output, is_interleaved
from convcli.backends.numpy.plan import STRATEGIES, choose, plans, quick, threads_for
from convcli.backends.numpy.tiles import Runner, cut, described, run_all, workers
from convcli.finish import Finish
from convcli.geometry import ZERO, Geometry, Pair, Size


@dataclass(frozen=True, slots=True)
class Phase:
    """One residue of one axis: the outputs ``first, first + s, …`` and what they read.

    Attributes
    ----------
    first, count : int
        The first output, and how many there are.
    taps : slice
        The kernel's taps that they see; empty where dilation leaves gaps.
    indices : list of int
        Border index map of their padded input.
    dilation : int
        Distance of the taps in the input.
    """

    first: int
    count: int
    taps: slice
    indices: list[int]
    dilation: int


def phases(geometry: Geometry, axis: int) -> list[Phase]:
    """The phases of an axis that have outputs."""
    s, d, k = geometry.stride[axis], geometry.dilation[axis], geometry.kernel[axis]
    size, outputs, before = geometry.input[axis], geometry.output[axis], geometry.pads[2 * axis]
    g = gcd(s, d)
    found = []
    for first in range(min(s, outputs)):
        count = -(-(outputs - first) // s)
        start = next((i for i in range(min(k, s // g)) if (first + before - d * i) % s == 0), None)
        if start is None:
            found.append(Phase(first, count, slice(0, 0), [], 1))
            continue
        length = -(-(k - start) // (s // g))
        origin = (first + before - d * start) // s - d // g * (length - 1)
        reads = range(origin, origin + count + d // g * (length - 1))
        indices = [u if 0 <= u < size else ZERO for u in reads]
        found.append(Phase(first, count, slice(start, None, s // g), indices, d // g))
    return found


def correlate_transpose(
    x: NDArray[Any],
    weight: NDArray[Any],
    bias: NDArray[Any] | None,
    geometry: Geometry,
    groups: int,
    *,
    dtype: str = "float32",
    device: str = "cpu",
    threads: int | None = None,
    plan: str | None = None,
    finish: Finish = Finish(),
) -> Computed:
    """Transposed convolution of ``x (N, C_in, H, W)`` with ``weight (C_in, C_out/groups, kh, kw)``.

    `dtype` is float32 or float64; `plan` forces a strategy of `STRATEGIES` for the phases; `finish` is applied to every tile.
    """
    channels, per_group, kh, kw = weight.shape
    direct = weight.reshape(groups, channels // groups, per_group, kh, kw).swapaxes(1, 2)
    direct = direct.reshape(groups * per_group, channels // groups, kh, kw)
    grid = [(a, b) for a in phases(geometry, 0) for b in phases(geometry, 1)]
    jobs = [_job(direct, bias, groups, is_interleaved(x), a, b) for a, b in grid]
    largest = max(jobs, key=lambda job: job.kernels.size)
    count = workers(threads)
    found = (None if plan else quick(largest, x.dtype, dtype)) or plans(largest, x.dtype, dtype, count)
    chosen = choose(found, plan)
    count = threads_for(chosen, count)
    kind = dtype if chosen.dtype.startswith("int") else chosen.dtype  # phases may differ in what is exact
    if chosen.planar or any(job.step != largest.step for job in jobs):
        jobs, largest = [job.planar() for job in jobs], largest.planar()
    strategy = STRATEGIES[chosen.name]
    computes = [(strategy.prepare(job, kind), cache(partial(taps.prepare, job, kind))) for job in jobs]
    output = Output(x, groups * per_group, geometry.output, dtype, finish)
    (s, t), (height, width) = geometry.stride, geometry.output
    tiles = cut(Size(-(-height // s), -(-width // t)), strategy.tile(largest, np.dtype(kind).itemsize), count)
    for image in range(len(x)):
        runners = [Runner(job, *compute, x[image], kind) for job, compute in zip(jobs, computes, strict=True)]

        def work(tile: tuple[range, range], image: int = image, runners: list[Runner] = runners) -> None:
            rows = range(s * tile[0].start, min(s * tile[0].stop, height))
            columns = range(t * tile[1].start, min(t * tile[1].stop, width))
            values = np.empty((largest.outputs, len(rows), len(columns), largest.step), kind)
            for (a, b), runner in zip(grid, runners, strict=True):
                down = range(tile[0].start, min(tile[0].stop, a.count))
                across = range(tile[1].start, min(tile[1].stop, b.count))
                if down and across:
                    place = values[:, a.first :: s, b.first :: t]
                    place[...] = runner.tile(down, across).reshape(place.shape)
            output.emit(image, largest, values.reshape(largest.outputs, len(rows), -1), rows, columns)

        run_all(work, tiles, count)
    phased = f"{len(grid)} phase{'s' * (len(grid) > 1)} of {chosen.name}"
    text = f"{phased}: {chosen.reason}, {kind}, {described(len(tiles), count)}"
    return Computed(output.array, text, output.clipped, tuple(each.considered for each in found))


def _job(
    direct: NDArray[Any], bias: NDArray[Any] | None, groups: int, interleaved: bool, rows: Phase, columns: Phase
) -> Job:
    """The direct operation of one phase; where dilation leaves no taps, a kernel of one zero."""
    part = direct[:, :, rows.taps, columns.taps][..., ::-1, ::-1]
    indices = rows.indices, columns.indices
    if 0 in part.shape:
        part, indices = np.zeros((*direct.shape[:2], 1, 1)), ([ZERO] * rows.count, [ZERO] * columns.count)
    size, dilation = Size(rows.count, columns.count), Pair(rows.dilation, columns.dilation)
    return direct_job(part, bias, groups, interleaved, *indices, Pair(1, 1), dilation, size)
