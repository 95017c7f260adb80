"""Flat kernels (boxes, disks, rings …): sums over runs of rows, as differences of prefix sums, in exact integers.

With the prefix sums ``P[y] = Σ_{r<y} x[r]`` of a column of pixels, the sum over the rows a … b - 1 of a window is
``P[y+b] - P[y+a]``, however long the run is. In general a column m of a kernel is ``Σ_i (m[i-1] - m[i]) P[y+i]``, which is zero but
where the kernel steps. Columns that are alike share their sums, which are then added at each one's shift; stretches of them
side by side as sums of 1, 2, 4 … columns, each twice the one before.

The kernel is a unit times integers; the integers are those of the pixels' sums, so that no addition rounds. Prefix sums may
leave the type: what wraps around comes back in the difference, as long as that fits. A sum that does not is taken in parts.

F. Crow, "Summed-area tables for texture mapping" (1984).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.backends.numpy.job import Job, Work, tile_within
from convcli.backends.numpy.steps import Buffers, Step, Steps
from convcli.backends.numpy.taps import bias_steps, suits
from convcli.geometry import Size

__all__ = ["GROUP", "Layout", "layouts", "prepare", "suits", "tile", "units"]

GROUP = 16
"""Rows whose prefix sums are taken side by side, so that a call does many of them."""

MOST, MOST_PARTS = 2.0**15, 9
"""Multiples of the unit that are looked for; multiples of it that the smallest value of a kernel may be."""

WHOLE = 2.0**24
"""The integers up to which float32 holds every one."""


class Piece(NamedTuple):
    """A stretch of columns that are alike: how many (a power of two), the first, and whether the sum so far is put away."""

    columns: int
    first: int
    full: bool


class Class(NamedTuple):
    """Columns of a kernel that are alike: where they step and by how much, and the pieces that make them up, small ones first."""

    steps: list[tuple[int, int]]
    pieces: list[Piece]

    @property
    def passes(self) -> int:
        """Passes over memory: for each step after the first and each product, for each doubling, for each piece."""
        products = sum(abs(rise) != 1 for _, rise in self.steps)
        return len(self.steps) - 1 + products + self.pieces[-1].columns.bit_length() - 1 + len(self.pieces)


class Layout(NamedTuple):
    """How the kernels of a job are summed up in integers of one type.

    Attributes
    ----------
    kind : str
        The integer type.
    outputs : list of list of list of Class
        For each output plane and each gathered plane that it reads, the classes of columns.
    """

    kind: str
    outputs: list[list[list[Class]]]

    @property
    def classes(self) -> list[Class]:
        """All of them."""
        return [each for planes in self.outputs for plane in planes for each in plane]

    @property
    def puts(self) -> int:
        """Partial sums that are put away because the type cannot hold more."""
        return sum(piece.full for each in self.classes for piece in each.pieces)


def units(job: Job) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """``(O, 1, 1, 1)`` units and ``(O, I, kh, kw)`` integers whose products are the job's kernels, or None if there are none."""
    found = [_unit(kernels) for kernels in job.kernels]
    if None in found:
        return None
    unit = np.array(found, np.float64).reshape(-1, 1, 1, 1)
    return unit, np.rint(job.kernels / unit)


def _unit(kernels: NDArray[np.float64]) -> float | None:
    """What all values are multiples of: the smallest one, or a small fraction of that."""
    values = np.abs(kernels[kernels != 0])
    if not len(values):
        return 1.0
    least = float(values.min())
    for parts in range(1, MOST_PARTS + 1):
        if all(_whole(some, least, parts) for some in (values[:16], values)):  # a few first: most kernels fail there
            return least / parts
    return None


def _whole(values: NDArray[np.float64], least: float, parts: int) -> bool:
    """Whether all are multiples of that part of the least, but for rounding, and not too large."""
    with np.errstate(over="ignore"):
        multiples = values / least * parts
    near = np.rint(multiples)
    return bool(near.max() <= MOST and (np.abs(multiples - near) <= 1e-14 * near).all())


