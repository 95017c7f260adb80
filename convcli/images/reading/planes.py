"""From Pillow's decoded image to planes: colour, alpha, and what white is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convcli.errors import ImageError
from convcli.images.alpha import joined
from convcli.images.reading.arrays import array_of

_RGB_LIKE = {"RGB", "RGBX", "RGBA", "RGBa", "P", "PA", "YCbCr", "HSV"}
_GRAY_LIKE = {"1", "L", "LA", "La"}


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """Colour ``(C, H, W)``, alpha ``(H, W)``, space, full scale, and whether the values are real numbers."""

    colour: NDArray[np.generic]
    alpha: NDArray[np.generic] | None
    space: str
    full_scale: float
    real: bool = False


def planes_of(
    image: Image.Image,
    samples: NDArray[np.uint16] | None,
    transparent: bool,
    value: tuple[int, ...] | None,
    white: float | None,
    source: str,
    plain: NDArray[np.uint8] | None = None,
) -> Planes:
    """The planes of an image.

    Parameters
    ----------
    image : Image
        Decoded, but for `samples` and `plain`.
    samples : ndarray or None
        ``(H, W, C)``, where `convcli.images.reading.sixteen_bits` has decoded them.
    transparent : bool
        Whether it has transparency, in a channel, a palette, or as one colour.
    value : tuple of int or None
        The one 16-bit colour that is transparent.
    white : float or None
        What the file says that white is.
    source : str
        For the message.
    plain : ndarray, optional
        What `read_plain` has read in Pillow's place.
    """
    if samples is not None:
        return _deep_colours(samples, image.mode, value)
    if image.mode in _GRAY_LIKE:
        wanted, space = ("LA" if transparent else "L"), "gray"
    elif image.mode in _RGB_LIKE:
        wanted, space = ("RGBA" if transparent else "RGB"), "rgb"
    elif image.mode == "CMYK":
        wanted, space, transparent = "CMYK", "cmyk", False
    elif image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _deep_gray(image, white, value)
    else:
        raise ImageError(
            f"input '{source}' is of Pillow's mode {image.mode}, which is not supported: convert it to RGB"
        )
    array = array_of(image, wanted) if plain is None else plain
    if array.ndim == 2:
        return Planes(array[np.newaxis], None, space, 255.0)
    planes = np.moveaxis(array, -1, 0)
    return Planes(planes[:-1], planes[-1], space, 255.0) if transparent else Planes(planes, None, space, 255.0)


def upright(planes: Planes, orientation: int) -> Planes:
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


def transparent_value(image: Image.Image) -> tuple[int, ...] | None:
    """The one 16-bit colour that a PNG calls transparent; Pillow, which would compare 8 bits with it, is not to see it.

    Of 2 and 4 bits, whose pixels it spreads to 8, the colour is spread as well.
    """
    tiles = getattr(image, "tile", ())
    largest = {"L;2": 3, "L;4": 15}.get(str(tiles[0][3])) if tiles and image.format == "PNG" else None
    gray = image.info.get("transparency")
    if largest is not None and isinstance(gray, int) and gray <= largest:
        image.info["transparency"] = gray * 255 // largest
    deep = deeper_than_8_bits(image) or image.mode.startswith("I")
    value = image.info.pop("transparency", None) if deep else None
    return (value,) if isinstance(value, int) else tuple(value) if isinstance(value, tuple) else None


def deeper_than_8_bits(image: Image.Image) -> bool:
    """Whether Pillow will cut the stored samples to 8 bits (it has no 16-bit colour modes). To be asked before decoding."""
    raw_modes = [str(tile[3]) for tile in getattr(image, "tile", ())]
    if image.format == "PPM":  # the raw mode is that of the result; the largest value stands beside it
        return image.mode == "RGB" and any(
            tile[0].startswith("ppm") and tile[3][1] > 255 for tile in getattr(image, "tile", ())
        )
    return image.mode in ("RGB", "RGBA", "LA", "CMYK") and any(";16" in raw for raw in raw_modes)


def _deep_colours(samples: NDArray[np.uint16], mode: str, value: tuple[int, ...] | None) -> Planes:
    planes = np.moveaxis(samples, -1, 0)
    channels = len(planes)
    if mode == "CMYK":
        return Planes(planes, None, "cmyk", 65535.0)
    if channels in (2, 4):
        return Planes(planes[:-1], planes[-1], "gray" if channels == 2 else "rgb", 65535.0)
    return Planes(planes, _opacity(samples, value), "gray" if channels == 1 else "rgb", 65535.0)


def _opacity(samples: NDArray[Any], value: tuple[int, ...] | None) -> NDArray[np.uint16] | None:
    """Alpha of ``(H, W, C)`` of which one colour is transparent."""
    if value is None:
        return None
    opaque: NDArray[np.bool_] = (samples != np.array(value, samples.dtype)).any(axis=-1)
    return np.where(opaque, np.uint16(65535), np.uint16(0))


def _deep_gray(image: Image.Image, white: float | None, value: tuple[int, ...] | None) -> Planes:
    """16-bit gray, also in Pillow's 32-bit mode I; what exceeds 16 bits becomes float32, or float64.

    White is what the file says. If it says nothing, it is 1 for floating point, and for 32-bit integers the largest
    number of as many bits as the values need.
    """
    array = array_of(image)
    tags: Any = getattr(image, "tag_v2", {})
    if image.mode == "I" and tags.get(339, (1,)) == (1,) and image.format == "TIFF":
        array = array.view(np.uint32)  # which Pillow reads as signed
    if image.mode == "F":
        return Planes(array[np.newaxis].astype(np.float32, copy=False), None, "gray", white or 1.0, True)
    low, high = int(array.min()), int(array.max())
    kind = np.float32 if max(-low, high) <= 2**24 else np.float64  # which holds every one of them
    if image.mode == "I" and (low < 0 or high > 65535):
        bits = max(16, high.bit_length())
        return Planes(array.astype(kind)[np.newaxis], None, "gray", white or 2.0**bits - 1, True)
    gray = array.astype(np.uint16, copy=False)
    if image.format == "TIFF" and tags.get(262) == 0 and image.mode.startswith("I;16"):
        gray = 65535 - gray  # white is 0, which Pillow turns round at 8 bits only
    return Planes(gray[np.newaxis], _opacity(gray[..., np.newaxis], value), "gray", 65535.0)
