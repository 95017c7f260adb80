"""The transposed operation as a direct one with s·t times the outputs: no zero is ever stuffed or multiplied.

Row y of the full result gathers the taps i with ``d·i ≡ y (mod s)``, each from input row ``(y - d·i)/s``. The rows of one
residue (a *phase*) see the same taps, ``i₀, i₀ + s/g, …`` with g the greatest common divisor of s and d, from input rows
d/g apart: a direct operation with a flipped part of the kernel and stride 1. All phases read windows that overlap, so that
they are laid out in one: a direct operation whose output planes interleave. Phases that see no tap hold the bias alone.

W. Shi et al., "Is the deconvolution layer the same as a convolutional layer?" (2016).
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import gcd
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.backends.numpy.job import Job, laid_out
from convcli.borders import PaddedAxis
from convcli.geometry import Geometry, Pair, Size, extent


class Phase(NamedTuple):
    """One residue of one axis: the outputs ``first, first + s, …``, their taps, and where in the window each one lies."""

    first: int
    taps: list[int]
    places: list[int]


class Axis(NamedTuple):
    """The phases of an axis that see taps, in one window.

    Attributes
    ----------
    phases : list of Phase
    outputs : int
        Outputs of a phase (the last one may lie beyond the image).
    length, dilation : int
        Taps of the window, and their distance in the input.
    input : PaddedAxis
        Border index map of the padded input.
    """

    phases: list[Phase]
    outputs: int
    length: int
    dilation: int
    input: PaddedAxis


@lru_cache(maxsize=64)
def axis_phases(geometry: Geometry, axis: int) -> Axis:
    """The phases of an axis: asked for at every call, by which an operation is found to be `sparse` or not."""
    s, d, k = geometry.stride[axis], geometry.dilation[axis], geometry.kernel[axis]
    size, outputs, before = geometry.input[axis], geometry.output[axis], geometry.pads[2 * axis]
    g = gcd(s, d)
    count = -(-outputs // s)
    found = []  # (first output, taps in the order in which they are read, input that output `first` reads first)
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
    return Axis(phases, count, length, unit, padded)


MOST_ENTRIES, MOST_GAPS = 1 << 22, 64
"""Entries of the phases' windows up to which any are laid out, and beyond that so many for each tap."""


def sparse(weight: NDArray[Any], geometry: Geometry) -> str:
    """Why an operation is not for this backend: windows that are nearly all gaps. Empty if it is.

    Phases start far apart where a large dilation is no multiple of the stride; what lies between is laid out, too.
    """
    rows, columns = axis_phases(geometry, 0), axis_phases(geometry, 1)
    entries = weight[..., 0, 0].size * len(rows.phases) * len(columns.phases) * rows.length * columns.length
    if entries <= max(MOST_ENTRIES, MOST_GAPS * weight.size):
        return ""
    return f"a dilation that is no multiple of the stride makes windows of {rows.length}×{columns.length}, nearly all of them gaps"


def transposed(
    weight: NDArray[Any],
    bias: NDArray[Any] | None,
    geometry: Geometry,
    groups: int,
    source: np.dtype[Any],
    interleaved: bool,
) -> Job:
    """The job of a transposed operation with ``weight (C_in, C_out/groups, kh, kw)``, if it is not `sparse`."""
    channels, per_group, kh, kw = weight.shape
    direct = weight.reshape(groups, channels // groups, per_group, kh, kw).swapaxes(1, 2)
    direct = direct.reshape(groups * per_group, channels // groups, kh, kw)
    rows, columns = axis_phases(geometry, 0), axis_phases(geometry, 1)
    phases = [*product(rows.phases, columns.phases)]
    lines = np.full((*direct.shape[:2], len(rows.phases), rows.length, kw), np.nan)
    for number, down in enumerate(rows.phases):
        lines[:, :, number, down.places] = direct[:, :, down.taps]
    kernels = np.full((*lines.shape[:3], len(columns.phases), rows.length, columns.length), np.nan)
    for number, across in enumerate(columns.phases):
        kernels[:, :, :, number][..., across.places] = lines[..., across.taps]
    kernels = kernels.reshape(*direct.shape[:2], len(phases), rows.length, columns.length)
    return laid_out(
        kernels.swapaxes(1, 2), bias, groups, interleaved, source=source, rows=rows.input,
        columns=columns.input[:][np.newaxis], stride=1, dilation=Pair(rows.dilation, columns.dilation),
        output=Size(rows.outputs, columns.outputs), upsample=geometry.stride,
        phases=tuple(Pair(down.first, across.first) for down, across in phases),
    )  # fmt: skip
