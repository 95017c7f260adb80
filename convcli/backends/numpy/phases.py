"""A transposed operation as a direct one with s·t times as many outputs: no zero is inserted or multiplied.

Row y of the full result reads the taps i with ``d·i ≡ y (mod s)``, each from input row ``(y - d·i)/s``. The rows with
the same residue (a *phase*) read the same taps, ``i₀, i₀ + s/g, …`` with g the greatest common divisor of s and d, from
input rows that are d/g apart. This is a direct operation with stride 1 and a part of the kernel, flipped. The windows
of all phases overlap, so they are laid out in one common window: this is one direct operation, whose output planes
interleave. Phases without taps hold only the bias.

To put the values of many horizontal phases in their places takes longer than to compute them: each phase writes to all
lines of the result. In a *widened* job, a line of an output plane holds all horizontal phases, and only the rows interleave.

W. Shi et al., "Is the deconvolution layer the same as a convolutional layer?" (2016).
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import gcd
from typing import Any

import numpy as np

from convcli.backends.numpy.job import FilterJob, laid_out
from convcli.backends.numpy.strategies.common import Work
from convcli.backends.numpy.tiles import Buffers, Steps
from convcli.borders import PaddedAxis
from convcli.geometry import Geometry, Pair, Size, extent
from convcli.records import NamedTuple
from convcli.windows import Array


class Phase(NamedTuple):
    """One residue of one axis: its outputs ``first, first + s, …``, its taps, and the place of each tap in the window."""

    first: int
    taps: list[int]
    places: list[int]


class AxisPhases(NamedTuple):
    """The phases of an axis that have taps, in one window."""

    phases: list[Phase]
    outputs: int  # number of outputs of each phase. The last one may be outside the image.
    # number of taps of the window, and their distance in input pixels
    length: int
    dilation: int
    input: PaddedAxis  # border index map of the padded input


@lru_cache(maxsize=64)
def axis_phases(geometry: Geometry, axis: int) -> AxisPhases:
    """The phases of an axis. Kept, because every call needs them to find out whether an operation is `sparse`."""
    size, outputs, k, s, d, before, *_ = geometry.along(axis)
    g = gcd(s, d)
    count = -(-outputs // s)
    found = []  # (first output, taps in the order in which they are read, first input that this output reads)
    for start in range(min(k, s // g)):
        first = (d * start - before) % s
        if first < outputs:
            taps = [*range(start, k, s // g)][::-1]
            found.append((first, taps, (first + before - d * taps[0]) // s))
    found.sort()
    base = min((origin for _, _, origin in found), default=0)
    unit = gcd(*(origin - base for _, _, origin in found), *(d // g for _, taps, _ in found if len(taps) > 1)) or 1
    phases = [
        Phase(first, taps, [(origin - base + d // g * m) // unit for m in range(len(taps))])
        for first, taps, origin in found
    ]
    length = 1 + max((phase.places[-1] for phase in phases), default=0)
    padded = PaddedAxis(size, -base, count - 1 + extent(length, unit), geometry.padding_mode)
    padded, unit = padded.near(length, count, unit)
    return AxisPhases(phases, count, length, unit, padded)


MOST_ENTRIES, MOST_GAPS = 1 << 22, 64
"""The windows of the phases may have this many entries in all; if they have more, then only this many for each tap."""


def sparse(weight: Array, geometry: Geometry) -> str:
    """Why this backend cannot do an operation: nearly all entries of its windows would be gaps. Empty if it can.

    Phases begin far apart if a large dilation is not a multiple of the stride. The gaps between them take memory, too.
    """
    rows, columns = axis_phases(geometry, 0), axis_phases(geometry, 1)
    entries = weight[..., 0, 0].size * len(rows.phases) * len(columns.phases) * rows.length * columns.length
    if entries <= max(MOST_ENTRIES, MOST_GAPS * weight.size):
        return ""
    return f"a dilation that is not a multiple of the stride gives windows of {rows.length}×{columns.length} with almost only gaps"


def transposed(
    weight: Array,
    bias: Array | None,
    geometry: Geometry,
    groups: int,
    source: np.dtype[Any],
    interleaved: bool,
    widened: bool = False,
) -> FilterJob:
    """The job of a transposed operation with ``weight (C_in, C_out/groups, kh, kw)``. The operation must not be `sparse`.

    `widened` says that an output plane holds all horizontal phases, see `FilterJob.widen`. The other parameters are those
    of `convcli.backends.numpy.job.direct`.
    """
    channels, per_group, kh, kw = weight.shape
    direct = weight.reshape(groups, channels // groups, per_group, kh, kw).swapaxes(1, 2)
    direct = direct.reshape(groups * per_group, channels // groups, kh, kw)
    rows, columns = axis_phases(geometry, 0), axis_phases(geometry, 1)
    stride = geometry.stride.columns
    lines = np.full((*direct.shape[:2], len(rows.phases), rows.length, kw), np.nan)
    for number, down in enumerate(rows.phases):
        lines[:, :, number, down.places] = direct[:, :, down.taps]
    if widened:
        kernels = np.full((*lines.shape[:4], stride, columns.length), np.nan)
        for across in columns.phases:
            kernels[..., across.first, across.places] = lines[..., across.taps]
        kernels = kernels.reshape(*lines.shape[:4], stride * columns.length)
        upsample, phases = Pair(geometry.stride.rows, 1), [Pair(down.first, 0) for down in rows.phases]
    else:
        kernels = np.full((*lines.shape[:3], len(columns.phases), rows.length, columns.length), np.nan)
        for number, across in enumerate(columns.phases):
            kernels[:, :, :, number][..., across.places] = lines[..., across.taps]
        kernels = kernels.reshape(*direct.shape[:2], -1, rows.length, columns.length)
        upsample = geometry.stride
        phases = [Pair(down.first, across.first) for down, across in product(rows.phases, columns.phases)]
    return laid_out(
        kernels.swapaxes(1, 2), bias, groups, interleaved, source=source, rows=rows.input,
        columns=columns.input[:][np.newaxis], stride=1, dilation=Pair(rows.dilation, columns.dilation),
        output=Size(rows.outputs, columns.outputs), upsample=upsample, phases=(*phases,),
        widen=stride if widened else 1,
    )  # fmt: skip


def widened(job: FilterJob, apart: FilterJob, dtype: str, work: Work) -> Work:
    """Do a widened `job` by the `work` for the same operation with an output plane for each phase, `apart`."""
    down, between = len(job.phases), {phase.columns for phase in apart.phases}

    def steps(width: int, scratch: Array, out: Array, buffers: Buffers) -> Steps:
        planes = buffers.get("phases", (apart.outputs, out.shape[1], scratch.shape[2]), dtype)
        line = width // job.widen
        yield from work(line, scratch, planes, buffers)
        yield out.fill, (0,)  # of phases without taps
        pixels = out[..., :width].reshape(-1, down, out.shape[1], line // job.step, job.widen, job.step)
        values = planes[..., :line].reshape(-1, down, len(between), out.shape[1], line // job.step, job.step)
        for number, first in enumerate(sorted(between)):
            yield np.copyto, (pixels[..., first, :], values[:, :, number])

    return steps
