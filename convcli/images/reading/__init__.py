"""From a path or standard input to pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import BinaryIO

import numpy as np

from convcli.errors import ImageError
from convcli.images.guards import check_pixels, quiet, set_limit
from convcli.images.picture import Metadata, Picture
from convcli.images.reading import sixteen_bits as deep
from convcli.images.reading import tiff_file as rare
from convcli.images.reading.pillow_file import Decoded, Film, Still, UnidentifiedError
from convcli.system import files, npy


def load(source: str, max_pixels: int | None = None, full_scale: float | None = None) -> Picture:
    """Decode an image (any format that Pillow reads; of several frames, the first) or a .npy tensor.

    Parameters
    ----------
    source : str
        A path, or ``-`` for standard input. The format is recognised by content, not by name.
    max_pixels : int, optional
        The limit beyond which it is taken for a decompression bomb.
    full_scale : float, optional
        The value of white, for tensors and for real numbers whose file does not say it.

    Raises
    ------
    ImageError
        It cannot be read, is no image, is truncated or damaged, is too large to be trusted, or says itself what white is.
    """
    with opened(source, max_pixels, full_scale) as film:
        picture = film.picture()
        notes = left_out(film, 1)
    return replace(picture, notes=(*notes, *picture.notes))


def left_out(film: Film, kept: int) -> tuple[str, ...]:
    """What is to be said of frames that are not used; nothing if all are `kept`, which is all or the first."""
    return (f"the first of {film.frames} frames is used",) if kept < film.frames else ()


@contextmanager
def opened(source: str, max_pixels: int | None = None, full_scale: float | None = None) -> Iterator[Film]:
    """The pictures of a file, as `load` reads them, for as long as the block lasts."""
    limit = set_limit(max_pixels)
    quiet()
    with files.reading(source) as stream:
        head = stream.read(len(npy.MAGIC))
        stream.seek(0)
        if head == npy.MAGIC:
            yield Still(_tensor(stream, source, limit, full_scale))
            return
        if head[:4] in deep.TIFFS:
            deep.teach()
        try:
            film: Film = Decoded(stream, source, limit, full_scale)
        except UnidentifiedError:
            if head[:4] not in deep.TIFFS:
                raise
            film = rare.Pages(stream, source, limit, full_scale)
        yield film


def _tensor(stream: BinaryIO, source: str, limit: int, full_scale: float | None) -> Picture:
    try:
        check_pixels(source, npy.pixels(stream), limit)
        array = npy.read(stream)
    except ValueError as error:
        raise ImageError(f"input '{source}' {error}") from None
    if array.ndim in (2, 3, 4) and not array.size:
        raise ImageError(f"input '{source}' has shape {array.shape}, and no values: no side can be 0; leave it out")
    if array.ndim not in (2, 3, 4):
        raise ImageError(f"input '{source}' has shape {array.shape}: (H, W), (C, H, W) or (N, C, H, W) is wanted")
    if array.dtype == bool:
        array = array.astype(np.uint8)
    colour = array[np.newaxis] if array.ndim == 2 else array
    white = full_scale or {"uint8": 255.0, "uint16": 65535.0}.get(array.dtype.name, 1.0)
    return Picture(colour, None, "tensor", white, array.ndim, assumed=full_scale is None, metadata=Metadata("NPY"))
