"""The metadata of a file, read from Pillow. Damaged metadata does not prevent reading the pixels."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from math import gcd, inf
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from PIL import Image

from convcli.images.formats import row_of
from convcli.images.picture import JpegCoding, Metadata
from convcli.images.reading.ends import png_chunks

if TYPE_CHECKING:
    from convcli.images.directories import Directory

T = TypeVar("T")

SMAX = 341
"""TIFF's SMaxSampleValue: white of real values. No other tag says it."""

ORIENTATION = 274
"""EXIF's tag of the orientation."""

PHOTOMETRIC = {"gray": 1, "rgb": 2, "cmyk": 5}
"""TIFF's PhotometricInterpretation of every colour space."""

XMP, ICC, RESOLUTION = 700, 34675, (282, 283, 296)
"""TIFF's tags of the XMP packet, of the profile, and of the resolution: pixels per unit across and down, and the unit."""

_LAYOUT = {
    254, 255, 256, 257, 258, 259, 262, 263, 266, 273, 277, 278, 279, 280, 281, 282, 283, 284, 288, 289, 290, 291, 292,
    293, 296, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 330, 332, 333, 334, 336, 338, 339, 340, 341, 347, 512,
    513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532, 700, 33628, 33629, 33630, 33631, 34412, 34675, 37724,
}  # fmt: skip
"""TIFF's tags that are not copied with EXIF: how the pixels are stored (TIFF 6.0), what `Metadata` has separately (resolution,
profile, XMP), MetaMorph's and Zeiss's tags of all planes, and Photoshop's layers, which show the original picture."""

_RESOURCES = 34377
"""TIFF's tag of Photoshop's image resources."""

_SIGNATURE = b"Photoshop 3.0\0"
"""The start of image resources in the APP13 segment of a JPEG."""

_THUMBNAILS = {0x0409, 0x040C}
"""Resources with thumbnails of the original picture (Adobe, "Photoshop File Formats Specification", image resources)."""

_SIDES = 0xA002, 0xA003
"""EXIF's tags PixelXDimension and PixelYDimension: the size of the original picture."""

_TURNED = rb"(tiff:Orientation(?:\s*=\s*[\"']|>)\s*)[2-8]"
_SIZED = (
    rb"\s+(?:exif:Pixel[XY]Dimension|tiff:Image(?:Width|Length))\s*=\s*(?:\"[^\"]*\"|'[^']*')"
    rb"|<(exif:Pixel[XY]Dimension|tiff:Image(?:Width|Length))>[^<]*</\1>"
)
_SMALL = rb"(?s)<(xmp:Thumbnails)\b.*?</\1>|<xmp:Thumbnails\b[^>]*/>"
_GAIN = rb"(?s)\s+\w*hdrgm:\w+\s*=\s*(?:\"[^\"]*\"|'[^']*')|<((?:G?Container:Directory|\w*hdrgm:\w+))\b[^>]*(?:/>|>.*?</\1>)"
"""What XMP says of a gain map, a second picture in the file (Google, "Ultra HDR Image Format")."""

_LIGHT = b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI"
"""PNG's chunks of what its values mean (3rd edition, 11.3.2), but for the profile."""

_PROFILE = "(?i)raw profile type (.*)"
"""ImageMagick's keywords for PNG's texts with profiles. Pillow reads those with EXIF itself."""


