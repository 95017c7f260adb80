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
from numpy.typing import NDArray
from PIL import Image

from convcli.images.picture import Picture
from convcli.images.reading.planes import alpha_of_value, array_of

Opener = Callable[[], Image.Image]
"""Opens the file anew, at the frame in question, nothing of it decoded."""


def decode(opened: Opener, mode: str) -> NDArray[np.uint16]:
    """``(H, W, C)`` of a file whose `raw_mode` is `mode`, alpha last; its largest value is 65535."""
    base, _, kind = mode.partition(";")
    if base == "LA":  # as wide as four bytes: one pass has them all
        pairs = array_of(_through(opened(), "RGBA", "RGBA"))
        late = int(kind == "16L")
        joined: NDArray[np.uint16] = pairs[..., late::2].astype(np.uint16) << 8 | pairs[..., 1 - late :: 2]
        return joined
    straight = "RGBA" if base == "RGBa" else base
    big = kind == "16B" or (kind == "16N" and sys.byteorder == "big")
    first, second = ("16B", "16L") if big else ("16L", "16B")
    largest = _largest(opened())
    image_mode = "RGB" if base == "RGBX" else straight
    high = array_of(_through(opened(), image_mode, f"{straight};{first}"))
    out = np.empty(high.shape, np.uint16)
    np.left_shift(high, 8, out=out, dtype=np.uint16)
    del high
    out |= array_of(_through(opened(), image_mode, f"{straight};{second}"))
    if largest != 65535:
        out[...] = np.rint(np.minimum(out, largest) * (65535 / largest))
    if base == "RGBa":
        straighten(out, 65535)
    return out


def _through(image: Image.Image, mode: str, raw: str) -> Image.Image:
    """Decode with another raw mode."""
    file: Any = image
    file._mode = mode  # as Pillow's plugins set it
    file.tile = [_tile(tile, raw) for tile in file.tile]
    file.load()
    return image


def _tile(tile: Any, raw: str) -> Any:
    if tile.codec_name == "ppm":
        return tile._replace(codec_name="raw", args=(raw, 0, 1))
    return tile._replace(args=raw if isinstance(tile.args, str) else (raw, *tile.args[1:]))


def _largest(image: Image.Image) -> int:
    """The value of white: PPM's header says it."""
    tile: Any = getattr(image, "tile", (None,))[0]
    return int(tile.args[1]) if tile.codec_name == "ppm" else 65535


def straighten(pixels: NDArray[Any], full_scale: float, real: bool = False) -> None:
    """Divide the colours of ``(H, W, C)``, alpha last, by their alpha, with which some files keep them multiplied.

    They are rounded, and no larger than white, unless they are `real`.
    """
    for row in pixels:
        colours, alpha = row[:, :-1], row[:, -1:].astype(np.float64)
        if real:
            colours[...] = np.divide(colours, alpha / full_scale, out=np.zeros(colours.shape), where=alpha > 0)
        else:
            scale = np.divide(full_scale, alpha, out=np.zeros_like(alpha), where=alpha > 0)
            colours[...] = np.rint(np.minimum(colours * scale, full_scale))


def planes_of(samples: NDArray[np.uint16], mode: str, value: tuple[int, ...] | None) -> Picture:
    """The planes of ``(H, W, C)``; `value` is the one colour that is transparent."""
    planes = np.moveaxis(samples, -1, 0)
    channels = len(planes)
    if mode == "CMYK":
        return Picture(planes, None, "cmyk", 65535.0)
    if channels in (2, 4):
        return Picture(planes[:-1], planes[-1], "gray" if channels == 2 else "rgb", 65535.0)
    return Picture(planes, alpha_of_value(samples, value), "gray" if channels == 1 else "rgb", 65535.0)
