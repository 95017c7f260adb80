"""From a path or standard input to a `Picture`."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from convcli import files, npy
from convcli.errors import ImageError
from convcli.images.picture import Metadata, Picture
from convcli.images.pixels import array_of

T = TypeVar("T")
_Planes = tuple[NDArray[np.generic], NDArray[np.generic] | None, str, float, bool]

SMAX = 341
"""TIFF's SMaxSampleValue: the white of real values, which no other tag tells."""

_ORIENTATION = 274
"""EXIF's tag of how the camera was held."""

_RGB_LIKE = {"RGB", "RGBX", "RGBA", "RGBa", "P", "PA", "YCbCr", "HSV"}
_LAYOUT = {
    254, 255, 256, 257, 258, 259, 262, 263, 266, 273, 277, 278, 279, 280, 281, 282, 283, 284, 288, 289, 290, 291, 292,
    293, 296, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 330, 332, 333, 334, 336, 338, 339, 340, 341, 347, 512,
    513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532, 34675,
}  # fmt: skip
"""TIFF's tags of how the pixels are stored (TIFF 6.0), and those that are kept apart from EXIF: resolution, profile."""
_GRAY_LIKE = {"1", "L", "LA", "La"}


def load(source: str) -> Picture:
    """Decode an image (any format that Pillow reads) or a .npy tensor.

    Parameters
    ----------
    source : str
        A path, or ``-`` for standard input. The format is recognised by content, not by name.

    Returns
    -------
    Picture
        Upright (EXIF orientation is applied and its tag dropped); palettes become RGB, 1-bit becomes 8-bit gray.

    Raises
    ------
    ImageError
        It cannot be read, is no image, is truncated or damaged, or is too large to be trusted.
    """
    with files.reading(source) as stream:
        tensor = stream.read(len(npy.MAGIC)) == npy.MAGIC
        stream.seek(0)
        if tensor:
            return _tensor(stream, source)
        opened = _open(stream, source)
    image, notes = opened.image, opened.notes
    colour, alpha, space, full_scale, real = _pixels(image, opened.transparent, opened.white, source)
    if image.mode == "I" and real and opened.white is None:
        notes += (f"32-bit values: white is taken as {full_scale:.0f}, the next full number of bits",)
    return Picture(colour, alpha, space, full_scale, real=real, metadata=opened.metadata, notes=notes)


@dataclass(frozen=True, slots=True, eq=False)
class _Opened:
    """What Pillow makes of a file: decoded pixels, what is carried along, and what white is if the file says so."""

    image: Image.Image
    metadata: Metadata
    transparent: bool
    white: float | None
    notes: tuple[str, ...]


