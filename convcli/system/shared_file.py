"""A file that threads write to at the same time, at any place or behind all others. Standard library only."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from threading import Lock

_COPY = 8 << 20
"""Bytes that are copied at a time where the system does not copy by itself."""

_ALIGNED = 8
"""Appended bytes begin at multiples of it."""


class File:
    """A file that threads write to at any place, or append to.

    Parameters
    ----------
    descriptor : int
        Of a file that is open for reading and writing. It belongs to the caller.
    name : str
        What tells it from other parts of the same output; empty for the one of the `Part`.
    """

    def __init__(self, descriptor: int, name: str = "") -> None:
        self.descriptor, self.name = descriptor, name
        self._lock = Lock()
        self.end = _up(self.size)

    @property
    def size(self) -> int:
        """Its bytes."""
        return os.fstat(self.descriptor).st_size

    def append(self, data: bytes | memoryview) -> int:
        """Write bytes behind all others, and return their place."""
        with self._lock:
            place, self.end = self.end, _up(self.end + len(data))
        self.write(data, place)
        return place

    def write(self, data: bytes | memoryview, place: int) -> None:
        """Write all bytes to a place."""
        rest = memoryview(data).cast("B")
        while rest:
            if hasattr(os, "pwrite"):
                written = os.pwrite(self.descriptor, rest, place)
            else:
                with self._lock:
                    os.lseek(self.descriptor, place, os.SEEK_SET)
                    written = os.write(self.descriptor, rest)
            rest, place = rest[written:], place + written

    def read(self, count: int, place: int) -> bytes:
        """So many bytes of a place; fewer at the end of the file."""
        parts = []
        while count:
            if hasattr(os, "pread"):
                part = os.pread(self.descriptor, count, place)
            else:
                with self._lock:
                    os.lseek(self.descriptor, place, os.SEEK_SET)
                    part = os.read(self.descriptor, count)
            if not part:
                break
            parts.append(part)
            count, place = count - len(part), place + len(part)
        return b"".join(parts)

    def take(self, source: File) -> int:
        """Append the whole of another file, and return its place. The system copies, where it can."""
        count = source.size
        with self._lock:
            place, self.end = self.end, _up(self.end + count)
        done = 0
        if hasattr(os, "copy_file_range"):
            with suppress(OSError):  # between file systems, or on one that cannot
                while done < count and (
                    copied := os.copy_file_range(source.descriptor, self.descriptor, count - done, done, place + done)
                ):
                    done += copied
        while done < count:
            part = source.read(min(_COPY, count - done), done)
            if not part:
                raise OSError(errno.EIO, "a part of it became shorter")
            self.write(part, place + done)
            done += len(part)
        return place

    def cut(self, end: int) -> None:
        """Cut off what lies behind a place."""
        os.ftruncate(self.descriptor, end)
        self.end = _up(end)


def _up(place: int) -> int:
    return place + -place % _ALIGNED
