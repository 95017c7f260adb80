"""From a `Picture` to a file or standard output, whole or not at all."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from convcli import files
from convcli.errors import ImageError
from convcli.images.picture import SPACES, Picture
from convcli.images.ranges import apply_policy, quantise

_NO_ALPHA = {"JPEG", "PPM", "BMP", "PCX", "EPS", "MPO"}
_CMYK = {"JPEG", "TIFF", "MPO", "PDF"}
_DEEP = {"PNG", "TIFF", "PPM"}
_FLOAT = {"TIFF"}
_KEEPS_EXIF = {"JPEG", "PNG", "WEBP", "TIFF", "AVIF", "MPO"}
_KEEPS_DPI = {"JPEG", "PNG", "TIFF", "BMP"}
_KEEPS_ICC = {"JPEG", "PNG", "WEBP", "TIFF", "AVIF"}
_SETTINGS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 92},
    "WEBP": {"quality": 92, "exact": True},
    "PNG": {"compress_level": 4},
    "TIFF": {"compression": "tiff_lzw"},
}


@dataclass(frozen=True, slots=True)
class Saved:
    """What was written: how many values were clipped, and what else the user should know."""

    below: int = 0
    above: int = 0
    total: int = 0
    notes: tuple[str, ...] = ()


def format_of(target: str, wanted: str | None, source: str | None) -> str:
    """The format to write, as Pillow names it, or ``NPY``.

    Parameters
    ----------
    target : str
        A path, whose ending decides, or ``-``.
    wanted : str, optional
        What ``--format`` says: decides for ``-``.
    source : str, optional
        The input's format: what ``-`` falls back to.

    Raises
    ------
    ImageError
        An ending or a name that nothing here can write.
    """
    if target == files.STDIO and wanted is None:
        return source if source in Image.SAVE or source == "NPY" else "PNG"
    extension = f".{wanted.lower().lstrip('.')}" if wanted is not None else Path(target).suffix.lower()
    if extension == ".npy":
        return "NPY"
    name = _EARLY.get(extension) or Image.registered_extensions().get(extension)
    if name is None or (name not in _EARLY.values() and name not in Image.SAVE):
        what = f"format '{wanted}'" if wanted is not None else f"output '{target}' ends in '{extension}', which"
        raise ImageError(f"{what} cannot be written: use png, jpg, tif, webp, ppm, bmp, gif or npy")
    if name in ("WEBP", "AVIF") and not features.check(name.lower()):
        raise ImageError(f"format {name} cannot be written: this Pillow is built without it; use png")
    return name


_EARLY = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF", ".ppm": "PPM", ".pgm": "PPM",
          ".pnm": "PPM", ".bmp": "BMP", ".gif": "GIF", ".webp": "WEBP"}  # fmt: skip
"""Known without asking Pillow, which imports every plugin to answer."""


def save(picture: Picture, target: str, container: str, policy: str | None = None) -> Saved:
    """Write a picture of real values.

    Parameters
    ----------
    picture : Picture
        Colour and alpha as floating point, in units of its `full_scale`.
    target : str
        A path or ``-``.
    container : str
        What `format_of` returned.
    policy : str, optional
        One of `ranges.RANGES`; by default ``clip`` for integer formats and ``raw`` for .npy and float images.

    Raises
    ------
    ImageError
        Channels that the format cannot hold, or a target that cannot be written.
    """
    if container == "NPY":
        with files.writing(target) as stream:
            np.lib.format.write_array(stream, _as_tensor(picture, policy or "raw"), allow_pickle=False)
        return Saved()
    image, saved = encode(picture, container, policy)
    buffer = io.BytesIO()
    try:
        image.save(buffer, container, **_SETTINGS.get(container, {}), **_metadata(picture, container))
    except (OSError, ValueError, KeyError) as error:
        raise ImageError(f"output '{target}' cannot be written as {container}: {error}") from None
    with files.writing(target) as stream:
        stream.write(buffer.getbuffer())
    return saved


def _as_tensor(picture: Picture, policy: str) -> NDArray[np.floating]:
    values: NDArray[np.floating] = apply_policy(_floating(picture.colour), picture.full_scale, policy)
    if policy not in ("raw", "minmax", "offset"):
        values = np.clip(values, 0, picture.full_scale)
    if picture.alpha is not None:
        values = np.concatenate([values, picture.alpha[np.newaxis]])
    if picture.rank == 2 and values.shape[0] == 1:
        values = values[0]
    return np.ascontiguousarray(values)


def _floating(array: NDArray[np.generic]) -> NDArray[np.floating]:
    out: NDArray[np.floating] = array if array.dtype.kind == "f" else array.astype(np.float32)  # type: ignore[assignment]
    return out


def encode(picture: Picture, container: str, policy: str | None) -> tuple[Image.Image, Saved]:
    """The picture as a Pillow image in a mode that `container` can hold."""
    colour = _floating(picture.colour)
    if colour.ndim == 4:
        if colour.shape[0] != 1:
            raise ImageError(f"a batch of {colour.shape[0]} images does not fit into one {container} file: write .npy")
        colour = colour[0]
    space = SPACES.get(colour.shape[0], "tensor") if picture.space == "tensor" else picture.space
    if space == "tensor":
        raise ImageError(
            f"{colour.shape[0]} output channels do not fit into a {container} file, which has 1 or 3: write .npy (-o out.npy), "
            "or join them with --combine"
        )
    if picture.alpha is not None and container in _NO_ALPHA:
        raise ImageError(f"{container} holds no transparency: use --alpha drop, or write png, webp or tif")
    deep = picture.full_scale > 255 and space == "gray" and picture.alpha is None
    real = picture.full_scale == 1 and picture.space != "tensor"
    if (real or policy == "raw") and container in _FLOAT and space == "gray" and picture.alpha is None:
        values = apply_policy(colour, picture.full_scale, policy or "raw")
        return Image.fromarray(np.ascontiguousarray(values[0], dtype=np.float32)), Saved()
    if policy == "raw":
        raise ImageError(f"--range raw does not fit into integers: write .npy, or gray tif instead of {container}")
    notes = []
    full_scale = 255.0 if picture.full_scale == 1 and picture.space == "tensor" else picture.full_scale
    planes = list(colour) if picture.alpha is None else [*colour, _floating(picture.alpha)]
    values = np.stack(planes, axis=-1)
    dtype = "uint8"
    if deep and container in _DEEP:
        dtype = "uint16"
    elif full_scale != 255:
        if full_scale > 255:
            notes.append(f"16-bit values are stored with 8 bits in {container}: write png or tif to keep the depth")
        values, full_scale = values * (255.0 / full_scale), 255.0
    colours = colour.shape[0]
    quantised = quantise(values[..., :colours], full_scale, policy or "clip", dtype)
    pixels = quantised.array
    if picture.alpha is not None:
        pixels = np.concatenate([pixels, quantise(values[..., colours:], full_scale, "clip", dtype).array], axis=-1)
    return _image(pixels, space, container), Saved(quantised.below, quantised.above, quantised.array.size, tuple(notes))


def _image(pixels: NDArray[np.generic], space: str, container: str) -> Image.Image:
    height, width, channels = pixels.shape
    if pixels.dtype == np.uint16:
        mode = "I;16"
    elif space == "cmyk":
        mode = "CMYK"
    else:
        mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
    image = Image.frombytes(mode, (width, height), np.ascontiguousarray(pixels).tobytes())
    return image.convert("RGB") if mode == "CMYK" and container not in _CMYK else image


def _metadata(picture: Picture, container: str) -> dict[str, Any]:
    metadata = picture.metadata
    kept: dict[str, Any] = {}
    if metadata.exif and container in _KEEPS_EXIF:
        kept["exif"] = metadata.exif
    if metadata.dpi and container in _KEEPS_DPI:
        kept["dpi"] = metadata.dpi
    if metadata.icc_profile and container in _KEEPS_ICC:
        kept["icc_profile"] = metadata.icc_profile
    return kept


def with_colour(picture: Picture, colour: NDArray[np.generic], alpha: NDArray[np.generic] | None) -> Picture:
    """`picture` with new pixels; its space follows the new count of channels."""
    channels = colour.shape[-3]
    space = picture.space if channels == picture.colour.shape[-3] else SPACES.get(channels, "tensor")
    profile = picture.metadata.icc_profile if space == picture.space else None
    return replace(
        picture, colour=colour, alpha=alpha, space=space, metadata=replace(picture.metadata, icc_profile=profile)
    )
