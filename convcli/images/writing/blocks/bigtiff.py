"""BigTIFF, little-endian, with deflated tiles in any order and the directories last.

tifffile wants tiles in order: a late one holds up all others, and a run cannot go on. Pillow and tifffile need the whole picture.

"BigTIFF" (AWare Systems); Adobe, "TIFF Revision 6.0", section 15 (tiles); Technical Note 1 for the directories of a pyramid.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from convcli.errors import ImageError
from convcli.geometry import Size
from convcli.images.directories import IFD8, LONG, LONG8, SHORT, Directory, Entry, composed, entry
from convcli.images.writing import tiff
from convcli.images.writing.blocks import Layout, Receipt
from convcli.images.writing.blocks.levels import halved
from convcli.images.writing.blocks.tiles import SIDE, Grid, Record, Tiles, grids, record
from convcli.pointwise import Array
from convcli.system.files import telling
from convcli.system.parallel import run_all, workers
from convcli.system.parts import Joined, Part
from convcli.system.shared_file import File

_HEAD = struct.Struct("<2sHHHQ")

_COMPRESSION, _DESCRIPTION, _PREDICTOR, _REDUCED, _LEVELS = 259, 270, 317, 254, 330

Numbers = NDArray[np.uint64]


class Target:
    """See `convcli.images.writing.blocks.BlockTarget`."""

    grid = Size(SIDE, SIDE)
    notes: tuple[str, ...] = ()

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._part = Part(layout.target, layout.source, layout.replace)

    def begin(self) -> None:
        """Make the file."""
        self._part.begin()
        self._opened()
        with telling(self._layout.target):
            self._file.append(bytes(_HEAD.size))

    def resume(self) -> None:
        """Go on with the file as it is."""
        self._part.resume()
        self._opened()

    def _opened(self) -> None:
        self._file = File(self._part.descriptor)
        self._tiles = Tiles(self._layout, self._file)

    def put(self, rows: range, columns: range, pixels: Array) -> Receipt:
        """Append the tiles of a block."""
        with telling(self._layout.target):
            return self._tiles.put(rows, columns, pixels)

    def commit(self, receipts: Iterable[Receipt]) -> None:
        """Append the parts of other processes, the rest of the levels and the directories."""
        end = self._file.end
        try:
            with telling(self._layout.target):
                index = self._index(receipts)
                self._complete(index)
                self._file.write(_HEAD.pack(b"II", 43, 8, 0, self._directories(index)), 0)
        except BaseException:
            self._file.cut(end)
            self._tiles = Tiles(self._layout, self._file)  # which may know of a tile that was cut off
            raise
        self._part.commit()

    def abandon(self) -> None:
        """Delete the file, and the parts of other processes."""
        self._part.abandon()

    def close(self) -> None:
        """Let go of the file."""
        self._part.close()

    def _index(self, receipts: Iterable[Receipt]) -> Numbers:
        """The place and the length of every tile ``(tiles, 2)``; zeros where there is none."""
        last = grids(self._layout)[-1]
        index = np.zeros((last.first + last.tiles, 2), np.uint64)
        with ExitStack() as opened:
            parts: dict[str, tuple[File, int]] = {"": (self._file, 0)}
            for part, place in receipts:
                if part not in parts:
                    descriptor = os.open(self._part.other(part), os.O_RDONLY | getattr(os, "O_BINARY", 0))
                    opened.callback(os.close, descriptor)
                    source = File(descriptor)
                    parts[part] = source, self._file.take(source)
                file, base = parts[part]
                tiles = self._record(file, place)
                index[tiles[:, 0], 0] = tiles[:, 1] + np.uint64(base)
                index[tiles[:, 0], 1] = tiles[:, 2]
        return index

    def _record(self, file: File, place: int) -> Record:
        found = record(file, place)
        if found is None:
            remedy = "delete it, and begin again"
            raise ImageError(f"the unfinished '{self._part.name}'", "is damaged", remedy, f"at byte {place}")
        return found

    def _complete(self, index: Numbers) -> None:
        """Make what the blocks did not hold of the levels."""
        levels = grids(self._layout)
        whole = [bool(index[grid.first : grid.first + grid.tiles, 1].all()) for grid in levels]
        if not whole[0]:
            missing = int(np.count_nonzero(index[: levels[0].tiles, 1] == 0))
            rule = f"lacks {missing} of its {levels[0].tiles} tiles"
            raise ImageError(f"output '{self._layout.target}'", rule, "begin again")
        known = whole.index(False) if False in whole else len(whole)
        for below, grid in zip(levels[known - 1 :], levels[known:], strict=False):

            def work(number: int, below: Grid = below, grid: Grid = grid) -> None:
                pixels = halved(self._window(index, below, number // grid.across, number % grid.across))
                index[grid.first + number] = self._tiles.store(pixels, self._tiles.coding(pixels))

            run_all(work, [*range(grid.tiles)], workers(self._layout.threads))

    def _window(self, index: Numbers, grid: Grid, row: int, column: int) -> Array:
        """The pixels of a level that become a tile of the next."""
        channels = self._layout.shape[0]
        height = min(2 * SIDE, grid.size.height - 2 * SIDE * row)
        width = min(2 * SIDE, grid.size.width - 2 * SIDE * column)
        window = np.empty((2 * SIDE, 2 * SIDE, channels), self._layout.dtype)
        for y in range(0, height, SIDE):
            for x in range(0, width, SIDE):
                number = grid.first + (2 * row + y // SIDE) * grid.across + 2 * column + x // SIDE
                window[y : y + SIDE, x : x + SIDE] = self._tiles.load(*map(int, index[number]))
        return window[:height, :width]

    def _directories(self, index: Numbers) -> int:
        """Append the directories, those of the levels first. The place of the first one in the file."""
        first, *levels = (self._directory(index, grid) for grid in grids(self._layout))
        places = [self._file.append(composed(one | {_REDUCED: entry(LONG, 1)}, self._file.end, True)) for one in levels]
        layout, kind = self._layout, np.dtype(self._layout.dtype).kind
        white = layout.full_scale if kind == "f" else None
        found = tiff.described(layout.metadata, layout.shape[0], white) | first
        if places:
            text = found.get(_DESCRIPTION)
            if isinstance(text, Entry) and text.data.startswith(b'{"shape":'):  # tifffile's own, which knows no levels
                del found[_DESCRIPTION]
            found[_LEVELS] = entry(IFD8, *places)
        return self._file.append(composed(found, self._file.end, True))

    def _directory(self, index: Numbers, grid: Grid) -> Directory:
        """The tags of a level's pixels."""
        layout, channels = self._layout, self._layout.shape[0]
        bands = tiff.bands_of(channels, layout.space, layout.metadata)._replace(separate=False)
        found = tiff.layout_of((*grid.size, channels), np.dtype(layout.dtype), bands)
        if layout.compression == 0:
            found |= {_COMPRESSION: entry(SHORT, 1), _PREDICTOR: entry(SHORT, 1)}
        places, lengths = index[grid.first : grid.first + grid.tiles].T
        sides = {tag: entry(LONG, SIDE) for tag in (322, 323)}
        return found | sides | {324: Entry(LONG8, _bytes(places, "<u8")), 325: Entry(LONG, _bytes(lengths, "<u4"))}


class Worker:
    """Blocks of another process: they go to a part of its own, which `Target.commit` appends."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._joined = Joined(Part(layout.target), own=True)
        self._made: tuple[File, Tiles] | None = None

    def put(self, rows: range, columns: range, pixels: Array) -> Receipt:
        """Append the tiles of a block."""
        made, file = self._made, self._joined.file()
        if made is None or made[0] is not file:
            self._made = made = file, Tiles(self._layout, file)
        with telling(self._layout.target):
            receipt = made[1].put(rows, columns, pixels)
        self._joined.sync()
        return receipt

    def close(self) -> None:
        """Let go of the part."""
        self._joined.close()


def _bytes(numbers: Numbers, dtype: str) -> bytes:
    return numbers.astype(dtype).tobytes()