def metadata_of(
    image: Image.Image, frames: int, lossy: bool, tags: Directory | None = None
) -> tuple[Metadata, int, tuple[str, ...]]:
    """The metadata that the output keeps, the orientation of the pixels (1 to 8), and remarks about what is damaged.

    Call it after the pixels are decoded: in some formats texts come after them. `frames` is the number of pictures in the file,
    `lossy` says whether the file is lossy, and `tags` are those of a TIFF.
    """
    orientation, dpi, profile = orientation_of(image), sound(_dpi, image), image.info.get("icc_profile")
    exif = sound(_exif, image, tags)
    metadata = Metadata(
        format=image.format,
        icc_profile=profile if isinstance(profile, bytes) and profile else None,
        dpi=dpi[::-1] if dpi and orientation > 4 else dpi,
        resolution=_resolution(tags, orientation > 4) if tags else None,
        exif=exif or None,
        xmp=sound(_xmp, image),
        iptc=sound(_iptc, image),
        comment=sound(_comment, image),
        text=sound(_text, image) or (),
        jpeg=sound(_jpeg, image),
        lossy=lossy,
        frames=frames,
        turned=orientation != 1,
    )
    notes: tuple[str, ...] = () if exif is not None else ("its EXIF data is damaged and left out",)
    across, down = sound(_density, image) or (1, 1)
    if across != down:
        notes += (f"its pixels are not square, but {down}:{across} (width to height), which is left out",)
    return metadata, orientation, notes


def orientation_of(image: Image.Image) -> int:
    """EXIF's orientation, 1 to 8; 1 if there is none, or a wrong one."""
    found = sound(lambda: int(_number(image.getexif().get(ORIENTATION))))
    return found if found is not None and 1 <= found <= 8 else 1


def as_white(value: Any) -> float | None:
    """White, from the value of a tag, which may have any type. Of a value for each sample, the first is used."""
    white = sound(_number, value)
    return white if white is not None and 0 < white < inf else None


def _number(value: Any) -> float:
    return float(value[0] if isinstance(value, (tuple, bytes)) else value)


def sound(read: Callable[..., T], *data: Any) -> T | None:
    """The result of `read`, or None if its data is damaged."""
    try:
        return read(*data)
    except MemoryError:
        raise
    except Exception:  # struct.error, ZeroDivisionError, TypeError, …: Pillow may raise anything
        return None


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    across, down = map(float, image.info["dpi"])
    return (across, down) if 0 < across < 65536 and 0 < down < 65536 else None


