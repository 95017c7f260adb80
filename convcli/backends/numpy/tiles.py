"""Cut the output into tiles, and fill the padded input of each through the border index map.

The whole image is never copied with padding. The input of a tile, its result and the finished result stay in the cache.
"""

from collections.abc import Callable, Iterable
from functools import cached_property
from math import prod
from threading import local
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from convcli.geometry import ZERO, Size
from convcli.pointwise.lift import Lift
from convcli.records import NamedTuple
from convcli.windows import NEAR_VALUES, Array

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T")

Step = tuple[Callable[..., Any], tuple[Any, ...]]
Steps = Iterable[Step]
"""Calls into NumPy with all their arguments, in this order: ``function(*arguments)``."""


def run(steps: Steps) -> None:
    """Make all calls, one after the other."""
    for function, arguments in steps:
        function(*arguments)


class Buffers(local):
    """What each thread reuses for tile after tile: arrays, and the steps that work on them.

    Fresh memory often costs more than a computation. And the Python code between two calls into NumPy is the only work
    that threads cannot do at the same time: to make new views for every tile would take a fifth of the time.
    """

    def __init__(self) -> None:
        self._arrays: dict[str, Array] = {}
        self._owner: object = None
        self._made: dict[tuple[object, ...], Any] = {}

    def get(self, name: str, shape: tuple[int, ...], dtype: str) -> Array:
        """The array of this name, shape and dtype, one for each thread. What it held before is lost."""
        arrays, size = self._arrays, prod(shape)
        if name not in arrays or arrays[name].size < size or arrays[name].dtype != dtype:
            arrays[name] = np.zeros(size, dtype)  # steps over all lines as one also read values never set
            self._made.clear()  # otherwise, objects made of the old array would keep it in memory
        array: Array = arrays[name][:size].reshape(shape)
        return array

    def made(self, owner: object, key: tuple[object, ...], make: Callable[[], T]) -> T:
        """What a thread has made for an owner and a key. `make` makes it if it is missing, or if the arrays have changed since.

        Everything made for the previous owner is dropped.
        """
        made = self._made
        if self._owner is not owner:
            made.clear()
            self._owner = owner
        if key not in made:
            made[key] = make()
        found: T = made[key]
        return found


