"""The pixels of a Pillow image as an array, without a second copy in memory."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def array_of(image: Image.Image) -> NDArray[Any]:
    """``(H, W)`` or ``(H, W, C)`` of an image, in its own dtype.

    `numpy.asarray` has Pillow list all pixels in small pieces and join them: a copy more than there is room for, and most of
    the time of reading an uncompressed photograph. Where Pillow has a format that is nothing but the pixels, it is made to
    write that into the array.
    """
    if image.mode not in ("L", "RGB"):
        return np.asarray(image)
    width, height = image.size
    shape = (height, width) if image.mode == "L" else (height, width, 3)
    array = np.empty(shape, np.uint8)
    sink = _Sink(array, len(f"P6\n{width} {height}\n255\n"))
    image.save(cast("Any", sink), "PPM")
    return array if sink.place == array.size else np.asarray(image)


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
