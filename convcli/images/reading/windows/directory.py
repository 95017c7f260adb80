"""The first directory of a TIFF, held against the size of the file before anything that it tells is believed.

Of it a small file is made, in memory, that has all of its tags but no pixels: what reads tags reads them there. And such files
of one tile or strip, for Pillow to decode. Adobe, "TIFF Revision 6.0", section 2; BigTIFF; and Hamamatsu's NDPI, whose directories
have the high halves of places behind them.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from convcli.images.reading.windows.ndpi import NDPI, STARTS, STARTS_HIGH
from convcli.records import NamedTuple
from convcli.system.ranges import Ranges, as_stream

MOST_TAGS, MOST_BYTES, MOST_PAGES = 4096, 64 << 20, 1 << 16
"""A directory has no more tags, its values no more bytes, a file no more pages."""

_BLOCK = 4096
"""Places of tiles that are read at a time."""

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value of each type."""

_NUMBERS = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
"""Types of counts and places."""

_SUB, _EXIF = 330, 34665
_WITHIN = {0: (_SUB, _EXIF, 34853), _EXIF: (40965,)}
"""Tags of directories within a directory: of other pictures, EXIF and GPS and, within that of EXIF, of interoperability."""

_LEFT_OUT = 37724
"""Photoshop's layers."""

TILES, STRIPS = (324, 325), (273, 279)
"""Tags of the places of tiles and strips, and of their bytes."""

_PIXELS = {
    256, 257, 258, 259, 262, 266, 277, 278, 284, 292, 293, 317, 320, 322, 323, 332, 334, 338, 339, 347, 529, 530, 531, 532,
}  # fmt: skip
"""Tags that a decoder of pixels needs, but for places."""


class Layout(NamedTuple):
    """How numbers of a file are stored."""

    order: str  # < or >
    big: bool  # BigTIFF

    @property
    def place(self) -> str:
        """The format of a place in the file."""
        return self.order + ("Q" if self.big else "I")

    @property
    def length(self) -> str:
        """The format of the number of tags."""
        return self.order + ("Q" if self.big else "H")

    @property
    def entry(self) -> struct.Struct:
        """The format of a tag: number, type, how many values, and the values or their place."""
        return struct.Struct(self.order + ("HHQ8s" if self.big else "HHI4s"))

    @property
    def inline(self) -> int:
        """Bytes of values that stand in the tag itself."""
        return 8 if self.big else 4

    def head(self, place: int) -> bytes:
        """The first bytes of a file whose first directory is there."""
        mark = b"II" if self.order == "<" else b"MM"
        if self.big:
            return mark + struct.pack(f"{self.order}HHHQ", 43, 8, 0, place)
        return mark + struct.pack(f"{self.order}HI", 42, place)


class Value(NamedTuple):
    """The value of a tag, as the file has it."""

    kind: int
    many: int
    data: bytes


Tags: TypeAlias = "list[tuple[int, Value | list[Tags]]]"


