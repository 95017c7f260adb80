"""TIFF's directories of tags, as EXIF data and TIFF files have them: read and written as bytes, so that nothing changes on the way.

Adobe, "TIFF Revision 6.0", section 2; BigTIFF; CIPA DC-008, "Exif", 4.6.2 and 4.6.3 for the directories within a directory.
"""

from __future__ import annotations

import io
import struct
from contextlib import suppress
from fractions import Fraction
from typing import BinaryIO, TypeAlias

from convcli.records import NamedTuple

BYTE, TEXT, SHORT, LONG, RATIONAL, UNDEFINED, FLOAT, DOUBLE, LONG8, IFD8 = 1, 2, 3, 4, 5, 7, 11, 12, 16, 18
"""Types of values. The last two are BigTIFF's alone: a number of 64 bits, and the place of a directory."""

_KINDS = {
    BYTE: "B", TEXT: "s", SHORT: "H", LONG: "I", RATIONAL: "I", 6: "b", UNDEFINED: "s", 8: "h", 9: "i", 10: "i", FLOAT: "f",
    DOUBLE: "d", 13: "I", LONG8: "Q", 17: "q", IFD8: "Q",
}  # fmt: skip
"""The types of values, in letters of `struct`; of rational numbers, two of them are one value."""

_FRACTIONS = (RATIONAL, 10)
_NARROW = {LONG8: LONG, 17: 9, IFD8: 13}
"""The types of 64 bits that only BigTIFF has, and those of 32 that hold most of their values."""

EXIF = 0x8769
_WITHIN: dict[int | None, tuple[int, ...]] = {None: (EXIF, 0x8825), EXIF: (0xA005,)}
"""Tags whose value is the place of another directory: EXIF's and GPS', and within EXIF's that of interoperability."""

_HEAD = struct.pack("<2sHI", b"II", 42, 8)
_PREFIX = b"Exif\0\0"
"""What EXIF data begins with in a JPEG."""


class Entry(NamedTuple):
    """The value of a tag."""

    kind: int  # one of the types
    data: bytes  # of all values, low bytes first

    @property
    def length(self) -> int:
        """How many values there are."""
        return len(self.data) // _size(self.kind)

    @property
    def numbers(self) -> tuple[float, ...]:
        """The values; rational ones as floating point, infinite where the denominator is 0."""
        if self.kind in (TEXT, UNDEFINED):
            return tuple(self.data)
        found = struct.unpack(f"<{len(self.data) // struct.calcsize(_KINDS[self.kind])}{_KINDS[self.kind]}", self.data)
        if self.kind not in _FRACTIONS:
            return found
        return tuple(
            above / below if below else float("inf") for above, below in zip(found[::2], found[1::2], strict=True)
        )


Directory: TypeAlias = "dict[int, Entry | Directory]"


def entry(kind: int, *values: float) -> Entry:
    """Values as an entry. Rational ones are the nearest fractions that 32 bits hold."""
    if kind in _FRACTIONS:
        values = tuple(part for value in values for part in nearest(value))
    return Entry(kind, struct.pack(f"<{len(values)}{_KINDS[kind]}", *values))


def nearest(value: float | Fraction) -> tuple[int, int]:
    """The fraction nearest to a positive number, of two integers of 32 bits."""
    most = (1 << 32) - 1
    if value > 1:
        below, above = Fraction(1 / value).limit_denominator(most).as_integer_ratio()
    else:
        above, below = Fraction(value).limit_denominator(most).as_integer_ratio()
    return above, below


def divided(value: Entry, step: Fraction) -> Entry:
    """A fraction, divided: exact where 32 bits can hold it."""
    above, below = struct.unpack("<2I", value.data)
    if step == 1 or not below:
        return value
    exact = Fraction(above, below) / step
    parts = exact.as_integer_ratio()
    return value._replace(data=struct.pack("<2I", *(parts if max(parts) < 1 << 32 else nearest(exact))))


def parse(exif: bytes) -> Directory:
    """The directory of EXIF data, with those within it.

    Raises
    ------
    ValueError, struct.error
        It is none, or is damaged.
    """
    while exif.startswith(_PREFIX):  # some have it twice
        exif = exif.removeprefix(_PREFIX)
    stream = io.BytesIO(exif)
    order = {b"II": "<", b"MM": ">"}.get(stream.read(2))
    if order is None:
        raise ValueError("no byte order")
    _, place = struct.unpack(f"{order}HI", stream.read(6))
    return read(stream, place, order)


