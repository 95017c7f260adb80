"""PNGs whose rows are inflated in another thread are as Pillow's own decoder gives them, or refused."""

from __future__ import annotations

import io
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from convcli.images import inflating, prefetch
from convcli.images.writing import png
from convcli.system.context import Context


@pytest.fixture(autouse=True)
def small_ones_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflating, "WORTH_PIXELS", 0)
    monkeypatch.setattr(prefetch, "PNG_WORTH_BYTES", 0)


NOISE = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)


def coded(mode: str = "RGB", **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(NOISE).convert(mode).save(stream, "PNG", **options)
    return stream.getvalue()


def opened(data: bytes) -> tuple[PngImagePlugin.PngImageFile, io.BytesIO]:
    stream = io.BytesIO(data)
    return PngImagePlugin.PngImageFile(stream), stream


def split(data: bytes, size: int) -> bytes:
    """The same file with chunks of pixels of another size."""
    start, pixels, found = 8, b"", []
    while start < len(data):
        length, kind = struct.unpack_from(">I4s", data, start)
        if kind == b"IDAT":
            pixels += data[start + 8 : start + 8 + length]
            place = len(found)
        else:
            found.append(data[start : start + 12 + length])
        start += 12 + length
    parts = [png.chunk(b"IDAT", pixels[at : at + size]) for at in range(0, len(pixels), size)]
    return b"".join((data[:8], *found[:place], *parts, *found[place:]))


def with_rows(raw: bytes) -> bytes:
    """A gray picture of 20 × 10 with these rows."""
    head = png.chunk(b"IHDR", struct.pack(">IIBBBBB", 20, 10, 8, 0, 0, 0, 0))
    return png.SIGNATURE + head + png.chunk(b"IDAT", zlib.compress(raw)) + png.chunk(b"IEND", b"")


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size", [1000, 1 << 16, 1 << 30])
@pytest.mark.parametrize("piece", [333, 1 << 20])
def test_it_is_the_picture(mode: str, size: int, piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflating, "PIECE_BYTES", piece)
    data = split(coded(mode), size)
    image, stream = opened(data)
    assert inflating.suits(image)
    inflating.load(image, stream)
    np.testing.assert_array_equal(np.asarray(image), np.asarray(opened(data)[0]))


@pytest.mark.parametrize("kind", range(5))
def test_every_filter(kind: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "choose", lambda *_: (kind, zlib.Z_RLE))
    image, stream = opened(b"".join(png.encode([NOISE])))
    inflating.load(image, stream)
    np.testing.assert_array_equal(np.asarray(image), NOISE)


def test_what_follows_the_pixels_is_read() -> None:
    data = coded()
    image, stream = opened(data[:-12] + png.chunk(b"tEXt", b"Title\0noise") + data[-12:])
    assert "Title" not in image.info
    inflating.load(image, stream)
    assert image.info["Title"] == "noise"


def test_others_do_not_suit() -> None:
    for mode in ("RGBA", "P", "LA", "1"):
        assert not inflating.suits(opened(coded(mode))[0])
    deep = io.BytesIO()
    Image.fromarray(NOISE[..., 0].astype(np.uint16)).save(deep, "PNG")
    assert not inflating.suits(opened(deep.getvalue())[0])
    head = png.chunk(b"IHDR", struct.pack(">IIBBBBB", 20, 10, 8, 0, 0, 0, 1))
    data = with_rows(bytes(210))
    assert not inflating.suits(opened(data[:8] + head + data[8 + len(head) :])[0])  # interlaced
    few = png.chunk(b"IHDR", struct.pack(">IIBBBBB", 20, 10, 4, 0, 0, 0, 0))
    assert not inflating.suits(opened(data[:8] + few + data[8 + len(few) :])[0])  # 4 bits
    jpeg = io.BytesIO()
    Image.fromarray(NOISE).save(jpeg, "JPEG")
    assert not inflating.suits(Image.open(jpeg))


@pytest.mark.parametrize(
    "data",
    [
        coded()[:5000],
        coded()[:-20] + bytes(4) + coded()[-16:],
        with_rows(bytes(21 * 9)),
        with_rows(bytes(21 * 11)),
        with_rows(bytes(21 * 9) + b"\x07" + bytes(20)),  # a filter that there is not
        split(coded(), 5000)[:20_000] + coded()[-12:],
    ],
    ids=["cut", "checksum", "too few rows", "too many rows", "filter", "no more chunks"],
)
def test_damage_is_an_error(data: bytes) -> None:
    before = threading.active_count()
    image, stream = opened(data)
    with pytest.raises((EOFError, OSError, ValueError, struct.error, zlib.error)):
        inflating.load(image, stream)
    assert threading.active_count() == before


def test_who_stops_early_does_not_leave_a_thread() -> None:
    before, made = threading.active_count(), []

    def parts() -> Iterator[bytes]:
        for number in range(100):
            made.append(number)
            yield bytes(1)

    ahead = inflating._ahead(parts())
    next(ahead)
    ahead.close()
    assert threading.active_count() == before
    assert len(made) < inflating.AHEAD + 3


def test_a_large_file_is_decoded_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []
    monkeypatch.setattr(inflating, "load", lambda image, stream: loaded.append(image.size))
    (tmp_path / "in.png").write_bytes(coded())
    with Context(), prefetch.decoding_of(str(tmp_path / "in.png")), open(tmp_path / "in.png", "rb") as stream:
        prefetch.take(stream)
    assert loaded == [(400, 300)]


def test_a_small_picture_is_decoded_by_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    for least, suits in ((400 * 300, True), (400 * 300 + 1, False)):
        monkeypatch.setattr(inflating, "WORTH_PIXELS", least)
        assert inflating.suits(opened(coded())[0]) == suits
