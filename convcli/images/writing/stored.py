"""Files of pixels as they are, ``.npy``, ``.ppm`` and ``.pgm``: a head, and places that are known from the start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convcli.errors import ImageError
from convcli.images.writing import netpbm
from convcli.images.writing.strips import Strips
from convcli.pointwise import Array
from convcli.records import NamedTuple
from convcli.system import npy
from convcli.system.files import telling
from convcli.system.shared_file import File

STRIP_BYTES = netpbm.PIECE_BYTES
"""About how many bytes of a plane are written at a time."""


class Order(NamedTuple):
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
            whole = plane.shape[1] == width
            for row, part in [(rows.start, plane)] if whole else zip(rows, plane, strict=True):
                place = len(self.head) + ((number * height + row) * width + first) * self.itemsize
                file.write(np.ascontiguousarray(part).data, place)


def order_of(
    container: str, ending: str, shape: tuple[int, int, int], dtype: np.dtype[Any], full_scale: float, rank: int = 3
) -> Order:
    """The order of a picture ``(C, H, W)`` in a file. `rank` of a .npy: 2 without the axis of channels, 4 with one for a batch."""
    channels, height, width = shape
    if container == "NPY":
        whole = (1, *shape)[4 - rank :] if rank > 2 else (height, width)
        return Order(npy.head(whole, dtype), shape, dtype.itemsize, lambda pixels: np.moveaxis(pixels, -1, 0))
    if channels not in (1, 3):
        raise ImageError(f"{channels} channels", "do not fit into a PPM file, which has 1 or 3", "write .tif or .npy")
    note = ""
    if channels == 3 and ending == ".pgm":
        note, channels = netpbm.BECAME_GRAY, 1

    def planes(pixels: Array) -> Array:
        made = netpbm.stored(netpbm.gray(pixels) if note else pixels)
        return made.reshape(1, len(made), -1)

    head = netpbm.head((height, width, channels), full_scale)
    return Order(head, (1, height, width * channels), dtype.itemsize, planes, note)


class Places(Strips):
    """Strips that are written to their places in a file, which is open for writing."""

    def __init__(self, target: str, descriptor: int, order: Order, width: int) -> None:
        super().__init__(order.shape[1], max(1, STRIP_BYTES // (order.shape[2] * order.itemsize)))
        self._target, self._order, self._columns, self._file = target, order, range(width), File(descriptor)
        with telling(target):
            self._file.write(order.head, 0)

    def put(self, number: int, pixels: Array) -> None:
        """Write a strip."""
        with telling(self._target):
            self._order.write(self._file, self.strips[number], self._columns, pixels)