def read(stream: BinaryIO, place: int, order: str, big: bool = False) -> Directory:
    """The directory at a place of a stream, with those within it. Entries that are damaged are left out.

    Parameters
    ----------
    order : {"<", ">"}
        The byte order.
    big : bool
        Whether it is a BigTIFF.

    Raises
    ------
    ValueError, struct.error
        The directory is damaged, or its entries together are larger than the file.
    """
    return _Reader(stream, order, big).directory(place)


class _Reader:
    def __init__(self, stream: BinaryIO, order: str, big: bool) -> None:
        self.stream, self.order, self.inline = stream, order, 8 if big else 4
        self.heads = struct.Struct(f"{order}HHQ8s" if big else f"{order}HHI4s")
        self.place, self.counts = order + ("Q" if big else "I"), order + ("Q" if big else "H")
        self.left = self.size = stream.seek(0, io.SEEK_END)

    def directory(self, place: int, of: int | None = None) -> Directory:
        self.stream.seek(place)
        (count,) = struct.unpack(self.counts, self.stream.read(struct.calcsize(self.counts)))
        heads = self.stream.read(min(count * self.heads.size, self.size))
        whole = len(heads) // self.heads.size * self.heads.size
        found: Directory = {}
        for tag, kind, many, held in self.heads.iter_unpack(heads[:whole]):
            if tag in _WITHIN.get(of, ()):
                with suppress(struct.error, ValueError):
                    (there,) = struct.unpack(self.place, held)
                    found[tag] = self.directory(there, tag)
            elif kind in _KINDS and (value := self.entry(kind, many, held)) is not None:
                found[tag] = value
        return found

    def entry(self, kind: int, count: int, held: bytes) -> Entry | None:
        """An entry, whose data is held in the directory if there is room; None if it does not lie in the file."""
        size = count * _size(kind)
        data = held[:size]
        if size > self.inline:
            (place,) = struct.unpack(self.place, held)
            if place + size > self.size:
                return None
            self.left -= size
            if self.left < 0:
                raise ValueError("entries that are larger than the file")
            self.stream.seek(place)
            data = self.stream.read(size)
        letter = _KINDS[kind]
        if letter != "s" and (self.order == ">" or kind in _NARROW):
            kind = _NARROW.get(kind, kind)
            values = struct.unpack(f"{self.order}{len(data) // struct.calcsize(letter)}{letter}", data)
            try:
                data = struct.pack(f"<{len(values)}{_KINDS[kind]}", *values)
            except struct.error:  # beyond 32 bits
                return None
        return Entry(kind, data)


def _size(kind: int) -> int:
    """The bytes of one value."""
    return struct.calcsize(_KINDS[kind]) * (2 if kind in _FRACTIONS else 1)


def exif_of(directory: Directory) -> bytes:
    """EXIF data of a directory; empty if there is nothing in it."""
    return _PREFIX + _HEAD + composed(directory, len(_HEAD)) if directory else b""


def composed(directory: Directory, place: int, big: bool = False) -> bytes:
    """The bytes of a directory at a place of a file, with its values and the directories within it. Nothing follows it.

    Parameters
    ----------
    place : int
        An even number.
    big : bool
        Whether it is for a BigTIFF.
    """
    count, head, kind, inline = ("<Q", "<HHQ", LONG8, 8) if big else ("<H", "<HHI", LONG, 4)
    heads, tail = [], bytearray()
    start = place + struct.calcsize(count) + (struct.calcsize(head) + inline) * len(directory) + inline
    for tag, value in sorted(directory.items(), key=lambda item: item[0]):
        here = (start + len(tail)).to_bytes(inline, "little")
        if isinstance(value, dict):
            heads.append(struct.pack(head, tag, kind, 1) + here)
            tail += composed(value, start + len(tail), big)
        elif len(value.data) <= inline:
            heads.append(struct.pack(head, tag, value.kind, value.length) + value.data.ljust(inline, b"\0"))
        else:
            heads.append(struct.pack(head, tag, value.kind, value.length) + here)
            tail += value.data
        tail += bytes(len(tail) % 2)
    return struct.pack(count, len(heads)) + b"".join(heads) + bytes(inline) + tail
