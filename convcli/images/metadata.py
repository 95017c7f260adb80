"""What a file says beside its pixels, read from Pillow; damaged metadata does not spoil the pixels."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, MutableMapping
from math import inf
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from PIL import Image

from convcli.images.formats import row_of
from convcli.images.picture import JpegCoding, Metadata
from convcli.images.reading.ends import png_chunks

if TYPE_CHECKING:
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

T = TypeVar("T")

SMAX = 341
"""TIFF's SMaxSampleValue: the white of real values, which no other tag tells."""

ORIENTATION = 274
"""EXIF's tag of how the camera was held."""

PHOTOMETRIC = {"gray": 1, "rgb": 2, "cmyk": 5}
"""TIFF's PhotometricInterpretation of every colour space."""

XMP, ICC, RESOLUTION = 700, 34675, (282, 283, 296)
"""TIFF's tags of the XMP packet, of the profile, and of pixels per unit across and down, and the unit."""

_LAYOUT = {
    254, 255, 256, 257, 258, 259, 262, 263, 266, 273, 277, 278, 279, 280, 281, 282, 283, 284, 288, 289, 290, 291, 292,
    293, 296, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 330, 332, 333, 334, 336, 338, 339, 340, 341, 347, 512,
    513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532, 700, 34675, 37724,
}  # fmt: skip
"""TIFF's tags of how the pixels are stored (TIFF 6.0), those that are kept apart from EXIF (resolution, profile, XMP), and
Photoshop's layers, which are the picture as it was."""

_RESOURCES = 34377
"""TIFF's tag of Photoshop's image resources."""

_SIGNATURE = b"Photoshop 3.0\0"
"""What they begin with in a JPEG's APP13 segment."""

_THUMBNAILS = {0x0409, 0x040C}
"""Resources that show the picture as it was (Adobe, "Photoshop File Formats Specification", image resources)."""

_DIRECTORIES = 0x8769, 0x8825
"""Tags of EXIF's own directory and of that of GPS."""

_EXIF, _SIDES = 0x8769, (0xA002, 0xA003)
"""EXIF's own directory, and its tags PixelXDimension and PixelYDimension: of the picture as it was."""

_TURNED = re.compile(rb"(tiff:Orientation(?:\s*=\s*[\"']|>)\s*)[2-8]")
_SIZED = re.compile(
    rb"\s+(?:exif:Pixel[XY]Dimension|tiff:Image(?:Width|Length))\s*=\s*(?:\"[^\"]*\"|'[^']*')"
    rb"|<(exif:Pixel[XY]Dimension|tiff:Image(?:Width|Length))>[^<]*</\1>"
)
_SMALL = re.compile(rb"<(xmp:Thumbnails)\b.*?</\1>|<xmp:Thumbnails\b[^>]*/>", re.DOTALL)
_LIGHT = b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI"
"""PNG's chunks of what its values mean (3rd edition, 11.3.2), but for the profile."""

_PROFILE = re.compile(r"raw profile type (.*)", re.IGNORECASE)
"""ImageMagick's keywords of PNG's texts that hold EXIF, which Pillow reads as such, and other profiles."""


