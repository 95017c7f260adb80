"""TIFF and BigTIFF, tile by tile or strip by strip, with the values that the ordinary reader gives.

What that has Pillow decode, Pillow decodes here, too: each tile as a file of its own. All else tifffile decodes, what is
deflated after it was inflated here, and never further than a tile should go.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from math import ceil
from typing import Any, BinaryIO

import numpy as np
import tifffile

from convcli.errors import ImageError
from convcli.geometry import Size
from convcli.images.guards import translated
from convcli.images.picture import Picture, joined
from convcli.images.reading import tiff_file, tiff_pixels
from convcli.images.reading.windows.chunks import Cache, Grid
from convcli.images.reading.windows.declared import declared_pixels
from convcli.images.reading.windows.directory import STRIPS, TILES, Directory, Table
from convcli.images.reading.windows.refusals import convert
from convcli.pointwise import Array
from convcli.system.stores import Ranges, shown

MOST_BYTES = 1 << 30
"""A tile or a strip has no more bytes when it is decoded."""

_ROWS_BYTES = 1 << 19
"""Strips that are not compressed are read in parts of about this size."""

_JPEGS = {6, 7, 34892, 33007}
"""Compressions for which tifffile's decoder takes tables."""

_BOUNDED = {1, 2, 3, 4, 5, 7, 8, 32773, 32946, 34925, 34926, 50000}
"""Compressions whose decoders stop where a tile should end. Of others it is looked up how large they say they are."""

_PICTURES = {33003, 33004, 33005, 34712, 34887, 34927, 34933, 50001}
"""Those others."""


