"""Flat kernels in parts: a unit times small integers, equal columns, and stretches of neighbouring equal columns.

`convcli.backends.numpy.strategies.prefix` sums these up. This module also chooses the integers in which every sum is
exact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from convcli.backends.numpy.job import FilterJob
from convcli.backends.numpy.strategies.common import like, steps_allowed
from convcli.records import NamedTuple

MOST, MOST_PARTS = 2.0**15, 9
"""The largest multiple of the unit in a kernel; and the largest multiple that the smallest value of a kernel may be."""

UNIT_STEPS, KERNEL_STEPS, COLUMN_STEPS, JUMP_STEPS = 60, 20, 12, 1
"""Steps to find the unit of an output plane; and to find the classes of a kernel: for the kernel, for each column,
and for each jump in a column."""

WHOLE = 2.0**24
"""float32 holds all integers up to this one."""


class Piece(NamedTuple):
    """A stretch of equal columns: their number (a power of two), the first one, and whether to store the sum so far first."""

    columns: int
    first: int
    full: bool


class Class(NamedTuple):
    """Equal columns of a kernel: where they step and by how much, and the pieces that they consist of, small ones first."""

    steps: list[tuple[int, int]]
    pieces: list[Piece]

    @property
    def passes(self) -> int:
        """Passes over memory: one for each step after the first, for each product, for each doubling, and for each piece."""
        products = sum(abs(rise) != 1 for _, rise in self.steps)
        return len(self.steps) - 1 + products + self.pieces[-1].columns.bit_length() - 1 + len(self.pieces)


class Layout(NamedTuple):
    """How the kernels of a job are summed up in integers of one type."""

    kind: str  # the integer type
    alike: list[int]  # for each output plane, the first one with the same kernels
    # for each of these first planes, and for each gathered plane that it reads, the classes of columns
    different: dict[int, list[list[Class]]]

    @property
    def outputs(self) -> list[list[list[Class]]]:
        """The classes of every output plane."""
        return [self.different[o] for o in self.alike]

    def total(self, count: Callable[[Class], int]) -> int:
        """The sum of `count` over all classes."""
        times = Counter(self.alike)
        return sum(
            times[o] * sum(count(each) for plane in planes for each in plane) for o, planes in self.different.items()
        )

    @property
    def puts(self) -> int:
        """Number of partial sums that are put away because the type cannot hold more."""
        return self.total(lambda each: sum(piece.full for piece in each.pieces))


def affordable(job: FilterJob) -> bool:
    """Whether the search for a unit and for classes of columns takes no longer than the work that it may save."""
    if job.outputs > steps_allowed(job):
        return False
    different = sorted(set(like(job)))
    each = UNIT_STEPS + job.inputs * (KERNEL_STEPS + COLUMN_STEPS * job.kernel.width)
    if len(different) * each > steps_allowed(job):
        return False
    jumps = int(np.count_nonzero(np.diff(job.kernels[different], axis=2)))
    return len(different) * each + JUMP_STEPS * jumps <= steps_allowed(job)


def units(job: FilterJob) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Units ``(O, 1, 1, 1)`` and integers ``(O, I, kh, kw)`` whose products are the job's kernels; None if there are none."""
    found: dict[int, float] = {}
    alike = like(job)
    for o in dict.fromkeys(alike):
        of_these = _unit(job.kernels[o])
        if of_these is None:
            return None
        found[o] = of_these
    unit = np.array([found[o] for o in alike], np.float64).reshape(-1, 1, 1, 1)
    return unit, np.rint(job.kernels / unit)


def _unit(kernels: NDArray[np.float64]) -> float | None:
    """The number that all values are multiples of: the smallest value, or a small fraction of it. None if there is none."""
    values = np.abs(kernels[kernels != 0])
    if not len(values):
        return 1.0
    least = float(values.min())
    for parts in range(1, MOST_PARTS + 1):
        if all(_whole(some, least, parts) for some in (values[:16], values)):  # a few first, which most kernels fail
            return least / parts
    return None


def _whole(values: NDArray[np.float64], least: float, parts: int) -> bool:
    """Whether all values are multiples of ``least / parts``, except for rounding, and none of these is too large."""
    with np.errstate(over="ignore"):
        multiples = values / least * parts
    near = np.rint(multiples)
    return bool(near.max() <= MOST and (np.abs(multiples - near) <= 1e-14 * near).all())


def layouts(job: FilterJob, multiples: NDArray[np.float64]) -> list[Layout]:
    """The ways to sum up exactly: in 16 bits, in parts if necessary, and in 32 bits, where each pass takes twice as long."""
    if job.source.kind != "u" or job.source.itemsize > 2:
        return []
    white = float(np.iinfo(job.source).max)
    largest = white * float(np.abs(multiples).sum(axis=(1, 2, 3)).max(initial=0))
    low, high = (bound(multiples, 0).sum(axis=2) for bound in (np.minimum, np.maximum))  # of each column
    found = []
    alike = like(job)
    for kind in ("int16" if low.any() else "uint16", "int32"):
        limits = np.iinfo(kind).min / white, np.iinfo(kind).max / white
        if low.min(initial=0) < limits[0] or high.max(initial=0) > limits[1]:
            continue
        different = {o: _planes(multiples[o], limits) for o in dict.fromkeys(alike)}
        layout = Layout(kind, alike, different)
        if not layout.puts or largest <= WHOLE:  # otherwise, adding the parts would round
            found.append(layout)
    return found


def _planes(planes: NDArray[np.float64], limits: tuple[float, float]) -> list[list[Class]]:
    """The classes of the kernels ``(I, kh, kw)`` of an output plane.

    `limits` are the least and the largest sum that the type holds, divided by the value of white.
    """
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
    """The rows where a column steps, and by how much: first a rise by 1, then falls by 1, because these need no product."""
    steps = [(int(i), int(column[i])) for i in np.flatnonzero(column)]
    return sorted(steps, key=lambda step: (step[1] != 1, step[1] != -1))


def _stretches(columns: list[int], most: int) -> list[tuple[int, int]]:
    """Columns as stretches ``(count, first)`` of 1, 2, 4 … columns, at most `most`; small ones first."""
    found = []
    starts = [n for n in range(len(columns)) if not n or columns[n] != columns[n - 1] + 1]
    for start, stop in pairwise([*starts, len(columns)]):
        while start < stop:
            size = 1 << min(stop - start, most).bit_length() - 1
            found.append((size, columns[start]))
            start += size
    return sorted(found)
