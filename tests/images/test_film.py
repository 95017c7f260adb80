"""How many pictures an opened file has: never none, whatever its format counts, and whatever its header says."""

import struct
from pathlib import Path

import numpy as np
import pytest
from cli import done
from numpy.typing import NDArray
from PIL import Image

from convcli import images

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