def metadata_of(image: Image.Image, frames: int, lossy: bool) -> tuple[Metadata, int, tuple[str, ...]]:
    """What is carried along, the orientation of the pixels, 1 to 8, and remarks on what is damaged.

    To be called when the pixels are decoded: some formats keep their texts behind them.

    Parameters
    ----------
    image : Image
        That has the file's `info` and EXIF data.
    frames : int
        How many pictures the file has.
    lossy : bool
        Whether its coding rounds colours.
    """
    orientation, dpi, profile = orientation_of(image), sound(_dpi, image), image.info.get("icc_profile")
    exif = sound(_exif, image)  # takes tags away that others read
    metadata = Metadata(
        format=image.format,
        icc_profile=profile if isinstance(profile, bytes) and profile else None,
        dpi=dpi[::-1] if dpi and orientation > 4 else dpi,
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
    return metadata, orientation, () if exif is not None else ("its EXIF data is damaged and left out",)


def orientation_of(image: Image.Image) -> int:
    """EXIF's orientation, 1 to 8; 1 where there is none that makes sense."""
    found = sound(lambda: int(_number(image.getexif().get(ORIENTATION))))
    return found if found is not None and 1 <= found <= 8 else 1


def as_white(value: Any) -> float | None:
    """A tag's value, whatever its type, as the value of white; of one for each sample, the first."""
    white = sound(_number, value)
    return white if white is not None and 0 < white < inf else None


def _number(value: Any) -> float:
    return float(value[0] if isinstance(value, tuple) else value)


def described(exif: bytes | None) -> ImageFileDirectory_v2:
    """The TIFF directory of EXIF data, with those that it refers to, as Pillow's own writer has it."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2  # takes longer to import than most images to read
    from PIL.TiffTags import TAGS_V2_GROUPS

    tags = ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    if exif:
        found = Image.Exif()
        found.load(exif)
        for tag in found:
            tags[tag] = _as_encoded(found.get_ifd(tag)) if tag in TAGS_V2_GROUPS else found[tag]
        _as_encoded(tags)
    return tags


def sound(read: Callable[..., T], *data: Any) -> T | None:
    """What `read` finds in its data, or None where that is damaged."""
    try:
        return read(*data)
    except MemoryError:
        raise
    except Exception:  # struct.error, ZeroDivisionError, TypeError, …: only Pillow's code runs in there
        return None


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    across, down = map(float, image.info["dpi"])
    return (across, down) if 0 < across < 65536 and 0 < down < 65536 else None


def _exif(image: Image.Image) -> bytes:
    """The EXIF data, maybe empty, without the orientation, the size and the layout of the pixels, if it can be written again."""
    exif = image.getexif()
    for tag in (*_LAYOUT, ORIENTATION):
        exif.pop(tag, None)
    if _EXIF in exif:
        for tag in _SIDES:
            exif.get_ifd(_EXIF).pop(tag, None)
    resources = exif.pop(_RESOURCES, None)
    if isinstance(resources, bytes) and (kept := sound(_without_thumbnails, resources)):
        exif[_RESOURCES] = kept
    if not len(exif):
        return b""
    for values in (exif, *(exif.get_ifd(tag) for tag in _DIRECTORIES if tag in exif)):
        _as_encoded(values)
    exif.bigtiff = False  # whose head, in EXIF, nobody reads
    data = exif.tobytes()
    described(data).tobytes(8)
    return data


class _Text(str):
    """A text of EXIF's, which Pillow reads as Latin-1, whatever its encoding is, and would write in ASCII: its bytes stay."""

    __slots__ = ()

    def encode(self, encoding: str = "", errors: str = "") -> bytes:
        return super().encode("latin-1")


def _as_encoded(values: MutableMapping[int, Any]) -> MutableMapping[int, Any]:
    """The same directory, whose texts are written as they were encoded."""
    for tag, value in [*values.items()]:
        if isinstance(value, str):
            values[tag] = _Text(value)
    return values


def _without_thumbnails(resources: bytes) -> bytes:
    """Photoshop's image resources, each ``8BIM``, number, name, length, data, without those that are small pictures."""
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
    """The XMP packet, which says of the pixels, now, that they are upright; without size and small pictures of what they were."""
    found = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    packet = found.encode() if isinstance(found, str) else found
    return _upright(packet) if isinstance(packet, bytes) and packet else None


def _upright(packet: bytes) -> bytes:
    return _SIZED.sub(b"", _SMALL.sub(b"", _TURNED.sub(rb"\g<1>1", packet)))


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
    """PNG's texts; Pillow's own objects in them know the language of each, which is not kept."""
    if "text" not in row_of(image.format).keeps:
        return ()
    texts: dict[str, Any] = getattr(image, "text", {})
    kept = []
    for key, value in texts.items():
        text: str | None = str(value)
        if profile := _PROFILE.fullmatch(key):
            text = sound(_profile, profile[1].lower(), text)
        if text is not None and key != "XML:com.adobe.xmp":
            kept.append((str(key), text))
    return tuple(kept)


def _profile(kind: str, text: str) -> str | None:
    """A profile in a text, a line of its name, its length, and hexadecimal digits, as the picture is now; None for EXIF."""
    if kind not in ("8bim", "iptc", "xmp"):
        return None if kind in ("exif", "app1") else text
    _, name, _, *digits = text.split("\n")
    data = bytes.fromhex("".join(digits))
    data = _upright(data) if kind == "xmp" else _without_thumbnails(data)
    return f"\n{name}\n{len(data):8}\n{data.hex()}\n" if data else None


def light_chunks(stream: BinaryIO) -> tuple[tuple[bytes, bytes], ...]:
    """A PNG's chunks of what its values mean, as they are in the file."""
    found = []
    for kind, place, length in png_chunks(stream, 0):
        if kind in _LIGHT and length <= 32:
            stream.seek(place)
            found.append((kind, stream.read(length)))
        elif kind == b"IDAT":
            break
    return tuple(found)


def _jpeg(image: Image.Image) -> JpegCoding | None:
    tables = {int(key): list(table) for key, table in getattr(image, "quantization", {}).items()}
    if not tables or sorted(tables) != [*range(len(tables))]:
        return None
    from PIL import JpegImagePlugin

    sampling: int | None = JpegImagePlugin.get_sampling(image)
    if sampling not in (0, 1, 2):  # one that Pillow does not write: with colours as fine as the pixels nothing is lost
        sampling = 0 if image.mode in ("RGB", "YCbCr") else None
    return JpegCoding(tables, sampling, bool(image.info.get("progressive")))
