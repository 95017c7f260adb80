"""From a path or standard input to a `Picture`."""

from __future__ import annotations

import io
import warnings
from subprocess import SubprocessError

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from convcli import files, npy
from convcli.errors import ImageError
from convcli.images.picture import Metadata, Picture

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
    data = files.read_bytes(source)
    if data.startswith(npy.MAGIC):
        return _tensor(data, source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of sizes that it still accepts, and of odd metadata
            with Image.open(io.BytesIO(data)) as image:
                return _decode(image)
    except UnidentifiedImageError:
        raise ImageError(
            f"input '{source}' is not an image: Pillow recognises no format in it; name an image or a .npy file"
        ) from None
    except Image.DecompressionBombError:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise ImageError(
            f"input '{source}' has more than {limit} pixels and may be a decompression bomb: reduce it first"
        ) from None
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        IndexError,
        KeyError,
        TypeError,
        OverflowError,
        AssertionError,
        SubprocessError,
    ) as error:
        # The exceptions of Pillow's decoders for truncated and damaged files.
        raise ImageError(
            f"input '{source}' cannot be decoded: {_first_line(error)}; is it truncated or damaged?"
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _tensor(data: bytes, source: str) -> Picture:
    try:
        array = npy.read(io.BytesIO(data))
    except ValueError as error:
        raise ImageError(f"input '{source}' {error}") from None
    if array.ndim not in (2, 3, 4) or 0 in array.shape:
        raise ImageError(f"input '{source}' has shape {array.shape}: (H, W), (C, H, W) or (N, C, H, W) is wanted")
    if array.dtype == bool:
        array = array.astype(np.uint8)
    colour = array[np.newaxis] if array.ndim == 2 else array
    full_scale = {"uint8": 255.0, "uint16": 65535.0}.get(array.dtype.name, 1.0)
    return Picture(colour, None, "tensor", full_scale, array.ndim, Metadata("NPY"))


def _decode(image: Image.Image) -> Picture:
    notes = []
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        notes.append(f"the first of {frames} frames is used")
    if _deeper_than_8_bits(image):
        notes.append(
            f"{image.format} with 16 bits per channel is read with 8: convert it to 16-bit gray to keep the depth"
        )
    container = image.format
    if container == "EPS":
        raise ImageError("EPS is a program, which Pillow would hand to Ghostscript: convert it to png first")
    dpi = image.info.get("dpi") if container != "TIFF" or 0x011A in image.getexif() else None  # Pillow invents 1 dpi
    icc_profile = image.info.get("icc_profile")
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    exif = image.getexif()
    for tag in _LAYOUT:
        exif.pop(tag, None)
    metadata = Metadata(
        container, icc_profile, (float(dpi[0]), float(dpi[1])) if dpi else None, exif.tobytes() if len(exif) else None
    )
    colour, alpha, space, full_scale = _pixels(image)
    return Picture(colour, alpha, space, full_scale, metadata=metadata, notes=tuple(notes))


def _deeper_than_8_bits(image: Image.Image) -> bool:
    """Whether Pillow will cut the stored samples to 8 bits (it has no 16-bit colour modes)."""
    raw_modes = [str(tile[3]) for tile in getattr(image, "tile", ())]
    if image.format == "PPM":  # the raw mode is that of the result; the largest value stands beside it
        return image.mode == "RGB" and any(tile[0] == "ppm" and tile[3][1] > 255 for tile in getattr(image, "tile", ()))
    return image.mode in ("RGB", "RGBA", "LA", "CMYK") and any(";16" in raw for raw in raw_modes)


def _pixels(image: Image.Image) -> tuple[NDArray[np.generic], NDArray[np.generic] | None, str, float]:
    """Colour ``(C, H, W)``, alpha ``(H, W)``, space and full scale."""
    transparent = image.has_transparency_data
    if image.mode in _GRAY_LIKE:
        wanted, space = ("LA" if transparent else "L"), "gray"
    elif image.mode in _RGB_LIKE:
        wanted, space = ("RGBA" if transparent else "RGB"), "rgb"
    elif image.mode == "CMYK":
        wanted, space, transparent = "CMYK", "cmyk", False
    elif image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _deep_gray(image)
    else:
        raise ImageError(f"images of Pillow's mode {image.mode} are not supported: convert it to RGB first")
    array = np.asarray(image if image.mode == wanted else image.convert(wanted))
    if array.ndim == 2:
        return array[np.newaxis], None, space, 255.0
    planes = np.moveaxis(array, -1, 0)
    return (planes[:-1], planes[-1], space, 255.0) if transparent else (planes, None, space, 255.0)


def _deep_gray(image: Image.Image) -> tuple[NDArray[np.generic], None, str, float]:
    """16-bit gray, also in Pillow's 32-bit mode I; what exceeds 16 bits becomes float32."""
    array = np.asarray(image)
    if image.mode == "F" or (image.mode == "I" and (array.min() < 0 or array.max() > 65535)):
        return array.astype(np.float32)[np.newaxis], None, "gray", 1.0
    return array.astype(np.uint16)[np.newaxis], None, "gray", 65535.0
