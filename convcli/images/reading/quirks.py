"""Peculiarities of Pillow's decoders for single formats. All of them are handled here.

Pillow has no mode for 16-bit colours, and cuts them to 8 bits. See `sixteen_bits`.
"""

from __future__ import annotations

import struct
import sys
from typing import Any, BinaryIO, cast

import numpy as np
from PIL import Image

from convcli.images.formats import row_of
from convcli.pointwise import Array

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


def are_cut(image: Image.Image, stream: BinaryIO) -> bool:
    """Whether Pillow will cut the samples to 8 bits and `sixteen_bits` cannot prevent it. Call it before decoding."""
    deep = row_of(image.format).deep
    if deep is None:
        return more_than_8(image)
    before, number, mask, least = deep
    place = stream.tell()
    stream.seek(0)
    _, _, after = stream.read(1 << 20).partition(before)
    stream.seek(place)
    return image.mode in _MODES and len(after) > number and (after[number] & mask) >= least


def cut_note(image: Image.Image) -> str:
    """The remark about cut samples."""
    return f"{image.format} of this kind with more than 8 bits per channel is read with 8"


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


def plain_white(image: Image.Image) -> int | None:
    """The value of white, if the file is a header and then nothing but samples, row by row; else None. Call it before decoding.

    Such files are PPM and PGM with 8 bits, and PPM with 16 bits. Read without Pillow, they need less memory.
    """
    tiles: Any = getattr(image, "tile", ())
    if not tiles or not row_of(image.format).plain or image.mode not in ("L", "RGB") or image.has_transparency_data:
        return None
    codec, _, _, arguments = tiles[0]
    if codec == "ppm" and image.mode == "RGB" and arguments[1] > 255:
        return int(arguments[1])
    return 255 if codec == "raw" and arguments in (image.mode, (image.mode, 0, 1)) else None


def read_plain(image: Image.Image, stream: BinaryIO, white: int) -> Array:
    """The array ``(H, W)`` or ``(H, W, C)`` of an image that has a `plain_white`. 16-bit samples are scaled to 65535.

    Raises `OSError` if the file is cut off.
    """
    (width, height), bands = image.size, len(image.getbands())
    array: Array = np.empty((height, width, bands), np.uint8 if white == 255 else np.uint16)
    stream.seek(image.tile[0].offset)  # type: ignore[attr-defined]
    if cast("Any", stream).readinto(array.view(np.uint8).data) != array.nbytes:
        raise OSError("image file is truncated")
    if white != 255 and sys.byteorder == "little":
        array.byteswap(inplace=True)
    if white not in (255, 65535):
        array[...] = np.rint(np.minimum(array, white) * (65535 / white))
    return array if bands > 1 else array[..., 0]


def count_of(image: Image.Image) -> int:
    """The number of pictures in a file, at least 1.

    Pillow counts the layers of a PSD, not the picture that they form, and believes the counts in other headers.
    """
    try:
        return max(1, int(getattr(image, "n_frames", 1)))
    except Exception:  # damage, or a layer that Pillow cannot read
        if row_of(image.format).layers:  # the picture does not depend on the layers
            return 1
        raise


def loses(image: Image.Image, stream: BinaryIO) -> bool:
    """Whether a file is lossy. In a WebP the kinds of its chunks tell it."""
    lossy = row_of(image.format).lossy_read
    if lossy is not None:
        return lossy
    place = stream.tell()
    try:
        return b"VP8L" not in _webp_chunks(stream)
    finally:
        stream.seek(place)


def _webp_chunks(stream: BinaryIO) -> list[bytes]:
    """The kinds of the chunks of a WebP, including those within frames.

    Google, "WebP Container Specification": a chunk has a kind of 4 bytes, a size of 4 bytes, as many bytes of data, and one more
    if the size is odd. A frame is a chunk ``VP8 `` if it is lossy, else ``VP8L``. In an animation, it is within a chunk ``ANMF``,
    after 16 bytes.
    """
    kinds, place = [], 12  # after ``RIFF``, a size and ``WEBP``
    stream.seek(place)
    while len(head := stream.read(8)) == 8:
        kind, size = struct.unpack("<4sI", head)
        kinds.append(kind)
        place += 24 if kind == b"ANMF" else 8 + size + size % 2
        stream.seek(place)
    return kinds
