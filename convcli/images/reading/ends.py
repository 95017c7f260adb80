"""Where a picture ends in its file: what follows is the next picture of a sequence, or data that nobody reads.

Each function takes a stream and the place where the picture begins, and returns the place behind its last byte, or None where the
data does not tell: it is damaged, or cut off. Nothing is decoded.
"""

import re
import struct
from collections.abc import Iterator
from typing import BinaryIO

from convcli.images import formats
from convcli.images.formats import Format
from convcli.records import NamedTuple

_BLOCK = 1 << 20
"""Bytes of coded pixels that are searched at a time."""

_MARKER = rb"\xff[^\x00\xff\xd0-\xd7]"
"""A marker between coded pixels: not a byte 255 of their own, which a 0 follows, nor a restart (ITU T.81, B.1.1.2)."""

_NEXT, _NUMBER = rb"(?m)^P[1-6]\s", rb"(?:\s|#[^\n]*\n)*(\d{1,9})"

MOST_PICTURES = 1 << 16
"""A sequence is not followed further than this."""


class Parts(NamedTuple):
    """The pictures of a file that is a sequence, and how many bytes follow the last one."""

    places: tuple[tuple[int, int], ...]  # of each picture: its first byte, and the one behind its last
    unread: int


def parts_of(stream: BinaryIO, row: Format | None) -> Parts | None:
    """The pictures in a file, one after another; None if its format or its data does not tell where they end.

    Zeros and white space behind the last picture are padding, and are not counted as unread.
    """
    find = None if row is None else formats.end(row)
    if row is None or find is None:
        return None
    size, start = stream.seek(0, 2), 0
    places: list[tuple[int, int]] = []
    while start < size:
        stream.seek(start)
        if places and not (row.sequence and len(places) < MOST_PICTURES and stream.read(16).startswith(row.heads)):
            break
        end = find(stream, start)
        if end is None or end > size:
            if not places:
                stream.seek(0)
                return None
            end = size  # cut off: decoding it says so
        places.append((start, end))
        start = end
    return Parts(tuple(places), unread(stream, start))


def unread(stream: BinaryIO, end: int) -> int:
    """How many bytes follow a place; 0 if all of them are zeros and white space, which is padding."""
    count = stream.seek(0, 2) - end
    stream.seek(max(0, end))
    padding = count <= 0 or (count <= _BLOCK and not stream.read().strip(b"\0 \t\r\n"))
    stream.seek(0)
    return 0 if padding else count


def png_chunks(stream: BinaryIO, start: int) -> Iterator[tuple[bytes, int, int]]:
    """The chunks of a PNG: their kind, and the place and the length of their data, which a checksum follows (3rd edition, 5.3)."""
    place = start + 8
    while True:
        stream.seek(place)
        head = stream.read(8)
        if len(head) < 8:
            return
        length = int.from_bytes(head[:4], "big")
        yield head[4:], place + 8, length
        place += 12 + length


def png(stream: BinaryIO, start: int) -> int | None:
    """Chunks up to IEND."""
    for kind, place, length in png_chunks(stream, start):
        if kind == b"IEND":
            return place + length + 4
    return None


def jpeg(stream: BinaryIO, start: int) -> int | None:
    """Segments with a length, and coded pixels without one behind each SOS, up to EOI (ITU T.81, B.1.1.2)."""
    place = start + 2
    while True:
        stream.seek(place)
        head = stream.read(4)
        if len(head) < 2 or head[0] != 0xFF:
            return None
        kind = head[1]
        if kind == 0xD9:
            return place + 2
        if kind == 0xE2 and stream.read(4) == b"MPF\0":  # a list of all pictures in the file, which Pillow follows
            return None
        if kind == 0xFF or kind == 0x01 or 0xD0 <= kind <= 0xD8:  # a fill byte, and markers that stand alone
            place += 1 if kind == 0xFF else 2
            continue
        place += 2 + int.from_bytes(head[2:], "big")
        if kind == 0xDA:
            found = _marker(stream, place)
            if found is None:
                return None
            place = found


def _marker(stream: BinaryIO, place: int) -> int | None:
    """The place of the next marker, at `place` or behind it."""
    stream.seek(place)
    carried = b""
    while block := stream.read(_BLOCK):
        data = carried + block
        if found := re.search(_MARKER, data):
            return place - len(carried) + found.start()
        carried = data[-1:]
        place += len(block)
    return None


