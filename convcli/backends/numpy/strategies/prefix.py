"""Flat kernels (boxes, disks, rings …): sums over runs of rows, as differences of prefix sums, in exact integers.

With the prefix sums ``P[y] = Σ_{r<y} x[r]`` of a column of pixels, the sum over the rows a … b - 1 of a window is
``P[y+b] - P[y+a]``, for a run of any length. In general, a column m of a kernel is ``Σ_i (m[i-1] - m[i]) P[y+i]``,
which is zero except where the kernel steps. Equal columns share their sums, which are added once for each column,
shifted to its place. Stretches of columns side by side are sums of 1, 2, 4 … columns, each made of two of the one
before.

The kernel is a unit times integers, and sums are computed with these integers, so that no addition rounds. Prefix sums
may leave their type: they wrap around, and their difference is right if it fits into the type. A sum that does not fit
is computed in parts.

F. Crow, "Summed-area tables for texture mapping" (1984).
"""

from __future__ import annotations

import numpy as np

from convcli.backends.numpy.job import FilterJob
from convcli.backends.numpy.strategies import flat
from convcli.backends.numpy.strategies.common import PASS, Estimate, Estimates, Work, precision, slower, tile
from convcli.backends.numpy.tiles import Buffers, Step, Steps
from convcli.windows import Array

__all__ = ["estimates", "precision", "prepare", "tile"]

WANTS = "8- or 16-bit pixels as they are stored, and a kernel of small integers times one value, whose sums fit into 32 bits"
"""For the error if this strategy cannot do a job. The other strategies can do every job."""

GROUP = 16
"""Rows of a group. One call adds a row of every group, so that few calls do all rows."""

PUT = 1.8
"""Passes over memory to add a partial sum of integers to the result."""

STRIDED = 1.9
"""How many times slower the strategy is if a stride leaves out rows."""


def estimates(layouts: list[FilterJob], dtype: str, wanted: bool = False) -> Estimates:
    """The cost in each integer type that is possible. Pixels must be integers, and kernels must be a unit times integers."""
    job = layouts[0]
    found = flat.units(job) if job.bounded and (wanted or flat.affordable(job)) else None
    if found is None:
        return
    for layout in flat.layouts(job, found[1]):
        steps, passes = layout.total(lambda each: len(each.steps)), layout.total(lambda each: each.passes)
        each = (passes + 3 * job.gathered) * PASS[layout.kind] + (layout.puts * PUT + 5 * job.outputs) * PASS[dtype]
        kinds = layout.total(lambda each: 1)
        reason = f"flat → prefix sums, {steps} differences in {kinds} kind{'s' * (kinds > 1)} of columns, exact in {layout.kind}"
        calls = 2 * GROUP * job.gathered + passes + layout.puts
        each *= slower(job, STRIDED) / job.outputs
        yield Estimate("prefix", job, dtype, each, calls, reason, gathers=layout.kind)


def prepare(job: FilterJob, dtype: str) -> Work:
    """Find the kernels' steps, once. The result gives the steps that fill a tile of `dtype` from integers, as in `flat.layouts`."""
    found = flat.units(job)
    assert found is not None
    by_kind = {layout.kind: layout.outputs for layout in flat.layouts(job, found[1])}
    factors = found[0].ravel().astype(dtype)
    s, d = job.stride, job.dilation.rows

    def work(width: int, scratch: Array, out: Array, buffers: Buffers) -> Steps:
        _, rows, line = out.shape
        length = (rows - 1) * line + width  # all lines as one: values after the end of a line have no meaning
        kind = scratch.dtype.name
        prefix = buffers.get("prefix", (scratch.shape[1] + d, line), kind)
        spare = [buffers.get(name, (rows, line), kind) for name in ("sums", "doubled", "product")]
        total = buffers.get("total", (length,), kind)
        summed = -1
        for target, planes, source, factor in zip(
            out.reshape(len(out), -1)[:, :length], by_kind[kind], job.sources, factors, strict=True
        ):
            sum_ = _Sum(total, target)
            for c, classes in enumerate(planes):
                if classes and summed != source + c:
                    summed = source + c
                    yield from prefix_sums(scratch[summed], d, prefix)
                for jumps, pieces in classes:
                    sums, further, product = spare
                    yield from _differences(
                        [(prefix[i * d :][: (rows - 1) * s + 1 : s], rise) for i, rise in jumps], sums, product
                    )
                    sums, further = sums.reshape(-1), further.reshape(-1)
                    size, known = 1, sums.size
                    for count, first, full in pieces:
                        while size < count:
                            known -= size * job.apart
                            yield np.add, (sums[:known], sums[size * job.apart :][:known], further[:known])
                            sums, further, size = further, sums, 2 * size
                        if full:
                            yield sum_.put()
                        yield sum_.add(sums[first * job.apart :][:length])
            yield sum_.put()
            if factor != 1:
                yield np.multiply, (target, np.array(factor, dtype), target)

    return work


class _Sum:
    """A sum of integers that is added to real results `target`, in as many parts as its type needs; `total` holds a part."""

    def __init__(self, total: Array, target: Array) -> None:
        self.total, self.target = total, target
        self.begun = self.onto = False

    def add(self, view: Array) -> Step:
        """The step that adds `view` to the part, or begins the part with it."""
        begun, self.begun = self.begun, True
        return (np.add, (self.total, view, self.total)) if begun else (np.copyto, (self.total, view))

    def put(self) -> Step:
        """The step that adds the part to the results. If nothing was ever added, it sets them to 0."""
        begun, self.begun = self.begun, False
        onto, self.onto = self.onto, True
        if onto:
            return np.add, (self.target, self.total, self.target)
        return (np.copyto, (self.target, self.total, "unsafe")) if begun else (self.target.fill, (0,))


def prefix_sums(lines: Array, apart: int, out: Array) -> Steps:
    """The steps for ``out[y] = Σ lines[y - apart·i], i ≥ 1``, over the rows of ``lines (R, line)``: ``out (R + apart, line)``.

    They work in groups of `GROUP` rows: first within all groups at once, then from group to group. So few calls do many
    rows.
    """
    yield out[:apart].fill, (0,)
    for residue in range(min(apart, len(lines))):
        source, target = lines[residue::apart], out[residue + apart :: apart]
        yield np.copyto, (target[::GROUP], source[::GROUP])
        for k in range(1, min(GROUP, len(source))):
            here = target[k::GROUP]
            yield np.add, (target[k - 1 :: GROUP][: len(here)], source[k::GROUP], here)
        for start in range(GROUP, len(source), GROUP):
            group = target[start : start + GROUP]
            yield np.add, (group, target[start - 1], group)


def _differences(jumps: list[tuple[Array, int]], out: Array, product: Array) -> Steps:
    """The steps for ``out = Σ rise · prefix sums``."""
    (first, rise), *others = jumps
    if rise == 1 and others and others[0][1] == -1:
        yield np.subtract, (first, others.pop(0)[0], out)
    else:
        yield np.multiply, (first, np.array(abs(rise), out.dtype), out)
        if rise < 0:
            yield np.negative, (out, out)
    for view, rise in others:
        if abs(rise) != 1:
            yield np.multiply, (view, np.array(abs(rise), out.dtype), product)
            view = product
        yield np.add if rise > 0 else np.subtract, (out, view, out)
