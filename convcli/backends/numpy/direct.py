"""The direct convolution by shift and accumulate, strip by strip.

A strip is a run of output rows. Its input rows are gathered through the border index map into a padded scratch
array, so that no padded copy of the whole image is ever made; then every non-zero tap of the kernel adds its shifted,
strided view of the scratch to the strip.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count

import numpy as np
from numpy.typing import NDArray

from convcli.backends import Computed
from convcli.geometry import ZERO, Geometry

STRIP_BYTES = 1 << 20
"""Scratch and output of a strip should share the second-level cache of a core, which has 1 to 2 MiB today."""


def correlate(
    x: NDArray[np.generic],
    weight: NDArray[np.floating],
    bias: NDArray[np.floating] | None,
    geometry: Geometry,
    groups: int,
    *,
    dtype: str = "float32",
    device: str = "cpu",
    threads: int | None = None,
) -> Computed:
    """Convolve ``x (N, C_in, H, W)`` with ``weight (C_out, C_in/groups, kh, kw)`` in `dtype` (float32 or float64)."""
    n, channels = x.shape[:2]
    filters = weight.shape[0]
    weight = weight.astype(dtype)
    out = np.empty((n, filters, *geometry.output), dtype)
    strips = list(row_strips(geometry, channels + filters, out.itemsize))
    rows, columns = np.array(geometry.row_indices), np.array(geometry.column_indices)

    def work(job: tuple[int, range]) -> None:
        image, strip = job
        first = strip.start * geometry.stride.rows
        last = (strip.stop - 1) * geometry.stride.rows + geometry.extent.height
        scratch = gather(x[image], rows[first:last], columns, dtype)
        accumulate(scratch, weight, bias, geometry, groups, out[image, :, strip.start : strip.stop])

    workers = threads or cpu_count() or 1
    jobs = [(image, strip) for image in range(n) for strip in strips]
    run_all(work, jobs, workers)
    return Computed(out, f"shift-and-add, {dtype}, {len(strips)} strips, {min(workers, len(jobs))} threads")


def row_strips(geometry: Geometry, channels: int, itemsize: int) -> Iterator[range]:
    """Cut the output's rows into runs whose scratch and output stay within `STRIP_BYTES` (at least one row each)."""
    padded_width = geometry.input.width + geometry.pads.left + geometry.pads.right
    height = geometry.output.height
    step = max(1, STRIP_BYTES // (padded_width * channels * itemsize * geometry.stride.rows))
    for start in range(0, height, step):
        yield range(start, min(start + step, height))


def gather(
    image: NDArray[np.generic], rows: NDArray[np.intp], columns: NDArray[np.intp], dtype: str
) -> NDArray[np.floating]:
    """Rows and columns of ``image (C, H, W)`` through the border index map, in `dtype`; `ZERO` reads as 0."""
    inside_rows, inside_columns = rows != ZERO, columns != ZERO
    if inside_rows.all() and inside_columns.all():
        return image[:, rows[:, None], columns[None, :]].astype(dtype)
    scratch = np.zeros((image.shape[0], len(rows), len(columns)), dtype)
    source = image[:, rows[inside_rows][:, None], columns[inside_columns][None, :]]
    scratch[:, np.flatnonzero(inside_rows)[:, None], np.flatnonzero(inside_columns)[None, :]] = source
    return scratch


def accumulate(
    scratch: NDArray[np.floating],
    weight: NDArray[np.floating],
    bias: NDArray[np.floating] | None,
    geometry: Geometry,
    groups: int,
    out: NDArray[np.floating],
) -> None:
    """Sum every tap of ``weight`` over ``scratch (C_in, rows, columns)`` into ``out (C_out, rows, columns)``."""
    (s, t), (d, e) = geometry.stride, geometry.dilation
    filters, per_group, kh, kw = weight.shape
    rows, columns = out.shape[1:]
    product = np.empty((rows, columns), out.dtype)
    for o in range(filters):
        out[o] = 0 if bias is None else bias[o]
        first = o // (filters // groups) * per_group
        for c in range(per_group):
            for i in range(kh):
                for j in range(kw):
                    if (tap := weight[o, c, i, j]) == 0:
                        continue
                    view = scratch[first + c, d * i : d * i + s * (rows - 1) + 1 : s, e * j :][
                        :, : t * (columns - 1) + 1 : t
                    ]
                    np.multiply(view, tap, out=product)
                    out[o] += product


def run_all(work, jobs, workers: int) -> None:  # type: ignore[no-untyped-def]
    """Do every job, on at most `workers` threads; NumPy releases the interpreter while it computes."""
    if workers == 1 or len(jobs) == 1:
        for job in jobs:
            work(job)
        return
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(work, jobs):
            pass
