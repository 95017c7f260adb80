"""What programs of microscopes write into a TIFF's description: sizes in it follow a result, as far as they can.

The OME data model, "OME-XML"; ImageJ's ``TiffDecoder``; tifffile's JSON of a shape.
"""

from __future__ import annotations

import json
import re
from fractions import Fraction

from convcli.records import NamedTuple

_PIXELS = re.compile(rb"<(?:\w+:)?Pixels\b[^>]*>")
_CHANNEL = re.compile(rb"<(?:\w+:)?Channel\b[^>]*?(?=/?>)")
_REGIONS = re.compile(
    rb"\s*<((?:\w+:)?ROI)\b.*?</\1>|\s*<(?:\w+:)?ROIRef\b[^>]*/>|\s*<((?:\w+:)?ROIRef)\b.*?</\2>", re.DOTALL
)
_TYPES = {"uint8": b"uint8", "uint16": b"uint16", "float32": b"float"}
_ORIGIN = re.compile(rb"^([xy])origin=([-+.\deE]+)", re.MULTILINE)


class Change(NamedTuple):
    """What an operation changes."""

    # height and width
    before: tuple[int, int]
    after: tuple[int, int]
    # pixels of the input from one of the output to the next
    down: Fraction
    across: Fraction
    # channels, with alpha
    channels: int
    made: int
    dtype: str  # of the samples that are written
    moved: bool  # whether pixels lie elsewhere, or there is another number of them


def followed(text: bytes, change: Change, row: float, column: float) -> tuple[bytes, tuple[str, ...]]:
    """A description as it is of the result, empty if it cannot be, and remarks on what is left out.

    `row` and `column` are where the corner of the first pixel of the result lies in the input.
    """
    try:
        if b"<OME" in text[:4096] or b":OME" in text[:4096]:
            return _ome(text, change)
        if text.startswith(b"ImageJ="):
            return _imagej(text, change, {b"x": (column, change.across), b"y": (row, change.down)}), ()
        if text.startswith(b'{"shape":'):
            return _shape(text, change), ()
    except (ValueError, TypeError, ZeroDivisionError):
        return b"", ("its description is left out: it has other sizes than the result",)
    return text, ()


def _ome(text: bytes, change: Change) -> tuple[bytes, tuple[str, ...]]:
    """OME-XML, of one or more images of this size.

    Raises
    ------
    ValueError
        It is of images of other sizes as well, or its channels do not make up pages.
    """
    moved = change.moved

    def pixels(found: re.Match[bytes]) -> bytes:
        tag = found[0]
        height, width = map(Fraction, change.before)
        if moved and (_number(tag, b"SizeY"), _number(tag, b"SizeX")) != (height, width):
            raise ValueError("other sizes")
        if moved:
            tag = _set(_set(tag, b"SizeY", b"%d" % change.after[0]), b"SizeX", b"%d" % change.after[1])
            for name, step in ((b"PhysicalSizeX", change.across), (b"PhysicalSizeY", change.down)):
                if (size := _number(tag, name)) is not None and step != 1:
                    tag = _set(tag, name, repr(float(size * step)).encode())
        if change.made != change.channels and (count := _number(tag, b"SizeC")) is not None:
            if count % change.channels:
                raise ValueError("channels in other pages")
            tag = _set(tag, b"SizeC", b"%d" % (count // change.channels * change.made))
        kind = _TYPES.get(change.dtype)
        if kind is not None and _value(tag, b"Type") not in (None, kind):
            tag = re.sub(rb"\s+SignificantBits\s*=\s*(\"[^\"]*\"|'[^']*')", b"", _set(tag, b"Type", kind))
        return tag

    def channel(found: re.Match[bytes]) -> bytes:
        tag, count = found[0].rstrip(), b"%d" % change.made
        named = _value(tag, b"SamplesPerPixel") is not None
        return _set(found[0], b"SamplesPerPixel", count) if named else tag + b' SamplesPerPixel="' + count + b'"'

    text = _PIXELS.sub(pixels, text)
    if change.made != change.channels:
        text = _CHANNEL.sub(channel, text)
    whole = _REGIONS.sub(b"", text) if moved else text
    return whole, () if whole == text else ("its regions of interest are left out: they are elsewhere in the result",)


def _imagej(text: bytes, change: Change, places: dict[bytes, tuple[float, Fraction]]) -> bytes:
    """ImageJ's lines: the origin of coordinates, in pixels. The size of a pixel is in the resolution."""

    def origin(found: re.Match[bytes]) -> bytes:
        first, step = places[found[1]]
        return b"%sorigin=%s" % (found[1], repr((float(found[2]) - first) / float(step)).encode())

    return _ORIGIN.sub(origin, text) if change.moved else text


def _shape(text: bytes, change: Change) -> bytes:
    """The shape of all pages together, by tifffile: height and width are last, or before the samples.

    Every page has a directory of its own, which ``truncated`` denies.

    Raises
    ------
    ValueError
        It is not of pages of this size.
    """
    if change.before == change.after and change.channels == change.made and b'"truncated"' not in text:
        return text
    said = json.loads(text.rstrip(b"\0"))
    said.pop("truncated", None)
    shape, samples = [*said["shape"]], change.channels
    place = len(shape) - 2 - (samples > 1 and shape[-1] == samples and tuple(shape[-2:]) != change.before)
    if change.channels != change.made or place < 0 or tuple(shape[place : place + 2]) != change.before:
        raise ValueError("other sizes")
    shape[place : place + 2] = change.after
    return json.dumps({**said, "shape": shape}).encode() + b"\0"


def _value(tag: bytes, name: bytes) -> bytes | None:
    """The value of an attribute."""
    found = re.search(rb"\s" + name + rb"\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", tag)
    return None if found is None else found[1] if found[1] is not None else found[2]


def _number(tag: bytes, name: bytes) -> Fraction | None:
    value = _value(tag, name)
    return None if value is None else Fraction(value.decode("ascii"))


def _set(tag: bytes, name: bytes, value: bytes) -> bytes:
    """A tag with another value of an attribute that it has."""
    return re.sub(rb"(\s" + name + rb"\s*=\s*[\"'])[^\"']*", rb"\g<1>" + value, tag)
