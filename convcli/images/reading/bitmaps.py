"""What the headers of BMP, DDS, GIF, icons, PCX, PFM, PSD, QOI, SGI and TGA files declare. See `convcli.images.reading.headers`."""

from __future__ import annotations

import re
import struct
from typing import Any, BinaryIO

from convcli.images.reading.ends import colours
from convcli.images.reading.headers import HEAD_BYTES, Declared

NOT_ALPHA = "its header says that its fourth channel is not alpha, and it is read as that"

_PROFILE_HERE = b"DEBM"
"""The colour space of a BMP with a profile in it: ``MBED`` as a number."""


def bmp(stream: BinaryIO) -> Declared:
    """Microsoft, BITMAPV4HEADER and BITMAPV5HEADER: a mask of alpha, which Pillow reads only beside other masks; a profile."""
    head = stream.read(138)
    length, bits, compression = *struct.unpack_from("<I", head, 14), *struct.unpack_from("<HI", head, 28)
    masked = length >= 56 and any(head[66:70]) and (bits, compression) in ((16, 3), (32, 0))
    metadata: dict[str, Any] = {}
    if length >= 124 and head[70:74] == _PROFILE_HERE:
        place, size = struct.unpack_from("<II", head, 126)
        stream.seek(14 + place)
        metadata = {"icc_profile": stream.read(min(size, HEAD_BYTES))}
    return Declared(8, channels=4 if masked else 0, metadata=metadata)


def dds(stream: BinaryIO) -> Declared:
    """Microsoft, DDS_HEADER and DDS_HEADER_DXT10: cube maps, volumes and arrays are several pictures; mipmaps are copies."""
    head = stream.read(148)
    (depth,) = struct.unpack_from("<I", head, 24)
    flags, code = struct.unpack_from("<I4s", head, 80)
    masks, (caps,) = struct.unpack_from("<4I", head, 92), struct.unpack_from("<I", head, 112)
    pictures = (caps >> 10 & 63).bit_count() if caps & 0x200 else max(1, depth) if caps & 0x200000 else 1
    bits, signed, alpha = max(8, *(mask.bit_count() for mask in masks)) if flags & 0x40 else 8, code == b"BC5S", 0
    if flags & 4 and code == b"DX10":
        kind, _, other, size, alpha = struct.unpack_from("<5I", head, 128)
        pictures = max(pictures, size * (6 if other & 4 else 1))
        bits, signed = 16 if kind in (95, 96) else 8, kind in (81, 84)
    notes = (NOT_ALPHA,) if alpha & 7 in (3, 4) else ()  # DDS_ALPHA_MODE: opaque, custom
    return Declared(bits, signed, pictures=pictures, premultiplied=alpha & 7 == 2, notes=notes)


def gif(stream: BinaryIO) -> Declared:
    """GIF89a, 18 (the ratio of pixels) and 25 (text as a picture); application extensions hold a profile and XMP."""
    head = stream.read(13)
    metadata: dict[str, Any] = {"aspect": (64, head[12] + 15)} if head[12] not in (0, 49) else {}
    notes: tuple[str, ...] = ()
    place = 13 + colours(head[10])
    while True:
        stream.seek(place)
        kind = stream.read(1)
        if kind == b",":
            place += 11 + colours(stream.read(9)[8])
        elif kind == b"!":
            label = stream.read(1)
            place += 2
            if label == b"\1":
                notes = ("its blocks of text are not drawn",)
            elif label == b"\xff" and stream.read(12)[1:] in _APPLICATIONS:
                stream.seek(place + 1)
                name = _APPLICATIONS[stream.read(11)]
                data = stream.read(HEAD_BYTES)
                metadata[name] = _blocks(data) if name == "icc_profile" else data.partition(b"\1\xff\xfe")[0]
        else:
            return Declared(8, metadata=metadata, notes=notes)
        place = _behind_blocks(stream, place)


