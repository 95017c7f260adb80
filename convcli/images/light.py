"""How values and light are related in a picture: what its file says, by a profile or as PNG does."""

from __future__ import annotations

import struct
from contextlib import suppress

from convcli.images.picture import Metadata

SRGB = 0.0
"""Stands for sRGB's curve, which is no power."""

_TRANSFERS = dict.fromkeys((1, 2, 6, 13, 14, 15), SRGB) | {4: 2.2, 5: 2.8, 8: 1.0}
"""The exponents of transfer functions (ITU-T H.273, table 3). That of BT.709 is for cameras; screens show it as sRGB."""

_LEAST, _MOST = 0.1, 10.0
"""No device has exponents beyond these."""

_MIDDLE = ((0.5 + 0.055) / 1.055) ** 2.4
"""The light of half of white in sRGB."""


def gamma_of(metadata: Metadata) -> float | None:
    """The exponent that makes light of values; `SRGB` for its curve, and None for another curve, as of HDR pictures.

    What says more wins (PNG, 3rd edition, 4.3): cICP, a profile, sRGB, gAMA. A gAMA of 1/2.2 is what is written for sRGB.
    """
    found = _found(metadata)
    return found if found is None or _LEAST <= found <= _MOST else SRGB


def _found(metadata: Metadata) -> float | None:
    chunks = dict(metadata.chunks)
    if len(code := chunks.get(b"cICP", b"")) == 4:
        return _TRANSFERS.get(code[1])
    if metadata.icc_profile:
        with suppress(struct.error, ZeroDivisionError, OverflowError, TypeError):
            return _of_profile(metadata.icc_profile)
        return SRGB
    if b"sRGB" in chunks or len(chunks.get(b"gAMA", b"")) != 4:
        return SRGB
    gamma = int.from_bytes(chunks[b"gAMA"], "big") / 100_000
    return SRGB if not gamma or abs(gamma - 1 / 2.2) < 0.005 else 1 / gamma


def _of_profile(profile: bytes) -> float | None:
    """The same of an ICC profile's curve for red or gray (ICC.1:2010, 10.5 and 10.15); sRGB where there is none."""
    (count,) = struct.unpack_from(">I", profile, 128)
    tags = {}
    for number in range(min(count, 100)):
        name, place, _ = struct.unpack_from(">4sII", profile, 132 + 12 * number)
        tags[name] = place
    if (place := tags.get(b"rTRC", tags.get(b"kTRC", 0))) == 0:
        return SRGB
    kind, function, points = struct.unpack_from(">4s4xHH", profile, place)
    if kind == b"para":
        counts = (1, 3, 4, 5, 7)
        values = [number / 65536 for number in struct.unpack_from(f">{counts[min(function, 4)]}i", profile, place + 12)]
        if function == 0:
            return float(values[0])
        gamma, a, b, *rest = values
        middle = (a / 2 + b) ** gamma + (rest[-1] if function == 2 else rest[-2] if function == 4 else 0)
    else:
        count = function << 16 | points
        value: int = (
            0 if count == 0 else struct.unpack_from(">H", profile, place + 12 + count // 2 * 2 * (count > 1))[0]
        )
        if count < 2:
            return value / 256 if count else 1.0
        middle = value / 65535
    return SRGB if abs(middle - _MIDDLE) < 0.02 else None
