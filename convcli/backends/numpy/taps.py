"""Shift and accumulate: every non-zero tap adds its shifted view of the input, times its weight, to the output.

In integers where kernel and pixels are integers and no partial sum can leave the type: then the result is exact and
the narrow type is faster. Taps of weight ±1 are added without a product, zeros are skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.backends.numpy.job import Job, Work, tile_within
from convcli.backends.numpy.steps import Buffers, Steps
from convcli.geometry import Size


def tile(job: Job, itemsize: int) -> Size:
    """Output tiles of long lines: see `tile_within`."""
    return tile_within(job, itemsize)


def suits(scratch: NDArray[Any]) -> bool:
    """Whether a tile can be done by skipping taps of weight 0 and by sums of pixels.

    No taps may be skipped that a NaN or an infinity lies under; nor may pixels be summed that are so large that only their
    products with the weights can be.
    """
    return largest(scratch) < float(np.finfo(scratch.dtype).max) * SMALL


SMALL = 2.0**-32
"""The share of the largest number of a type that sums of pixels are safe below."""


def largest(scratch: NDArray[Any]) -> float:
    """The largest magnitude in a tile; NaN if there is one."""
    return max(float(scratch.max(initial=0)), -float(scratch.min(initial=0)), key=lambda size: (size != size, size))


def exact_type(job: Job) -> str | None:
    """The narrowest integer type that holds every partial sum exactly, or None if values are not integers."""
    source = job.source
    if source.kind not in "u" or source.itemsize > 2:
        return None
    if not (np.equal(job.kernels, np.rint(job.kernels)).all() and np.equal(job.bias, np.rint(job.bias)).all()):
        return None
    largest = np.iinfo(source).max * max(1.0, np.abs(job.kernels).sum(axis=(1, 2, 3)).max()) + np.abs(job.bias).max()
    for name in ("int16", "int32"):
        if largest <= np.iinfo(name).max:
            return name
    return None


class _Tap(NamedTuple):
    """A tap: the plane it reads, the row and column of its shift, and how it joins its group's sum."""

    plane: int
    row: int
    column: int
    join: Callable[..., Any]


class _Group(NamedTuple):
    """Taps whose weights differ in sign only: `weight` is that of the first."""

    weight: float
    taps: list[_Tap]


def prepare(job: Job, dtype: str, gaps_only: bool = False) -> Work:
    """Group the taps of each output plane by the size of their weight; what is returned says how a tile is filled.

    Taps of one weight are summed before they are multiplied; ±1 needs no product. With `gaps_only`, for tiles that do not
    suit, only the gaps between taps are skipped, but no tap of weight 0 (0·NaN is NaN), and each is multiplied first.
    """
    plans = [_groups(job, o, gaps_only) for o in range(job.outputs)]

    def work(part: Job, scratch: NDArray[Any], out: NDArray[Any], buffers: Buffers) -> Steps:
        _, rows, line = out.shape
        width, apart = part.output.width * job.step, job.dilation.columns * job.step
        partial = buffers.get("partial", (rows, line), dtype)
        if job.stride == 1:  # all lines as one
            length = (rows - 1) * line + width
            lines, targets = scratch.reshape(len(scratch), -1), out.reshape(len(out), -1)[:, :length]
            partial = partial.reshape(-1)[:length]
        else:
            reach = (rows - 1) * job.stride + 1
            targets, partial = out[..., :width], partial[:, :width]

        def view(tap: _Tap) -> NDArray[Any]:
            if job.stride == 1:
                start = tap.row * line + tap.column * apart
                return lines[tap.plane, start : start + length]
            return part.shifted(scratch[tap.plane, tap.row : tap.row + reach : job.stride], tap.column)

        steps: Steps = []
        for target, groups in zip(targets, plans, strict=True):
            if not groups:
                steps.append((target.fill, (0,)))
            for number, (weight, (first, *others)) in enumerate(groups):
                if number and abs(weight) == 1:
                    for tap in (first, *others):
                        join = np.add if (tap.join is np.add) == (weight > 0) else np.subtract
                        steps.append((join, (target, view(tap), target)))
                    continue
                into = partial if number else target
                total = view(first)
                for tap in others:
                    steps.append((tap.join, (total, view(tap), into)))
                    total = into
                if weight != 1 or total is not into:
                    steps.append((np.multiply, (total, np.array(weight, dtype), into)))
                if number:
                    steps.append((np.add, (target, into, target)))
        return steps + bias_steps(job, out[..., :width])

    return work


def _groups(job: Job, output: int, gaps_only: bool) -> list[_Group]:
    """The groups of an output plane's taps, those that need a product first."""
    taps = job.taps[output] if gaps_only else job.kernels[output] != 0
    most = 1 if gaps_only else _most(job)
    found: dict[float, list[_Group]] = {}
    for c in range(job.kernels.shape[1]):
        for i, j in np.argwhere(taps[c]):
            weight = float(job.kernels[output, c, i, j])
            groups = found.setdefault(abs(weight), [])
            if not groups or len(groups[-1].taps) == most:
                groups.append(_Group(weight, []))
            join = np.add if weight == groups[-1].weight else np.subtract
            groups[-1].taps.append(_Tap(job.sources[output] + c, int(i) * job.dilation.rows, int(j), join))
    every = [group for groups in found.values() for group in groups]
    return sorted(every, key=lambda group: (abs(group.weight) == 1, -abs(group.weight)))


def _most(job: Job) -> int:
    """Pixels whose sum float32 holds without rounding: more are not summed before they are multiplied."""
    if job.source.kind not in "uib" or job.source.itemsize > 2:
        return 256
    return 2**24 // (np.iinfo(job.source).max if job.source.kind in "ui" else 1)


def bias_steps(job: Job, out: NDArray[Any]) -> Steps:
    """Add the bias to ``out (O, rows, W_out·step)``, if there is one."""
    if not job.bias.any():
        return []
    pixels = out.reshape(*out.shape[:-1], -1, job.step)
    return [(np.add, (pixels, job.bias.astype(out.dtype)[:, np.newaxis, np.newaxis], pixels))]
