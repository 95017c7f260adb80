"""Files that Pillow decodes: how many pictures they have, and what is said of bits that it leaves out."""

import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from convcli import images
from convcli.images.reading import pillow_file
from support.cli import done
from support.pictures import GENERATOR, H, W

HEIGHT, WIDTH = 4, 6
BITMAP, GRAY, INDEXED, RGB, CMYK, DUOTONE = 0, 1, 2, 3, 4, 8
"""Modes of a PSD."""


def psd(mode: int, samples: NDArray[np.uint8], bits: int = 8, packed: bool = False, layers: bytes = b"") -> bytes:
    """A PSD of ``samples (channels, rows, bytes)``, with the bytes of its layers as they are given."""
    colours = bytes(range(256)) * 3 if mode == INDEXED else b""
    header = b"8BPS" + struct.pack(">H6xHIIHH", 1, len(samples), HEIGHT, WIDTH, bits, mode)
    blocks = [struct.pack(">I", len(block)) + block for block in (colours, b"", layers)]
    rows = [row.tobytes() for channel in samples for row in channel]
    pixels = b"".join(rows)
    if packed:  # every line as one literal run
        lines = [bytes([len(row) - 1]) + row for row in rows]
        pixels = struct.pack(f">{len(lines)}H", *map(len, lines)) + b"".join(lines)
    return header + b"".join(blocks) + struct.pack(">H", packed) + pixels


def samples_of(channels: int, width: int = WIDTH) -> NDArray[np.uint8]:
    return np.random.default_rng(channels).integers(0, 256, (channels, HEIGHT, width), np.uint8)


def read(path: Path, data: bytes) -> NDArray[np.generic]:
    """The picture in a file, ``(C, H, W)``, by way of the command line."""
    path.write_bytes(data)
    done("apply", path, "-k", "identity", "-q", "-o", path.with_suffix(".npy"))
    array: NDArray[np.generic] = np.load(path.with_suffix(".npy"))
    return array


def layer(box: tuple[int, int, int, int]) -> bytes:
    """A layer section of one layer of gray 50, with this top, left, bottom and right."""
    top, left, bottom, right = box
    pixels = bytes([50]) * (max(0, bottom - top) * max(0, right - left))
    extra = struct.pack(">III", 8, 0, 0)
    record = struct.pack(">4iHhI", *box, 1, 0, 2 + len(pixels)) + b"8BIMnorm\xff\0\0\0" + extra
    body = struct.pack(">h", 1) + record + struct.pack(">H", 0) + pixels
    return struct.pack(">I", len(body)) + body


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("mode", "channels"), [(GRAY, 1), (DUOTONE, 1), (RGB, 3), (RGB, 4)])
def test_a_psd_without_layers_is_its_picture(mode: int, channels: int, packed: bool, tmp_path: Path) -> None:
    samples = samples_of(channels)
    found = read(tmp_path / "in.psd", psd(mode, samples, packed=packed))
    np.testing.assert_array_equal(found, samples)


def test_a_psd_without_layers_of_palette_bits_and_inks(tmp_path: Path) -> None:
    samples = samples_of(1)
    found = read(tmp_path / "indexed.psd", psd(INDEXED, samples))
    np.testing.assert_array_equal(found, np.concatenate([samples] * 3))
    bits = samples_of(1, width=1)
    found = read(tmp_path / "bitmap.psd", psd(BITMAP, bits, bits=1))
    assert found.shape == (1, HEIGHT, WIDTH)
    assert set(np.unique(found)) == {0, 255}
    inks = samples_of(4)
    found = read(tmp_path / "cmyk.psd", psd(CMYK, inks))
    np.testing.assert_array_equal(found, 255 - inks)


@pytest.mark.parametrize(
    "layers",
    [
        struct.pack(">I", 0),
        struct.pack(">Ih2x", 4, 0),
        struct.pack(">Ih2x", 4, 50),
        struct.pack(">I", 900),
        layer((0, 0, HEIGHT, WIDTH)),
        layer((3, 3, 0, 0)),
    ],
    ids=["nothing", "none", "fewer than it says", "no more", "one", "of a negative size"],
)
def test_layers_do_not_stand_in_the_way_of_the_picture(layers: bytes, tmp_path: Path) -> None:
    samples = samples_of(3)
    np.testing.assert_array_equal(read(tmp_path / "in.psd", psd(RGB, samples, layers=layers)), samples)


