"""The pixels of a Pillow image as an array, without a second copy in memory."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

BAND_PIXELS = 1 << 20
"""What is converted at a time."""


def array_of(image: Image.Image, mode: str | None = None) -> NDArray[Any]:
    """``(H, W)`` or ``(H, W, C)`` of an image in `mode`, its own by default, in that mode's dtype.

    `numpy.asarray` has Pillow list all pixels in small pieces and join them: a copy more than there is room for, and most of
    the time of reading an uncompressed photograph. Where Pillow has a format that is nothing but the pixels, it is made to
    write that into the array; elsewhere the image is converted and copied in bands.
    """
    mode = image.mode if mode is None else mode
    width, height = image.size
    if mode == image.mode and mode in ("L", "RGB"):
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
