"""Where pixels come from: a source is read by windows, an array in bands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from convcli.geometry import Size

Array = np.ndarray[tuple[Any, ...], np.dtype[Any]]
"""An array of any dtype."""

WHOLE = slice(None)
"""All rows, or all columns."""


class Source(Protocol):
    """A picture, or a batch of pictures, whose pixels are read when they are needed."""

    shape: tuple[int, int, int, int]  # ``(N, C, H, W)``
    dtype: np.dtype[Any]  # of the pixels
    interleaved: bool  # whether the channels of each pixel are next to each other in memory
    nbytes: int  # bytes that it holds in memory

    def read(self, image: int, rows: slice = WHOLE, columns: slice = WHOLE) -> Array:
        """The pixels of a window of one image, ``(C, rows, columns)``; a view if they are in memory."""
        ...


class Held:
    """A batch of pictures in memory.

    Parameters
    ----------
    array : ndarray
        ``(N, C, H, W)``.
    """

    def __init__(self, array: Array) -> None:
        self.array = array
        self.shape: tuple[int, int, int, int] = array.shape
        self.dtype: np.dtype[Any] = array.dtype
        self.interleaved = is_interleaved(array)
        self.nbytes = array.nbytes

    def read(self, image: int, rows: slice = WHOLE, columns: slice = WHOLE) -> Array:
        """See `Source.read`."""
        return self.array[image, :, rows, columns]


def whole(source: Source) -> Array:
    """All pixels ``(N, C, H, W)``, for code that cannot work by windows."""
    if isinstance(source, Held):
        return source.array
    return np.stack([source.read(image) for image in range(source.shape[0])])


def is_interleaved(x: Array) -> bool:
    """Whether the channels of each pixel of ``x (N, C, H, W)`` are next to each other in memory, pixel after pixel."""
    _, channels, height, width = x.shape
    pixel = channels * x.itemsize
    _, across, down, along = x.strides
    return (
        channels > 1
        and across == x.itemsize
        and (down == width * pixel or height == 1)
        and (along == pixel or width == 1)
    )


def blocks(whole: Size, size: Size) -> Iterator[tuple[range, range]]:
    """The rows and columns of all blocks of `size`, row after row. Those at the right and lower edge may be smaller."""
    for y in range(0, whole.height, size.height):
        rows = range(y, min(y + size.height, whole.height))
        for x in range(0, whole.width, size.width):
            yield rows, range(x, min(x + size.width, whole.width))


BAND_VALUES = 1 << 20

NEAR_VALUES = 1 << 16
"""Values of a band that is processed in several steps: few enough for intermediate results to stay in a core's own
cache."""


def bands(values: Array, count: int = BAND_VALUES) -> Iterator[slice]:
    """Slices of the rows of an array ``(…, H, W)``, with about `count` values each."""
    height = values.shape[-2]
    step = max(1, count * height // max(1, values.size))
    for start in range(0, height, step):
        yield slice(start, start + step)
