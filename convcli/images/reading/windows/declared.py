"""What a coded tile says of its own size, where its decoder would believe it."""

from __future__ import annotations

import struct


def declared_pixels(data: bytes) -> int | None:
    """The pixels of JPEG, JPEG 2000, PNG or LERC; None of others."""
    try:
        if (place := data.find(b"\xff\x4f\xff\x51", 0, 4096)) >= 0:  # SIZ (ISO/IEC 15444-1, A.5.1)
            right, bottom, left, top = struct.unpack_from(">4I", data, place + 8)
            return int((right - left) * (bottom - top))
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            width, height = struct.unpack_from(">2I", data, 16)
            return int(width * height)
        if data.startswith(b"Lerc2 "):  # Esri, "Lerc2 File Format": a checksum from version 3 on
            (version,) = struct.unpack_from("<i", data, 6)
            rows, columns = struct.unpack_from("<2i", data, 14 if version >= 3 else 10)
            return int(rows * columns)
        if data.startswith(b"\xff\xd8"):
            return _jpeg(data)
    except struct.error:
        return None
    return None


def _jpeg(data: bytes) -> int | None:
    """The pixels that the header of a frame declares (ITU T.81, B.2.2)."""
    place = 2
    while place + 4 <= len(data):
        marker, size = struct.unpack_from(">HH", data, place)
        if 0xFFC0 <= marker <= 0xFFCF and marker not in (0xFFC4, 0xFFC8, 0xFFCC):
            height, width = struct.unpack_from(">2H", data, place + 5)
            return int(height * width)
        if marker < 0xFF00:
            return None
        place += 2 + size
    return None