_APPLICATIONS = {b"ICCRGBG1012": "icc_profile", b"XMP DataXMP": "xmp"}


def _behind_blocks(stream: BinaryIO, place: int) -> int:
    stream.seek(place)
    while length := stream.read(1)[0]:
        place += 1 + length
        stream.seek(place)
    return place + 1


def _blocks(data: bytes) -> bytes:
    """The content of GIF's blocks, each of which begins with its length."""
    parts, place = [], 0
    while data[place]:
        parts.append(data[place + 1 : place + 1 + data[place]])
        place += 1 + data[place]
    return b"".join(parts)


def icns(stream: BinaryIO) -> Declared:
    """Apple, "icns": a picture for each size, of which Pillow reads the largest; masks, and a list of contents."""
    (end,) = struct.unpack(">4xI", stream.read(8))
    pictures, place = 0, 8
    while place < end:
        stream.seek(place)
        kind, size = struct.unpack(">4sI", stream.read(8))
        pictures += not (kind in (b"TOC ", b"icnV", b"name", b"info") or kind.endswith((b"mk", b"#")))
        place += max(size, 8)
    return Declared(8, pictures=pictures, end=end)


def icons(stream: BinaryIO) -> Declared:
    """Microsoft, ICONDIR: icons of several sizes, of which Pillow reads the largest. It believes the bits in the directory."""
    kind, count = struct.unpack("<2xHH", stream.read(6))
    entries = [struct.unpack("<6xHII", stream.read(16)) for _ in range(count)]
    notes: tuple[str, ...] = ()
    for said, _, place in entries if kind == 1 else ():
        stream.seek(place)
        head = stream.read(16)
        if head[:4] == b"\x28\0\0\0" and said not in (0, bits := struct.unpack_from("<H", head, 14)[0]):
            notes = (f"its directory says {said} bits per pixel, and its picture {bits}: its alpha may be wrong",)
    return Declared(8, pictures=count, notes=notes, end=max(place + size for _, size, place in entries))


def pcx(stream: BinaryIO) -> Declared:
    """ZSoft, "PCX Technical Reference": bytes in a row of a plane, which Pillow works out itself; two colours of 1 bit."""
    head = stream.read(68)
    bits, planes, (left, right, stride) = head[3], head[65], struct.unpack_from("<H2xH56xH", head, 4)
    need = ((right - left + 1) * bits + 7) // 8
    odd = ""
    if (bits, planes) not in ((1, 1), (1, 2), (1, 4), (8, 1), (8, 3)):
        odd = f"{bits}-bit samples (planes: {planes})"
    elif stride not in (need, need + need % 2):
        odd = f"{stride} bytes in a row, where {need} are needed"
    plain = head[16:22] in (bytes(6), b"\0\0\0\xff\xff\xff") or (bits, planes) != (1, 1)
    return Declared(8, refusal=odd, notes=() if plain else ("its two colours are read as black and white",))


def pfm(stream: BinaryIO) -> Declared:
    """Netpbm, "PFM": real numbers, in units that a scale tells. Other PPM files have another reader."""
    found = re.match(rb"Pf\s+(\d+)\s+(\d+)\s+(\S+)\s", stream.read(100))
    if found is None:
        return Declared()
    scale = abs(float(found[3]))
    notes = () if scale == 1 else (f"its scale of {scale:g} is not applied",)
    return Declared(32, notes=notes, end=found.end() + 4 * int(found[1]) * int(found[2]))


