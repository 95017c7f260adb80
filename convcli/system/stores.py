"""Objects by their URLs, and files by their paths: whether they are there, names, whole contents. Ranges: `convcli.system.ranges`.

A path never needs fsspec. A URL (``s3://``, ``https://``) needs it, and for most schemes another package. How it gets its
credentials is up to fsspec; they are not printed here.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import partial
from threading import Thread
from typing import Any, BinaryIO

from convcli import extras
from convcli.errors import ImageError, shown
from convcli.records import NamedTuple
from convcli.system import files
from convcli.system.addresses import SCHEMES, place_of, reached
from convcli.system.names import exists as names_exists

TRIES = 2
"""How often s3fs tries a request after botocore has given it up, which by itself tries five times (``AWS_MAX_ATTEMPTS``)."""

PATIENCE = 2.0
"""What a run leaves in a store is tidied up at its end if this takes at most so many seconds."""

ROOTS = "zarr.json", ".zgroup", ".zarray"
"""Without one of these, what lies below the address of a Zarr is not complete."""


def exists(source: str) -> bool:
    """Whether there is a file, a folder or an object of this name; of a URL that ends in ``.zarr``, a Zarr that is complete."""
    place = place_of(source)
    if place.is_local:
        return os.path.exists(place.name)
    name = place.name.rstrip("/")
    with reached(source, "address", "cannot be looked up"):
        system = file_system(source)
        if name.endswith(".zarr"):
            return any(system.exists(f"{name}/{root}") for root in ROOTS)
        return bool(system.exists(name))


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


class Entry(NamedTuple):
    """What is in a prefix of objects: an object, or a further prefix."""

    name: str
    is_folder: bool


def entries(folder: str) -> Iterator[Entry]:
    """What is in a prefix, in no order; nothing if there is no such prefix. Of S3, one page is held at a time."""
    place = place_of(folder)
    with reached(folder):
        system = file_system(folder)
        prefix = system._strip_protocol(place.name).rstrip("/")
        for entry in _listed(system, prefix):
            name = entry["name"].rstrip("/")
            if name.strip("/") != prefix.strip("/"):  # which some stores have as an object without content
                yield Entry(name.rpartition("/")[2], entry["type"] == "directory")


def _listed(system: Any, prefix: str) -> Iterator[dict[str, Any]]:
    pages = getattr(system, "_iterdir", None) if "s3" in system.protocol else None
    if pages is None:
        with suppress(FileNotFoundError):
            yield from system.ls(prefix, detail=True)
        return
    from fsspec.asyn import sync

    bucket, _, key = prefix.partition("/")
    found = pages(bucket, prefix=f"{key}/" if key else "")
    with suppress(StopAsyncIteration):
        while True:
            yield sync(system.loop, found.__anext__)


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


def remove(folder: str) -> None:
    """Delete the objects below an address. Nothing is done if there are none.

    Raises `ImageError` if one of them is left: not all stores say what they did not delete.
    """
    with reached(folder, "output", "cannot be deleted"):
        if next(entries(folder), None) is None:
            return
        system, name = file_system(folder), place_of(folder).name
        found = system.find(name)
        with suppress(FileNotFoundError):
            system.rm(found)
        if not {*found}.isdisjoint(system.find(name)):
            raise PermissionError


def copy(folder: str, to: str) -> None:
    """Have a store copy the objects below an address to another address in it. Those that are there are replaced."""
    with reached(to, "output", "cannot be written"):
        system, first, second = file_system(folder), place_of(folder).name, place_of(to).name
        found = system.find(first)
        start = len(system._strip_protocol(first))
        for some in (found[n : n + COPIES] for n in range(0, len(found), COPIES)):
            system.copy(some, [second + name[start:] for name in some], on_error="raise")


COPIES = 1 << 10
"""So many objects are copied at once."""


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


def patiently(act: Callable[[], None]) -> None:
    """Do something for at most `PATIENCE` seconds: a store that does not answer holds up nobody who wants to end."""
    thread = Thread(target=copy_context().run, args=(act,), daemon=True)
    thread.start()
    thread.join(PATIENCE)


def put(target: str, data: bytes) -> None:
    """Write a whole file or object, which replaces what is there at once."""
    place = place_of(target)
    if place.is_local:
        with files.writing(place.name) as to:
            to.write(data)
        return
    with reached(target, "output", "cannot be written"):
        system = file_system(target)
        try:
            system.pipe_file(place.name, data)
        except (KeyboardInterrupt, SystemExit):
            patiently(partial(_forget, system, place.name))
            raise


def _forget(system: Any, name: str) -> None:
    """Delete the parts of an upload that was interrupted. One that failed has been deleted already."""
    if "s3" not in system.protocol:
        return
    bucket, key, _ = system.split_path(name)
    with suppress(Exception):
        for upload in system.list_multipart_uploads(bucket):
            if upload["Key"] == key:
                system.abort_mpu(bucket, key, upload["UploadId"])


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
            system = fsspec.filesystem(place.scheme, use_listings_cache=False, asynchronous=asynchronous)
            if place.scheme == "s3":
                system.retries = TRIES
            return system
        system = fsspec.filesystem("memory")
        if not asynchronous:
            return system
        from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper

        return AsyncFileSystemWrapper(system, asynchronous=True)