def _open(stream: BinaryIO, source: str) -> _Opened:
    try:
        with warnings.catch_warnings(), files.silent():
            warnings.simplefilter("ignore")  # Pillow warns of sizes that it still accepts, and of odd metadata
            with Image.open(stream) as image:
                if image.format == "EPS":
                    raise ImageError(
                        f"input '{source}' is EPS, a program, which Pillow would hand to Ghostscript: convert it to png first"
                    )
                return _decode(image)
    except (ImageError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise ImageError(
            f"input '{source}' is not an image: Pillow recognises no format in it; name an image or a .npy file"
        ) from None
    except Image.DecompressionBombError:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise ImageError(
            f"input '{source}' has more than {limit} pixels and may be a decompression bomb: reduce it first"
        ) from None
    except Exception as error:  # only Pillow's code runs in there, and its decoders raise whatever comes to hand
        raise ImageError(
            f"input '{source}' cannot be decoded: {_first_line(error)}; is it truncated, damaged or of a rare kind?"
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _tensor(stream: BinaryIO, source: str) -> Picture:
    try:
        array = npy.read(stream)
    except ValueError as error:
        raise ImageError(f"input '{source}' {error}") from None
    if array.ndim not in (2, 3, 4) or 0 in array.shape:
        raise ImageError(f"input '{source}' has shape {array.shape}: (H, W), (C, H, W) or (N, C, H, W) is wanted")
    if array.dtype == bool:
        array = array.astype(np.uint8)
    colour = array[np.newaxis] if array.ndim == 2 else array
    full_scale = {"uint8": 255.0, "uint16": 65535.0}.get(array.dtype.name, 1.0)
    return Picture(colour, None, "tensor", full_scale, array.ndim, metadata=Metadata("NPY"))


def _decode(image: Image.Image) -> _Opened:
    notes = []
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        notes.append(f"the first of {frames} frames is used")
    deep = _deeper_than_8_bits(image)
    if deep:
        notes.append(
            f"{image.format} with 16 bits per channel is read with 8: convert it to 16-bit gray to keep the depth"
        )
    if (deep or image.mode.startswith("I")) and image.info.pop("transparency", None) is not None:
        notes.append("the file calls one 16-bit value transparent: it is kept like the others")
    container = image.format
    icc_profile = image.info.get("icc_profile")
    image.load()
    white = _sound(lambda: _white(image))
    dpi = _sound(lambda: _dpi(image))
    exif = _sound(lambda: _upright(image), b"damaged")
    if exif == b"damaged":
        notes.append("its EXIF data is damaged and left out")
        exif = None
    return _Opened(
        image, Metadata(container, icc_profile, dpi, exif, frames), image.has_transparency_data, white, tuple(notes)
    )


def _sound(read: Callable[[], T | None], otherwise: T | None = None) -> T | None:
    """What `read` finds in a file's metadata, or `otherwise`: damaged metadata does not spoil the pixels."""
    try:
        return read()
    except MemoryError:
        raise
    except Exception:  # struct.error, ZeroDivisionError, TypeError, …: see `_open`
        return otherwise


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    if image.format == "TIFF" and 0x011A not in image.getexif():  # Pillow invents 1 dpi
        return None
    across, down = map(float, image.info["dpi"])
    return (across, down) if 0 < across < 65536 and 0 < down < 65536 else None


def _upright(image: Image.Image) -> bytes | None:
    """Turn the pixels as the EXIF orientation says; the EXIF data without it and without the layout of the pixels."""
    exif = image.getexif()
    if exif.get(_ORIENTATION, 1) != 1:
        from PIL import ImageOps

        ImageOps.exif_transpose(image, in_place=True)
        exif = image.getexif()
    for tag in _LAYOUT:
        exif.pop(tag, None)
    return exif.tobytes() if len(exif) else None


def _white(image: Image.Image) -> float | None:
    """TIFF's SMaxSampleValue, where there is one that can be white."""
    value = image.getexif().get(SMAX) if image.format == "TIFF" else None
    white = float(value[0] if isinstance(value, tuple) else value) if value is not None else 0.0
    return white if 0 < white < inf else None


def _deeper_than_8_bits(image: Image.Image) -> bool:
    """Whether Pillow will cut the stored samples to 8 bits (it has no 16-bit colour modes)."""
    raw_modes = [str(tile[3]) for tile in getattr(image, "tile", ())]
    if image.format == "PPM":  # the raw mode is that of the result; the largest value stands beside it
        return image.mode == "RGB" and any(tile[0] == "ppm" and tile[3][1] > 255 for tile in getattr(image, "tile", ()))
    return image.mode in ("RGB", "RGBA", "LA", "CMYK") and any(";16" in raw for raw in raw_modes)


def _pixels(image: Image.Image, transparent: bool, white: float | None, source: str) -> _Planes:
    """Colour ``(C, H, W)``, alpha ``(H, W)``, space, full scale, and whether the values are real numbers."""
    if image.mode in _GRAY_LIKE:
        wanted, space = ("LA" if transparent else "L"), "gray"
    elif image.mode in _RGB_LIKE:
        wanted, space = ("RGBA" if transparent else "RGB"), "rgb"
    elif image.mode == "CMYK":
        wanted, space, transparent = "CMYK", "cmyk", False
    elif image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _deep_gray(image, white)
    else:
        raise ImageError(
            f"input '{source}' is of Pillow's mode {image.mode}, which is not supported: convert it to RGB"
        )
    array = array_of(image if image.mode == wanted else image.convert(wanted))
    if array.ndim == 2:
        return array[np.newaxis], None, space, 255.0, False
    planes = np.moveaxis(array, -1, 0)
    return (planes[:-1], planes[-1], space, 255.0, False) if transparent else (planes, None, space, 255.0, False)


def _deep_gray(image: Image.Image, white: float | None) -> _Planes:
    """16-bit gray, also in Pillow's 32-bit mode I; what exceeds 16 bits becomes float32, or float64.

    White is what the file says. If it says nothing, it is 1 for floating point, and for 32-bit integers the largest
    number of as many bits as the values need.
    """
    array = np.asarray(image)
    if image.mode == "F":
        return array.astype(np.float32)[np.newaxis], None, "gray", white or 1.0, True
    low, high = int(array.min()), int(array.max())
    kind = np.float32 if max(-low, high) <= 2**24 else np.float64  # which holds every one of them
    if image.mode == "I" and (low < 0 or high > 65535):
        bits = max(16, high.bit_length())
        return array.astype(kind)[np.newaxis], None, "gray", white or 2.0**bits - 1, True
    return array.astype(np.uint16)[np.newaxis], None, "gray", 65535.0, False
