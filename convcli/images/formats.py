"""Which formats can be read and written here."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from PIL import Image

from convcli.errors import ImageError
from convcli.system import names

_CODECS = {"AVIF": "avif", "WEBP": "webp", "JPEG2000": "jpg_2000", "JPEG": "jpg", "PNG": "zlib", "TIFF": "libtiff"}
"""Formats that Pillow may be built without, and the feature that says so."""

_UNFIT = {"BLP", "BUFR", "GRIB", "HDF5", "MSP", "PALM", "SPIDER", "WMF", "XBM"}
"""Formats that Pillow lists as writable, but that hold neither gray nor colours of 8 bits, or want another program."""

_UNFIT_ENDINGS = {".pbm", ".pfm"}
"""Of black and white, and of real numbers: Pillow would write another PNM file under such a name."""

_UNREADABLE = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}
"""Formats that Pillow recognises, and reads with the help of other programs or not at all."""

_SINGLE = {"MPO": "JPEG"}
"""Formats of several pictures of which one is written, and what a file of one is: telephones put small ones behind."""

_EARLY = {".png": "PNG", ".apng": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF", ".ppm": "PPM",
          ".pgm": "PPM", ".pnm": "PPM", ".bmp": "BMP", ".gif": "GIF", ".webp": "WEBP"}  # fmt: skip
"""Known without asking Pillow, which imports every plugin to answer."""


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
    if wanted is None and names.is_stream(target) and not Path(target).suffix:
        source = _SINGLE.get(source or "", source)
        return source if source == "NPY" or (source in Image.SAVE and source not in _UNFIT) else "PNG"
    extension = f".{wanted.lower().lstrip('.')}" if wanted is not None else Path(target).suffix.lower()
    if extension == ".npy":
        return "NPY"
    name = _EARLY.get(extension) or Image.registered_extensions().get(extension)
    if (
        name is None
        or extension in _UNFIT_ENDINGS
        or (name not in _EARLY.values() and (name not in Image.SAVE or name in _UNFIT))
    ):
        ending = f"ends in '{extension}', which" if extension else "has no ending such as .png and"
        what = f"format '{wanted}'" if wanted is not None else f"output '{target}' {ending}"
        raise ImageError(f"{what} cannot be written: use png, jpg, tif, webp, ppm, bmp, gif or npy")
    if name in ("WEBP", "AVIF") and not _built(name):
        raise ImageError(f"format {name} cannot be written: this Pillow is built without it; use png")
    return _SINGLE.get(name, name)


def has_image_name(name: str) -> bool:
    """Whether a file's name ends as those of images do that can be read, or of .npy tensors."""
    extension = Path(name).suffix.lower()
    if extension in _EARLY or extension in ("", ".npy"):
        return bool(extension)
    container = Image.registered_extensions().get(extension)
    return container in Image.OPEN and container not in _UNREADABLE


def readable() -> tuple[str, ...]:
    """Formats that can be read, by Pillow's names, and NPY."""
    Image.init()
    return tuple(sorted(["NPY", *filter(_built, set(Image.OPEN) - _UNREADABLE)]))


def writable() -> tuple[str, ...]:
    """Formats that can be written, by Pillow's names, and NPY."""
    found = {"NPY"}
    for ending in Image.registered_extensions():
        with suppress(ImageError):
            found.add(format_of(f"x{ending}", None, None))
    return tuple(sorted(filter(_built, found)))


def libraries() -> str:
    """The libraries that Pillow's codecs use, with their versions."""
    from PIL import features

    names = {
        "libjpeg_turbo": "libjpeg-turbo",
        "jpg_2000": "OpenJPEG",
        "libtiff": "libtiff",
        "webp": "libwebp",
        "avif": "libavif",
    }
    found = [
        f"{label} {version}"
        for name, label in names.items()
        if features.check(name) and (version := features.version(name))
    ]
    return ", ".join(found)


def _built(name: str) -> bool:
    from PIL import features

    return name not in _CODECS or bool(features.check(_CODECS[name]))
