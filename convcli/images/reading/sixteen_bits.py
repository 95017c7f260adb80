"""16-bit colours from Pillow's decoders, though Pillow has no mode for them.

Pillow unpacks such samples into 8 bits. A setting of the tile selects the unpacker: ``;16B`` takes the first byte of each
sample, ``;16L`` the second. So the picture is decoded once with each. This works with all decoders: PNG's with filters and
interlacing, libtiff's with compressions and predictors.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from convcli.images.guards import array_of
from convcli.images.reading.planes import straighten
from convcli.pointwise import Array


def decode(opened: Callable[[], Image.Image], mode: str) -> Array:
    """The array ``(H, W, C)`` of an image whose `convcli.images.reading.quirks.raw_mode` is `mode`. Alpha is last, white 65535.

    `opened` opens the picture again, not yet decoded.
    """
    base, _, kind = mode.partition(";")
    big = kind == "16B" or (kind == "16N" and sys.byteorder == "big")
    if base == "LA":  # two samples are as wide as four bytes: one pass reads all
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
    file._mode = mode  # Pillow's plugins set it, too
    file.tile = [tile._replace(args=raw if isinstance(tile.args, str) else (raw, *tile.args[1:])) for tile in file.tile]
    file.load()
    return image
