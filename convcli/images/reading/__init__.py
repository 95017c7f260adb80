"""From a path or standard input to pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from convcli.images import formats
from convcli.images.guards import MAX_PIXELS, settle
from convcli.images.picture import ImageFile, Picture
from convcli.system import files

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
    """A remark about frames that are not used, if there are any. `kept` is the number of all frames, or 1."""
    return (f"the first of {file.frames} frames is used",) if kept < file.frames else ()


@contextmanager
def opened(source: str, max_pixels: int | None = None, full_scale: float | None = None) -> Iterator[ImageFile]:
    """A file with its pictures, opened until the block ends. The parameters and errors are those of `load`."""
    limit = MAX_PIXELS if max_pixels is None else max_pixels
    settle(limit)
    with files.reading(source) as stream:
        head = stream.read(_HEAD_BYTES)
        stream.seek(0)
        file: ImageFile = formats.reader(formats.row_of_head(head))(stream, source, limit, full_scale)
        yield file
