"""From decoded pixels to planes: colour, alpha, and what white is; and which samples have more bits than Pillow decodes."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convcli.errors import ImageError, param
from convcli.images.formats import row_of
from convcli.images.picture import Metadata, Picture, joined

BAND_PIXELS = 1 << 20
"""What is converted at a time."""

SMALL_PIXELS = 1 << 20
"""Pictures up to which they are copied in the plain way, in some tenths of a millisecond."""

IMAGE_MODES = ("LA", "RGB", "RGBA", "CMYK")
RAW_MODES = ("LA", "RGB", "RGBX", "RGBA", "RGBa", "CMYK")
"""Those that have 16-bit variants."""


def is_plain(image: Image.Image) -> bool:
    """Whether the file of an image that is not yet decoded holds nothing but its samples, 8 bits each, row by row.

    PPM and PGM files of 8 bits do. Pillow's own memory, four bytes for each pixel of three, can be spared then.
    """
    if image.format != "PPM" or image.mode not in ("L", "RGB"):
        return False
    below, width = 0, image.size[0]
    for tile in image.tile:  # type: ignore[attr-defined]
        coding, (left, top, right, bottom), _, arguments = tile
        if (
            coding != "raw"
            or arguments not in (image.mode, (image.mode, 0, 1))
            or (left, top, right) != (0, below, width)
        ):
            return False
        below = bottom
    return below == image.size[1] and not image.has_transparency_data


def read_plain(image: Image.Image, stream: BinaryIO) -> NDArray[np.uint8] | None:
    """``(H, W)`` or ``(H, W, C)`` of an image that `is_plain`, from its file; None if that is cut off."""
    bands = len(image.getbands())
    array = np.empty((image.size[1], image.size[0], bands), np.uint8)
    for _, (_, top, _, bottom), offset, _ in image.tile:  # type: ignore[attr-defined]
        stream.seek(offset)
        rows = array[top:bottom]
        if cast("Any", stream).readinto(rows.data) != rows.nbytes:
            return None
    return array if bands > 1 else array[..., 0]


def array_of(image: Image.Image, mode: str | None = None) -> NDArray[Any]:
    """``(H, W)`` or ``(H, W, C)`` of an image in `mode`, its own by default, in that mode's dtype.

    `numpy.asarray` has Pillow list all pixels in small pieces and join them: a copy more than there is room for, and most of
    the time of reading an uncompressed photograph. Where Pillow has a format that is nothing but the pixels, it is made to
    write that into the array; elsewhere the image is converted and copied in bands. For a small picture that format is not worth
    its import.
    """
    mode = image.mode if mode is None else mode
    width, height = image.size
    if mode == image.mode and mode in ("L", "RGB"):
        if width * height < SMALL_PIXELS:
            return np.array(image)
        shape = (height, width) if image.mode == "L" else (height, width, 3)
        array = np.empty(shape, np.uint8)
        sink = _Sink(array, len(f"P6\n{width} {height}\n255\n"))
        image.save(cast("Any", sink), "PPM")
        return array if sink.place == array.size else np.asarray(image)
    rows = max(1, BAND_PIXELS // max(1, width))
    if height <= rows:
        return _converted(image, mode)
    out: NDArray[Any] | None = None
    source: Any = image
    source.load()
    for start in range(0, height, rows):
        box = 0, start, width, min(start + rows, height)
        band = _converted(source._new(source.im.crop(box)), mode)  # as `crop`, which checks Pillow's limit of pixels
        if out is None:
            out = np.empty((height, *band.shape[1:]), band.dtype)
        out[start : start + rows] = band
    assert out is not None
    return out


def _converted(image: Image.Image, mode: str) -> NDArray[Any]:
    return np.asarray(image if image.mode == mode else image.convert(mode))


class _Sink:
    """A file whose content, after a header of `skip` bytes, goes into an array."""

    def __init__(self, array: NDArray[np.uint8], skip: int) -> None:
        self.values, self.place = array.reshape(-1), -skip

    def write(self, data: bytes) -> int:
        """Take the next bytes."""
        start = max(0, -self.place)
        pixels = np.frombuffer(data, np.uint8)[start:]
        if pixels.size:
            part = self.values[self.place + start : self.place + len(data)]
            part[...] = pixels[: part.size]
        self.place += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""


def gray_planes(array: NDArray[Any], white: float | None, value: tuple[int, ...] | None = None) -> Picture:
    """Gray ``(H, W)`` of 16 or 32 bits. Integers beyond 16 bits, or below 0, become float32, or float64 if that is needed.

    White is what the file says. If it says nothing, it is 1 for floating point, and for such integers the largest number of as
    many bits as the values need. `value` is the one colour that is transparent.
    """
    if array.dtype.kind == "f":
        return Picture(array[np.newaxis], None, "gray", white or 1.0, real=True)
    if array.dtype != np.uint16:
        low, high = int(array.min()), int(array.max())
        if low < 0 or high > 65535:
            kind = np.float32 if max(-low, high) <= 2**24 else np.float64  # which holds every one of them
            bits = max(16, high.bit_length())
            return Picture(array.astype(kind)[np.newaxis], None, "gray", white or 2.0**bits - 1, real=True)
        array = array.astype(np.uint16)
    return Picture(array[np.newaxis], alpha_of_value(array[..., np.newaxis], value), "gray", 65535.0)


def completed(
    picture: Picture,
    source: str,
    wanted: float | None,
    metadata: Metadata,
    notes: tuple[str, ...],
    said: bool = False,
    guessed: bool = False,
) -> Picture:
    """A picture with what its file says beside the pixels, and whether its white is a guess.

    Parameters
    ----------
    source : str
        For the message.
    wanted : float or None
        What the user says that white is.
    said : bool
        Whether the file says it of real numbers; of others its depth does.
    guessed : bool
        Whether it is taken from 32-bit integers if nobody says it.

    Raises
    ------
    ImageError
        The user and the file both say it.
    """
    white, said = picture.full_scale, said or not picture.real
    if wanted is not None and said:
        rule = f"is for .npy and for real numbers whose file does not say what white is, '{source}' does, {white:g}"
        raise ImageError(param("full_scale", f"{wanted:g}"), rule, "leave it out")
    assumed = not said and wanted is None
    if guessed and assumed:
        guess = f"white is taken as {white:.0f}, the next full number of bits"
        notes = (f"32-bit values: {guess}; see {param('full_scale')}", *notes)
    return replace(picture, assumed=assumed, metadata=metadata, notes=notes)


def upright(planes: Picture, orientation: int) -> Picture:
    """Turned as the EXIF orientation says, interleaved in memory again."""
    if orientation == 1:
        return planes
    whole = planes.colour if planes.alpha is None else joined(planes.colour, planes.alpha)
    turned = np.moveaxis(np.ascontiguousarray(_turned(np.moveaxis(whole, 0, -1), orientation)), -1, 0)
    if planes.alpha is None:
        return replace(planes, colour=turned)
    return replace(planes, colour=turned[:-1], alpha=turned[-1])


def _turned(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """A view of ``(H, W, …)``; EXIF 2.3, 4.6.4, tag 274: where the first row and the first column are."""
    if orientation > 4:
        array = array.swapaxes(0, 1)
    flips = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}
    rows, columns = flips.get(orientation, (1, 1))
    return array[::rows, ::columns]


def alpha_of_value(samples: NDArray[Any], value: tuple[int, ...] | None) -> NDArray[np.uint16] | None:
    """Alpha of ``(H, W, C)`` of which one colour is transparent."""
    if value is None:
        return None
    opaque: NDArray[np.bool_] = (samples != np.array(value, samples.dtype)).any(axis=-1)
    return np.where(opaque, np.uint16(65535), np.uint16(0))


def more_than_8(image: Image.Image) -> bool:
    """Whether Pillow will cut the stored samples to 8 bits (it has no 16-bit colour modes). To be asked before decoding."""
    tiles: Any = getattr(image, "tile", ())
    if image.format == "PPM":  # the raw mode is that of the result; the largest value stands beside it
        return image.mode == "RGB" and any(tile[0].startswith("ppm") and tile[3][1] > 255 for tile in tiles)
    return image.mode in IMAGE_MODES and any(";16" in str(tile[3]) for tile in tiles)


def are_cut(image: Image.Image, stream: BinaryIO) -> bool:
    """Whether Pillow will cut the samples to 8 bits, and `sixteen_bits.decode` cannot prevent it. To be asked before decoding."""
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
    if image.format == "TIFF" and getattr(image, "tag_v2", {}).get(258) == (16, 16):  # see `tiff_file`
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
