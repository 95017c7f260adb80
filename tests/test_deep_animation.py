"""Animated PNGs of 16 bits: every frame as the PNG specification lays it over the others, with all bits."""

import struct
import zlib
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from cli import done, read, run
from PIL import Image

from convcli import images
from convcli.images.reading.apng import Canvas

SIZE = (9, 11)
KINDS = {"gray": (1, 0), "gray-alpha": (2, 4), "rgb": (3, 2), "rgba": (4, 6)}
"""Channels, and the colour type in a PNG's header."""


class Part(NamedTuple):
    """A frame as it lies in the file: pixels ``(H, W, C)``, place, what becomes of it, and whether it is laid over."""

    pixels: np.ndarray
    top: int = 0
    left: int = 0
    disposal: int = 0
    over: int = 0


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def coded(pixels: np.ndarray) -> bytes:
    return zlib.compress(b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels))


def animated(
    path: Path, kind: str, parts: list[Part], key: bytes = b"", still: np.ndarray | None = None, late: bool = False,
    denominator: int = 50,
) -> Path:  # fmt: skip
    """Write an APNG as the specification says.

    `still` is what those see who know only still PNGs; `late` puts the transparent colour behind the first frame's place.
    """
    header = struct.pack(">IIBBBBB", SIZE[1], SIZE[0], 16, KINDS[kind][1], 0, 0, 0)
    out = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), chunk(b"acTL", struct.pack(">II", len(parts), 3))]
    out += [chunk(b"tRNS", key)] * (bool(key) and not late)
    out += [chunk(b"IDAT", coded(still))] if still is not None else []
    number = 0
    for index, part in enumerate(parts):
        height, width = part.pixels.shape[:2]
        where = (width, height, part.left, part.top, index + 1, denominator, part.disposal, part.over)
        out.append(chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, *where)))
        out += [chunk(b"tRNS", key)] * (late and index == 0)
        number += 1
        data = coded(part.pixels)
        if index == 0 and still is None:
            out += [chunk(b"IDAT", data[:20]), chunk(b"IDAT", data[20:])]
            continue
        for piece in (data[:20], data[20:]):
            out.append(chunk(b"fdAT", struct.pack(">I", number) + piece))
            number += 1
    path.write_bytes(b"".join([*out, chunk(b"IEND", b"")]))
    return path


def parts_of(kind: str, seed: int = 0) -> list[Part]:
    """All disposals, laid over and not, in corners and the middle; with opacities of 0, 65535 and between."""
    generator = np.random.default_rng(seed)
    channels = KINDS[kind][0]

    def drawn(height: int, width: int) -> np.ndarray:
        pixels = generator.integers(0, 65536, (height, width, channels), dtype=np.uint16)
        if channels in (2, 4):
            pixels[::3, ..., -1], pixels[1::3, ..., -1] = 0, 65535
        return pixels

    return [
        Part(drawn(*SIZE), disposal=2),
        Part(drawn(4, 5), 2, 3, 1, 1),
        Part(drawn(5, 6), 4, 5, 2, 1),
        Part(drawn(9, 1), 0, 10, 0, 0),
        Part(drawn(*SIZE), disposal=0, over=1),
        Part(drawn(1, 1), 8, 0, 1, 0),
        Part(drawn(3, 3), 0, 0, 0, 1),
    ]


def composed(parts: list[Part], transparent: bool) -> list[np.ndarray]:
    """What is seen, pixel by pixel, in exact arithmetic; hidden colours 0."""
    channels = parts[0].pixels.shape[2]
    canvas = np.zeros((*SIZE, channels), int)
    seen = []
    for number, part in enumerate(parts):
        before = canvas.copy()
        for y, row in enumerate(part.pixels.astype(int)):
            for x, front in enumerate(row):
                place = part.top + y, part.left + x
                canvas[place] = blended(front, canvas[place]) if part.over and transparent else front
        seen.append(canvas.copy())
        area = np.s_[part.top : part.top + part.pixels.shape[0], part.left : part.left + part.pixels.shape[1]]
        if part.disposal == 1 or (part.disposal == 2 and number == 0):
            canvas[area] = 0
        elif part.disposal == 2:
            canvas = before
    return seen


def blended(front: np.ndarray, back: np.ndarray) -> list[int]:
    *colours, alpha = (int(value) for value in front)
    *below, under = (int(value) for value in back)
    share = Fraction(alpha, 65535)
    rest = Fraction(under, 65535) * (1 - share)
    if not share + rest:
        return [0] * len(front)
    mixed = [round((share * one + rest * other) / (share + rest)) for one, other in zip(colours, below, strict=True)]
    return [*mixed, round(65535 * (share + rest))]