class Table:
    """The numbers of a tag that may have millions of them: read when they are asked for."""

    def __init__(self, ranges: Ranges, layout: Layout, kind: int, count: int, place: int, data: bytes | None) -> None:
        self._ranges, self._place, self._data, self.count = ranges, place, data, count
        self._dtype = np.dtype(layout.order + _NUMBERS[kind])
        self._block = lru_cache(256)(self._read)

    def __getitem__(self, index: int) -> int:
        return int(self._block(index // _BLOCK)[index % _BLOCK])

    def _read(self, block: int) -> np.ndarray[tuple[int], np.dtype[np.integer]]:
        size = self._dtype.itemsize
        start, stop = block * _BLOCK * size, min((block + 1) * _BLOCK, self.count) * size
        held = self._data
        data = self._ranges.read(self._place + start, stop - start) if held is None else held[start:stop]
        return np.frombuffer(data, self._dtype)


class Directory:
    """The first directory of a file, with its tables, and all others without.

    Parameters
    ----------
    ranges : Ranges
        The file, which stays open: tables are read later.

    Raises
    ------
    ValueError, struct.error
        It is damaged. The message is a reason.
    """

    def __init__(self, ranges: Ranges) -> None:
        self._ranges, self._size, self._stream = ranges, ranges.size, as_stream(ranges)
        head = self._stream.read(16)
        order = {b"II": "<", b"MM": ">"}[head[:2]]
        self.layout = Layout(order, struct.unpack_from(order + "H", head, 2)[0] == 43)
        (place,) = struct.unpack_from(self.layout.place, head, 8 if self.layout.big else 4)
        if not self.layout.big and self._size >= 1 << 32 and head[8:12] != bytes(4):
            (place,) = struct.unpack_from("<Q", head, 4)  # only NDPI has such places
        self.tables: dict[int, Table] = {}
        self._left, self._first, self._seen = MOST_BYTES, place, {place}
        self.tags, following = self._directory(place, 0, first=True)
        self._others = self._following(following)

    def number(self, tag: int, otherwise: int) -> int:
        """The first number of a tag."""
        return next(iter(self.numbers(tag, 1)), otherwise)

    def numbers(self, tag: int, most: int) -> list[int]:
        """The first numbers of a tag, `most` of them; none if it is not there."""
        for name, value in self.tags:
            if name == tag and isinstance(value, Value) and value.kind in _NUMBERS:
                dtype = np.dtype(self.layout.order + _NUMBERS[value.kind])
                return [int(one) for one in np.frombuffer(value.data, dtype, min(most, value.many))]
        return []

    def _heads(self, place: int) -> tuple[bytes, int, bytes]:
        """The tags of a directory as bytes, the place of the directory that follows it, or 0, and what NDPI has behind it."""
        layout = self.layout
        self._stream.seek(place)
        (count,) = struct.unpack(layout.length, self._stream.read(struct.calcsize(layout.length)))
        if count > MOST_TAGS:
            raise ValueError(f"a directory has {count} tags")
        heads = self._stream.read(count * layout.entry.size)
        if len(heads) < count * layout.entry.size:
            raise ValueError("a directory is truncated")
        wide = not layout.big and any(tag == NDPI for tag, *_ in layout.entry.iter_unpack(heads))
        form = "<Q" if wide else layout.place
        after = self._stream.read(struct.calcsize(form))
        following = struct.unpack(form, after)[0] if len(after) == struct.calcsize(form) else 0
        return heads, following, self._stream.read(4 * count) if wide else b""

    def _directory(self, place: int, of: int, first: bool = False) -> tuple[Tags, int]:
        """The tags of a directory within a tag, or of a page (0), and the place of the next one; of the `first`, tables too."""
        heads, following, high = self._heads(place)
        found: Tags = []
        tables = () if of == _EXIF else (*TILES, *STRIPS, *((STARTS, STARTS_HIGH) if high else ()))
        for number, (tag, kind, count, held) in enumerate(self.layout.entry.iter_unpack(heads)):
            if kind not in _SIZES or tag == _LEFT_OUT:
                continue
            size = count * _SIZES[kind]
            where = struct.unpack_from(self.layout.place, held)[0] if size > self.layout.inline else 0
            above = high[4 * number : 4 * number + 4]
            where |= int.from_bytes(above, "little") << 32 if where else 0
            if tag in tables:
                if first:
                    self.tables[tag] = self._table(tag, kind, count, where, size, held, above)
                else:
                    found.append((tag, Value(3, 1, bytes(2))))
                continue
            if where + size > self._size:
                continue
            data = self._data(where, size) if where else held[:size]
            if tag in _WITHIN.get(of, ()):
                inner = self._within(tag, kind, data)
                if inner:
                    found.append((tag, inner))
                continue
            found.append((tag, Value(kind, count, data)))
        return found, following

    def _data(self, place: int, size: int) -> bytes:
        self._left -= size
        if self._left < 0:
            raise ValueError(f"its tags have more than {MOST_BYTES >> 20} MiB")
        self._stream.seek(place)
        return self._stream.read(size)

    def _table(self, tag: int, kind: int, count: int, where: int, size: int, held: bytes, above: bytes) -> Table:
        if where + size > self._size:
            raise ValueError(f"the table of tag {tag} lies beyond the end of the file")
        if kind not in _NUMBERS:
            raise ValueError(f"tag {tag} is damaged")
        if above and kind == 4 and count == 1:
            return Table(self._ranges, self.layout, 16, 1, 0, held + above)
        return Table(self._ranges, self.layout, kind, count, where, None if where else held[:size])

    def _within(self, tag: int, kind: int, data: bytes) -> list[Tags]:
        """Directories within a directory, by their places; what is damaged is left out, but not a file of too many."""
        found: list[Tags] = []
        if kind not in _NUMBERS:
            return found
        for place in np.frombuffer(data, self.layout.order + _NUMBERS[kind]):
            self._count(int(place))
            with suppress(struct.error):
                found.append(self._directory(int(place), tag)[0])
        return found

    def _count(self, place: int) -> None:
        """Count a directory."""
        if len(self._seen) > MOST_PAGES:
            raise ValueError(f"it has more than {MOST_PAGES} directories")
        self._seen.add(place)

    def _following(self, place: int) -> list[Tags]:
        """The other directories of the file."""
        found: list[Tags] = []
        chain = {self._first}
        while place:
            if place in chain:
                raise ValueError("its directories follow each other in a circle")
            if place >= self._size:
                raise ValueError(f"page {len(found) + 1} is missing")
            chain.add(place)
            self._count(place)
            tags, place = self._directory(place, 0)
            found.append(tags)
        return found

    def whole(self, count: int, changes: dict[int, int]) -> io.BytesIO:
        """A file with all directories, without pixels; the first has as many empty strips or tiles as `count`.

        `changes` are of numbers of the first.
        """
        places = TILES if TILES[0] in self.tables else STRIPS
        empty = Value(3, count, bytes(2 * count))
        tags = [(tag, self._number(changes[tag]) if tag in changes else value) for tag, value in self.tags]
        return io.BytesIO(self._file([*tags, *((tag, empty) for tag in places)], *self._others))

    def part(self, segments: Sequence[bytes], changes: dict[int, int]) -> io.BytesIO:
        """A file of one tile, or one strip, or one of each of several planes."""
        tiled = TILES[0] in self.tables
        tags: Tags = [
            (tag, self._number(changes[tag]) if tag in changes else value)
            for tag, value in self.tags
            if tag in _PIXELS and not (tag in changes and not changes[tag])
        ]
        have = {tag for tag, _ in tags}
        tags += [(tag, self._number(value)) for tag, value in changes.items() if value and tag not in have]
        places, counts = TILES if tiled and 322 in {tag for tag, _ in tags} else STRIPS
        tags.append((counts, self._number(*map(len, segments))))
        without = self._file([*tags, (places, self._number(*[0] * len(segments)))])
        here, found = len(without), []
        for segment in segments:
            found.append(here)
            here += len(segment)
        return io.BytesIO(self._file([*tags, (places, self._number(*found))]) + b"".join(segments))

    def _number(self, *numbers: int) -> Value:
        return Value(4, len(numbers), struct.pack(f"{self.layout.order}{len(numbers)}I", *numbers))

    def _file(self, *directories: Tags) -> bytes:
        place = len(self.layout.head(0))
        data = bytearray(self.layout.head(place))
        for number, tags in enumerate(directories):
            data += self._composed(tags, len(data), number + 1 < len(directories))
        return bytes(data)

    def _composed(self, tags: Tags, place: int, another: bool = False) -> bytes:
        """The bytes of a directory that stands at a place, an even one. Behind it comes `another`."""
        layout = self.layout
        heads, tail = [], bytearray()
        start = place + struct.calcsize(layout.length) + len(tags) * layout.entry.size + struct.calcsize(layout.place)
        for tag, value in sorted(tags, key=lambda one: one[0]):
            if not isinstance(value, Value):
                inner = []
                for one in value:
                    inner.append(start + len(tail))
                    tail += self._composed(one, inner[-1])
                form = "Q" if layout.big else "I"
                packed = struct.pack(f"{layout.order}{len(inner)}{form}", *inner)
                value = Value(16 if layout.big else 4, len(inner), packed)
            kind, count, data = value
            held = data
            if len(data) > layout.inline:
                held = struct.pack(layout.place, start + len(tail))
                tail += data
            heads.append(layout.entry.pack(tag, kind, count, held))
            tail += bytes(len(tail) % 2)
        following = start + len(tail) if another else 0
        return (
            struct.pack(layout.length, len(heads))
            + b"".join(heads)
            + struct.pack(layout.place, following)
            + bytes(tail)
        )