def test_a_psd_without_layers_goes_through_every_command(tmp_path: Path) -> None:
    path = tmp_path / "in.psd"
    path.write_bytes(psd(RGB, samples_of(3)))
    for command in (("explain", path, "-k", "sobel", "--at", "1,2"), ("compare", path, "-k", "box:3"),
                    ("transpose", path, "-k", "bilinear:2", "-s", "2", "-o", tmp_path / "out.png"),
                    ("animate", path, "-k", "box:3", "-o", tmp_path / "out.gif"),
                    ("apply", path, "-k", "box:3", "-o", tmp_path / "out.jpg")):  # fmt: skip
        done(*command)


def test_a_header_that_counts_no_pictures(tmp_path: Path) -> None:
    pixels, size = samples_of(1)[0], 1032
    header = [0.0] * 27  # of a SPIDER stack; then that of its first picture
    header[1], header[4], header[11], header[12] = HEIGHT, 1, WIDTH, size / 24
    header[21], header[22], header[23], header[25] = size, 24, 2, 0
    path = tmp_path / "in.spi"
    path.write_bytes(struct.pack(">27f", *header).ljust(2 * size, b"\0") + pixels.astype(">f4").tobytes())
    with Image.open(path) as opened:
        assert opened.n_frames == 0  # type: ignore[attr-defined]
    np.testing.assert_array_equal(images.load(str(path)).colour[0], pixels)


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


COLOURS = GENERATOR.integers(0, 256, (H, W, 3), np.uint8)


def test_10_bit_avif_says_what_is_lost(tmp_path: Path) -> None:
    pixels = cv2.resize(COLOURS, (64, 64)).astype(np.uint16) * 4
    try:
        assert cv2.imwrite(str(tmp_path / "deep.avif"), pixels, [cv2.IMWRITE_AVIF_DEPTH, 10])
        Image.fromarray(COLOURS).save(tmp_path / "flat.avif")
    except (cv2.error, KeyError, OSError) as error:
        pytest.skip(f"no AVIF here: {error}")
    assert "read with 8" in done("apply", tmp_path / "deep.avif", "-k", "identity", "-o", tmp_path / "out.tif").err
    assert done("apply", tmp_path / "flat.avif", "-k", "identity", "-o", tmp_path / "out.tif").err == ""


def test_16_bit_jpeg_2000_says_what_is_lost(tmp_path: Path) -> None:
    pixels = GENERATOR.integers(0, 65536, (128, 128, 3), np.uint16)
    assert cv2.imwrite(str(tmp_path / "deep.jp2"), pixels)
    Image.fromarray((pixels >> 8).astype(np.uint8)).save(tmp_path / "flat.jp2")
    assert "read with 8" in done("apply", tmp_path / "deep.jp2", "-k", "identity", "-o", tmp_path / "out.tif").err
    assert done("apply", tmp_path / "flat.jp2", "-k", "identity", "-o", tmp_path / "out.tif").err == ""


@pytest.mark.parametrize(
    ("mode", "more", "count"),
    [
        ("L", {}, 1 + 1),
        ("LA", {}, 4 + 2 + 1),
        ("RGB", {}, 4 + 3),
        ("RGB", {"transparency": (1, 2, 3)}, 4 + 3 + 1),
        ("RGBA", {}, 4 + 4 + 1),
        ("P", {}, 1 + 3),
        ("P", {"transparency": 3}, 1 + 3 + 1),
        ("I;16", {}, 2 + 2),
    ],
)
def test_bytes_that_decoding_takes_for_a_pixel(mode: str, more: dict[str, Any], count: int, tmp_path: Path) -> None:
    """Pillow's, ours, and one more where there is transparency."""
    Image.new(mode, (5, 4)).save(tmp_path / "in.png", **more)
    with Image.open(tmp_path / "in.png") as image:
        assert pillow_file.bytes_each(image) == count
