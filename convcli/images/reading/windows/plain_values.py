"""Files whose values lie in them as they are: .npy tensors, binary PGM and PPM. Of a window only its own bytes are read."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any, cast

import numpy as np

from convcli.errors import ImageError, shown
from convcli.geometry import Size
from convcli.images.formats import TENSOR, row_of
from convcli.images.guards import translated
from convcli.images.opened_file import Scene
from convcli.images.picture import Metadata, Picture
from convcli.images.reading import ends
from convcli.images.reading.npy_file import check_shape, white_of
from convcli.images.reading.planes import completed, planes_of
from convcli.images.reading.windows.refusals import convert, damaged
from convcli.pointwise import Array
from convcli.records import NamedTuple
from convcli.system import npy
from convcli.system.ranges import Ranges, as_stream

_PIECE_BYTES = 4 << 20
"""Bytes of whole lines that are read at a time."""


class Lines(NamedTuple):
    """Where values are: planes of lines, all of one length, without gaps."""

    place: int  # of the first value, in bytes
    planes: int
    lines: int  # of a plane
    length: int  # of a line, in values
    dtype: np.dtype[Any]  # as in the file

    def read(self, ranges: Ranges, lines: slice, values: slice) -> Array:
        """Some values of some lines of all planes, ``(planes, lines, values)``."""
        out = np.empty((self.planes, lines.stop - lines.start, values.stop - values.start), self.dtype)
        if not out.size:
            return out
        size = self.dtype.itemsize
        line, part = self.length * size, out.shape[2] * size
        whole = 2 * part >= line
        step = max(1, _PIECE_BYTES // (line if whole else part))
        for plane in range(self.planes):
            start = self.place + (plane * self.lines + lines.start) * line
            for first in range(0, out.shape[1], step):
                count = min(step, out.shape[1] - first)
                if whole:
                    data = ranges.read(start + first * line, count * line)
                    found = np.frombuffer(data, self.dtype).reshape(count, -1)[:, values]
                else:
                    at = start + first * line + values.start * size
                    pieces = ranges.read_many([at + one * line for one in range(count)], part)
                    found = np.frombuffer(b"".join(pieces), self.dtype).reshape(count, -1)
                out[plane, first : first + count] = found
        return out


class _File:
    """What both kinds have in common; see `convcli.images.opened_file.WindowedFile`."""

    chunk = Size(1, 1)  # nothing is decoded
    frames, unread = 1, 0

    def __init__(self, ranges: Ranges, source: str) -> None:
        self._ranges, self._source = ranges, shown(source)

    def close(self) -> None:
        """See `WindowedFile.close`."""
        self._ranges.close()

    def _bounds(self, rows: slice, columns: slice) -> tuple[slice, slice]:
        height, width = cast("Any", self).scene.size
        (top, bottom, _), (left, right, _) = rows.indices(height), columns.indices(width)
        return slice(top, max(top, bottom)), slice(left, max(left, right))

    def _values(self, layout: Lines, lines: slice, values: slice) -> Array:
        try:
            return layout.read(self._ranges, lines, values)
        except ValueError:  # the file has become shorter
            raise damaged(self._source, "it is truncated") from None


class TensorFile(_File):
    """A .npy file of one picture, in C's or Fortran's order."""

    format, interleaved = TENSOR, False

    def __init__(self, ranges: Ranges, source: str, full_scale: float | None, cache_bytes: int = 0) -> None:
        super().__init__(ranges, source)
        try:
            header = npy.header(as_stream(ranges))
            npy.check(header, ranges.size)
        except npy.NpyError as error:
            raise ImageError(f"input '{self._source}'", *error.args) from None
        shape = header.shape
        check_shape(self._source, shape)
        if len(shape) == 4 and shape[0] > 1:
            what, rule = f"input '{self._source}'", f"has shape {shape}"
            raise ImageError(what, rule, "save each picture by itself", "only one picture is read in parts")
        channels, height, width = (1, 1, *shape)[-3:]
        kind = header.dtype
        # as `npy.read` and the ordinary reader have them
        held = np.dtype(np.uint8 if kind.kind == "b" else np.float64 if kind.itemsize > 8 else kind.newbyteorder("="))
        white, assumed = white_of(held, full_scale)
        self.scene = Scene(
            (channels, height, width), held, False, "tensor", white, len(shape), assumed=assumed,
            metadata=Metadata(TENSOR),
        )  # fmt: skip
        self._by_columns, self._channels = header.by_columns, channels
        if header.by_columns:  # lines are columns, of all channels
            self._lines = Lines(header.place, 1, width, height * channels, kind)
        else:
            self._lines = Lines(header.place, channels, height, width, kind)

    def read(self, rows: slice, columns: slice) -> Array:
        """See `WindowedFile.read`."""
        rows, columns = self._bounds(rows, columns)
        if self._by_columns:
            within = slice(rows.start * self._channels, rows.stop * self._channels)
            found = self._values(self._lines, columns, within)[0]
            found = found.reshape(len(found), rows.stop - rows.start, self._channels).transpose(2, 1, 0)
        else:
            found = self._values(self._lines, rows, columns)
        return np.ascontiguousarray(found, self.scene.dtype)


class NetpbmFile(_File):
    """A PGM or PPM file; of several pictures the first."""

    format, interleaved = "PPM", True

    def __init__(self, ranges: Ranges, source: str, full_scale: float | None, cache_bytes: int = 0) -> None:
        super().__init__(ranges, source)
        stream = as_stream(ranges)
        with translated(self._source):
            header = ends.netpbm_header(stream, 0)
            if header is None or not 0 < header.white < 65536:
                raise ValueError("its header is damaged")
            if header.kind not in b"56":
                raise convert(self._source, "has numbers in text" if header.kind in b"123" else "has single bits")
            dtype = np.dtype(np.uint8 if header.white < 256 else ">u2")
            self._bands, self._white = header.bands, header.white
            self._lines = Lines(header.place, 1, header.height, header.width * header.bands, dtype)
            if header.place + header.width * header.height * header.bands * dtype.itemsize > ranges.size:
                raise OSError("it is truncated")
            parts = ends.parts_of(stream, row_of(self.format))
        self.frames = 1 if parts is None else len(parts.places)
        self.unread = 0 if parts is None else parts.unread
        one = np.zeros((1, 1, header.bands), dtype.newbyteorder("="))
        space = "gray" if header.bands == 1 else "rgb"
        picture: Picture = planes_of(one if header.bands > 1 else one[..., 0], space, float(header.white))
        metadata = Metadata(self.format, frames=self.frames)
        scene = completed(picture, source, full_scale, metadata, ()).scene
        self.scene = replace(scene, colour_shape=(header.bands, header.height, header.width))

    def read(self, rows: slice, columns: slice) -> Array:
        """See `WindowedFile.read`."""
        rows, columns = self._bounds(rows, columns)
        within = slice(columns.start * self._bands, columns.stop * self._bands)
        found = self._values(self._lines, rows, within)[0]
        found = found.reshape(len(found), columns.stop - columns.start, self._bands)
        if found.itemsize == 2 and sys.byteorder == "little":
            found = found.byteswap(inplace=True).view(np.uint16)
        if self._white not in (255, 65535):  # which no sample exceeds
            np.minimum(found, found.dtype.type(self._white), out=found)
        pixels: Array = found.transpose(2, 0, 1)
        return pixels
