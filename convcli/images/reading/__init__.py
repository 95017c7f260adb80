"""From a path or standard input to pictures."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from convcli.errors import ImageError, param
from convcli.images import formats, guards
from convcli.images.guards import MAX_PIXELS, UnidentifiedError, settle
from convcli.images.picture import Picture
from convcli.images.reading import ends
from convcli.system import files
from convcli.system.names import is_store, is_url

if TYPE_CHECKING:
    from convcli.images.opened_file import ImageFile

_HEAD_BYTES = 16
"""How many bytes are needed to recognise a format."""


def load(source: str, max_pixels: int | None = None, full_scale: float | None = None) -> Picture:
    """Decode an image (any format that Pillow reads; of several frames, the first) or a .npy tensor.

    Parameters
    ----------
    source : str
        A path, or ``-`` for standard input. The format is recognised by content, not by name.
    max_pixels : int, optional
        The largest number of pixels that is accepted. A larger image may be a decompression bomb.
    full_scale : float, optional
        The value of white, for tensors and for real numbers whose file does not say it.

    Raises
    ------
    ImageError
        It cannot be read, is not an image, is truncated or damaged, has too many pixels, or defines white itself.
    """
    with opened(source, max_pixels, full_scale) as file:
        picture = file.picture()
        notes = left_out(file, 1)
    return replace(picture, notes=(*notes, *picture.notes))


def left_out(file: ImageFile, kept: int) -> tuple[str, ...]:
    """Remarks on what is not used of a file: frames, of which all or the first are `kept`, and bytes that follow the picture."""
    frames = (f"the first of {file.frames} frames is used",) if kept < file.frames else ()
    return (*frames, f"{file.unread} bytes after the picture are not read") if file.unread else frames


@contextmanager
def opened(source: str, max_pixels: int | None = None, full_scale: float | None = None) -> Iterator[ImageFile]:
    """A file with its pictures, opened until the block ends. The parameters and errors are those of `load`."""
    limit = MAX_PIXELS if max_pixels is None else max_pixels
    settle(limit)
    if is_store(source):
        from convcli.images.reading import windowed_file

        if (whole := windowed_file.zarr(source, limit, full_scale)) is not None:
            with closing(whole):
                yield whole
            return
    with _object(source) if is_url(source) else files.reading(source, partial(_check, source)) as stream:
        head = stream.read(_HEAD_BYTES)
        stream.seek(0)
        row = formats.row_of_head(head)
        parts = ends.parts_of(stream, row)
        if parts is not None and len(parts.places) > 1:
            from convcli.images.reading import sequence_file

            assert row is not None
            file: ImageFile = sequence_file.File(stream, source, limit, full_scale, row, parts)
        else:
            try:
                file = formats.reader(row)(stream, source, limit, full_scale)
            except UnidentifiedError as error:
                raise _named(stream, source, error) from None
        if parts is not None:  # otherwise the reader may know
            file.unread = parts.unread
        yield file


def _object(source: str) -> AbstractContextManager[BinaryIO]:
    from convcli.system import stores

    return nullcontext(io.BytesIO(stores.contents(source)))


def _check(source: str, stream: BinaryIO) -> None:
    """Refuse what begins like no format, before the rest of it is read."""
    if formats.row_of_head(stream.read(_HEAD_BYTES)) is None and not guards.recognised(stream):
        raise _named(stream, source, guards.unidentified(source))


def _named(stream: BinaryIO, source: str, error: ImageError) -> ImageError:
    """The error for a file whose format Pillow does not know: it may be known here, or the file may be a list of files."""
    from convcli.images.reading.foreign import remedy_of

    stream.seek(0)
    start = stream.read(4096)
    if (known := remedy_of(start)) is not None:
        return ImageError(error.value, *known)
    line = start.partition(b"\n")[0].partition(b"\0")[0]
    if line.isascii() and os.path.exists(os.fsdecode(line.strip())):
        return ImageError(error.value, error.rule, f"use {param('from_file', source)}", "it looks like a list of paths")
    return error
