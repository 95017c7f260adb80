"""The bytes of files and objects in ranges, from several threads at once. A path never needs fsspec."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any, BinaryIO, Protocol, cast

from convcli.errors import ImageError, shown
from convcli.system import stores
from convcli.system.addresses import Place, place_of, reached

_BUFFER_BYTES = 1 << 16


class Ranges(Protocol):
    """The bytes of a file or an object."""

    size: int

    def read(self, start: int, length: int) -> bytes:
        """The bytes from `start`; fewer if it ends. From several threads at once."""
        ...

    def read_many(self, starts: Sequence[int], length: int) -> list[bytes]:
        """The bytes from each of several places."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


def opened(source: str) -> Ranges:
    """A file or an object, opened for reading in ranges."""
    place = place_of(source)
    with reached(source):
        return _File(place.name, source) if place.is_local else _Object(place, source)


def as_stream(ranges: Ranges) -> BinaryIO:
    """Ranges as a stream that can seek, for one thread. Closing it leaves them open."""
    return cast("BinaryIO", io.BufferedReader(_Raw(ranges), _BUFFER_BYTES))


class _File:
    """A file of this machine."""

    def __init__(self, path: str, source: str) -> None:
        self._source = source
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise ImageError(f"input '{source}'", "is a folder", "name a file, or a Zarr")
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(
                f"input '{source}'", "cannot be read in parts", "write it to a file first", "it is no file"
            )
        self._descriptor: int | None = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self.size = os.fstat(self._descriptor).st_size
        self._lock = Lock()
        self._at: Callable[[int, int, int], bytes] = getattr(os, "pread", self._sought)

    def read(self, start: int, length: int) -> bytes:
        """See `Ranges.read`."""
        assert self._descriptor is not None
        with reached(self._source):
            data = self._at(self._descriptor, length, start)
            if len(data) == length or start + len(data) >= self.size:
                return data
            parts = [data]  # Linux reads at most 2 GiB at a time
            start, length = start + len(data), length - len(data)
            while length and (data := self._at(self._descriptor, length, start)):
                parts.append(data)
                start, length = start + len(data), length - len(data)
            return b"".join(parts)

    def read_many(self, starts: Sequence[int], length: int) -> list[bytes]:
        """See `Ranges.read_many`."""
        return [self.read(start, length) for start in starts]

    def _sought(self, descriptor: int, length: int, start: int) -> bytes:
        with self._lock:
            os.lseek(descriptor, start, os.SEEK_SET)
            return os.read(descriptor, length)

    def close(self) -> None:
        """See `Ranges.close`."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __del__(self) -> None:
        with suppress(AttributeError, OSError):
            self.close()


class _Object:
    """An object behind a URL."""

    def __init__(self, place: Place, source: str) -> None:
        self._system, self._name, self._source = stores.file_system(source), place.name, source
        info = self._system.info(self._name)
        size = info.get("size")
        if info.get("type") == "directory":
            raise ImageError(f"input '{shown(source)}'", "is a folder", "name a file")
        if not isinstance(size, int):
            raise self._whole("its server does not say how long it is")
        self.size = size
        if place.scheme.startswith("http") and size > 1:
            self._probe(info)

    def _probe(self, info: dict[str, Any]) -> None:
        """Ask for one byte: a server that knows no ranges sends everything, each time."""
        if info.get("partial") is not False:
            with suppress(ValueError), self._system.open(self._name, block_size=1, cache_type="none") as one:
                one.seek(1)
                if len(one.read(1)) == 1:
                    return
        raise self._whole("its server sends no ranges")

    def _whole(self, why: str) -> ImageError:
        return ImageError(f"input '{shown(self._source)}'", "cannot be read in parts", "fetch it first", why)

    def read(self, start: int, length: int) -> bytes:
        """See `Ranges.read`."""
        stop = min(start + length, self.size)
        if stop <= start:
            return b""
        with reached(self._source):
            return self._sent(self._system.cat_file(self._name, start=start, end=stop), stop - start)

    def read_many(self, starts: Sequence[int], length: int) -> list[bytes]:
        """See `Ranges.read_many`. All are asked for at once."""
        if len(starts) == 1 or not length:
            return [self.read(start, length) for start in starts]
        with reached(self._source):
            stops = [start + length for start in starts]
            found = self._system.cat_ranges([self._name] * len(starts), list(starts), stops, on_error="raise")
        return [self._sent(data, length) for data in found]

    def _sent(self, data: Any, length: int) -> bytes:
        if len(data) != length:
            why = f"of {length} bytes it sent {len(data)}"
            raise ImageError(f"input '{shown(self._source)}'", "cannot be read", "try again", why)
        return bytes(data)

    def close(self) -> None:
        """See `Ranges.close`."""


class _Raw(io.RawIOBase):
    """Ranges as a stream."""

    def __init__(self, ranges: Ranges) -> None:
        self._ranges, self._place = ranges, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._place = max(0, offset + (0, self._place, self._ranges.size)[whence])
        return self._place

    def readinto(self, buffer: Any) -> int:
        data = self._ranges.read(self._place, len(buffer))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)
