"""Which formats can be read and written here."""

from __future__ import annotations

from contextlib import suppress

from PIL import Image, features

from convcli.errors import ImageError
from convcli.images.names import UNREADABLE
from convcli.images.save import format_of

_CODECS = {"AVIF": "avif", "WEBP": "webp", "JPEG2000": "jpg_2000", "JPEG": "jpg", "PNG": "zlib", "TIFF": "libtiff"}
"""Formats that Pillow may be built without, and the feature that says so."""


def readable() -> tuple[str, ...]:
    """Formats that can be read, by Pillow's names, and NPY."""
    Image.init()
    return tuple(sorted(["NPY", *filter(_built, set(Image.OPEN) - UNREADABLE)]))


def writable() -> tuple[str, ...]:
    """Formats that can be written, by Pillow's names, and NPY."""
    found = {"NPY"}
    for ending in Image.registered_extensions():
        with suppress(ImageError):
            found.add(format_of(f"x{ending}", None, None))
    return tuple(sorted(filter(_built, found)))


def libraries() -> str:
    """The libraries that Pillow's codecs use, with their versions."""
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
    return name not in _CODECS or bool(features.check(_CODECS[name]))
