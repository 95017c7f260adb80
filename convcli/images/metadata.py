"""What a file says beside its pixels, read from Pillow; damaged metadata does not spoil the pixels."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from math import inf
from typing import Any, TypeVar

from PIL import Image

from convcli.images.picture import JpegCoding, Metadata

T = TypeVar("T")

SMAX = 341
"""TIFF's SMaxSampleValue: the white of real values, which no other tag tells."""

ORIENTATION = 274
"""EXIF's tag of how the camera was held."""

_LAYOUT = {
    254, 255, 256, 257, 258, 259, 262, 263, 266, 273, 277, 278, 279, 280, 281, 282, 283, 284, 288, 289, 290, 291, 292,
    293, 296, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 330, 332, 333, 334, 336, 338, 339, 340, 341, 347, 512,
    513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532, 700, 34675,
}  # fmt: skip
"""TIFF's tags of how the pixels are stored (TIFF 6.0), and those that are kept apart from EXIF: resolution, profile, XMP."""

_LOSSY = {"JPEG", "MPO", "AVIF", "JPEG2000"}
_TURNED = re.compile(rb'(tiff:Orientation(?:="|>))[2-8]')


def metadata_of(image: Image.Image, frames: int, lossy: bool) -> tuple[Metadata, int, tuple[str, ...]]:
    """What is carried along, the orientation of the pixels, 1 to 8, and remarks on what is damaged.

    To be called when the pixels are decoded: some formats keep their texts behind them.
    """
    notes: tuple[str, ...] = ()
    orientation = _sound(lambda: int(image.getexif().get(ORIENTATION, 1)), 1) or 1
    dpi = _sound(lambda: _dpi(image))
    exif = _sound(lambda: _exif(image), b"damaged")  # takes tags away that others read
    if exif == b"damaged":
        notes, exif = ("its EXIF data is damaged and left out",), None
    metadata = Metadata(
        format=image.format,
        icc_profile=image.info.get("icc_profile"),
        dpi=dpi[::-1] if dpi and orientation > 4 else dpi,
        exif=exif,
        xmp=_sound(lambda: _xmp(image)),
        iptc=_sound(lambda: _iptc(image)),
        comment=_sound(lambda: _comment(image)),
        text=_sound(lambda: _text(image), ()) or (),
        chunks=_sound(lambda: _chunks(image), ()) or (),
        jpeg=_sound(lambda: _jpeg(image)),
        lossy=lossy or image.format in _LOSSY,
        frames=frames,
    )
    return metadata, orientation if orientation in range(1, 9) else 1, notes


def white_of(image: Image.Image) -> float | None:
    """TIFF's SMaxSampleValue, where there is one that can be white."""

    def read() -> float | None:
        value = image.getexif().get(SMAX) if image.format == "TIFF" else None
        white = float(value[0] if isinstance(value, tuple) else value) if value is not None else 0.0
        return white if 0 < white < inf else None

    return _sound(read)


def _sound(read: Callable[[], T | None], otherwise: T | None = None) -> T | None:
    """What `read` finds, or `otherwise` where its data is damaged."""
    try:
        return read()
    except MemoryError:
        raise
    except Exception:  # struct.error, ZeroDivisionError, TypeError, …: only Pillow's code runs in there
        return otherwise


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    if image.format == "TIFF" and 0x011A not in image.getexif():  # Pillow invents 1 dpi
        return None
    across, down = map(float, image.info["dpi"])
    return (across, down) if 0 < across < 65536 and 0 < down < 65536 else None


def _exif(image: Image.Image) -> bytes | None:
    """The EXIF data without the orientation and the layout of the pixels."""
    exif = image.getexif()
    for tag in (*_LAYOUT, ORIENTATION):
        exif.pop(tag, None)
    return exif.tobytes() if len(exif) else None


def _xmp(image: Image.Image) -> bytes | None:
    """The XMP packet, which says of the pixels, now, that they are upright."""
    found = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    packet = found.encode() if isinstance(found, str) else found
    return _TURNED.sub(rb"\g<1>1", packet) if isinstance(packet, bytes) and packet else None


def _iptc(image: Image.Image) -> bytes | None:
    segments = [bytes(data) for name, data in getattr(image, "applist", ()) if name == "APP13"]
    return segments[0] if len(segments) == 1 and len(segments[0]) <= 65533 else None


def _comment(image: Image.Image) -> bytes | None:
    found = image.info.get("comment") if image.format in ("JPEG", "MPO", "GIF") else None
    return found if isinstance(found, bytes) and found else None


def _text(image: Image.Image) -> tuple[tuple[str, str], ...]:
    """PNG's texts; Pillow's own objects in them know the language of each, which is not kept."""
    if image.format != "PNG":
        return ()
    texts: dict[str, Any] = getattr(image, "text", {})
    return tuple((str(key), str(value)) for key, value in texts.items() if key != "XML:com.adobe.xmp")


def _chunks(image: Image.Image) -> tuple[tuple[bytes, bytes], ...]:
    if image.format != "PNG":
        return ()
    found, info = [], image.info
    if "gamma" in info:
        found.append((b"gAMA", struct.pack(">I", round(info["gamma"] * 100_000))))
    if "chromaticity" in info:
        found.append((b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in info["chromaticity"]))))
    if "srgb" in info:
        found.append((b"sRGB", struct.pack(">B", info["srgb"])))
    return tuple(found)


def _jpeg(image: Image.Image) -> JpegCoding | None:
    if image.format not in ("JPEG", "MPO"):
        return None
    from PIL import JpegImagePlugin

    tables = {int(key): list(table) for key, table in getattr(image, "quantization", {}).items()}
    if not tables or sorted(tables) != list(range(len(tables))):
        return None
    sampling = JpegImagePlugin.get_sampling(image)
    return JpegCoding(tables, sampling if sampling in (0, 1, 2) else None, bool(image.info.get("progressive")))
