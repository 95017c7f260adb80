"""Tensors in .npy files."""

from __future__ import annotations

from math import prod
from typing import Any, BinaryIO

import numpy as np

from convcli.errors import ImageError
from convcli.images.formats import TENSOR
from convcli.images.guards import check_pixels
from convcli.images.picture import Metadata, Picture
from convcli.system import npy


class File:
    """The tensor of a .npy file; see `convcli.images.opened_file.ImageFile`.

    Raises `ImageError` if it is not a .npy file, is too large, or does not have the shape of an image.
    """

    format: str | None = TENSOR
    frames = 1
    pages = False
    unread = 0
    others = False

    def __init__(self, stream: BinaryIO, source: str, limit: int, full_scale: float | None = None) -> None:
        try:
            check_pixels(source, npy.header(stream).pixels, limit)
            array = npy.read(stream, stream.seek(0, 2))
        except npy.NpyError as error:
            raise ImageError(f"input '{source}'", *error.args) from None
        check_shape(source, array.shape)
        if array.dtype == bool:
            array = array.astype(np.uint8)
        colour = array[np.newaxis] if array.ndim == 2 else array
        white, assumed = white_of(array.dtype, full_scale)
        self._picture = [Picture(colour, None, "tensor", white, array.ndim, assumed=assumed, metadata=Metadata(TENSOR))]

    def picture(self, number: int = 0) -> Picture:
        """The tensor."""
        return self._picture.pop()

    def timing(self) -> None:
        """A tensor has none."""


def check_shape(source: str, shape: tuple[int, ...]) -> None:
    """Refuse a tensor that is no picture, and one without values."""
    what, said = f"input '{source}'", f"has shape {shape}"
    if len(shape) not in (2, 3, 4):
        raise ImageError(what, said, "use (H, W), (C, H, W) or (N, C, H, W)")
    if not prod(shape):
        raise ImageError(what, f"{said}, and no values", "leave it out", "no side can be 0")


def white_of(dtype: np.dtype[Any], full_scale: float | None) -> tuple[float, bool]:
    """The value of white in a tensor, and whether it is assumed. `full_scale` is what the user gives."""
    return full_scale or {"uint8": 255.0, "uint16": 65535.0}.get(dtype.name, 1.0), full_scale is None