def psd(stream: BinaryIO) -> Declared:
    """Adobe, "Photoshop File Formats Specification": header, colours, resources, layers, and the picture that they make up."""
    version, channels, _, _, bits, mode = struct.unpack(">4xH6xHIIHH", stream.read(26))
    odd = "large documents (PSB)" if version != 1 else f"{bits} bits per sample" if bits not in (1, 8) else ""
    (length,) = struct.unpack(">I", stream.read(4))
    stream.seek(length, 1)
    (length,) = struct.unpack(">I", stream.read(4))
    end = stream.tell() + length
    notes = ["its inks are not used: it is read as gray"] if mode == 8 else []
    metadata: dict[str, Any] = {}
    while stream.tell() + 12 <= end:
        signature, number, name = struct.unpack(">4sHB", stream.read(7))
        if signature != b"8BIM":
            break
        stream.seek(name + (name + 1) % 2, 1)
        (size,) = struct.unpack(">I", stream.read(4))
        data = stream.read(min(size, HEAD_BYTES))
        stream.seek(size + size % 2 - len(data), 1)
        if number == 1057 and data[4:5] == b"\0":  # VersionInfo: whether there is a merged picture
            notes.append("it was saved without the picture that its layers make up: what is read may be blank")
        elif number == 1047 and mode == 2:
            notes.append("its transparent colour is read as opaque")
        elif number == 1005:
            across, down = struct.unpack_from(">I4xI", data)
            metadata["dpi"] = across / 65536, down / 65536
        elif number == 1058:
            metadata["exif"] = b"Exif\0\0" + data
        elif number == 1060:
            metadata["xmp"] = data
    return Declared(bits, channels=channels, notes=tuple(notes), metadata=metadata, refusal=odd)


def qoi(stream: BinaryIO) -> Declared:
    """QOI, "The Quite OK Image Format", 1.0: whether its values are linear."""
    linear = stream.read(14)[13] == 1
    return Declared(8, chunks=((b"gAMA", (100_000).to_bytes(4, "big")),) if linear else ())


def sgi(stream: BinaryIO) -> Declared:
    """SGI, "The SGI Image File Format", 1.0: bytes of a sample, channels, and a table of coded rows."""
    _, coded, size, dimensions, width, height, channels = struct.unpack(">HBBHHHH", stream.read(12))
    odd = ""
    if (dimensions == 3 and channels not in (1, 3, 4)) or (size, dimensions, channels) == (2, 3, 1):
        odd = f"{channels} channels" if channels != 1 else "one channel of 16 bits in 3 dimensions"
    channels = channels if dimensions == 3 else 1
    end = 512 + width * height * channels * size
    if coded:
        rows = height * channels
        stream.seek(512)
        table = struct.unpack(f">{2 * rows}I", stream.read(8 * rows))
        end = max(map(sum, zip(table[:rows], table[rows:], strict=True)))
    return Declared(8 * size, channels=channels, refusal=odd, end=end)


def tga(stream: BinaryIO) -> Declared:
    """Truevision, "TGA File Format Specification", 2.0: bits of alpha and the order of rows; what alpha means, at the end."""
    head = stream.read(18)
    kind, (mapped, each) = head[2], struct.unpack_from("<HB", head, 5)
    width, height, bits, flags = struct.unpack_from("<HHBB", head, 12)
    said, metadata = None, {}
    size = stream.seek(0, 2)
    stream.seek(max(0, size - 26))
    footer = stream.read(26)
    if closed := footer.endswith(b"TRUEVISION-XFILE.\0"):
        place = int.from_bytes(footer[:4], "little")
        stream.seek(place)
        more = stream.read(495) if place else b""
        if len(more) == 495:
            said = more[494]
            ratio = struct.unpack_from("<HH", more, 474)
            metadata = {"aspect": ratio[::-1]} if all(ratio) and ratio[0] != ratio[1] else {}
    four = kind in (2, 10) and bits == 32
    notes = (NOT_ALPHA,) if four and (said in (1, 2) or (said is None and not flags & 15)) else ()
    end = 18 + head[0] + mapped * ((each + 7) // 8) * (head[1] == 1) + width * height * bits // 8
    end = 0 if closed or kind > 3 else end
    odd = "rows that are interleaved" if flags & 0xC0 else ""
    return Declared(8, notes=notes, metadata=metadata, premultiplied=four and said == 4, refusal=odd, end=end)