def layouts(job: Job, multiples: NDArray[np.float64]) -> list[Layout]:
    """The ways to sum up exactly: in 16 bits, if need be in several parts, and in 32 bits, which take twice as long each."""
    if job.source.kind != "u" or job.source.itemsize > 2:
        return []
    white = float(np.iinfo(job.source).max)
    largest = white * float(np.abs(multiples).sum(axis=(1, 2, 3)).max(initial=0))
    low = np.minimum(multiples, 0).sum(axis=2)  # of each column
    high = np.maximum(multiples, 0).sum(axis=2)
    found = []
    for kind in ("int16" if low.any() else "uint16", "int32"):
        limits = np.iinfo(kind).min / white, np.iinfo(kind).max / white
        if low.min(initial=0) < limits[0] or high.max(initial=0) > limits[1]:
            continue
        layout = Layout(kind, [_planes(planes, limits) for planes in multiples])
        if not layout.puts or largest <= WHOLE:  # else adding the parts up would round
            found.append(layout)
    return found


def _planes(planes: NDArray[np.float64], limits: tuple[float, float]) -> list[list[Class]]:
    """The classes of the kernels ``(I, kh, kw)`` of an output plane; `limits` are the sums that the type holds, over white."""
    low, high = 0.0, 0.0
    result = []
    for kernel in planes:
        steps = -np.diff(kernel, axis=0, prepend=0, append=0)
        alike: dict[bytes, list[int]] = {}
        for j in np.flatnonzero(kernel.any(axis=0)).tolist():
            alike.setdefault(steps[:, j].tobytes(), []).append(j)
        classes = []
        for columns in alike.values():
            column = kernel[:, columns[0]]
            least, most = float(np.minimum(column, 0).sum()), float(np.maximum(column, 0).sum())
            pieces = []
            room = min(limit / bound for limit, bound in zip(limits, (least, most), strict=True) if bound)
            for count, first in _stretches(columns, int(min(room, len(columns)))):
                low, high = low + count * least, high + count * most
                full = low < limits[0] or high > limits[1]
                if full:
                    low, high = count * least, count * most
                pieces.append(Piece(count, first, full))
            classes.append(Class(_steps(steps[:, columns[0]]), pieces))
        result.append(classes)
    return result


