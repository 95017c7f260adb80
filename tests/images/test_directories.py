"""TIFF's directories come back as they were, in any byte order; what is damaged is left out."""

import io
import struct
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from convcli.images import directories
from convcli.images.directories import DOUBLE, EXIF, LONG, RATIONAL, SHORT, TEXT, UNDEFINED, Directory, Entry, entry
from support.cli import done
from support.pictures import GRAY, tags_of, write

SAMPLE: Directory = {
    270: Entry(TEXT, "Jörg Müller\0".encode()),
    282: entry(RATIONAL, 72.5),
    700: Entry(1, b"<x/>"),
    33550: entry(DOUBLE, 10.0, 10.0, 0.0),
    EXIF: {
        0x9003: Entry(TEXT, b"2026:01:01 00:00:00\0"),
        0x927C: Entry(UNDEFINED, bytes(range(99))),
        0xA005: {1: Entry(TEXT, b"R98\0")},
    },
    0x8825: {2: entry(RATIONAL, 51, 30, 12.25)},
    65000: entry(11, 1.5, -2.5),
    65001: Entry(6, b"\xc5"),
    65002: entry(8, -1, 2),
    65003: entry(SHORT, 7),
    65004: entry(LONG, 7, 1 << 31),
    65005: entry(9, -7),
}


def swapped(directory: Directory, place: int = 8) -> bytes:
    """As `directories.composed`, high bytes first."""
    heads, tail = b"", b""
    start = place + 2 + 12 * len(directory) + 4
    for tag, value in sorted(directory.items()):
        here = struct.pack(">I", start + len(tail))
        if isinstance(value, dict):
            heads += struct.pack(">HHI", tag, LONG, 1) + here
            tail += swapped(value, start + len(tail))
            continue
        letters = {1: "B", 2: "s", 3: "H", 4: "I", 5: "I", 6: "b", 7: "s", 8: "h", 9: "i", 11: "f", 12: "d"}
        letter = letters[value.kind]
        count = len(value.data) // struct.calcsize(letter)
        data = struct.pack(f">{count}{letter}", *struct.unpack(f"<{count}{letter}", value.data))
        heads += struct.pack(">HHI", tag, value.kind, value.length) + (data.ljust(4, b"\0") if len(data) <= 4 else here)
        tail += data if len(data) > 4 else b""
    return struct.pack(">H", len(directory)) + heads + bytes(4) + tail


def test_what_is_written_is_read() -> None:
    data = directories.exif_of(SAMPLE)
    assert directories.parse(data) == SAMPLE
    assert directories.parse(data.removeprefix(b"Exif\0\0")) == SAMPLE
    assert directories.parse(b"Exif\0\0" + data) == SAMPLE
    assert directories.parse(struct.pack(">2sHI", b"MM", 42, 8) + swapped(SAMPLE)) == SAMPLE
    assert directories.exif_of({}) == b""


def test_as_pillow_reads_it() -> None:
    exif = Image.Exif()
    exif.load(directories.exif_of(SAMPLE))
    assert exif[33550] == (10.0, 10.0, 0.0)
    assert exif.get_ifd(EXIF)[0x9003] == "2026:01:01 00:00:00"
    assert exif.get_ifd(0x8825)[2] == (51, 30, 12.25)
    assert exif[65002] == (-1, 2)
    assert exif[65005] == -7


