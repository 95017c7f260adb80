"""What the headers of files declare that are made of boxes: AVIF and JPEG 2000. See `convcli.images.reading.headers`."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO

from convcli.images.reading.headers import HEAD_BYTES, Declared

MOST_BOXES = 1 << 12
"""Boxes of a file beyond these are not looked at."""


def _boxes(stream: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes between two places: their kind, and the places of their content and behind it (ISO/IEC 14496-12, 4.2)."""
    for _ in range(MOST_BOXES):
        if start + 8 > end:
            return
        stream.seek(start)
        size, kind = struct.unpack(">I4s", stream.read(8))
        content = start + 8
        if size == 1:
            (size,) = struct.unpack(">Q", stream.read(8))
            content += 8
        stop = start + size if size else end
        if not content <= stop <= end:
            return
        yield kind, content, stop
        start = stop


def _end(stream: BinaryIO, end: int) -> int:
    """The place behind the last box of the first file: another may follow, and begins with the same box."""
    first, stop = b"", 0
    for kind, _, after in _boxes(stream, 0, end):
        if kind == first:
            break
        first, stop = first or kind, after
    return stop


def _content(stream: BinaryIO, box: tuple[bytes, int, int]) -> bytes:
    _, start, stop = box
    stream.seek(start)
    return stream.read(min(stop - start, HEAD_BYTES))


def avif(stream: BinaryIO) -> Declared:
    """The properties of the primary item (ISO/IEC 23008-12, 6.5 and 9.3; "AV1 Codec ISO Media File Format Binding", 2.3.3)."""
    end = stream.seek(0, 2)
    stream.seek(0)
    _, _, after = stream.read(HEAD_BYTES).partition(b"av1C")
    bits = 8 + (2 * (after[2] >> 6 & 1) + 2 * (after[2] >> 5 & after[2] >> 6 & 1) if len(after) > 2 else 0)
    properties = _properties(stream, end)
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    colour = properties.get(b"colr", b"")
    if colour[:4] == b"nclx":
        primaries, transfer = struct.unpack_from(">HH", colour, 4)
        if (primaries, transfer) not in _PLAIN and max(primaries, transfer) < 256:
            chunks = ((b"cICP", bytes((primaries, transfer, 0, 1))),)
    aperture = None
    notes: tuple[str, ...] = ()
    if b"clap" in properties and b"ispe" in properties:
        aperture = _aperture(properties[b"clap"], *struct.unpack_from(">II", properties[b"ispe"], 4))
        notes = () if aperture else ("its clean aperture is damaged, and all of its pixels are read",)
    return Declared(bits, aperture=aperture, chunks=chunks, notes=notes, end=_end(stream, end))


_PLAIN = {(1, 13), (2, 2), (1, 2), (2, 13)}
"""Primaries and transfer functions (ITU-T H.273) of sRGB, or of nothing in particular, which stands for it."""


def _properties(stream: BinaryIO, end: int) -> dict[bytes, bytes]:
    """The item properties of the picture that is shown, by their kind."""
    meta = next((box for box in _boxes(stream, 0, end) if box[0] == b"meta"), None)
    if meta is None:
        return {}
    parts = {box[0]: box for box in _boxes(stream, meta[1] + 4, meta[2])}
    primary = int.from_bytes(_content(stream, parts[b"pitm"])[4:], "big")
    described = {box[0]: box for box in _boxes(stream, *parts[b"iprp"][1:])}
    kept = [*_boxes(stream, *described[b"ipco"][1:])]
    data = _content(stream, described[b"ipma"])
    wide, large = data[3] & 1, data[0]
    (count,), place = struct.unpack_from(">I", data, 4), 8
    for _ in range(count):
        size = 4 if large else 2
        item, number = int.from_bytes(data[place : place + size], "big"), data[place + size]
        place += size + 1
        step = 2 if wide else 1
        numbers = [int.from_bytes(data[at : at + step], "big") for at in range(place, place + step * number, step)]
        place += step * number
        if item == primary:
            chosen = [index & (0x7FFF if wide else 0x7F) for index in numbers]
            return {kept[index - 1][0]: _content(stream, kept[index - 1]) for index in chosen if 0 < index <= len(kept)}
    return {}


def _aperture(data: bytes, width: int, height: int) -> tuple[int, int, int, int] | None:
    """The clean aperture (ISO/IEC 14496-12, 12.1.4.2): its sizes, and how far its centre lies from that of the picture."""
    values = struct.unpack(">8i", data[:32])
    across, down, right, low = (Fraction(*values[at : at + 2]) for at in (0, 2, 4, 6))
    left, top = right + (width - across) / 2, low + (height - down) / 2
    if any(value.denominator != 1 for value in (across, down, left, top)):
        return None
    if not (across > 0 and down > 0 and 0 <= left <= width - across and 0 <= top <= height - down):
        return None
    return int(top), int(left), int(down), int(across)


def jpeg2000(stream: BinaryIO) -> Declared:
    """ISO/IEC 15444-1, A.5.1: each component has its bits less 1, and a bit for the sign; I.5.3: boxes of colour and channels."""
    end = stream.seek(0, 2)
    stream.seek(0)
    start, profile, opaque, boxed, channels = 0, None, True, False, 0
    if stream.read(4) != b"\xff\x4f\xff\x51":
        boxed = True
        for box in _boxes(stream, 0, end):
            if box[0] == b"jp2c":
                start = box[1]
                break
            for inner in _boxes(stream, *box[1:]) if box[0] == b"jp2h" else ():
                data = _content(stream, inner) if inner[0] in (b"colr", b"cdef", b"pclr") else b""
                if inner[0] == b"colr" and data[:1] == b"\2":
                    profile = data[3:]
                elif inner[0] == b"cdef":
                    kinds = struct.unpack_from(f">{3 * struct.unpack_from('>H', data)[0]}H", data, 2)[1::3]
                    opaque = not any(kind in (1, 2) for kind in kinds)
                elif inner[0] == b"pclr":
                    opaque = False  # its channels are those of the palette
    last = _end(stream, end) if boxed else 0
    stream.seek(start)
    if stream.read(4) != b"\xff\x4f\xff\x51":
        raise ValueError
    (channels,) = struct.unpack_from(">H", stream.read(38), 36)
    sizes = stream.read(3 * channels)[::3]
    bits, signed = 1 + max(size & 0x7F for size in sizes), any(size & 0x80 for size in sizes)
    said = ("the file does not say that its last channel is alpha",) if boxed and opaque and channels in (2, 4) else ()
    odd = f"{channels} channels" if channels > 4 else f"{bits} bits per sample" if bits > 16 and channels == 1 else ""
    alike = len({size & 0x7F for size in sizes}) == 1 and bits <= 16
    metadata = {"icc_profile": profile} if profile else {}
    return Declared(bits, signed, channels, metadata=metadata, widened=alike, notes=said, refusal=odd, end=last)