def frames(path: Path) -> list[np.ndarray]:
    """Every frame ``(H, W, C)``, as convcli reads it."""
    out = []
    with images.opened(str(path)) as film:
        film.timing()
        for number in range(film.frames):
            picture = film.picture(number)
            assert picture.notes == ()
            assert picture.full_scale == 65535
            planes = [*picture.colour] + ([] if picture.alpha is None else [picture.alpha])
            out.append(np.stack(planes, axis=-1))
    return out


def visible(pixels: np.ndarray, transparent: bool) -> np.ndarray:
    return np.where(pixels[..., -1:] > 0, pixels, 0) if transparent else pixels


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_with_all_its_bits(kind: str, tmp_path: Path) -> None:
    parts = parts_of(kind)
    transparent = KINDS[kind][0] in (2, 4)
    found = frames(animated(tmp_path / "in.png", kind, parts))
    expected = composed(parts, transparent)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(visible(one, transparent), visible(other, transparent))


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("kind", ["gray", "rgb"])
def test_one_transparent_colour(kind: str, late: bool, tmp_path: Path) -> None:
    """tRNS holds for every frame: what has that colour lets the others through."""
    parts = parts_of(kind)
    key = parts[1].pixels[0, 0].copy()
    parts[4].pixels[2:7, 1:9] = key
    path = animated(tmp_path / "in.png", kind, parts, key.astype(">u2").tobytes(), late=late)

    def opened(part: Part) -> Part:
        opacity = np.where((part.pixels == key).all(axis=-1, keepdims=True), 0, 65535)
        return part._replace(pixels=np.concatenate([part.pixels, opacity], axis=-1))

    expected = composed([opened(part) for part in parts], transparent=True)
    for one, other in zip(frames(path), expected, strict=True):
        np.testing.assert_array_equal(visible(one, True), visible(other, True))


@pytest.mark.parametrize("kind", KINDS)
def test_an_animation_stays_one(kind: str, tmp_path: Path) -> None:
    """With its depth, times and loops; without a remark. In formats of 8 bits that is said."""
    path = animated(tmp_path / "in.png", kind, parts_of(kind))
    result = done("apply", path, "-k", "identity", "-o", tmp_path / "out.png", "--json")
    assert (result.json["notes"], result.json["frames"]) == ([], 7)
    transparent = KINDS[kind][0] in (2, 4)
    for one, other in zip(frames(tmp_path / "out.png"), frames(path), strict=True):
        np.testing.assert_array_equal(visible(one, transparent), visible(other, transparent))
    with Image.open(tmp_path / "out.png") as image:
        assert (image.n_frames, image.info["loop"], image.info["duration"]) == (7, 3, 20.0)
    with images.opened(str(tmp_path / "out.png")) as film:
        assert film.timing().durations == tuple(20.0 * number for number in range(1, 8))
    shallow = done("apply", path, "-k", "identity", "-o", tmp_path / "out.webp", "--json")
    assert "8 bits in WEBP" in shallow.json["notes"][0]


def test_every_frame_is_filtered(tmp_path: Path) -> None:
    path = animated(tmp_path / "in.png", "rgb", parts_of("rgb"))
    done("apply", path, "-k", "1,0,0", "-o", tmp_path / "out.png")  # moves the picture
    for one, other in zip(frames(tmp_path / "out.png"), frames(path), strict=True):
        np.testing.assert_array_equal(one, other[:, :-2])