def test_a_directory_of_a_bigtiff() -> None:
    """Values of 64 bits are held by 32 if they can be."""
    body = struct.pack("<Q", 4)
    body += (
        struct.pack("<HHQQ", 1, 16, 1, 77)
        + struct.pack("<HHQq", 2, 17, 1, -5)
        + struct.pack("<HHQQ", 3, 16, 1, 1 << 40)
    )
    body += struct.pack("<HHQd", 4, 12, 1, 0.5)
    found = directories.read(io.BytesIO(bytes(16) + body), 16, "<", big=True)
    assert found == {1: entry(LONG, 77), 2: entry(9, -5), 4: entry(DOUBLE, 0.5)}


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([(1, 99, 1, 5), (2, SHORT, 1, 5)], {2}),  # a type that is none
        ([(1, LONG, 2, 10_000), (2, SHORT, 1, 5)], {2}),  # data behind the end
        ([(1, LONG, 1 << 31, 8), (2, SHORT, 1, 5)], {2}),
        ([(EXIF, LONG, 1, 10_000), (2, SHORT, 1, 5)], {2}),
        ([(EXIF, TEXT, 1, 8), (2, SHORT, 1, 5)], {2, EXIF}),  # itself, in which no other is looked for
    ],
)
def test_damage(entries: list[tuple[int, int, int, int]], found: set[int]) -> None:
    body = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *one) for one in entries) + bytes(4)
    assert set(directories.parse(struct.pack("<2sHI", b"II", 42, 8) + body)) == found
    longer = struct.pack("<H", 500) + body[2:-4]
    assert set(directories.parse(struct.pack("<2sHI", b"II", 42, 8) + longer)) == found


def test_many_large_values_at_one_place_are_refused() -> None:
    heads = b"".join(struct.pack("<HHII", tag, 1, 900, 8) for tag in range(200))
    data = struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", 200) + heads + bytes(4)
    with pytest.raises(ValueError, match="larger than the file"):
        directories.parse(data)


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        (72, (72, 1)),
        (300.0, (300, 1)),
        (0.5, (1, 2)),
        (Fraction(1, 3), (1, 3)),
        (118.11, (11811, 100)),
        (1e9, (10**9, 1)),
    ],
)
def test_the_nearest_fraction(value: float, parts: tuple[int, int]) -> None:
    assert directories.nearest(value) == parts


@pytest.mark.parametrize("target", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("source", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("coding", ["utf-8", "latin-1", "shift-jis"])
def test_texts_stay_as_they_are_encoded(source: str, target: str, coding: str, tmp_path: Path) -> None:
    """In the directory and in EXIF's own."""
    text = ("写真" if coding == "shift-jis" else "Jörg Müller").encode(coding) + b"\0"
    exif = directories.exif_of({270: Entry(TEXT, text), EXIF: {0xA430: Entry(TEXT, text)}})
    path = write(tmp_path / f"in.{source}", GRAY.repeat(3, 0), exif=exif)
    if source == "tif":  # Pillow's writer codes them anew
        done("apply", write(tmp_path / "in.jpg", GRAY.repeat(3, 0), exif=exif), "-k", "identity", "-o", path)
    done("apply", path, "-k", "identity", "-o", tmp_path / f"out.{target}")
    found = tags_of(tmp_path / f"out.{target}")
    assert found[270] == Entry(TEXT, text)
    inner = found[EXIF]
    assert isinstance(inner, dict)
    assert inner[0xA430] == Entry(TEXT, text)


def test_a_directory_for_a_bigtiff_is_read_again() -> None:
    """Values of up to 8 bytes are held in it, and places have 64 bits."""
    directory: Directory = {
        270: Entry(directories.TEXT, b"eight!!\0"),
        271: Entry(directories.TEXT, b"nine not\0"),
        324: Entry(directories.LONG8, struct.pack("<3Q", 1, 2**32 - 1, 5)),
        directories.EXIF: {0x829A: entry(directories.RATIONAL, 0.01), 0xA005: {1: Entry(directories.TEXT, b"R98\0")}},
    }
    place = 48
    data = directories.composed(directory, place, big=True)
    assert b"eight!!\0" in data[: 8 + 4 * 20]
    assert data[8 + 4 * 20 :][:8] == bytes(8)  # nothing follows
    assert b"nine not\0" in data[8 + 4 * 20 + 8 :]
    found = directories.read(io.BytesIO(bytes(place) + data), place, "<", True)
    narrow = {324: entry(directories.LONG, 1, 2**32 - 1, 5)}  # as EXIF data can hold them
    assert found == directory | narrow