def gif(stream: BinaryIO, start: int) -> int | None:
    """Blocks up to the trailer (GIF89a, 17 to 27)."""
    stream.seek(start + 10)
    flags = stream.read(3)
    if len(flags) < 3:
        return None
    place = start + 13 + colours(flags[0])
    while True:
        stream.seek(place)
        kind = stream.read(1)
        if kind == b";":
            return place + 1
        if kind == b",":
            descriptor = stream.read(9)
            if len(descriptor) < 9:
                return None
            place += 11 + colours(descriptor[8])
        elif kind == b"!":
            place += 2
        else:
            return None
        stream.seek(place)
        while length := stream.read(1):
            place += 1 + length[0]
            if not length[0]:
                break
            stream.seek(place)
        else:
            return None


def colours(flags: int) -> int:
    """The bytes of a table of colours."""
    return 3 << (flags % 8 + 1) if flags & 0x80 else 0


def bmp(stream: BinaryIO, start: int) -> int | None:
    """As many rows as the header says, or as many bytes, if they are coded; a profile may follow (Microsoft, BITMAPV5HEADER)."""
    stream.seek(start)
    head = stream.read(138).ljust(138, b"\0")
    (place, length), (width, height, _, bits) = (
        struct.unpack_from("<II", head, 10),
        struct.unpack_from("<HHHH", head, 18),
    )
    coded, size = 0, 0
    if length > 12:
        width, height, _, bits, coded, size = struct.unpack_from("<iiHHII", head, 18)
    end = place + (size if coded in (1, 2) else (width * bits + 31) // 32 * 4 * abs(height))
    if length >= 124 and head[70:74] in (b"DEBM", b"KNIL"):
        end = max(end, 14 + sum(struct.unpack_from("<II", head, 126)))
    return start + end if end > place else None


_QOI_END = bytes(7) + b"\1"
"""What no coded pixels contain."""


def qoi(stream: BinaryIO, start: int) -> int | None:
    """Coded pixels up to a mark ("The Quite OK Image Format", 1.0)."""
    stream.seek(start + 14)
    carried, place = b"", start + 14
    while block := stream.read(_BLOCK):
        found = (carried + block).find(_QOI_END)
        if found >= 0:
            return place - len(carried) + found + len(_QOI_END)
        carried = (carried + block)[-7:]
        place += len(block)
    return None


def webp(stream: BinaryIO, start: int) -> int | None:
    """RIFF says its size, to which a byte is added if it is odd (Google, "WebP Container Specification")."""
    stream.seek(start + 4)
    size = int.from_bytes(stream.read(4), "little")
    return start + 8 + size + size % 2


class Netpbm(NamedTuple):
    """The header of a PBM, PGM or PPM file."""

    kind: bytes  # the digit behind the P
    width: int
    height: int
    bands: int
    white: int  # the largest value that a sample may have
    place: int  # the first byte of the samples


def netpbm_header(stream: BinaryIO, start: int) -> Netpbm | None:
    """The header at a place in a stream; None if it is damaged."""
    stream.seek(start)
    head = stream.read(1 << 16)
    kind, place, numbers = head[1:2], 2, []
    for _ in range(2 if kind in b"14" else 3):
        found = re.compile(_NUMBER).match(head, place)
        if found is None:
            return None
        numbers.append(int(found[1]))
        place = found.end()
    width, height, white = numbers if len(numbers) == 3 else (*numbers, 1)
    if not width * height * white:
        return None
    return Netpbm(kind, width, height, 3 if kind in b"36" else 1, white, start + place + 1)


def netpbm(stream: BinaryIO, start: int) -> int | None:
    """As many bytes as the header says; of numbers in text, up to the next picture."""
    header = netpbm_header(stream, start)
    if header is None or header.kind in b"123":
        return header and _text(stream, header.place - 1)
    row = (header.width + 7) // 8 if header.kind == b"4" else header.width * header.bands * (1 + (header.white > 255))
    return header.place + row * header.height


def _text(stream: BinaryIO, place: int) -> int:
    """Where the next header stands at the beginning of a line, or the end of the file."""
    stream.seek(place)
    carried = b""
    while block := stream.read(_BLOCK):
        data = carried + block
        if found := re.compile(_NEXT).search(data, 1):
            return place - len(carried) + found.start()
        carried = data[-4:]
        place += len(block)
    return stream.seek(0, 2)
