"""The transposed convolution as s·t interleaved direct ones: no zero is ever stuffed or multiplied.

Output row y of the full result gathers the taps i with ``d·i ≡ y (mod s)``, from input row ``(y - d·i)/s``. The rows
of one residue (a *phase*) see the same taps, so each phase is a small direct convolution, and the phases interleave.
"""

from __future__ import annotations

from os import cpu_count

import numpy as np
from numpy.typing import NDArray

from convcli.backends import Computed
from convcli.backends.numpy.direct import STRIP_BYTES, run_all
from convcli.geometry import Geometry


def correlate_transpose(
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
    """Transposed convolution of ``x (N, C_in, H, W)`` with ``weight (C_in, C_out/groups, kh, kw)`` in `dtype`."""
    n, channels, _, width = x.shape
    filters = weight.shape[1] * groups
    weight = weight.astype(dtype)
    out = np.empty((n, filters, *geometry.output), dtype)
    s, height = geometry.stride.rows, geometry.output.height
    # A strip is a run of output rows; a multiple of the stride keeps the phases of all strips alike.
    step = s * max(1, STRIP_BYTES // (out.itemsize * s * (channels * width + filters * geometry.output.width)))
    strips = [range(start, min(start + step, height)) for start in range(0, height, step)]

    def work(job: tuple[int, range]) -> None:
        image, strip = job
        scatter(x[image], weight, bias, geometry, groups, strip, out[image, :, strip.start : strip.stop])

    workers = threads or cpu_count() or 1
    jobs = [(image, strip) for image in range(n) for strip in strips]
    run_all(work, jobs, workers)
    phases = geometry.stride.rows * geometry.stride.columns
    return Computed(
        out, f"{phases} phase{'s' * (phases > 1)}, {dtype}, {len(strips)} strips, {min(workers, len(jobs))} threads"
    )


def scatter(
    image: NDArray[np.generic],
    weight: NDArray[np.floating],
    bias: NDArray[np.floating] | None,
    geometry: Geometry,
    groups: int,
    strip: range,
    out: NDArray[np.floating],
) -> None:
    """Add every tap to the output rows of `strip`: ``image (C_in, H, W)``, ``out (C_out, len(strip), W_out)``."""
    channels, per_filter, kh, kw = weight.shape
    per_group = channels // groups
    columns = range(geometry.output.width)
    out[...] = 0 if bias is None else bias.astype(out.dtype)[:, None, None]
    landings = [
        (i, j, *_landing(0, i, geometry, strip), *_landing(1, j, geometry, columns))
        for i in range(kh)
        for j in range(kw)
    ]
    needed = [landing[3] for landing in landings if landing[3].stop > landing[3].start]
    if not needed:
        return
    top, bottom = min(part.start for part in needed), max(part.stop for part in needed)
    source = image[:, top:bottom].astype(out.dtype)
    for i, j, to_rows, from_rows, to_columns, from_columns in landings:
        if from_rows.stop <= from_rows.start or from_columns.stop <= from_columns.start:
            continue
        for c in range(channels):
            view = source[c, from_rows.start - top : from_rows.stop - top, from_columns]
            for o in range(per_filter):
                if (tap := weight[c, o, i, j]) != 0:
                    out[c // per_group * per_filter + o, to_rows, to_columns] += view * tap


def _landing(axis: int, tap: int, geometry: Geometry, span: range) -> tuple[slice, slice]:
    """Where tap `tap` of one axis lands in the outputs of `span`, and which inputs it reads: both as slices.

    Input u adds to output ``s·u + d·tap - before``; the first and last u that fall into the span follow.
    """
    s, d, before = geometry.stride[axis], geometry.dilation[axis], geometry.pads[2 * axis]
    offset = d * tap - before
    first = max(0, -((offset - span.start) // s))
    last = min(geometry.input[axis] - 1, (span.stop - 1 - offset) // s)
    if last < first:
        return slice(0, 0), slice(0, 0)
    start = s * first + offset - span.start
    return slice(start, s * (last - first) + start + 1, s), slice(first, last + 1)
