"""The direct operation: plan, then run the tiles."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.backends import Computed
from convcli.backends.numpy import taps
from convcli.backends.numpy.job import of_geometry
from convcli.backends.numpy.output import Output, is_interleaved
from convcli.backends.numpy.plan import STRATEGIES, choose, plans, quick, threads_for
from convcli.backends.numpy.tiles import Runner, cut, described, run_all, workers
from convcli.finish import Finish
from convcli.geometry import Geometry


def correlate(
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
    """Convolve ``x (N, C_in, H, W)`` with ``weight (C_out, C_in/groups, kh, kw)``.

    `dtype` is float32 or float64; `plan` forces a strategy of `STRATEGIES`; `finish` is applied to every tile.
    """
    job = of_geometry(weight, bias, geometry, groups, is_interleaved(x))
    count = workers(threads)
    found = (None if plan else quick(job, x.dtype, dtype)) or plans(job, x.dtype, dtype, count)
    chosen = choose(found, plan)
    count = threads_for(chosen, count)
    job = job.planar() if chosen.planar else job
    strategy = STRATEGIES[chosen.name]
    compute, fallback = strategy.prepare(job, chosen.dtype), cache(partial(taps.prepare, job, chosen.dtype))
    tiles = cut(job.output, strategy.tile(job, np.dtype(chosen.dtype).itemsize), count)
    output = Output(x, weight.shape[0], geometry.output, dtype, finish)
    for image in range(len(x)):
        runner = Runner(job, compute, fallback, x[image], chosen.dtype)

        def work(tile: tuple[range, range], image: int = image, runner: Runner = runner) -> None:
            rows, columns = tile
            direct = output.direct(image, job, rows, columns, chosen.dtype)
            values = runner.tile(rows, columns, direct)
            if direct is None:
                output.emit(image, job, values, rows, columns)

        run_all(work, tiles, count)
    text = f"{chosen.name}: {chosen.reason}, {chosen.dtype}, {described(len(tiles), count)}"
    return Computed(output.array, text, output.clipped, tuple(each.considered for each in found))