def _density(image: Image.Image) -> tuple[int, int]:
    """Pixels across and down in the same length, where no resolution says it."""
    across, down = image.info.get("aspect") or image.info["jfif_density" if image.info["jfif_unit"] == 0 else ""]
    return (across // gcd(across, down), down // gcd(across, down)) if across > 0 < down else (1, 1)


def _resolution(tags: Directory, swapped: bool) -> Directory | None:
    """The tags of a resolution, if it makes sense, for a picture whose sides are `swapped`."""
    from convcli.images import directories

    across, down, unit = (tags.get(tag) for tag in RESOLUTION)
    found = dict(zip(RESOLUTION, (down, across, unit) if swapped else (across, down, unit), strict=True))
    for value in (across, down):
        if (
            not isinstance(value, directories.Entry)
            or (value.kind, value.length) != (directories.RATIONAL, 1)
            or not 0 < value.numbers[0] < inf
        ):
            return None
    return {tag: value for tag, value in found.items() if value is not None}


def _exif(image: Image.Image, tags: Directory | None) -> bytes:
    """EXIF data without the orientation, the size and the layout of the pixels. All other tags stay as they were."""
    data: bytes | None = getattr(image.getexif(), "_loaded_exif", None) if tags is None else None
    if not data and not tags:
        return b""
    from convcli.images import directories  # many files do not need it

    tags = tags or directories.parse(data or b"")
    kept = {tag: value for tag, value in tags.items() if tag not in _LAYOUT and tag != ORIENTATION}
    if isinstance(exif := kept.get(directories.EXIF), dict):
        kept[directories.EXIF] = {tag: value for tag, value in exif.items() if tag not in _SIDES}
    resources = kept.pop(_RESOURCES, None)
    if isinstance(resources, directories.Entry) and (left := sound(_without_thumbnails, resources.data)):
        kept[_RESOURCES] = resources._replace(data=left)
    return directories.exif_of(kept)


def _without_thumbnails(resources: bytes) -> bytes:
    """Photoshop's image resources without thumbnails. Each resource is ``8BIM``, number, name, length, data."""
    kept, place = [], 0
    while place + 12 <= len(resources):
        number, name = struct.unpack_from(">4xHB", resources, place)
        head = 6 + (2 + name) // 2 * 2  # name and data are padded to an even length
        (length,) = struct.unpack_from(">I", resources, place + head)
        end = place + head + 4 + (length + 1) // 2 * 2
        if number not in _THUMBNAILS:
            kept.append(resources[place:end])
        place = end
    return b"".join(kept)


def _xmp(image: Image.Image) -> bytes | None:
    """The XMP packet. It now says that the pixels are upright, and has no size and no thumbnails."""
    found = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    packet = found.encode() if isinstance(found, str) else found
    return _upright(packet) if isinstance(packet, bytes) and packet else None


def _upright(packet: bytes) -> bytes:
    packet = re.sub(_TURNED, rb"\g<1>1", packet)
    for dropped in (_SMALL, _SIZED, _GAIN):
        packet = re.sub(dropped, b"", packet)
    return packet


def _iptc(image: Image.Image) -> bytes | None:
    segments = [bytes(data) for name, data in getattr(image, "applist", ()) if name == "APP13"]
    if len(segments) != 1 or not segments[0].startswith(_SIGNATURE):
        return None
    kept = _without_thumbnails(segments[0].removeprefix(_SIGNATURE))
    return _SIGNATURE + kept if kept else None


def _comment(image: Image.Image) -> bytes | None:
    row = row_of(image.format)
    found = image.info.get("comment") if "comment" in row_of(row.written_as or row.name).keeps else None
    return found if isinstance(found, bytes) and found else None


def _text(image: Image.Image) -> tuple[tuple[str, str], ...]:
    """PNG's texts. Their languages are not kept."""
    texts: dict[str, Any] = getattr(image, "text", {})
    kept = []
    for key, value in texts.items():
        text: str | None = str(value)
        if profile := re.fullmatch(_PROFILE, key):
            text = sound(_profile, profile[1].lower(), text)
        if text is not None and key != "XML:com.adobe.xmp":
            kept.append((str(key), text))
    return tuple(kept)


def _profile(kind: str, text: str) -> str | None:
    """A profile in a text, adapted to the upright picture; None for EXIF. It is name, length and hexadecimal digits, in lines."""
    if kind not in ("8bim", "iptc", "xmp"):
        return None if kind in ("exif", "app1") else text
    _, name, _, *digits = text.split("\n")
    data = bytes.fromhex("".join(digits))
    data = _upright(data) if kind == "xmp" else _without_thumbnails(data)
    return f"\n{name}\n{len(data):8}\n{data.hex()}\n" if data else None


_MEASURES = {b"pCAL": "calibration", b"sCAL": "physical size", b"oFFs": "position"}
"""PNG's chunks of what pixels measure (PNG extensions, 1.4.0, 3 and 4)."""


def light_chunks(stream: BinaryIO) -> tuple[tuple[tuple[bytes, bytes], ...], tuple[str, ...]]:
    """A PNG's chunks of what its values mean, as they are in the file, and remarks on those that are left out."""
    found, notes = [], []
    for kind, place, length in png_chunks(stream, 0):
        if kind in _LIGHT and length <= 32:
            stream.seek(place)
            found.append((kind, stream.read(length)))
        elif kind in _MEASURES:
            notes.append(f"its {_MEASURES[kind]} ({kind.decode()}) is left out")
        elif kind == b"IDAT":
            break
    return tuple(found), tuple(notes)


def _jpeg(image: Image.Image) -> JpegCoding | None:
    tables = {int(key): list(table) for key, table in getattr(image, "quantization", {}).items()}
    if not tables or sorted(tables) != [*range(len(tables))]:
        return None
    from PIL import JpegImagePlugin

    sampling: int | None = JpegImagePlugin.get_sampling(image)
    if sampling not in (0, 1, 2):  # Pillow cannot write it; without subsampling nothing is lost
        sampling = 0 if image.mode in ("RGB", "YCbCr") else None
    return JpegCoding(tables, sampling, bool(image.info.get("progressive")))
