"""16-bit colour through Pillow's decoders, which have no image mode for it.

Pillow unpacks such samples into 8 bits, and which of its unpackers does that is a setting of the tile: ``;16B`` takes the
first byte of each sample, ``;16L`` the second. Decoded once with each, a picture is whole. All of the decoders work so:
PNG's with its filters and interlacing, libtiff's with its compressions and predictors.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convcli.images.formats import row_of
from convcli.images.reading.planes import array_of

Opener = Callable[[], Image.Image]
"""Opens the file anew, at the frame in question, nothing of it decoded."""

IMAGE_MODES = ("LA", "RGB", "RGBA", "CMYK")
RAW_MODES = ("LA", "RGB", "RGBX", "RGBA", "RGBa", "CMYK")
"""Those that have 16-bit variants."""


def more_than_8(image: Image.Image) -> bool:
    """Whether Pillow will cut the stored samples to 8 bits (it has no 16-bit colour modes). To be asked before decoding."""
    tiles: Any = getattr(image, "tile", ())
    if image.format == "PPM":  # the raw mode is that of the result; the largest value stands beside it
        return image.mode == "RGB" and any(tile[0].startswith("ppm") and tile[3][1] > 255 for tile in tiles)
    return image.mode in IMAGE_MODES and any(";16" in str(tile[3]) for tile in tiles)


def are_cut(image: Image.Image, stream: BinaryIO) -> bool:
    """Whether Pillow will cut the samples to 8 bits, and `decode` cannot prevent it. To be asked before decoding."""
    deep = row_of(image.format).deep
    if deep is None:
        return more_than_8(image)
    before, number, mask, least = deep
    place = stream.tell()
    stream.seek(0)
    _, _, after = stream.read(1 << 20).partition(before)
    stream.seek(place)
    return image.mode in IMAGE_MODES and len(after) > number and (after[number] & mask) >= least


def cut_note(image: Image.Image) -> str:
    """The remark on it."""
    return f"{image.format} of this kind with more than 8 bits per channel is read with 8"


def raw_mode(image: Image.Image) -> str | None:
    """The raw mode of an image's 16-bit colours, before it is decoded; None if it has none that can be reached here."""
    tiles: Any = getattr(image, "tile", ())
    if not tiles or image.mode not in IMAGE_MODES:
        return None
    if image.format == "TIFF" and getattr(image, "tag_v2", {}).get(258) == (
        16,
        16,
    ):  # see `convcli.images.reading.tiff_file`
        native = "16L" if sys.byteorder == "little" else "16B"
        stored = "16B" if getattr(image, "tag_v2", None).prefix == b"MM" else "16L"  # type: ignore[union-attr]
        return f"LA;{native if tiles[0].codec_name == 'libtiff' else stored}"
    if any(tile.codec_name not in ("zip", "raw", "libtiff", "ppm") for tile in tiles):
        return None
    if tiles[0].codec_name == "ppm":
        return "RGB;16B" if image.mode == "RGB" and tiles[0].args[1] > 255 else None
    modes = {tile.args if isinstance(tile.args, str) else tile.args[0] for tile in tiles}
    mode = str(modes.pop()) if len(modes) == 1 else ""
    base, _, kind = mode.partition(";")
    return mode if base in RAW_MODES and kind in ("16B", "16L", "16N") else None


def cut_animation(image: Image.Image) -> bool:
    """Have Pillow read an animated PNG of 16 bits with 8, in which it can lay frames over each other; whether it is one."""
    file: Any = image
    if image.format != "PNG" or not (image.mode.startswith("I") or more_than_8(image)):
        return False
    if image.mode.startswith("I"):
        file._mode = file.png.im_mode = "L"
        file.png.im_rawmode = "L;16B"
        file.tile = [tile._replace(args="L;16B") for tile in file.tile]
    key = image.info.get("transparency")
    if key is not None:
        image.info["transparency"] = key >> 8 if isinstance(key, int) else tuple(value >> 8 for value in key)
    return True


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
