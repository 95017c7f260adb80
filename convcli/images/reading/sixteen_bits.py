"""16-bit colour through Pillow's decoders, which have no image mode for it.

Pillow unpacks such samples into 8 bits, and which of its unpackers does that is a setting of the tile: ``;16B`` takes the
first byte of each sample, ``;16L`` the second. Decoded once with each, a picture is whole. All of the decoders work so:
PNG's with its filters and interlacing, libtiff's with its compressions and predictors.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from convcli.images.reading.planes import array_of, straighten
from convcli.pointwise import Array


def decode(opened: Callable[[], Image.Image], mode: str) -> Array:
    """``(H, W, C)`` of a file whose `convcli.images.reading.quirks.raw_mode` is `mode`, alpha last; white is 65535.

    `opened` opens the file anew, at the picture in question, nothing of it decoded.
    """
    base, _, kind = mode.partition(";")
    big = kind == "16B" or (kind == "16N" and sys.byteorder == "big")
    if base == "LA":  # as wide as four bytes: one pass has them all
        pairs = array_of(_through(opened(), "RGBA", "RGBA"))
        return np.asarray(pairs[..., 1 - big :: 2].astype(np.uint16) << 8 | pairs[..., big::2])
    straight = "RGBA" if base == "RGBa" else base
    first, second = ("16B", "16L") if big else ("16L", "16B")
    image_mode = "RGB" if base == "RGBX" else straight
    high = array_of(_through(opened(), image_mode, f"{straight};{first}"))
    out = np.empty(high.shape, np.uint16)
    np.left_shift(high, 8, out=out, dtype=np.uint16)
    del high
    out |= array_of(_through(opened(), image_mode, f"{straight};{second}"))
    if base == "RGBa":
        straighten(out, 65535)
    return out


def _through(image: Image.Image, mode: str, raw: str) -> Image.Image:
    """Decode with another raw mode."""
    file: Any = image
    file._mode = mode  # as Pillow's plugins set it
    file.tile = [tile._replace(args=raw if isinstance(tile.args, str) else (raw, *tile.args[1:])) for tile in file.tile]
    file.load()
    return image