class File:
    """The first page of a TIFF; see `convcli.images.picture.WindowedFile`."""

    format = "TIFF"
    interleaved = True

    def __init__(self, ranges: Ranges, source: str, full_scale: float | None, cache_bytes: int) -> None:
        self._ranges, self._source = ranges, shown(source)
        with self._reading():
            self._directory = Directory(ranges)
            number = self._directory.number
            if number(65420, 0):
                raise convert(self._source, "is an NDPI file")
            if number(259, 1) == 6:
                raise convert(self._source, "has JPEG of the old style")
            size = Size(number(257, 0), number(256, 0))
            if min(size) < 1:
                raise ValueError("it has no width or no height")
            self.frames = self._directory.pages
            self._cut(size, number)
            head = self._directory.whole(1 if TILES[0] in self._directory.tables else self._cells, self._changes)
            self._page: Any = tifffile.TiffFile(head).pages[0]
            self._said = tiff_file.said_of(self._page, head, self.frames)
        if self._said.orientation != 1:
            raise convert(self._source, f"has its pixels turned (orientation {self._said.orientation})", "[autorotate]")
        self._white = self._said.white or full_scale
        with self._reading():
            self._choose()
            missing = self._is_missing(0, 0)
            first, lost = self._blank() if missing else self._picture(0, 0)
            whole = tiff_file.whole(first, self._page, self._said, source, full_scale, lost)
        scene = whole.scene
        bits = self._page.bitspersample
        if self._page.dtype is not None and self._page.dtype.kind in "iu" and bits == 64:
            rounded = "integers of 64 bits are held as floating point, which rounds those beyond 9007199254740992"
            scene = replace(scene, notes=(rounded, *scene.notes))
        self.scene = replace(scene, colour_shape=(scene.channels, *size))
        self.unread = 0
        channels = scene.channels + scene.has_alpha
        self._cache = Cache(cache_bytes)
        self._grid = Grid(size, self.chunk, channels, scene.dtype, self._decoded, self._cache)
        self._cache.get((0, 0), lambda: self._pixels(first, 0, 0, missing))

    def read(self, rows: slice, columns: slice) -> Array:
        """See `WindowedFile.read`."""
        return self._grid.read(rows, columns)

    def close(self) -> None:
        """See `WindowedFile.close`."""
        self._cache.clear()
        self._ranges.close()

    # How it is cut

    def _cut(self, size: Size, number: Any) -> None:
        """The tiles or strips, held against the tables of their places."""
        tables, across = self._directory.tables, 1
        self._samples = number(277, 1)
        self._planes = self._samples if number(284, 1) == 2 else 1
        self._changes = {}
        self._strip = 0  # rows of a strip of the file, if it is read in parts
        depths = self._directory.numbers(258, self._samples) or [1]
        pixel = sum(depths) if len(depths) == self._samples else depths[0] * self._samples  # bits, of all planes
        row_bytes = ceil(size.width * ceil(pixel / self._planes) / 8)
        if TILES[0] in tables:
            chunk, tags = Size(number(323, 0), number(322, 0)), TILES
            if min(chunk) < 1:
                raise ValueError("its tiles have no width or no height")
            across = ceil(size.width / chunk.width)
        else:
            rows, tags = min(number(278, size.height) or size.height, size.height), STRIPS
            if number(259, 1) == 1 and number(262, 1) != 6 and rows * row_bytes > _ROWS_BYTES:
                self._strip = rows
                rows = _part(rows, max(1, _ROWS_BYTES // row_bytes), rows >= size.height)
                self._changes = {278: rows}
            chunk = Size(rows, size.width)
        if tags[0] not in tables:
            raise ValueError("it does not say where its pixels are")
        self.chunk, self._across = chunk, across
        down = ceil(size.height / chunk.height)
        self._cells = down * across * self._planes
        self._stored = ceil(size.height / self._strip) * self._planes if self._strip else self._cells
        self._row_bytes = row_bytes
        self._most = max(1, chunk.height * ceil(chunk.width * max(1, pixel) / 8))
        if self._most > MOST_BYTES:
            kind = "tiles" if across > 1 or tags is TILES else "strips"
            raise convert(self._source, f"has {kind} of {self._most / 2**30:.1f} GiB, more than 1")
        self._places: Table = tables[tags[0]]
        self._counts: Table | None = tables.get(tags[1])
        for table in filter(None, (self._places, self._counts)):
            if table.count < self._stored:
                raise ValueError(f"{table.count} of {self._stored} strips or tiles are there")
        if self._counts is None and self._stored > 1 and number(259, 1) != 1:
            raise ValueError("it does not say how long its strips or tiles are")

    def _choose(self) -> None:
        """Who decodes: tifffile, or Pillow as the ordinary reader has it."""
        page = self._page
        self._by_pillow, self._undo = False, tiff_pixels.CODINGS.get(page.compression)
        if not tiff_pixels.is_direct(page):
            rows = min(self.chunk.height, page.imagelength)
            opener = partial(tiff_file.opened, self._part([b""] * self._planes, rows))
            self._by_pillow = tiff_file.by_pillow(page, opener) is not None
        if self._by_pillow:
            return
        tiff_pixels.usable(np.empty((1, 1, self._samples), page.dtype or np.uint8), page, self._source)
        if page.compression not in (*_BOUNDED, *_PICTURES):
            raise convert(self._source, f"is compressed by {getattr(page.compression, 'name', page.compression)}")
        if page.imagedepth > 1:
            raise ImageError(f"input '{self._source}'", "is a volume", "save its slices as pages")
        self._pictures = page.compression in _PICTURES
        self._tables = {"jpegtables": page.jpegtables} if page.compression in _JPEGS else {}
        if self._undo is not None:
            page.compression = 1  # the decoder gets what is not compressed any more
        with tiff_pixels.codec_needed(page, self._source):
            page.decode  # noqa: B018 (made once, before threads need it)

    # The pixels

    def _decoded(self, row: int, column: int) -> Array:
        """The pixels ``(C, rows, columns)`` of a chunk, alpha last."""
        with self._reading(f"the tile at {row * self.chunk.height},{column * self.chunk.width}: "):
            missing = self._is_missing(row, column)
            picture, _ = self._blank() if missing else self._picture(row, column)
            return self._pixels(picture, row, column, missing)

    def _pixels(self, picture: Picture, row: int, column: int, missing: bool) -> Array:
        """The pixels of a picture of a chunk, or of one pixel for all that is missing."""
        height, width = self._extent(row, column)
        pixels = picture.colour if picture.alpha is None else joined(picture.colour, picture.alpha)
        if missing:
            return np.broadcast_to(pixels, (len(pixels), height, width))
        return pixels[:, :height, :width]

    def _extent(self, row: int, column: int) -> Size:
        height, width = self.scene.size
        return Size(
            min(self.chunk.height, height - row * self.chunk.height),
            min(self.chunk.width, width - column * self.chunk.width),
        )

    def _picture(self, row: int, column: int) -> tuple[Picture, tuple[str, ...]]:
        """A chunk as a picture, and what was lost of it."""
        if not self._by_pillow:
            return tiff_pixels.picture_of(self._declared(row, column), self._page, self._white), ()
        segments = [self._bytes(index) for index in self._indices(row, column)]
        if None in segments:
            raise ValueError("one of its planes is missing")
        rows = min(self.chunk.height, self._page.imagelength - row * self.chunk.height)
        return self._pillow(self._part([*filter(None, segments)], rows))

    def _pillow(self, stream: BinaryIO) -> tuple[Picture, tuple[str, ...]]:
        """A file of one chunk, decoded by Pillow."""
        opener = partial(tiff_file.opened, stream)
        return tiff_file.from_pillow(opener(), self._page, self._white, self._source, opener)

    def _part(self, segments: list[bytes], rows: int) -> BinaryIO:
        """A file of one chunk."""
        if TILES[0] in self._directory.tables:
            return self._directory.part(segments, {256: self.chunk.width, 257: self.chunk.height})
        return self._directory.part(segments, {257: rows, 278: rows})

    def _declared(self, row: int, column: int) -> Array:
        """The samples ``(rows, columns, C)`` of a chunk, in their declared type."""
        page, parts = self._page, []
        for index in self._indices(row, column):
            data = self._bytes(index)
            if data is not None and self._undo is not None:
                data = self._undo().decompress(data, self._most)
            if data is not None and self._pictures and (said := declared_pixels(data)) is not None:
                most = 2 * self.chunk.height * self.chunk.width  # some are a little larger
                if said > most:
                    raise ValueError(f"it says that it has {said} pixels, more than {most}")
            with tiff_pixels.codec_needed(page, self._source):
                segment, _, shape = page.decode(data, index, **self._tables)
            rows, columns = shape[1:3]
            parts.append(np.full((rows, columns, shape[3]), page.nodata, page.dtype) if segment is None else segment[0])
        if len(parts) == 1:
            array: Array = parts[0]
        else:
            least = min(part.shape[0] for part in parts), min(part.shape[1] for part in parts)
            array = np.concatenate([part[: least[0], : least[1]] for part in parts], axis=2)
        height, width = (
            min(self.chunk.height, page.imagelength - row * self.chunk.height),
            min(self.chunk.width, page.imagewidth - column * self.chunk.width),
        )
        if array.shape[0] < height or array.shape[1] < width:
            raise ValueError("it is smaller than it should be")
        return tiff_pixels.usable(array[:height, :width], page, self._source)

    def _blank(self) -> tuple[Picture, tuple[str, ...]]:
        """One pixel of a tile that is not in the file: no data, or 0. And what was lost of it."""
        page = self._page
        if not self._by_pillow:
            one = np.full((1, 1, self._samples), page.nodata, page.dtype)
            return tiff_pixels.picture_of(one, page, self._white), ()
        changes = {256: 1, 257: 1, 259: 1, 278: 1, 317: 0, 322: 0, 323: 0, 347: 0}
        each = self._samples // self._planes
        if page.photometric == 6:
            changes |= {262: 2, 529: 0, 530: 0, 531: 0, 532: 0}
        if page.dtype is not None and page.bitspersample in (8, 16, 32, 64):
            kind = page.dtype.newbyteorder(self._directory.layout.order)
            data = np.full(each, page.nodata, kind).tobytes()
        else:
            data = bytes(8 * each)
        return self._pillow(self._directory.part([data] * self._planes, changes))

    def _indices(self, row: int, column: int) -> range:
        """The tiles or strips of a chunk, one for each plane."""
        cells = self._cells // self._planes
        return range(row * self._across + column, self._cells, cells)

    def _is_missing(self, row: int, column: int) -> bool:
        return all(not (place and length) for place, length, _ in map(self._where, self._indices(row, column)))

    def _where(self, index: int) -> tuple[int, int, int]:
        """The place and the length of a tile or strip, and how many bytes before the part that is wanted."""
        ahead, stored = 0, index
        if self._strip:
            plane, part = divmod(index, self._cells // self._planes)
            strip, row = divmod(part * self.chunk.height, self._strip)
            ahead, stored = row * self._row_bytes, plane * (self._stored // self._planes) + strip
        place = self._places[stored]
        length = self._ranges.size - place if self._counts is None else self._counts[stored]
        return place, length, ahead

    def _bytes(self, index: int) -> bytes | None:
        """The bytes of a tile or strip; None if the file does not have it."""
        place, length, ahead = self._where(index)
        if not (place and length):
            return None
        if self._page.compression == 1 and self._undo is None:
            length, place = max(0, length - ahead), place + ahead
            length = min(length, self.chunk.height * self._row_bytes if self._strip else length, MOST_BYTES)
        if length > MOST_BYTES:
            raise ValueError(f"it has {length} bytes")
        if place + length > self._ranges.size and self._counts is not None:
            raise ValueError("it lies beyond the end of the file")
        return self._ranges.read(place, length)

    @contextmanager
    def _reading(self, where: str = "") -> Iterator[None]:
        """Turn errors of damaged files into an `ImageError`, in any thread."""
        try:
            with translated(self._source):
                yield
        except ImageError as error:
            if where and error.rule == "cannot be decoded":
                raise ImageError(error.value, error.rule, error.remedy, where + error.why) from None
            raise


def _part(rows: int, wanted: int, alone: bool) -> int:
    """How many rows of a strip are read at a time: those of a strip must be a multiple of them, unless it is `alone`."""
    wanted = min(rows, wanted)
    return wanted if alone else next(part for part in range(wanted, 0, -1) if rows % part == 0)
