"""A photograph decoded while the rest of the program is still being imported: decoding needs Pillow only, and its own processor.

Only what is plain is decoded here: a JPEG or PNG of 8 bits, gray or RGB, of a usual size. All else, and what turns out to be
damaged, is left to `convcli.images.reading`, as if this module were not there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import BinaryIO, NamedTuple

from PIL import Image, ImageFile

from convcli.images.formats import plugin, row_of_head
from convcli.images.guards import HEAD_BYTES, settle
from convcli.system import files, memory
from convcli.system.context import current

WORTH_BYTES, MOST_BYTES, MOST_PIXELS = 1 << 17, 64 << 20, 64_000_000
"""A file below the first is decoded at once. One beyond the second may hold more than a picture; a picture beyond the third takes
much memory."""

BLOCK_BYTES = 8 << 20
"""What is decoded in one call, which does not ask for Python's lock: enough for most photographs."""


class _Begun(NamedTuple):
    """Which file, who decodes it, and the picture once it is done."""

    version: tuple[int, ...] | None
    thread: Thread
    done: list[Image.Image]


def _begun() -> list[_Begun]:
    """What the run's context keeps: at most one, as a run has one first input. Without a context nothing is kept."""
    return current().kept(decoding_of, list)


@contextmanager
def decoding_of(path: str, max_pixels: int | None = None) -> Iterator[None]:
    """Decode a file in a thread, if it is large, and neither the program nor the picture needs a closer look.

    The picture can be taken for as long as the block lasts, in the context of the run: see `convcli.system.context`.

    Parameters
    ----------
    path : str
        Of the first input. Nothing is said of one that cannot be read.
    max_pixels : int, optional
        The limit beyond which a picture is refused.
    """
    settle()
    most, thread = MOST_PIXELS if max_pixels is None else min(MOST_PIXELS, max_pixels), None
    if (stream := _opened(path)) is not None:
        done: list[Image.Image] = []
        begun = _Begun(files.version(stream), Thread(target=_decode, args=(stream, most, done), daemon=True), done)
        try:
            begun.thread.start()
            thread, _begun()[:] = begun.thread, [begun]
        except RuntimeError:  # there can be no more threads
            stream.close()
    try:
        yield
    finally:
        _begun().clear()
        if thread is not None:
            thread.join()


def _opened(path: str) -> BinaryIO | None:
    """A file that is worth it."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe that is opened and closed would leave its writer alone
            return None
        stream = open(path, "rb")  # noqa: SIM115 (the thread closes it)
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None
    if WORTH_BYTES <= os.fstat(stream.fileno()).st_size <= MOST_BYTES:
        return stream
    stream.close()
    return None


def take(stream: BinaryIO) -> Image.Image | None:
    """The decoded picture of this very file, once, if it was begun; waits until it is done."""
    waiting, version = _begun(), files.version(stream)
    if not waiting or version is None:
        return None
    begun = waiting.pop()
    if version != begun.version:  # it was written to since: what was decoded is not kept
        return None
    begun.thread.join()
    return begun.done.pop() if begun.done else None


def _decode(stream: BinaryIO, most: int, done: list[Image.Image]) -> None:
    with stream:
        try:
            image = _plain(stream)
            if image is None or image.size[0] * image.size[1] > most:
                return
            if memory.refuses(4 * image.size[0] * image.size[1]):
                return
            image.decodermaxblock = BLOCK_BYTES
            image.load()
        except Exception:  # Pillow's decoders raise whatever comes to hand; who decodes it again says what
            return
    done.append(image)


def _plain(stream: BinaryIO) -> ImageFile.ImageFile | None:
    """A plain picture, not yet decoded; None if it is of another kind."""
    row = row_of_head(stream.read(HEAD_BYTES))
    stream.seek(0)
    if row is None or (opener := plugin(row)) is None:
        return None
    image: ImageFile.ImageFile = opener(stream)
    still = image.format == row.name and getattr(image, "n_frames", 1) == 1  # a JPEG may turn out to be an MPO
    deep = any(";16" in str(tile) for tile in image.tile)
    return image if still and not deep and image.mode in ("L", "RGB") and not image.has_transparency_data else None
