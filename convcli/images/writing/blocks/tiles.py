"""Tiles of a BigTIFF: encoded, appended to a file, and listed in a record behind those of their block."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from convcli.geometry import Size
from convcli.images.writing.blocks import Layout, Receipt, check_place
from convcli.images.writing.blocks.levels import halved, held, sizes
from convcli.images.writing.tiff import Coding, coding_of, deflated, predictor_of
from convcli.pointwise import Array
from convcli.records import NamedTuple
from convcli.system.shared_file import File

SIDE = 512
"""Rows and columns of a tile."""

Record = NDArray[np.uint64]
"""Tiles ``(N, 3)``: number, place, length."""

_RECORD = struct.Struct("<8sQI")
_MAGIC = b"\nTILES\n\0"


class Grid(NamedTuple):
    """The tiles of a level. They are numbered from left to right and from top to bottom, level after level."""

    size: Size
    across: int
    first: int  # the number of the first

    @property
    def tiles(self) -> int:
        """How many there are."""
        return self.across * -(-self.size.height // SIDE)


def grids(layout: Layout) -> list[Grid]:
    """The tiles of the picture and of its levels."""
    found: list[Grid] = []
    for size in sizes(layout.size, layout.pyramid):
        first = found[-1].first + found[-1].tiles if found else 0
        found.append(Grid(size, -(-size.width // SIDE), first))
    return found


class Tiles:
    """Encodes tiles and appends them to a file.

    Parameters
    ----------
    layout : Layout
        Of the picture.
    file : File
        Its name is that in receipts.
    """

    def __init__(self, layout: Layout, file: File) -> None:
        self._dtype, self._channels, self._level = np.dtype(layout.dtype), layout.shape[0], layout.compression
        self._file, self._grids = file, grids(layout)
        self._black: tuple[int, int] | None = None

    def put(self, rows: range, columns: range, pixels: Array) -> Receipt:
        """See `convcli.images.writing.blocks.Blocks.put`. The receipt has the file, and the place of the record in it."""
        check_place(rows, columns, Size(SIDE, SIDE), self._grids[0].size)
        coding = self.coding(pixels)
        most = held(rows, columns, self._grids[0].size, SIDE, len(self._grids) - 1)
        listed = []
        for level, grid in enumerate(self._grids[: 1 + most]):
            if level:
                pixels = halved(pixels)
            top, left = (rows.start >> level) // SIDE, (columns.start >> level) // SIDE
            height, width, _ = pixels.shape
            for y in range(0, height, SIDE):
                first = grid.first + (top + y // SIDE) * grid.across + left
                listed += [
                    (first + x // SIDE, *self.store(pixels[y : y + SIDE, x : x + SIDE], coding))
                    for x in range(0, width, SIDE)
                ]
        data = np.array(listed, "<u8").tobytes()
        return [self._file.name, self._file.append(_RECORD.pack(_MAGIC, len(listed), zlib.crc32(data)) + data)]

    def coding(self, pixels: Array) -> Coding | None:
        """The coding of pixels; None if samples are written as they are."""
        return coding_of(pixels, self._level) if self._level != 0 else None

    def store(self, pixels: Array, coding: Coding | None) -> tuple[int, int]:
        """Append a tile of pixels ``(H, W, C)``, which is filled up to its full sides. Its place and its length.

        All tiles of nothing but zeros share one place.
        """
        if pixels.shape[:2] != (SIDE, SIDE):
            whole = np.zeros((SIDE, SIDE, self._channels), self._dtype)
            whole[: pixels.shape[0], : pixels.shape[1]] = pixels
            pixels = whole
        pixels = np.ascontiguousarray(pixels)
        black = not pixels.reshape(-1).view(np.uint64).any()  # all bits: -0.0 is no zero
        if black and self._black is not None:
            return self._black
        little = self._dtype.newbyteorder("<")
        data = deflated(pixels, coding) if coding else pixels.astype(little, copy=False).tobytes()
        stored = self._file.append(data), len(data)
        if black:
            self._black = stored
        return stored

    def load(self, place: int, length: int) -> Array:
        """A tile as it was stored, ``(SIDE, SIDE, C)``."""
        data = self._file.read(length, place)
        if self._level != 0:
            data = zlib.decompress(data)
        pixels = np.frombuffer(data, self._dtype.newbyteorder("<")).reshape(SIDE, SIDE, self._channels)
        pixels = pixels.astype(self._dtype, copy=False)
        differences = self._level != 0 and predictor_of(self._dtype) == 2
        return np.cumsum(pixels, axis=1, dtype=self._dtype) if differences else pixels


def record(file: File, place: int) -> Record | None:
    """The record at a place of a file; None if it is damaged."""
    head = file.read(_RECORD.size, place)
    if len(head) < _RECORD.size:
        return None
    magic, count, check = _RECORD.unpack(head)
    if magic != _MAGIC or 24 * count > file.size:
        return None
    data = file.read(24 * count, place + _RECORD.size)
    return np.frombuffer(data, "<u8").reshape(-1, 3) if zlib.crc32(data) == check else None
