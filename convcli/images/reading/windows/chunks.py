"""Windows of a picture that is stored in chunks: tiles, strips. Those that were decoded last are kept, up to a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from math import ceil
from threading import Lock
from typing import Any

import numpy as np

from convcli.geometry import Size
from convcli.pointwise import Array


class Cache:
    """Arrays by their key. Threads that want the same one at the same time wait for the first of them.

    Parameters
    ----------
    most : int
        Bytes of all arrays that are kept. Those that were used last stay; the very last one also if it is larger.
    """

    def __init__(self, most: int) -> None:
        self._most, self._held, self._lock = most, 0, Lock()
        self._arrays: OrderedDict[Hashable, Array] = OrderedDict()
        self._pending: dict[Hashable, Future[Array]] = {}

    def get(self, key: Hashable, make: Callable[[], Array]) -> Array:
        """The array of a key, which `make` makes if it is not there. An error of it is raised in all threads that wait."""
        with self._lock:
            if (found := self._arrays.get(key)) is not None:
                self._arrays.move_to_end(key)
                return found
            pending = self._pending.get(key)
            if pending is None:
                mine = self._pending[key] = Future()
        if pending is not None:
            return pending.result()
        try:
            array = make()
        except BaseException as error:
            self._done(key)
            mine.set_exception(error)
            raise
        self._done(key, array)
        mine.set_result(array)
        return array

    def _done(self, key: Hashable, array: Array | None = None) -> None:
        with self._lock:
            del self._pending[key]
            if array is None or 0 in array.strides:  # one pixel, again and again
                return
            self._arrays[key] = array
            self._held += _bytes(array)
            while self._held > self._most and len(self._arrays) > 1:
                self._held -= _bytes(self._arrays.popitem(last=False)[1])

    @property
    def nbytes(self) -> int:
        """The bytes that are held."""
        return self._held

    def clear(self) -> None:
        """Forget all arrays."""
        with self._lock:
            self._arrays.clear()
            self._held = 0


def _bytes(array: Array) -> int:
    """The bytes that an array keeps in memory: all of the one that it is a part of."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array.nbytes


class Grid:
    """A picture cut into chunks of one size; those at the right and at the bottom are smaller.

    Parameters
    ----------
    size : Size
        Of the picture.
    chunk : Size
        Of a chunk.
    decoded : callable
        The pixels ``(C, rows, columns)`` of a chunk, by its row and column in the grid, all of one dtype.
    channels, dtype
        Of the pixels.
    cache : Cache
        Keeps what is decoded.
    interleaved : bool
        Whether windows have the channels of each pixel next to each other.
    """

    def __init__(
        self, size: Size, chunk: Size, channels: int, dtype: np.dtype[Any], decoded: Callable[[int, int], Array],
        cache: Cache, interleaved: bool = True,
    ) -> None:  # fmt: skip
        self.size, self.chunk, self.channels, self.dtype = size, chunk, channels, dtype
        self._decoded, self._cache, self._interleaved = decoded, cache, interleaved

    @property
    def count(self) -> Size:
        """How many chunks there are, down and across."""
        return Size(ceil(self.size.height / self.chunk.height), ceil(self.size.width / self.chunk.width))

    def read(self, rows: slice, columns: slice) -> Array:
        """The pixels of a window, ``(C, rows, columns)``."""
        top, bottom, _ = rows.indices(self.size.height)
        left, right, _ = columns.indices(self.size.width)
        height, width = self.chunk
        shape = max(0, bottom - top), max(0, right - left)
        if self._interleaved:
            out = np.empty((*shape, self.channels), self.dtype).transpose(2, 0, 1)
        else:
            out = np.empty((self.channels, *shape), self.dtype)
        for row in range(top // height, ceil(bottom / height)):
            first = row * height
            start, stop = max(top, first), min(bottom, first + height)
            for column in range(left // width, ceil(right / width)):
                begin = column * width
                near, far = max(left, begin), min(right, begin + width)
                chunk = self._cache.get((row, column), lambda row=row, column=column: self._decoded(row, column))  # type: ignore[misc]
                part = chunk[:, start - first : stop - first, near - begin : far - begin]
                out[:, start - top : stop - top, near - left : far - left] = part
        return out