def test_the_picture_for_readers_of_still_pngs_alone(tmp_path: Path) -> None:
    """It is written again, and is no frame: the first one that is lies on an empty canvas."""
    parts = parts_of("rgba")
    parts[0] = parts[1]
    still = parts_of("rgba", 1)[0].pixels
    path = animated(tmp_path / "in.png", "rgba", parts, still=still)
    done("apply", path, "-k", "identity", "-o", tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as image:
        assert image.info["default_image"]
        assert image.n_frames == 8
    for target in (path, tmp_path / "out.png"):
        for one, other in zip(frames(target), [still, *composed(parts, True)], strict=True):
            np.testing.assert_array_equal(visible(one, True), visible(other, True))
    done("apply", path, "-k", "identity", "-o", tmp_path / "still.tif")
    with images.opened(str(tmp_path / "still.tif")) as film:
        np.testing.assert_array_equal(np.moveaxis(film.picture().colour, 0, -1), still[..., :3])


def test_a_tensor_of_the_first_frame(tmp_path: Path) -> None:
    parts = parts_of("gray")
    path = animated(tmp_path / "in.png", "gray", parts)
    done("apply", path, "-k", "identity", "-o", tmp_path / "out.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), np.moveaxis(parts[0].pixels, -1, 0))
    done("apply", path, "-k", "identity", "-o", tmp_path / "out.tif")
    np.testing.assert_array_equal(read(tmp_path / "out.tif"), np.moveaxis(parts[0].pixels, -1, 0))


@pytest.mark.parametrize("where", [60, 150, 400, 700, 1200, -30])
def test_a_damaged_one(where: int, tmp_path: Path) -> None:
    """One line, and no file; or, where nothing is missing, the animation."""
    path = animated(tmp_path / "in.png", "gray-alpha", parts_of("gray-alpha"))
    path.write_bytes(path.read_bytes()[:where])
    result = run("apply", path, "-k", "identity", "-o", tmp_path / "out.png")
    assert result.code == 2
    assert len(result.err.splitlines()) == 1
    assert not (tmp_path / "out.png").exists()


def refused(path: Path, remark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything of it is decoded."""
    monkeypatch.setattr(Canvas, "frame", None)
    result = run("apply", path, "-k", "identity", "-o", path.with_name("out.png"))
    assert result.code == 2
    assert f"cannot be decoded: {remark};" in result.err
    assert not path.with_name("out.png").exists()


@pytest.mark.parametrize(
    ("left", "top", "width", "height"),
    [(7, 4, 5, 1), (3, 6, 1, 4), (0, 0, 12, 9), (0, 0, 11, 10), (11, 0, 1, 1), (0, 9, 1, 1), (2**32 - 1, 0, 2, 1)],
)
def test_frames_that_do_not_lie_in_the_picture(
    left: int, top: int, width: int, height: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However large they say they are: a small file is not to take much memory."""
    parts = parts_of("gray")
    parts[2] = Part(np.zeros((height, width, 1), np.uint16), top, left)
    path = animated(tmp_path / "in.png", "gray", parts)
    refused(path, "frame 2 does not lie in the picture", monkeypatch)


@pytest.mark.parametrize(("width", "height"), [(0, 3), (3, 0)])
def test_frames_of_no_pixels(width: int, height: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = parts_of("gray")
    parts[2] = Part(np.zeros((height, width, 1), np.uint16), 1, 1)
    path = animated(tmp_path / "in.png", "gray", parts)
    refused(path, "frame 2 does not lie in the picture", monkeypatch)


def test_a_second_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would make room for frames that do not lie in the picture."""
    path = animated(tmp_path / "in.png", "gray", parts_of("gray"))
    data = path.read_bytes()
    place = data.index(b"IDAT", data.index(b"IDAT") + 4) - 4
    larger = chunk(b"IHDR", struct.pack(">IIBBBBB", 9000, 9000, 16, 0, 0, 0, 0))
    path.write_bytes(data[:place] + larger + data[place:])
    refused(path, "there are two headers", monkeypatch)


def test_a_piece_without_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of three bytes would be what is left when four are taken from it: the whole file."""
    path = animated(tmp_path / "in.png", "gray", parts_of("gray"))
    data = path.read_bytes()
    place = data.index(b"fdAT") - 4
    path.write_bytes(data[:place] + chunk(b"fdAT", b"\0\0\0") + data[place:])
    refused(path, "a piece of a frame has no number", monkeypatch)


@pytest.mark.parametrize("kind", KINDS)
def test_a_transparent_colour_of_too_many_samples(kind: str, tmp_path: Path) -> None:
    """What is too much is not looked at; where there is alpha already, nothing is."""
    parts, channels = parts_of(kind), KINDS[kind][0]
    key = parts[0].pixels[0, 0].astype(">u2").tobytes()
    path = animated(tmp_path / "in.png", kind, parts, key + bytes(2000 * channels))
    plain = animated(tmp_path / "plain.png", kind, parts, key if channels in (1, 3) else b"")
    for one, other in zip(frames(path), frames(plain), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_delay_of_so_many_nothings(tmp_path: Path) -> None:
    """A denominator of 0 means hundredths of a second."""
    path = animated(tmp_path / "in.png", "gray", parts_of("gray"), denominator=0)
    done("apply", path, "-k", "identity", "-o", tmp_path / "out.png")
    for target in (path, tmp_path / "out.png"):
        with images.opened(str(target)) as film:
            assert film.timing().durations == tuple(10.0 * number for number in range(1, 8))
