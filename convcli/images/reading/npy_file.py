"""Tensors in .npy files."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from convcli.errors import ImageError
from convcli.images.formats import TENSOR
from convcli.images.guards import check_pixels
from convcli.images.picture import Metadata, Picture
from convcli.system import npy


class File:
    """The tensor of a .npy file; see `convcli.images.picture.ImageFile`.

    Raises `ImageError` if it is not a .npy file, is too large, or does not have the shape of an image.
    """

    format: str | None = TENSOR
    frames = 1
    pages = False
    unread = 0

    def __init__(self, stream: BinaryIO, source: str, limit: int, full_scale: float | None = None) -> None:
        try:
            check_pixels(source, npy.header(stream).pixels, limit)
            array = npy.read(stream, stream.seek(0, 2))
        except npy.NpyError as error:
            raise ImageError(f"input '{source}'", *error.args) from None
        what, shape = f"input '{source}'", f"has shape {array.shape}"
        if array.ndim not in (2, 3, 4):
            raise ImageError(what, shape, "use (H, W), (C, H, W) or (N, C, H, W)")
        if not array.size:
            raise ImageError(what, f"{shape}, and no values", "leave it out", "no side can be 0")
        if array.dtype == bool:
            array = array.astype(np.uint8)
        colour = array[np.newaxis] if array.ndim == 2 else array
        white = full_scale or {"uint8": 255.0, "uint16": 65535.0}.get(array.dtype.name, 1.0)
        assumed, metadata = full_scale is None, Metadata(TENSOR)
        self._picture = [Picture(colour, None, "tensor", white, array.ndim, assumed=assumed, metadata=metadata)]

    def picture(self, number: int = 0) -> Picture:
        """The tensor."""
        return self._picture.pop()

    def timing(self) -> None:
        """A tensor has none."""
