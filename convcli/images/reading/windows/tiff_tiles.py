"""TIFF and BigTIFF, tile by tile or strip by strip, with the values that the ordinary reader gives.

What that has Pillow decode, Pillow decodes here, too: each tile as a file of its own. All else tifffile decodes, what is
deflated after it was inflated here, and never further than a tile should go.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, BinaryIO

import numpy as np
import tifffile

from convcli.errors import ImageError, shown
from convcli.images.guards import translated
from convcli.images.picture import Picture, joined
from convcli.images.reading import tiff_file, tiff_pages, tiff_pixels
from convcli.images.reading.windows.chunks import Cache, Grid
from convcli.images.reading.windows.declared import declared_pixels
from convcli.images.reading.windows.directory import Directory
from convcli.images.reading.windows.refusals import convert
from convcli.images.reading.windows.tiff_places import Places
from convcli.pointwise import Array
from convcli.system.ranges import Ranges

_JPEGS = {6, 7, 34892, 33007}
"""Compressions for which tifffile's decoder takes tables."""

_BOUNDED = {1, 2, 3, 4, 5, 8, 32773, 32946, 34925, 34926, 50000}
"""Compressions whose decoders stop where a tile should end. Of others it is looked up how large they say they are."""

_PICTURES = {7, 33003, 33004, 33005, 34712, 34887, 34927, 34933, 50001}
"""Those others."""


class File:
    """The first page of a TIFF; see `convcli.images.opened_file.WindowedFile`."""

    format = "TIFF"
    interleaved = True

    def __init__(self, ranges: Ranges, source: str, full_scale: float | None, cache_bytes: int) -> None:
        self._ranges, self._source = ranges, shown(source)
        with self._reading():
            self._directory = Directory(ranges)
            if self._directory.number(259, 1) == 6:
                raise convert(self._source, "has JPEG of the old style")
            self._places = places = Places(ranges, self._directory, self._source)
            self.chunk = places.chunk
            head = self._directory.whole(1 if places.tiled else places.count, places.changes)
            pages = tiff_pages.pages_of(tifffile.TiffFile(head), self._has)
            self._page, self.frames = pages.page(0), pages.total
            if pages.numbers[0]:
                raise convert(self._source, "has a copy of reduced size, or a mask, as its first page")
            self._said = tiff_file.said_of(self._page, head, self.frames, pages.notes)
        if self._said.orientation != 1:
            raise convert(self._source, f"has its pixels turned (orientation {self._said.orientation})", "[autorotate]")
        self._white = self._said.white or full_scale
        with self._reading():
            self._choose()
            missing = places.is_missing(0, 0)
            first, lost = self._blank() if missing else self._picture(0, 0)
            whole = tiff_file.whole(first, self._said, source, full_scale, lost)
        scene = whole.scene
        bits = self._page.bitspersample
        if self._page.dtype is not None and self._page.dtype.kind in "iu" and bits == 64:
            rounded = "integers of 64 bits are held as floating point, which rounds those beyond 9007199254740992"
            scene = replace(scene, notes=(rounded, *scene.notes))
        self.scene = replace(scene, colour_shape=(scene.channels, *places.size))
        self.unread = 0
        channels = scene.channels + scene.has_alpha
        self._cache = Cache(cache_bytes)
        self._grid = Grid(places.size, self.chunk, channels, scene.dtype, self._decoded, self._cache)
        self._cache.get((0, 0), lambda: self._pixels(first, 0, 0, missing))

    def read(self, rows: slice, columns: slice) -> Array:
        """See `WindowedFile.read`."""
        return self._grid.read(rows, columns)

    def close(self) -> None:
        """See `WindowedFile.close`."""
        self._cache.clear()
        self._ranges.close()

    def _has(self, page: Any, count: int) -> bool:
        """Whether the file has as many pictures as the first page declares, one after another."""
        if page.index or not tiff_pixels.is_direct(page):
            return False
        return self._places.is_followed(count)

    def _choose(self) -> None:
        """Who decodes: tifffile, or Pillow as the ordinary reader has it."""
        page = self._page
        self._by_pillow, self._undo = False, tiff_pixels.CODINGS.get(page.compression)
        if not tiff_pixels.is_direct(page):
            empty = self._directory.part([b""] * self._places.planes, self._places.alone(0))
            opener = partial(tiff_file.opened, empty)
            self._by_pillow = tiff_file.by_pillow(page, opener) is not None
        if self._by_pillow:
            return
        tiff_pixels.usable(np.zeros((1, 1, self._places.samples), page.dtype or np.uint8), page, self._source)
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
            missing = self._places.is_missing(row, column)
            picture, _ = self._blank() if missing else self._picture(row, column)
            return self._pixels(picture, row, column, missing)

    def _pixels(self, picture: Picture, row: int, column: int, missing: bool) -> Array:
        """The pixels of a picture of a chunk, or of one pixel for all that is missing."""
        height, width = self._places.rows(row), self._places.columns(column)
        pixels = picture.colour if picture.alpha is None else joined(picture.colour, picture.alpha)
        if missing:
            return np.broadcast_to(pixels, (len(pixels), height, width))
        return pixels[:, :height, :width]

    def _picture(self, row: int, column: int) -> tuple[Picture, tuple[str, ...]]:
        """A chunk as a picture, and what was lost of it."""
        if not self._by_pillow:
            return tiff_pixels.picture_of(self._declared(row, column), self._page, self._white), ()
        segments = [self._places.read(index) for index in self._places.indices(row, column)]
        if None in segments:
            raise ValueError("one of its planes is missing")
        return self._pillow(self._directory.part([*filter(None, segments)], self._places.alone(row)))

    def _pillow(self, stream: BinaryIO) -> tuple[Picture, tuple[str, ...]]:
        """A file of one chunk, decoded by Pillow."""
        opener = partial(tiff_file.opened, stream)
        return tiff_file.from_pillow(opener(), self._page, self._white, self._source, opener)

    def _declared(self, row: int, column: int) -> Array:
        """The samples ``(rows, columns, C)`` of a chunk, in their declared type."""
        page, parts = self._page, []
        for index in self._places.indices(row, column):
            data = self._places.read(index)
            if data is not None and self._undo is not None:
                data = self._undo().decompress(data, self._places.most)
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
        height, width = self._places.rows(row), self._places.columns(column)
        if array.shape[0] < height or array.shape[1] < width:
            raise ValueError("it is smaller than it should be")
        return tiff_pixels.usable(array[:height, :width], page, self._source)

    def _blank(self) -> tuple[Picture, tuple[str, ...]]:
        """One pixel of a tile that is not in the file: no data, or 0. And what was lost of it."""
        page = self._page
        if not self._by_pillow:
            one = np.full((1, 1, self._places.samples), page.nodata, page.dtype)
            return tiff_pixels.picture_of(tiff_pixels.usable(one, page, self._source), page, self._white), ()
        changes = {256: 1, 257: 1, 259: 1, 278: 1, 317: 0, 322: 0, 323: 0, 347: 0}
        each = self._places.samples // self._places.planes
        if page.photometric == 6:
            changes |= {262: 2, 529: 0, 530: 0, 531: 0, 532: 0}
        if page.dtype is not None and page.bitspersample in (8, 16, 32, 64):
            kind = page.dtype.newbyteorder(self._directory.layout.order)
            data = np.full(each, page.nodata, kind).tobytes()
        else:
            data = bytes(8 * each)
        return self._pillow(self._directory.part([data] * self._places.planes, changes))

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
