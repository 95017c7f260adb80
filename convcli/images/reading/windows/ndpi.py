"""Hamamatsu's NDPI: a TIFF whose one strip is a JPEG of a whole slide. Between two restart markers is a tile of its own.

Tag 65426 says where these markers are. ITU T.81, B.2.4.4: after each of them decoding begins anew.
"""

from __future__ import annotations

import struct

from convcli.geometry import Size
from convcli.records import NamedTuple

NDPI, STARTS, STARTS_HIGH = 65420, 65426, 65432
"""Tags: that it is one, and the places of restart intervals, low and high parts."""

MOST_HEADER_BYTES = 1 << 20


class Intervals(NamedTuple):
    """How a JPEG is cut by its restart intervals."""

    tile: Size
    header: bytes  # a header for each of them

    def picture(self, data: bytes) -> bytes:
        """An interval as a JPEG of its own."""
        if len(data) > 1 and data[-2] == 0xFF and 0xD0 <= data[-1] <= 0xD9:
            data = data[:-2]
        return self.header + data + b"\xff\xd9"


def intervals_of(header: bytes) -> Intervals:
    """The intervals of a JPEG, from its bytes before the first of them.

    Raises
    ------
    ValueError, struct.error
        It has none, or is damaged.
    """
    place, length, frame = 2, 0, 0
    unit = Size(8, 8)
    while place + 4 <= len(header):
        marker, size = struct.unpack_from(">HH", header, place)
        if marker == 0xFFDD:
            (length,) = struct.unpack_from(">H", header, place + 4)
        elif marker == 0xFFC0:
            frame = place + 5
            count = header[place + 9]
            factors = [header[place + 11 + 3 * number] for number in range(count)]
            unit = Size(8 * max(one & 15 for one in factors), 8 * max(one >> 4 for one in factors))
        elif marker == 0xFFDA:
            break
        place += 2 + size
    if not length or not frame:
        raise ValueError("its JPEG has no restart intervals")
    tile = Size(unit.height, unit.width * length)
    if tile.width > 65535:
        raise ValueError("its restart intervals are too long")
    return Intervals(tile, header[:frame] + struct.pack(">HH", *tile) + header[frame + 4 :])
