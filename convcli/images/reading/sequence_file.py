"""Pictures one after another in one file or pipe, as ``ffmpeg -f image2pipe`` writes them: each is a frame."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import BinaryIO, cast

from convcli.images.formats import Format, reader
from convcli.images.opened_file import ImageFile
from convcli.images.picture import Picture
from convcli.images.reading.ends import Parts


class File:
    """The pictures of a sequence; see `convcli.images.opened_file.ImageFile`. Only one is held at a time."""

    pages = True
    unread = 0
    others = False

    def __init__(
        self, stream: BinaryIO, source: str, limit: int, full_scale: float | None, row: Format, parts: Parts
    ) -> None:
        self._stream, self._source, self._limit, self._full_scale = stream, source, limit, full_scale
        self._row, self._places = row, parts.places
        self.format: str | None = row.name
        self.frames = len(parts.places)

    def picture(self, number: int = 0) -> Picture:
        """Decode a picture. The limit of pixels is for all of them together."""
        start, end = self._places[number]
        section = cast("BinaryIO", io.BufferedReader(_Section(self._stream, start, end)))
        name = self._source if self.frames == 1 else f"{self._source}, picture {number + 1}"
        file: ImageFile = reader(self._row)(section, name, self._limit, self._full_scale)
        picture = file.picture()
        self._limit -= picture.size[0] * picture.size[1]
        return replace(picture, metadata=picture.metadata._replace(frames=self.frames))

    def timing(self) -> None:
        """Nothing says how fast they follow each other."""


class _Section(io.RawIOBase):
    """A part of a stream, as a file of its own."""

    def __init__(self, stream: BinaryIO, start: int, end: int) -> None:
        self._stream, self._start, self._size, self._place = stream, start, end - start, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._place = max(0, offset + (0, self._place, self._size)[whence])
        return self._place

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        self._stream.seek(self._start + self._place)
        data = self._stream.read(max(0, min(len(buffer), self._size - self._place)))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)
