"""From a `Picture` to a file or standard output, whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convcli import files, npy
from convcli.errors import ImageError
from convcli.images import png
from convcli.images.load import SMAX
from convcli.images.picture import Picture
from convcli.images.storage import Storage
from convcli.ranges import Clipped, apply_policy, store

_CMYK = {"JPEG", "TIFF", "MPO", "PDF"}
_KEEPS_EXIF = {"JPEG", "PNG", "WEBP", "TIFF", "AVIF", "MPO"}
_KEEPS_DPI = {"JPEG", "PNG", "TIFF", "BMP"}
_KEEPS_ICC = {"JPEG", "PNG", "WEBP", "TIFF", "AVIF"}
_EXIF_LIMIT = {"JPEG": 65533, "MPO": 65533}
_UNFIT = {"BLP", "BUFR", "GRIB", "HDF5", "MSP", "PALM", "SPIDER", "WMF", "XBM"}
"""Formats that Pillow lists as writable, but that hold neither gray nor colours of 8 bits, or want another program."""
_SETTINGS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 92},
    "WEBP": {"quality": 92, "exact": True},
    "TIFF": {"compression": "tiff_lzw"},
}


def format_of(target: str, wanted: str | None, source: str | None) -> str:
    """The format to write, as Pillow names it, or ``NPY``.

    Parameters
    ----------
    target : str
        A path, whose ending decides; ``-``, or a device or pipe whose name has no ending.
    wanted : str, optional
        What ``--format`` says: decides for these.
    source : str, optional
        The input's format: what they fall back to.

    Raises
    ------
    ImageError
        An ending or a name that nothing here can write.
    """
    if wanted is None and files.is_stream(target) and not Path(target).suffix:
        return source if source == "NPY" or (source in Image.SAVE and source not in _UNFIT) else "PNG"
    extension = f".{wanted.lower().lstrip('.')}" if wanted is not None else Path(target).suffix.lower()
    if extension == ".npy":
        return "NPY"
    name = _EARLY.get(extension) or Image.registered_extensions().get(extension)
    if name is None or (name not in _EARLY.values() and (name not in Image.SAVE or name in _UNFIT)):
        ending = f"ends in '{extension}', which" if extension else "has no ending such as .png and"
        what = f"format '{wanted}'" if wanted is not None else f"output '{target}' {ending}"
        raise ImageError(f"{what} cannot be written: use png, jpg, tif, webp, ppm, bmp, gif or npy")
    if name in ("WEBP", "AVIF") and not _built_with(name.lower()):
        raise ImageError(f"format {name} cannot be written: this Pillow is built without it; use png")
    return name


def _built_with(library: str) -> bool:
    from PIL import features

    return bool(features.check(library))


_UNPACKED = {"BMP"}
"""Formats that store pixels as they are, front to back: they need no copy in memory before they are written."""

_EARLY = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF", ".ppm": "PPM", ".pgm": "PPM",
          ".pnm": "PPM", ".bmp": "BMP", ".gif": "GIF", ".webp": "WEBP"}  # fmt: skip
"""Known without asking Pillow, which imports every plugin to answer."""


class Saved(NamedTuple):
    """What was clipped, and what was lost, while a picture was written."""

    clipped: Clipped
    notes: tuple[str, ...] = ()


def save(picture: Picture, target: str, storage: Storage, threads: int | None = None) -> Saved:
    """Write a picture.

    Parameters
    ----------
    picture : Picture
        Colour and alpha as real values in units of its `full_scale`, or colour already in the file's integers.
    target : str
        A path or ``-``.
    storage : Storage
        How it is kept.
    threads : int, optional
        For encoders that use several; by default, one for each processor.

    Returns
    -------
    Saved
        What was clipped here (nothing if the colours came as integers), and what was lost.

    Raises
    ------
    ImageError
        A target that cannot be written.
    """
    if storage.container == "NPY":
        array, clipped = _as_tensor(picture, storage.policy)
        array, lost = _narrowed(array, storage.dtype)
        with files.writing(target) as stream:
            npy.write(stream, array)
        return Saved(clipped, lost)
    pixels, clipped = _pixels(picture, storage)
    container = storage.container
    notes: tuple[str, ...] = ()
    metadata = picture.metadata
    if metadata.exif and len(metadata.exif) > _EXIF_LIMIT.get(container, len(metadata.exif)):
        notes += (f"its EXIF data is too long for {container} and left out",)
        picture = replace(picture, metadata=replace(metadata, exif=None))
    if container == "GIF" and pixels.shape[2] in (2, 4) and ((pixels[..., -1] > 0) & (pixels[..., -1] < 255)).any():
        notes += ("GIF pixels are opaque or transparent: those in between become opaque; write png to keep them",)
    options = _options(picture, storage)
    if container == "PNG":
        with files.writing(target) as stream:
            stream.writelines(
                png.encode(pixels, options.get("icc_profile"), options.get("exif"), options.get("dpi"), threads)
            )
        return Saved(clipped, notes)
    if container == "PPM":
        with files.writing(target) as stream:
            stream.writelines(_netpbm(pixels))
        return Saved(clipped, notes)
    image = _image(pixels, storage.space)
    if container in _UNPACKED:
        with files.writing(target) as stream:
            image.save(stream, container, **options)
        return Saved(clipped, notes)
    buffer = io.BytesIO()
    try:
        with files.silent():
            image.save(buffer, container, **options)
    except MemoryError:
        raise
    except Exception as error:  # only Pillow's code runs in there, and its encoders raise whatever comes to hand
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise ImageError(f"output '{target}' cannot be written as {container} ({why}): use png or tif") from None
    with files.writing(target) as stream:
        stream.write(buffer.getbuffer())
    return Saved(clipped, notes)


def _narrowed(array: NDArray[Any], dtype: str) -> tuple[NDArray[Any], tuple[str, ...]]:
    """An array in the dtype that it is kept in, and a remark on the values that this has no room for."""
    if array.dtype == dtype:
        return array, ()
    with np.errstate(over="ignore"):
        out = array.astype(dtype)
    count = int(np.count_nonzero(np.isinf(out) & np.isfinite(array)))
    if not count:
        return out, ()
    what = f"{count} value{'s are' if count > 1 else ' is'} beyond {dtype} and become{'s' * (count == 1)} infinite"
    return out, (f"{what}: use --dtype {'float32' if dtype == 'float16' else 'float64'}",)


def _netpbm(pixels: NDArray[Any]) -> Iterator[bytes | memoryview]:
    """A PGM or PPM file of ``(H, W, C)``: a line of sizes, and the pixels as they are, their high bytes first."""
    height, width, channels = pixels.shape
    yield f"P{6 if channels == 3 else 5}\n{width} {height}\n{np.iinfo(pixels.dtype).max}\n".encode()
    yield np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">")).data.cast("B")


def _as_tensor(picture: Picture, policy: str) -> tuple[NDArray[Any], Clipped]:
    values, clipped = _real(picture.colour, picture.full_scale, policy)
    if picture.alpha is not None:
        values = np.concatenate([values, picture.alpha[np.newaxis]])
    if picture.rank == 2 and values.shape[0] == 1:
        values = values[0]
    return np.ascontiguousarray(values), clipped


def _real(colour: NDArray[Any], full_scale: float, policy: str) -> tuple[NDArray[Any], Clipped]:
    """Real values under a range policy, without rounding; only ``clip`` bounds them."""
    values = apply_policy(_floating(colour), full_scale, policy)
    if policy != "clip":
        return values, Clipped()
    below, above = int(np.count_nonzero(values < 0)), int(np.count_nonzero(values > full_scale))
    return np.clip(values, 0, full_scale), Clipped(below, above, values.size)


def _floating(array: NDArray[Any]) -> NDArray[Any]:
    return array if array.dtype.kind == "f" else array.astype(np.float32)


def _pixels(picture: Picture, storage: Storage) -> tuple[NDArray[Any], Clipped]:
    """``(H, W, C)`` as `storage` says, alpha last."""
    colour = picture.colour[0] if picture.colour.ndim == 4 else picture.colour
    if storage.dtype == "float32":
        values, clipped = _real(colour, storage.full_scale, storage.policy)
        return np.moveaxis(values, 0, -1).astype(np.float32), clipped
    clipped = Clipped()
    if colour.dtype != storage.dtype:
        colour, clipped = _integers(colour, storage, storage.policy)
    planes = np.moveaxis(colour, 0, -1)
    if picture.alpha is not None:
        opacity, _ = _integers(picture.alpha, storage, "clip")
        planes = np.concatenate([planes, opacity[..., np.newaxis]], axis=-1)
    return _rgb(planes) if storage.space == "cmyk" and storage.container not in _CMYK else planes, clipped


def _rgb(cmyk: NDArray[Any]) -> NDArray[Any]:
    """CMYK as RGB, by Pillow's plain rule."""
    return np.asarray(_image(cmyk, "cmyk").convert("RGB"))


