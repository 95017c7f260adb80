"""Decode a photograph in a thread, while the rest of the program is still being imported: decoding needs only Pillow and NumPy.

Only plain pictures are decoded here: JPEG or PNG with 8 bits, gray or RGB, of a usual size. All others, and damaged ones, are
left to `convcli.images.reading`. A PGM or PPM has no coding: the thread only reads its bytes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from PIL import Image, ImageFile

from convcli.images.formats import plugin, row_of_head
from convcli.images.guards import HEAD_BYTES, array_of, settle
from convcli.records import NamedTuple
from convcli.system import files, memory
from convcli.system.context import current

if TYPE_CHECKING:
    from mmap import mmap

    from convcli.pointwise import Array

WORTH_BYTES, MOST_BYTES, MOST_PIXELS = 1 << 17, 64 << 20, 64_000_000
"""Which files are decoded here, by their size in bytes and in pixels. A smaller file is decoded fast enough without a thread. A
larger file may contain more than a picture, and a larger picture needs much memory."""

PNG, PNG_WORTH_BYTES = b"\x89PNG", 1 << 20
"""What a PNG begins with, and the least size of one: it has more bytes for each pixel than a JPEG, and is opened in small steps,
for each of which the thread has to wait for Python's lock."""

BLOCK_BYTES = 8 << 20
"""How much is decoded in one call, which does not take Python's lock. It is enough for most photographs."""


STORED = b"P5", b"P6"
"""What a PGM or PPM begins with, unless its pixels are text."""


class Decoded(NamedTuple):
    """An image of Pillow, with the metadata of the file, and its pixels."""

    image: Image.Image
    array: Array


class _Begun(NamedTuple):
    """The file, the thread that decodes or reads it, and the picture or the bytes when it is done."""

    version: tuple[int, ...] | None
    thread: Thread
    done: list[Decoded | mmap]


def _begun() -> list[_Begun]:
    """What the context of the run keeps: at most one picture. Without a context nothing is kept."""
    return current().kept(decoding_of, list)


@contextmanager
def decoding_of(path: str, max_pixels: int | None = None) -> Iterator[None]:
    """Decode a file in a thread, if it is worth it. Within the block, `take` returns the picture, or `content` the file.

    If the file cannot be read, or has more than `max_pixels` pixels, nothing happens. (A PGM or PPM is read whatever its size in
    pixels: its reader checks that first.) Within another block that has begun with a file, nothing happens, either.
    """
    settle()
    if _begun():
        yield
        return
    most, thread = MOST_PIXELS if max_pixels is None else min(MOST_PIXELS, max_pixels), None
    if (stream := _opened(path)) is not None:
        done: list[Decoded | mmap] = []
        begun = _Begun(files.version(stream), Thread(target=_decode, args=(stream, most, done), daemon=True), done)
        try:
            begun.thread.start()
            thread, _begun()[:] = begun.thread, [begun]
        except RuntimeError:  # no more threads can be started
            stream.close()
    try:
        yield
    finally:
        _begun().clear()
        if thread is not None:
            thread.join()


def _opened(path: str) -> BinaryIO | None:
    """The opened file if it is worth it, else None."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening and closing a pipe would end its writer
            return None
        stream = open(path, "rb")  # noqa: SIM115 (the thread closes it)
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None
    size = os.fstat(stream.fileno()).st_size
    if WORTH_BYTES <= size <= MOST_BYTES and (size >= PNG_WORTH_BYTES or not stream.peek(len(PNG)).startswith(PNG)):
        return stream
    stream.close()
    return None


def take(stream: BinaryIO) -> Decoded | None:
    """The decoded picture of this file, once; None if its decoding was not started. Waits until it is done."""
    found = _taken(stream)
    return found if isinstance(found, Decoded) else None


def content(stream: BinaryIO) -> mmap | None:
    """The bytes of this file, once, in memory that may be changed; None if its reading was not started. Waits until it is done."""
    found = _taken(stream)
    return None if isinstance(found, Decoded) else found


def forget() -> None:
    """Drop what nobody has taken: it is for the first picture alone."""
    _begun().clear()


def _taken(stream: BinaryIO) -> Decoded | mmap | None:
    waiting, version = _begun(), files.version(stream)
    if not waiting or version is None:
        return None
    begun = waiting.pop()
    if version != begun.version:  # it was changed since: the decoded picture is dropped
        return None
    begun.thread.join()
    return begun.done.pop() if begun.done else None


def _decode(stream: BinaryIO, most: int, done: list[Decoded | mmap]) -> None:
    with stream:
        try:
            if stream.read(2) in STORED:
                if not memory.refuses(os.fstat(stream.fileno()).st_size):
                    done.append(_read(stream))
                return
            image = _plain(stream)
            if image is None or image.size[0] * image.size[1] > most:
                return
            if memory.refuses((4 + len(image.getbands())) * image.size[0] * image.size[1]):
                return
            if image.format == "PNG":
                from convcli.images import inflating

                if inflating.suits(image):
                    inflating.load(image, stream)
            image.decodermaxblock = BLOCK_BYTES
            image.load()
            done.append(Decoded(image, array_of(image)))
        except Exception:  # Pillow's decoders may raise anything; decoding it again will tell the user
            return


def _read(stream: BinaryIO) -> mmap:
    """A whole file, in memory of its own, in large pages where the system has some."""
    from mmap import ACCESS_COPY, mmap  # few files need it

    found = mmap(-1, os.fstat(stream.fileno()).st_size, access=ACCESS_COPY)  # private memory, which has large pages
    with suppress(ImportError, OSError):  # only Linux has them, and not always
        from mmap import MADV_HUGEPAGE

        found.madvise(MADV_HUGEPAGE)
    stream.seek(0)
    if cast("Any", stream).readinto(found) < len(found):
        raise OSError("it was truncated")
    return found


def _plain(stream: BinaryIO) -> ImageFile.ImageFile | None:
    """A plain picture, not yet decoded; None if it is not plain."""
    stream.seek(0)
    row = row_of_head(stream.read(HEAD_BYTES))
    stream.seek(0)
    if row is None or (opener := plugin(row)) is None:
        return None
    image: ImageFile.ImageFile = opener(stream)
    still = image.format == row.name and getattr(image, "n_frames", 1) == 1  # a JPEG may turn out to be an MPO
    deep = any(";16" in str(tile) for tile in image.tile)
    return image if still and not deep and image.mode in ("L", "RGB") and not image.has_transparency_data else None
