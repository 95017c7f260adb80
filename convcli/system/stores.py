"""Files and objects by paths and URLs: ranges of bytes from several threads at once, names, whole objects written.

A path never needs fsspec. A URL (``s3://``, ``https://``) needs it, and for most schemes another package. How it gets its
credentials is up to fsspec; they are not printed here.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any, BinaryIO, Protocol, cast

from convcli import extras
from convcli.errors import ImageError
from convcli.system import files
from convcli.system.addresses import SCHEMES, Place, place_of, reached, shown
from convcli.system.names import exists as names_exists

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


def stream(ranges: Ranges) -> BinaryIO:
    """Ranges as a stream that can seek, for one thread. Closing it leaves them open."""
    return cast("BinaryIO", io.BufferedReader(_Raw(ranges), _BUFFER_BYTES))


def has(source: str) -> bool:
    """Whether there is a file, a folder or an object of this name."""
    place = place_of(source)
    if place.is_local:
        return os.path.exists(place.name)
    with reached(source):
        return bool(file_system(source).exists(place.name))


def is_folder(source: str) -> bool:
    """Whether it is a folder of this machine, or a prefix of objects. Of http nobody can tell."""
    place = place_of(source)
    if place.is_local:
        return os.path.isdir(place.name)
    if place.scheme.startswith("http"):
        return False
    with reached(source):
        return bool(file_system(source).isdir(place.name))


def identity(source: str) -> str:
    """What tells that a file or an object has changed: its size and the time of its change in ns, or its ETag."""
    place = place_of(source)
    with reached(source):
        if place.is_local:
            status = os.stat(place.name)
            return f"{status.st_size} bytes, {status.st_mtime_ns} ns"
        return _version(file_system(source).info(place.name))


def _version(info: dict[str, Any]) -> str:
    size = f"{info.get('size')} bytes"
    for name in ("ETag", "etag", "e_tag", "md5Hash", "Last-Modified", "LastModified", "mtime", "updated", "created"):
        if info.get(name):
            return f"{size}, {str(info[name]).strip(chr(34))}"
    return size


def names(folder: str) -> Iterator[str]:
    """The names of all files below a folder or a prefix, one after another: paths or URLs, in no order.

    Only the entries of one folder are held at a time; of S3, of one page.
    """
    place = place_of(folder)
    with reached(folder):
        if place.is_local:
            yield from _below(place.name)
            return
        system = file_system(folder)
        head = f"{place.scheme}://"
        for name in _objects(system, system._strip_protocol(place.name)):
            yield name if "://" in name else head + name.lstrip("/")


def _below(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _below(entry.path)
            elif entry.is_file():
                yield entry.path


def _objects(system: Any, prefix: str) -> Iterator[str]:
    pages = getattr(system, "_iterdir", None) if "s3" in system.protocol else None
    if pages is not None:
        from fsspec.asyn import sync

        bucket, _, key = prefix.partition("/")
        found = pages(bucket, delimiter="", prefix=f"{key.rstrip('/')}/" if key else "")
        with suppress(StopAsyncIteration):
            while True:
                entry = sync(system.loop, found.__anext__)
                if not entry["name"].endswith("/"):
                    yield entry["name"]
        return
    waiting = [prefix]
    while waiting:
        for entry in system.ls(waiting.pop(), detail=True):
            if entry["type"] == "directory":
                waiting.append(entry["name"])
            else:
                yield entry["name"]


def contents(source: str, most: int = files.MAX_BYTES) -> bytes:
    """All bytes of an object, for what cannot be read in parts.

    Raises `ImageError` if there are none, or more than `most`.
    """
    place = place_of(source)
    system, what = file_system(source), f"input '{shown(source)}'"
    with reached(source):
        size = system.info(place.name).get("size")
        if isinstance(size, int) and size > most:
            raise ImageError(what, f"is larger than {most >> 30} GiB", "cut it into smaller images")
        data = bytes(system.cat_file(place.name))
    if not data:
        raise ImageError(what, "is empty", "name a file with an image")
    return data


ROOTS = "zarr.json", ".zgroup", ".zarray"
"""Without one of these, what lies below the address of a Zarr is not complete."""


def exists(target: str) -> bool:
    """Whether there is a file or an object of this name, or a Zarr that is complete."""
    place = place_of(target)
    if place.is_local:
        return os.path.lexists(place.name)
    name = place.name.rstrip("/")
    with reached(target, "output", "cannot be looked up"):
        system = file_system(target)
        if name.endswith(".zarr"):
            return any(system.exists(f"{name}/{root}") for root in ROOTS)
        return bool(system.exists(name))


def remove(folder: str) -> None:
    """Delete the objects below an address. Nothing is done if there are none."""
    with reached(folder, "output", "cannot be deleted"), suppress(FileNotFoundError):
        file_system(folder).rm(place_of(folder).name, recursive=True)


@contextmanager
def writing(target: str, replace: bool = True) -> Iterator[BinaryIO]:
    """A stream whose content becomes an object when the block ends without an error.

    Raises `ExistsError` if there is one that may not be replaced.
    """
    if not replace and exists(target):
        raise names_exists(shown(target))
    stream = io.BytesIO()
    yield stream
    put(target, stream.getvalue())


def put(target: str, data: bytes) -> None:
    """Write a whole file or object, which replaces what is there at once."""
    place = place_of(target)
    if place.is_local:
        with files.writing(place.name) as to:
            to.write(data)
        return
    with reached(target, "output", "cannot be written"):
        file_system(target).pipe_file(place.name, data)


def file_system(source: str, asynchronous: bool = False) -> Any:
    """The file system of a URL, by fsspec; for programs that await its answers if it is `asynchronous`.

    Its lists of names are never kept: others write there, too.

    Raises `ImageError` if a package is missing.
    """
    place = place_of(source)
    for package in ("fsspec", SCHEMES[place.scheme or "memory"]):
        if not extras.is_installed(package):
            rule = f"has the scheme '{place.scheme}', which needs {package}"
            raise ImageError(f"address '{shown(source)}'", rule, extras.how_to_get(package), "it is not installed")
    import fsspec

    with reached(source):
        if place.scheme != "memory":
            return fsspec.filesystem(place.scheme, use_listings_cache=False, asynchronous=asynchronous)
        system = fsspec.filesystem("memory")
        if not asynchronous:
            return system
        from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper

        return AsyncFileSystemWrapper(system, asynchronous=True)


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
        self._system, self._name, self._source = file_system(source), place.name, source
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
