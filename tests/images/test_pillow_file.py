"""Animated PNGs of 16 bits, which Pillow reads with 8."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from cli import done

from convcli import images

H, W = 9, 11
KINDS = {"gray": (1, 0), "gray-alpha": (2, 4), "rgb": (3, 2), "rgba": (4, 6)}
"""Channels, and the colour type in a PNG's header."""


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def animated(path: Path, kind: str, frames: list[np.ndarray], key: bytes = b"") -> Path:
    """An APNG of whole frames ``(H, W, C)``, written from the specification."""
    out = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", struct.pack(">IIBBBBB", W, H, 16, KINDS[kind][1], 0, 0, 0))]
    out += [chunk(b"acTL", struct.pack(">II", len(frames), 3))] + [chunk(b"tRNS", key)] * bool(key)
    number = 0
    for index, pixels in enumerate(frames):
        out.append(chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, W, H, 0, 0, index + 1, 50, 0, 0)))
        data = zlib.compress(b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels))
        number += 1 if index == 0 else 2
        out.append(chunk(b"IDAT", data) if index == 0 else chunk(b"fdAT", struct.pack(">I", number - 1) + data))
    path.write_bytes(b"".join([*out, chunk(b"IEND", b"")]))
    return path


def drawn(kind: str) -> list[np.ndarray]:
    generator = np.random.default_rng(2)
    return [generator.integers(0, 65536, (H, W, KINDS[kind][0]), dtype=np.uint16) for _ in range(3)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_high_bytes_are_read_and_that_is_said(kind: str, tmp_path: Path) -> None:
    frames = drawn(kind)
    with images.opened(str(animated(tmp_path / "in.png", kind, frames))) as file:
        timing = file.timing()
        assert timing is not None
        assert (timing.durations, timing.loop) == ((20.0, 40.0, 60.0), 3)
        for number, pixels in enumerate(frames):
            picture = file.picture(number)
            planes = [*picture.colour] if picture.alpha is None else [*picture.colour, picture.alpha]
            expected = pixels >> 8
            if len(planes) > pixels.shape[2]:  # gray in three channels
                expected = expected[..., [0, 0, 0, 1][: len(planes)]]
            np.testing.assert_array_equal(np.stack(planes, -1), expected)
            assert picture.full_scale == 255
            assert picture.notes == ("PNG of this kind with more than 8 bits per channel is read with 8",)


@pytest.mark.parametrize("kind", ["gray", "rgb"])
def test_one_transparent_colour(kind: str, tmp_path: Path) -> None:
    frames = drawn(kind)
    key = frames[0][4, 5]
    path = animated(tmp_path / "in.png", kind, frames, b"".join(struct.pack(">H", value) for value in key))
    with images.opened(str(path)) as file:
        picture = file.picture(0)
    assert picture.alpha is not None
    alike = (frames[0] >> 8 == key >> 8).all(axis=-1)
    np.testing.assert_array_equal(picture.alpha, np.where(alike, 0, 255))


def test_it_stays_an_animation(tmp_path: Path) -> None:
    path = animated(tmp_path / "in.png", "rgb", drawn("rgb"))
    result = done("apply", path, "-k", "identity", "-o", tmp_path / "out.png", "--json")
    assert result.json["frames"] == 3
    assert result.json["notes"] == ["PNG of this kind with more than 8 bits per channel is read with 8"]
    with images.opened(str(tmp_path / "out.png")) as file:
        assert file.frames == 3
