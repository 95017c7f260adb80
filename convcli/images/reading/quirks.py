"""Peculiarities of Pillow's decoders for single formats. All of them are handled here.

Pillow has no mode for 16-bit colours, and cuts them to 8 bits. See `sixteen_bits`.
"""

from __future__ import annotations

from typing import Any

from PIL import Image

from convcli.images.formats import row_of

_MODES = ("LA", "RGB", "RGBA", "CMYK")
_RAW_MODES = (*_MODES, "RGBX", "RGBa")
"""Modes and raw modes that have 16-bit variants."""


def more_than_8(image: Image.Image) -> bool:
    """Whether Pillow will cut the stored samples to 8 bits. Call it before decoding.

    The raw mode tells it. In a PPM the raw mode is that of the result, and the largest value tells it.
    """
    tiles: Any = getattr(image, "tile", ())
    return image.mode in _MODES and any(
        ";16" in str(tile[3]) or (tile[0].startswith("ppm") and tile[3][1] > 255) for tile in tiles
    )


def cut_note(image: Image.Image) -> str:
    """The remark about cut samples."""
    return f"{image.format} of this kind with more than 8 bits per channel is read with 8"


def invert_bitmap(image: Image.Image) -> None:
    """Have Pillow read a bitmap of Photoshop, in which 1 is black, as it is."""
    file: Any = image
    if image.format == "PSD" and image.mode == "1":
        file.tile = [tile._replace(args="1;I") for tile in file.tile]


def raw_mode(image: Image.Image) -> str | None:
    """The raw mode of 16-bit colours that `sixteen_bits` can decode; None for other images. Call it before decoding."""
    tiles: Any = getattr(image, "tile", ())
    if image.mode not in _MODES or any(tile.codec_name not in ("zip", "raw", "libtiff") for tile in tiles):
        return None
    modes = {tile.args if isinstance(tile.args, str) else tile.args[0] for tile in tiles}
    mode = str(modes.pop()) if len(modes) == 1 else ""
    base, _, kind = mode.partition(";")
    return mode if base in _RAW_MODES and kind in ("16B", "16L", "16N") else None


def cut_animation(image: Image.Image) -> bool:
    """Make Pillow read an animated PNG of 16 bits with 8: it cannot combine frames of 16 bits. Returns whether it is one."""
    file: Any = image
    if not hasattr(file, "png") or not (image.mode.startswith("I") or more_than_8(image)):
        return False
    if image.mode.startswith("I"):
        file._mode = file.png.im_mode = "L"
        file.png.im_rawmode = "L;16B"
        file.tile = [tile._replace(args="L;16B") for tile in file.tile]
    key = image.info.get("transparency")
    if key is not None:
        image.info["transparency"] = key >> 8 if isinstance(key, int) else tuple(value >> 8 for value in key)
    return True


def transparent_value(image: Image.Image) -> tuple[int, ...] | None:
    """The only transparent colour of a 16-bit PNG. It is removed from `info`, because Pillow would compare 8 bits with it.

    Pillow scales pixels of 2 and 4 bits to 8 bits, but not the transparent value. Here it is scaled as well.
    """
    tiles, gray = getattr(image, "tile", ()), image.info.get("transparency")
    largest = {"L;2": 3, "L;4": 15}.get(str(tiles[0][3])) if tiles else None
    if largest is not None and isinstance(gray, int) and gray <= largest:
        image.info["transparency"] = gray * 255 // largest
    deep = more_than_8(image) or image.mode.startswith("I")
    value = image.info.pop("transparency", None) if deep else None
    return (value,) if isinstance(value, int) else tuple(value) if isinstance(value, tuple) else None


def count_of(image: Image.Image) -> int:
    """The number of pictures in a file, at least 1.

    Pillow counts the layers of a PSD, not the picture that they form, and believes the counts in other headers.
    """
    if row_of(image.format).layers:
        return 1
    return max(1, int(getattr(image, "n_frames", 1)))