def _integers(values: NDArray[Any], storage: Storage, policy: str) -> tuple[NDArray[Any], Clipped]:
    real = _floating(values)
    scaled = real * real.dtype.type(storage.scale)
    out = np.empty(real.shape, storage.dtype)
    return out, store(scaled, storage.full_scale, policy, out)


def _image(pixels: NDArray[Any], space: str) -> Image.Image:
    """Pillow's image of ``(H, W, C)``."""
    height, width, channels = pixels.shape
    if pixels.dtype == np.float32:
        return Image.fromarray(pixels[..., 0])
    if pixels.dtype == np.uint16:
        mode = "I;16"
    elif space == "cmyk" and channels == 4:
        mode = "CMYK"
    else:
        mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
    return Image.frombuffer(mode, (width, height), np.ascontiguousarray(pixels), "raw", mode, 0, 1)


def _options(picture: Picture, storage: Storage) -> dict[str, Any]:
    """What Pillow is told beside the pixels: settings of the format, and metadata."""
    metadata, container = picture.metadata, storage.container
    kept = dict(_SETTINGS.get(container, {}))
    if container == "ICO":  # else Pillow makes icons of its own sizes
        kept["sizes"] = [picture.size[::-1]]
    if metadata.exif and container in _KEEPS_EXIF:
        kept["exif"] = metadata.exif
    if metadata.dpi and container in _KEEPS_DPI:
        kept["dpi"] = metadata.dpi
    converted = picture.space == "cmyk" and container not in _CMYK
    if metadata.icc_profile and container in _KEEPS_ICC and not converted:
        kept["icc_profile"] = metadata.icc_profile
    if storage.dtype == "float32":
        exif = Image.Exif()
        exif.load(kept.get("exif", b""))
        exif[SMAX] = storage.full_scale
        kept["exif"] = exif.tobytes()
    if container == "TIFF" and "exif" in kept:
        del kept["compression"]  # it takes libtiff, through which Pillow cannot write a camera's data nor that white
    return kept