def _steps(column: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Where a column steps and by how much, a rise by 1 first, then falls by 1: those need no product."""
    steps = [(int(i), int(column[i])) for i in np.flatnonzero(column)]
    return sorted(steps, key=lambda step: (step[1] != 1, step[1] != -1))


def _stretches(columns: list[int], most: int) -> list[tuple[int, int]]:
    """Columns as stretches of 1, 2, 4 … up to `most` of them, ``(count, first)``, small ones first."""
    found = []
    while columns:
        run = next((n for n in range(1, len(columns)) if columns[n] != columns[0] + n), len(columns))
        size = 1 << min(run, most).bit_length() - 1
        found.append((size, columns[0]))
        columns = columns[size:]
    return sorted(found)


def tile(job: Job, itemsize: int) -> Size:
    """Output tiles of long lines: see `tile_within`."""
    return tile_within(job, itemsize)


def prepare(job: Job, dtype: str) -> Work:
    """Find the kernels' steps; what is returned says how a tile of `dtype` is filled from integers of a type of `layouts`."""
    found = units(job)
    assert found is not None
    by_kind = {layout.kind: layout.outputs for layout in layouts(job, found[1])}
    factors = found[0].ravel().astype(dtype)
    s, d = job.stride, job.dilation.rows

    def work(part: Job, scratch: NDArray[Any], out: NDArray[Any], buffers: Buffers) -> Steps:
        _, rows, line = out.shape
        width, apart = part.output.width * job.step, job.dilation.columns * job.step
        length = (rows - 1) * line + width  # all lines as one: what comes to lie behind a line is of no account
        kind = scratch.dtype.name
        prefix = buffers.get("prefix", (scratch.shape[1] + d, line), kind)
        spare = [buffers.get(name, (rows, line), kind) for name in ("sums", "doubled", "product")]
        total = buffers.get("total", (length,), kind)
        summed, steps = -1, Steps()
        for target, planes, source, factor in zip(
            out.reshape(len(out), -1)[:, :length], by_kind[kind], job.sources, factors, strict=True
        ):
            sum_ = _Sum(total, target)
            for c, classes in enumerate(planes):
                if classes and summed != source + c:
                    summed = source + c
                    steps += prefix_sums(scratch[summed], d, prefix)
                for jumps, pieces in classes:
                    sums, further, product = spare
                    steps += _differences(
                        [(prefix[i * d :][: (rows - 1) * s + 1 : s], rise) for i, rise in jumps], sums, product
                    )
                    sums, further = sums.reshape(-1), further.reshape(-1)
                    size, known = 1, sums.size
                    for count, first, full in pieces:
                        while size < count:
                            known -= size * apart
                            steps.append((np.add, (sums[:known], sums[size * apart :][:known], further[:known])))
                            sums, further, size = further, sums, 2 * size
                        if full:
                            steps.append(sum_.put())
                        steps.append(sum_.add(sums[first * apart :][:length]))
            steps.append(sum_.put())
            if factor != 1:
                steps.append((np.multiply, (target, np.array(factor, dtype), target)))
        return steps + bias_steps(job, out[..., :width])

    return work


class _Sum:
    """A sum in integers that is put into real results, in as many parts as their type asks for.

    Parameters
    ----------
    total : ndarray
        Room for a part.
    target : ndarray
        The results, of the same shape.
    """

    def __init__(self, total: NDArray[Any], target: NDArray[Any]) -> None:
        self.total, self.target = total, target
        self.begun = self.onto = False

    def add(self, view: NDArray[Any]) -> Step:
        """Add to the part, or begin it."""
        begun, self.begun = self.begun, True
        return (np.add, (self.total, view, self.total)) if begun else (np.copyto, (self.total, view))

    def put(self) -> Step:
        """Put the part away; the sum of nothing is 0."""
        begun, self.begun = self.begun, False
        onto, self.onto = self.onto, True
        if onto:
            return np.add, (self.target, self.total, self.target)
        return (np.copyto, (self.target, self.total, "unsafe")) if begun else (self.target.fill, (0,))


def prefix_sums(lines: NDArray[Any], apart: int, out: NDArray[Any]) -> Steps:
    """``out[y] = Σ lines[y - apart·i], i ≥ 1``, over the rows of ``lines (R, line)``: ``out (R + apart, line)``.

    In groups of `GROUP` rows, first within all groups side by side, then from group to group: few calls for many rows.
    """
    steps: Steps = [(out[:apart].fill, (0,))]
    for residue in range(min(apart, len(lines))):
        source, target = lines[residue::apart], out[residue + apart :: apart]
        steps.append((np.copyto, (target[::GROUP], source[::GROUP])))
        for k in range(1, min(GROUP, len(source))):
            here = target[k::GROUP]
            steps.append((np.add, (target[k - 1 :: GROUP][: len(here)], source[k::GROUP], here)))
        for start in range(GROUP, len(source), GROUP):
            group = target[start : start + GROUP]
            steps.append((np.add, (group, target[start - 1], group)))
    return steps


def _differences(jumps: list[tuple[NDArray[Any], int]], out: NDArray[Any], product: NDArray[Any]) -> Steps:
    """``out = Σ rise · prefix sums``."""
    (first, rise), *others = jumps
    steps: Steps = []
    if rise == 1 and others and others[0][1] == -1:
        steps.append((np.subtract, (first, others.pop(0)[0], out)))
    else:
        steps.append((np.multiply, (first, np.array(abs(rise), out.dtype), out)))
        if rise < 0:
            steps.append((np.negative, (out, out)))
    for view, rise in others:
        if abs(rise) != 1:
            steps.append((np.multiply, (view, np.array(abs(rise), out.dtype), product)))
            view = product
        steps.append((np.add if rise > 0 else np.subtract, (out, view, out)))
    return steps
