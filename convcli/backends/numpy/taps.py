"""Shift and accumulate: every non-zero tap adds its shifted view of the input, times its weight, to the output.

In integers where kernel and pixels are integers and no partial sum can leave the type: then the result is exact and
the narrow type is faster. Taps of weight ±1 are added without a product, zeros are skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.backends.numpy.job import Buffers, Job, Work, tile_within
from convcli.geometry import Size


def tile(job: Job, itemsize: int) -> Size:
    """Output tiles whose scratch and output share the second-level cache."""
    return tile_within(job, itemsize)


def suits(scratch: NDArray[Any]) -> bool:
    """Whether a tile can be done by skipping taps of weight 0: they too pass on a NaN or an infinity."""
    return bool(np.isfinite(scratch).all())


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
    """Group the taps of each output plane by the size of their weight; what is returned fills a tile.

    Taps of one weight are summed before they are multiplied; ±1 needs no product. With `gaps_only`, only the gaps between
    taps are skipped, but no tap of weight 0: 0·NaN is NaN.
    """
    kind = np.dtype(dtype).type
    plans = [_groups(job, o, job.taps[o] if gaps_only else job.kernels[o] != 0) for o in range(job.outputs)]

    def work(part: Job, scratch: NDArray[Any], out: NDArray[Any], buffers: Buffers) -> None:
        reach = (out.shape[1] - 1) * job.stride + 1
        partial = buffers.get("partial", out.shape[1:], dtype)

        def view(tap: _Tap) -> NDArray[Any]:
            return part.shifted(scratch[tap.plane, tap.row : tap.row + reach : job.stride], tap.column)

        for target, groups in zip(out, plans, strict=True):
            if not groups:
                target[...] = 0
            for number, (weight, (first, *others)) in enumerate(groups):
                if number and not others and abs(weight) == 1:
                    (np.add if weight > 0 else np.subtract)(target, view(first), out=target)
                    continue
                into = partial if number else target
                total = view(first)
                for tap in others:
                    total = tap.join(total, view(tap), out=into)
                if weight != 1 or total is not into:
                    np.multiply(total, kind(weight), out=into)
                if number:
                    np.add(target, into, out=target)
        add_bias(job, out)

    return work


def _groups(job: Job, output: int, taps: NDArray[np.bool_]) -> list[_Group]:
    """The groups of an output plane's `taps`, those that need a product first."""
    found: dict[float, _Group] = {}
    for c in range(job.kernels.shape[1]):
        for i, j in np.argwhere(taps[c]):
            weight = float(job.kernels[output, c, i, j])
            group = found.setdefault(abs(weight), _Group(weight, []))
            join = np.add if weight == group.weight else np.subtract
            group.taps.append(_Tap(job.sources[output] + c, int(i) * job.dilation.rows, int(j), join))
    return sorted(found.values(), key=lambda group: (abs(group.weight) == 1, -abs(group.weight)))


def add_bias(job: Job, out: NDArray[Any]) -> None:
    """Add the bias to ``out (O, rows, W_out·step)``."""
    if job.bias.any():
        pixels = out.reshape(*out.shape[:-1], -1, job.step)
        pixels += job.bias.astype(out.dtype)[:, np.newaxis, np.newaxis]
