"""PBM, PGM and PPM files: the file's own values, whose white is what its header says.

Netpbm, "PGM Format Specification" and its sisters: https://netpbm.sourceforge.net/doc/
"""

from __future__ import annotations

import re
import sys
from math import prod
from typing import Any, BinaryIO, cast

import numpy as np

from convcli.images import prefetch
from convcli.images.guards import check_pixels, decoding
from convcli.images.picture import Metadata, Picture
from convcli.images.reading.ends import netpbm_header
from convcli.images.reading.planes import completed, planes_of
from convcli.pointwise import Array

_COMMENT = re.compile(rb"#[^\r\n]*")


class File:
    """The picture of a PBM, PGM or PPM file; see `convcli.images.opened_file.ImageFile`."""

    format: str | None = "PPM"
    frames = 1
    pages = False
    unread = 0
    others = False

    def __init__(self, stream: BinaryIO, source: str, limit: int, full_scale: float | None = None) -> None:
        self._stream, self._source, self._limit, self._full_scale = stream, source, limit, full_scale
        with decoding(source, limit):
            self._header = netpbm_header(stream, 0)
            if self._header is None or not 0 < self._header.white < 65536:
                raise ValueError("its header is damaged")
        samples = self._header.bands * (2 if self._header.white > 255 else 1)
        in_text = 9 * samples if self._header.kind in b"123" else 0  # the numbers, of 64 bits, and their letters
        check_pixels(source, self._header.width * self._header.height, limit, samples + in_text)

    def picture(self, number: int = 0) -> Picture:
        """Decode the picture. One bit becomes 0 or 255."""
        assert self._header is not None
        with decoding(self._source, self._limit):
            kind, _, _, bands, white, place = self._header
            self._stream.seek(place)
            notes: tuple[str, ...] = ()
            if kind in b"14":
                samples, white = self._bits(kind == b"1"), 255
            else:
                samples, beyond = self._numbers() if kind in b"23" else (self._bytes(), 0)
                if white not in (255, 65535):  # which no sample exceeds
                    beyond = beyond or int(np.count_nonzero(samples > white))
                    np.minimum(samples, samples.dtype.type(white), out=samples)
                if beyond:
                    notes = (
                        f"values above {white}, the largest that its header allows, are read as {white}: {beyond}",
                    )
            array = samples if bands > 1 else samples[..., 0]
            planes = planes_of(array, "gray" if bands == 1 else "rgb", float(white))
        return completed(planes, self._source, self._full_scale, Metadata(self.format), notes)

    def timing(self) -> None:
        """Nothing moves."""

    def _new(self) -> Array:
        """Room for the samples ``(H, W, C)``."""
        assert self._header is not None
        _, width, height, bands, white, _ = self._header
        return np.empty((height, width, bands), np.uint8 if white < 256 else np.uint16)

    def _bytes(self) -> Array:
        array = self._ahead()
        if array is not None:
            return array
        array = self._new()
        if cast("Any", self._stream).readinto(array.view(np.uint8).data) != array.nbytes:
            raise OSError("it is truncated")
        if array.itemsize == 2 and sys.byteorder == "little":
            array.byteswap(inplace=True)
        return array

    def _ahead(self) -> Array | None:
        """The samples of a file that was read ahead; None if it was not."""
        assert self._header is not None
        _, width, height, bands, white, place = self._header
        shape = height, width, bands
        stored = np.dtype(np.uint8 if white < 256 else ">u2")
        content = prefetch.content(self._stream)  # taken in any case: it is not kept until the command ends
        if content is None or len(content) < place + prod(shape) * stored.itemsize:
            return None
        array = np.frombuffer(content, stored, prod(shape), place).reshape(shape)
        return array if white < 256 else array.astype(np.uint16)

    def _numbers(self) -> tuple[Array, int]:
        """The samples, and how many of them exceed white."""
        assert self._header is not None
        array = self._new()
        text = _COMMENT.sub(b" ", self._stream.read())
        numbers = np.fromstring(text, np.int64, sep=" ")[: array.size]
        if numbers.size < array.size:
            raise OSError("it is truncated, or a number is damaged")
        if numbers.size and numbers.min() < 0:
            raise ValueError("a number is negative")
        array[...] = np.minimum(numbers, self._header.white).reshape(array.shape)
        return array, int(np.count_nonzero(numbers > self._header.white))

    def _bits(self, in_text: bool) -> Array:
        """1 is black; rows of bits begin with a byte, and digits need no space between them."""
        assert self._header is not None
        _, width, height, *_ = self._header
        if in_text:
            digits = b"".join(_COMMENT.sub(b" ", self._stream.read()).split())[: width * height]
            bits = np.frombuffer(digits, np.uint8) - np.uint8(48)
            if (bits > 1).any():
                raise ValueError("a bit is neither 0 nor 1")
        else:
            row = (width + 7) // 8
            data = np.frombuffer(self._stream.read(row * height), np.uint8)
            bits = np.unpackbits(data[: len(data) // row * row].reshape(-1, row), axis=1, count=width)
        if bits.size < width * height:
            raise OSError("it is truncated")
        return np.asarray(np.uint8(255) - bits.reshape(height, width, 1) * np.uint8(255))
