""".npy, .ppm and .pgm: a head, and pixels whose places are known from the start."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from convcli.errors import ImageError
from convcli.geometry import Size
from convcli.images.writing import netpbm
from convcli.images.writing.blocks import Layout, Receipt
from convcli.pointwise import Array
from convcli.records import NamedTuple
from convcli.system import npy
from convcli.system.files import telling
from convcli.system.parts import Joined, Part
from convcli.system.shared_file import File


class _Order(NamedTuple):
    """How a format keeps pixels."""

    head: bytes
    shape: tuple[int, int, int]  # planes, rows, values of a row: ``(C, H, W)``, or ``(1, H, W·C)``
    itemsize: int
    planes: Callable[[Array], Array]  # pixels ``(H, W, C)`` in that order
    note: str = ""

    def write(self, file: File, rows: range, columns: range, pixels: Array) -> None:
        """Write a block: row after row or, where it has whole rows, plane after plane."""
        planes = self.planes(pixels)
        _, height, width = self.shape
        first = columns.start * (planes.shape[2] // len(columns))
        for number, plane in enumerate(planes):
            parts = [plane] if plane.shape[1] == width else plane
            for row, part in zip(rows, parts, strict=False):
                place = len(self.head) + ((number * height + row) * width + first) * self.itemsize
                file.write(np.ascontiguousarray(part).data, place)


def _order(layout: Layout) -> _Order:
    channels, height, width = layout.shape
    dtype = np.dtype(layout.dtype)
    if layout.container == "NPY":
        shape = (1, *layout.shape)[4 - layout.rank :] if layout.rank > 2 else (height, width)
        return _Order(npy.head(shape, dtype), layout.shape, dtype.itemsize, lambda pixels: np.moveaxis(pixels, -1, 0))
    if channels not in (1, 3):
        raise ImageError(f"{channels} channels", "do not fit into a PPM file, which has 1 or 3", "write .tif or .npy")
    note = ""
    if channels == 3 and Path(layout.target).suffix.lower() == ".pgm":
        note, channels = netpbm.BECAME_GRAY, 1

    def planes(pixels: Array) -> Array:
        made = netpbm.stored(netpbm.gray(pixels) if note else pixels)
        return made.reshape(1, len(made), -1)

    head = netpbm.head((height, width, channels), layout.full_scale)
    return _Order(head, (1, height, width * channels), dtype.itemsize, planes, note)


class Target:
    """See `convcli.images.writing.blocks.BlockTarget`."""

    grid = Size(1, 1)

    def __init__(self, layout: Layout) -> None:
        self._target, self._order = layout.target, _order(layout)
        self.notes: tuple[str, ...] = (self._order.note,) if self._order.note else ()
        self._part = Part(layout.target, layout.source, layout.replace)

    def begin(self) -> None:
        """Make the file."""
        self._part.begin()
        with telling(self._target):
            self._file = File(self._part.descriptor)
            self._file.write(self._order.head, 0)

    def resume(self) -> None:
        """Go on with the file as it is."""
        self._part.resume()
        self._file = File(self._part.descriptor)

    def put(self, rows: range, columns: range, pixels: Array) -> Receipt:
        """Write a block to its place."""
        with telling(self._target):
            self._order.write(self._file, rows, columns, pixels)
        return []

    def commit(self, receipts: Iterable[Receipt]) -> None:
        """Give the file its name."""
        self._part.commit()

    def abandon(self) -> None:
        """Delete the file."""
        self._part.abandon()

    def close(self) -> None:
        """Let go of the file."""
        self._part.close()


class Worker:
    """Blocks of another process, which writes to the same file."""

    def __init__(self, layout: Layout) -> None:
        self._target, self._order = layout.target, _order(layout)
        self._joined = Joined(Part(layout.target), own=False)

    def put(self, rows: range, columns: range, pixels: Array) -> Receipt:
        """Write a block to its place."""
        file = self._joined.file()
        with telling(self._target):
            self._order.write(file, rows, columns, pixels)
        self._joined.sync()
        return []

    def close(self) -> None:
        """Let go of the file."""
        self._joined.close()
