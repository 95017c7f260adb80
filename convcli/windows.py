"""Where pixels come from, and where results go: a source is read by window or in bands of rows, a target written by block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

WHOLE = slice(None)
"""All rows, or all columns."""


class Source(Protocol):
    """A picture, or a batch of them, whose pixels are asked for when they are needed."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(N, C, H, W)``."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels."""
        ...

    @property
    def interleaved(self) -> bool:
        """Whether the channels of what is read lie side by side in memory, pixel by pixel."""
        ...

    @property
    def nbytes(self) -> int:
        """What it holds in memory."""
        ...

    def read(self, image: int, rows: slice = WHOLE, columns: slice = WHOLE) -> NDArray[Any]:
        """The pixels of a window of one image ``(C, rows, columns)``: a view where they lie in memory."""
        ...


class Target(Protocol):
    """What takes a result block by block."""

    def put(self, rows: range, columns: range, block: NDArray[Any]) -> None:
        """Take the finished block ``(N, C, rows, columns)`` of all images, in any order of blocks; the array is the target's."""
        ...


class Held:
    """A picture that lies in memory.

    Parameters
    ----------
    array : ndarray
        ``(N, C, H, W)``.
    """

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array
        self.shape: tuple[int, int, int, int] = array.shape
        self.dtype: np.dtype[Any] = array.dtype
        self.interleaved = is_interleaved(array)
        self.nbytes = array.nbytes

    def read(self, image: int, rows: slice = WHOLE, columns: slice = WHOLE) -> NDArray[Any]:
        """See `Source.read`."""
        return self.array[image, :, rows, columns]


def whole(source: Source) -> NDArray[Any]:
    """All pixels ``(N, C, H, W)``, for what cannot work by window."""
    if isinstance(source, Held):
        return source.array
    return np.stack([source.read(image) for image in range(source.shape[0])])


def is_interleaved(x: NDArray[Any]) -> bool:
    """Whether the channels of ``x (N, C, H, W)`` lie side by side in memory, pixel by pixel."""
    _, channels, height, width = x.shape
    pixel = channels * x.itemsize
    _, across, down, along = x.strides
    return (
        channels > 1
        and across == x.itemsize
        and (down == width * pixel or height == 1)
        and (along == pixel or width == 1)
    )


BAND_VALUES = 1 << 20

NEAR_VALUES = 1 << 16
"""Of a band that is worked on in several steps: what these leave stays in a core's own cache."""


def bands(values: NDArray[Any], count: int = BAND_VALUES) -> Iterator[slice]:
    """Slices of the rows of ``(…, H, W)``, of about `count` values each."""
    height = values.shape[-2]
    step = max(1, count * height // max(1, values.size))
    for start in range(0, height, step):
        yield slice(start, start + step)
