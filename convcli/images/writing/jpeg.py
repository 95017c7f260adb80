"""JPEG files, encoded strip by strip on all cores.

Pillow encodes on one core. Here it encodes strips, each as a file of its own, whose coded pixels are put together: a strip is a
restart interval of the whole, before which the differences of mean values begin anew, so that every coefficient is what it would
be in one piece. A restart marker takes two bytes. Progressive pictures, whose coded pixels go through the whole several times, are
left to Pillow.

ITU-T T.81, "Digital Compression and Coding of Continuous-tone Still Images": B.2.1 (restart markers between intervals, numbered
modulo 8), B.2.2 (frame header), B.2.4.1 (quantization tables), B.2.4.4 (restart interval), A.2 (blocks of an interval).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.geometry import Size
from convcli.images.writing import Frame, Job, through_pillow
from convcli.images.writing.storage import Storage, image_of
from convcli.images.writing.strips import Strips
from convcli.pointwise import Array
from convcli.records import NamedTuple

if TYPE_CHECKING:
    from convcli.images.picture import Metadata

STRIP_PIXELS = 1 << 19
"""About how many pixels one thread encodes at a time: enough to be worth the start of an encoder. The number of units in an
interval has 16 bits in the file. It is about 8192, and 16,376 in 16 rows of the widest picture with units of 8×8."""

TALLEST = 16
"""The most rows of a unit: strips are multiples of it."""

SOS, DRI, RST0, END = 0xDA, 0xDD, 0xD0, b"\xff\xd9"
FRAMES = 0xC0, 0xC1
"""The markers of frames that are coded in one scan: baseline and extended."""

SAMPLINGS = Size(8, 8), Size(8, 16), Size(16, 16)
"""Rows and columns of a unit for Pillow's numbers of subsampling: 4:4:4, 4:2:2, 4:2:0."""


def coding_of(metadata: Metadata, quality: int | None) -> dict[str, Any]:
    """Pillow's options: a JPEG that is made from a JPEG keeps its tables and subsampling, which means its quality and size."""
    source = metadata.jpeg
    if source is None:
        return {"quality": quality or through_pillow.QUALITY}
    told: dict[str, Any] = {"qtables": source.tables} if quality is None else {"quality": quality}
    if source.subsampling is not None:
        told["subsampling"] = source.subsampling
    if source.progressive:
        told["progressive"] = True
    return told


def write(frames: Iterator[Frame], job: Job) -> None:
    """Write a picture."""
    frame = next(frames)
    coding = coding_of(frame.metadata, job.settings.quality)
    strips = job.strips
    if strips is None:  # it was not begun while the picture was computed
        height, width, channels = frame.pixels.shape
        strips = begin(job, frame.storage, (channels, height, width), frame.metadata)
    if isinstance(strips, Encoder):
        assert strips.coding == coding
        strips.finish(frame.pixels, job.threads)
        parts = strips.file(coding | through_pillow.described(frame))
        if parts:
            job.write(parts)
            return
    through_pillow.save(iter([frame]), job, coding)


def begin(job: Job, storage: Storage, shape: tuple[int, int, int], metadata: Metadata) -> Encoder | None:
    """What encodes a picture ``(C, H, W)``; None if it is small, progressive, or has `_deep` tables."""
    coding = coding_of(metadata, job.settings.quality)
    _, height, width = shape
    rows = max(TALLEST, STRIP_PIXELS // width // TALLEST * TALLEST)
    if rows >= height or "progressive" in coding or _deep(coding):
        return None
    return Encoder(job, storage, Size(height, width), rows, coding)


def _deep(coding: dict[str, Any]) -> bool:
    """Whether quantization tables need 16 bits. libjpeg warns of these on standard error, which threads do not redirect."""
    return any(max(table) > 255 for table in coding.get("qtables", {}).values())


class Encoder(Strips):
    """Strips of a picture as the coded pixels of a JPEG.

    Parameters
    ----------
    job : Job
    storage : Storage
        How the picture is stored; its space is gray, rgb or cmyk.
    size : Size
    rows : int
        Rows of a strip, a multiple of `TALLEST`.
    coding : dict
        Pillow's options of how it is coded.
    """

    def __init__(self, job: Job, storage: Storage, size: Size, rows: int, coding: dict[str, Any]) -> None:
        super().__init__(size.height, rows)
        self.coding, self._job, self._space, self._size = coding, job, storage.space, size
        usual = {"gray": 0, "rgb": 2, "cmyk": 0}[storage.space]
        self._unit = SAMPLINGS[0 if storage.space == "gray" else coding.get("subsampling", usual)]
        self._interval = rows // self._unit.height * -(-size.width // self._unit.width)
        self._coded: dict[int, bytes | memoryview] = {}

    def put(self, number: int, pixels: Array) -> None:
        """Encode a strip."""
        data = self._encoded(pixels, self.coding)
        self._coded[number] = memoryview(data)[_head(data).end : -len(END)]

    def file(self, options: dict[str, Any]) -> list[bytes | memoryview] | None:
        """The parts of the file, with these options of Pillow, metadata among them; None if its head is not as expected."""
        least = np.zeros((1, 1, 4 if self._space == "cmyk" else 3 if self._space == "rgb" else 1), np.uint8)
        data = bytearray(self._encoded(least, options))
        head = _head(data)
        if (head.unit, head.interval) != (self._unit, self._interval):
            return None
        struct.pack_into(">HH", data, head.size, *self._size)
        parts: list[bytes | memoryview] = [memoryview(data)[: head.end]]
        for number in range(len(self.strips)):
            if number:
                parts.append(bytes((0xFF, RST0 + (number - 1) % 8)))
            parts.append(self._coded[number])
        return [*parts, END]

    def _encoded(self, pixels: Array, options: dict[str, Any]) -> bytes:
        options = {**options, "restart_marker_blocks": self._interval}
        return through_pillow.encoded(image_of(pixels, self._space), self._job, options)


class _Head(NamedTuple):
    """What comes before the coded pixels."""

    end: int  # where they begin
    size: int = 0  # where its frame says its height and width
    unit: Size = Size(0, 0)  # rows and columns of the smallest part that is coded at once; 0: the coding is another one
    interval: int = 0  # units of a restart interval


def _head(data: bytes | bytearray) -> _Head:
    place, size, unit, interval = 2, 0, Size(0, 0), 0
    while True:
        _, marker, length = struct.unpack_from(">BBH", data, place)
        if marker in FRAMES:
            size, count = place + 5, data[place + 9]
            factors = data[place + 11 : place + 10 + 3 * count : 3]
            across, down = (max(factor >> 4 for factor in factors), max(factor & 15 for factor in factors))
            unit = Size(8, 8) if count == 1 else Size(8 * down, 8 * across)
        elif marker == DRI:
            (interval,) = struct.unpack_from(">H", data, place + 4)
        place += 2 + length
        if marker == SOS:
            return _Head(place, size, unit, interval)
