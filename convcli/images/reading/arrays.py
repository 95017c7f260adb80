"""The pixels of a Pillow image as an array, without a second copy in memory where that can be."""

from __future__ import annotations

from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

BAND_PIXELS = 1 << 20
"""What is converted at a time."""

SMALL_PIXELS = 1 << 20
"""Pictures up to which they are copied in the plain way, in some tenths of a millisecond."""


def is_plain(image: Image.Image) -> bool:
    """Whether the file of an image that is not yet decoded holds nothing but its samples, 8 bits each, row by row.

    PPM and PGM files of 8 bits do. Pillow's own memory, four bytes for each pixel of three, can be spared then.
    """
    if image.format != "PPM" or image.mode not in ("L", "RGB"):
        return False
    below, width = 0, image.size[0]
    for tile in image.tile:  # type: ignore[attr-defined]
        coding, (left, top, right, bottom), _, arguments = tile
        if (
            coding != "raw"
            or arguments not in (image.mode, (image.mode, 0, 1))
            or (left, top, right) != (0, below, width)
        ):
            return False
        below = bottom
    return below == image.size[1] and not image.has_transparency_data


def read_plain(image: Image.Image, stream: BinaryIO) -> NDArray[np.uint8] | None:
    """``(H, W)`` or ``(H, W, C)`` of an image that `is_plain`, from its file; None if that is cut off."""
    bands = len(image.getbands())
    array = np.empty((image.size[1], image.size[0], bands), np.uint8)
    for _, (_, top, _, bottom), offset, _ in image.tile:  # type: ignore[attr-defined]
        stream.seek(offset)
        rows = array[top:bottom]
        if cast("Any", stream).readinto(rows.data) != rows.nbytes:
            return None
    return array if bands > 1 else array[..., 0]


def array_of(image: Image.Image, mode: str | None = None) -> NDArray[Any]:
    """``(H, W)`` or ``(H, W, C)`` of an image in `mode`, its own by default, in that mode's dtype.

    `numpy.asarray` has Pillow list all pixels in small pieces and join them: a copy more than there is room for, and most of
    the time of reading an uncompressed photograph. Where Pillow has a format that is nothing but the pixels, it is made to
    write that into the array; elsewhere the image is converted and copied in bands. For a small picture that format is not worth
    its import.
    """
    mode = image.mode if mode is None else mode
    width, height = image.size
    if mode == image.mode and mode in ("L", "RGB"):
        if width * height < SMALL_PIXELS:
            return np.array(image)
        shape = (height, width) if image.mode == "L" else (height, width, 3)
        array = np.empty(shape, np.uint8)
        sink = _Sink(array, len(f"P6\n{width} {height}\n255\n"))
        image.save(cast("Any", sink), "PPM")
        return array if sink.place == array.size else np.asarray(image)
    rows = max(1, BAND_PIXELS // max(1, width))
    if height <= rows:
        return _converted(image, mode)
    out: NDArray[Any] | None = None
    for start in range(0, height, rows):
        band = _converted(image.crop((0, start, width, min(start + rows, height))), mode)
        if out is None:
            out = np.empty((height, *band.shape[1:]), band.dtype)
        out[start : start + rows] = band
    assert out is not None
    return out


def _converted(image: Image.Image, mode: str) -> NDArray[Any]:
    return np.asarray(image if image.mode == mode else image.convert(mode))


class _Sink:
    """A file whose content, after a header of `skip` bytes, goes into an array."""

    def __init__(self, array: NDArray[np.uint8], skip: int) -> None:
        self.values, self.place = array.reshape(-1), -skip

    def write(self, data: bytes) -> int:
        """Take the next bytes."""
        start = max(0, -self.place)
        pixels = np.frombuffer(data, np.uint8)[start:]
        if pixels.size:
            part = self.values[self.place + start : self.place + len(data)]
            part[...] = pixels[: part.size]
        self.place += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""