def cut(output: Size, tile: Size, least: int) -> tuple[list[range], list[range]]:
    """Output rows of every strip of tiles, and output columns of every tile in one.

    If there would be fewer than `least` tiles, they get fewer rows.
    """
    columns = [range(x, min(x + tile.width, output.width)) for x in range(0, output.width, tile.width)]
    height = min(tile.height, max(1, -(-output.height * len(columns) // least)))
    rows = [range(y, min(y + height, output.height)) for y in range(0, output.height, height)]
    return rows, columns


def described(strips: list[range], parts: list[range], threads: int) -> str:
    """A text like ``94 strips of 32 rows, 2 threads``, or ``160 tiles of 185×300, 2 threads`` if lines are cut, too."""
    if not strips:
        return "nothing to compute"
    rows, count = len(strips[0]), len(strips) * len(parts)
    kind = "strip" if len(parts) == 1 else "tile"
    size = f"{rows} row{'s' * (rows > 1)}" if len(parts) == 1 else f"{rows}×{len(parts[0])}"
    used = min(count, threads)
    return f"{count} {kind}{'s' * (count > 1)} of {size}, {used} thread{'s' * (used > 1)}"


FEW_COLUMNS = 8
"""Up to this many single columns are copied one by one, which takes less time than gathering them at once."""


class Gather:
    """How the rows or the columns of a tile are gathered: one evenly spaced stretch of the image, and single ones outside it.

    `indices` are source rows, or source columns of one class (see `FilterJob.columns`), and `step` is the number of values
    from one to the next. In the stretch, the indices grow by `apart`, or, for None, by their most frequent increase. At
    most `most` single ones are copied one by one.
    """

    def __init__(
        self, indices: "NDArray[np.intp]", step: int = 1, apart: int | None = 1, most: int | None = None
    ) -> None:
        self.indices, self.step, self.most = indices, step, most
        self.run, self.apart = longest_run(indices, apart)
        self.first = int(indices[self.run.start]) if self.run else 0
        stop = (self.first + (len(self.run) - 1) * self.apart + 1) * step if self.run else 0
        self.source = slice(self.first * step, stop, self.apart)
        self.target = slice(self.run.start * step, self.run.stop * step)
        self.outside = [*range(self.run.start), *range(self.run.stop, len(indices))]

    def counted_from(self, first: int) -> "Gather":
        """The same with source rows or columns counted from `first`."""
        indices = np.where(self.indices == ZERO, ZERO, self.indices - first)
        return Gather(indices, self.step, self.apart, self.most)

    @cached_property
    def picks(self) -> "NDArray[np.intp]":
        """The source of each single one."""
        return self.indices[np.array(self.outside, np.intp)]

    @cached_property
    def copies(self) -> list[tuple[int, int]] | None:
        """The place of each single one, and the place in the stretch that it is copied from, or `ZERO`.

        None if there are too many, or if the source of one is outside the stretch.
        """
        if self.most is not None and len(self.outside) > self.most:
            return None
        found = []
        for place, pick in zip(self.outside, self.picks.tolist(), strict=True):
            ahead, rest = divmod(pick - self.first, self.apart)
            if pick != ZERO and (rest or not 0 <= ahead < len(self.run)):
                return None
            found.append((place, ZERO if pick == ZERO else self.run.start + ahead))
        return found

    @cached_property
    def kind(self) -> tuple[object, ...]:
        """A key that is equal for rows that differ only in the place of the stretch in the image."""
        return len(self.indices), self.run, None if self.copies is None else (*self.copies,)


def fill(scratch: Array, planes: Array, rows: Gather, columns: Gather) -> None:
    """Gather ``planes (P, H, W·step)`` through index maps into ``scratch (P, rows, line)``."""
    target = scratch[:, :, columns.target]
    np.copyto(target[:, rows.target], planes[:, rows.source, columns.source], casting="unsafe")
    singles = [*zip(rows.outside, rows.picks.tolist(), strict=True)]
    for place, row in singles:
        if row == ZERO:
            target[:, place] = 0
        else:
            np.copyto(target[:, place], planes[:, row, columns.source], casting="unsafe")
    if not columns.outside:
        return
    pixels = scratch.reshape(*scratch.shape[:2], -1, columns.step)
    if columns.copies is not None:
        run(_copies(pixels.swapaxes(1, 2), columns.copies))
    else:
        source = planes.reshape(*planes.shape[:2], -1, columns.step)
        values = source[:, rows.indices[:, np.newaxis], columns.picks]
        for place, row in singles:
            if row == ZERO:
                values[:, place] = 0
        values[:, :, columns.picks == ZERO] = 0
        pixels[:, :, columns.outside] = values


class Filling(NamedTuple):
    """How a tile is filled if its border can be copied from the tile itself."""

    stretches: list[tuple[slice, Array]]  # for each class of columns, its stretch of the image, and where it goes
    border: list[Step]  # copies from the stretches to the border around them


def filling(scratch: Array, rows: Gather, gathers: list[Gather]) -> Filling | None:
    """How ``scratch (planes, rows, line)`` is filled from its stretches; None if its border has to be gathered from the image."""
    stretches, border = [], list[Step]()
    for number, columns in enumerate(gathers):
        if rows.copies is None or columns.copies is None:
            return None
        part = scratch[number :: len(gathers)]
        target = part[:, :, columns.target]
        stretches.append((columns.source, target[:, rows.target]))
        pixels = part.reshape(*part.shape[:2], -1, columns.step)
        border += _copies(target, rows.copies) + _copies(pixels.swapaxes(1, 2), columns.copies)
    return Filling(stretches, border)


def _copies(places: Array, copies: list[tuple[int, int]]) -> list[Step]:
    """The steps that fill single ``places (P, places, …)`` from other places, see `Gather.copies`."""
    return [
        (places[:, place].fill, (0,)) if inside == ZERO else (np.copyto, (places[:, place], places[:, inside]))
        for place, inside in copies
    ]


def fill_lifted(
    scratch: Array, planes: Array, rows: Gather, gathers: list[Gather], lift: Lift, buffers: Buffers
) -> None:
    """Gather ``planes (P, H, W·step)`` of pixels as stored, lift them a few rows at a time, and put them into `scratch`.

    For every plane, `scratch` holds a gathered plane for each of `gathers`, in the order of `FilterJob.columns`.
    """
    classes, (_, height, line) = len(gathers), scratch.shape
    count = max(1, NEAR_VALUES // (len(planes) * line))
    for start in range(0, height, count):
        part = Gather(rows.indices[start : start + count])
        stored = buffers.get("stored", (len(planes), len(part.indices), line), planes.dtype.str)
        for number, gather in enumerate(gathers):
            fill(stored, planes, part, gather)
            lift.apply(stored, scratch[number::classes, start : start + count])


def longest_run(indices: "NDArray[np.intp]", apart: int | None = None) -> tuple[range, int]:
    """The longest run of places whose indices grow by `apart` from one to the next, without `ZERO`; and `apart`.

    By default, `apart` is the most frequent increase.
    """
    count = len(indices)
    rises = np.diff(indices)
    if apart == 1 and indices[0] != ZERO and (rises == 1).all():
        return range(count), 1
    if apart is None:
        up = rises[(rises > 0) & (indices[:-1] != ZERO)]
        apart = int(np.bincount(up).argmax()) if len(up) else 1
    breaks = np.flatnonzero((rises != apart) | (indices[:-1] == ZERO)) + 1
    edges = np.concatenate([[0], breaks, [count]])
    best = int(np.argmax(np.diff(edges)))
    start, stop = int(edges[best]), int(edges[best + 1])
    return range(start, stop if indices[start] != ZERO else start), apart
