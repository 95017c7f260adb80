"""Pillow's pixels as an array: what `numpy.asarray` says."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convcli import images
from convcli.errors import ImageError
from convcli.images.reading.planes import array_of, is_plain

MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "I;16", "F")


@given(mode=st.sampled_from(MODES), width=st.integers(1, 40), height=st.integers(1, 40), seed=st.integers(0, 99))
def test_any_image(mode: str, width: int, height: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    image = Image.fromarray(values).convert("L" if mode == "I;16" else mode)
    image = image.convert("I").convert("I;16") if mode == "I;16" else image
    found = array_of(image)
    np.testing.assert_array_equal(found, np.asarray(image))
    assert found.dtype == np.asarray(image).dtype


def test_a_large_one() -> None:
    values = np.random.default_rng(1).integers(0, 255, (700, 900, 3), np.uint8)
    np.testing.assert_array_equal(array_of(Image.fromarray(values)), values)


def test_a_header_in_one_piece_with_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).integers(0, 255, (7, 9, 3), np.uint8)

    def save(image: Image.Image, stream: object, name: str) -> None:
        data = b"P6\n9 7\n255\n" + image.tobytes()
        for start in range(0, len(data), 20):
            stream.write(data[start : start + 20])  # type: ignore[attr-defined]

    image = Image.fromarray(values)
    monkeypatch.setitem(Image.SAVE, "PPM", save)
    np.testing.assert_array_equal(array_of(image), values)


def test_another_header_than_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should Pillow come to write more before the pixels, they are listed as before."""
    values = np.random.default_rng(1).integers(0, 255, (7, 9, 3), np.uint8)
    image = Image.fromarray(values)
    right = Image.SAVE["PPM"]

    def save(image: Image.Image, stream: object, name: str) -> None:
        stream.write(b"# a remark")  # type: ignore[attr-defined]
        right(image, stream, name)

    monkeypatch.setitem(Image.SAVE, "PPM", save)
    np.testing.assert_array_equal(array_of(image), values)


@pytest.mark.parametrize(
    ("mode", "extension"), [("L", "pgm"), ("RGB", "ppm"), ("L", "tif"), ("RGB", "tif"), ("RGBA", "tif")]
)
def test_files_of_plain_rows_are_read_past_pillow(
    mode: str, extension: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.random.default_rng(1).integers(0, 255, (300, 200, len(mode)), np.uint8)
    path = tmp_path / f"in.{extension}"
    Image.fromarray(values[..., 0] if mode == "L" else values, mode).save(path)
    with Image.open(path) as image:
        assert is_plain(image) == (extension != "tif")  # which tifffile reads
    monkeypatch.setattr(Image.Image, "load", None)
    picture = images.load(str(path))
    found = [*picture.colour] if picture.alpha is None else [*picture.colour, picture.alpha]
    np.testing.assert_array_equal(np.stack(found, -1), values)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("in.tif", {"compression": "tiff_deflate"}),
        ("in.tif", {"tiffinfo": {274: 6}}),  # turned
        ("in.bmp", {}),  # blue first, the last row first
        ("in.png", {}),
    ],
)
def test_files_of_other_order_are_not(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(0, 255, (30, 20, 3), np.uint8)
    Image.fromarray(values).save(tmp_path / name, **options)
    expected = np.rot90(values, -1) if "tiffinfo" in options else values
    np.testing.assert_array_equal(np.moveaxis(images.load(str(tmp_path / name)).colour, 0, -1), expected)


def test_strips_that_do_not_follow_on_from_one_another(tmp_path: Path) -> None:
    """There are two too many, which begin at the top again, and lie first in the file: what Pillow decodes is right."""
    values = np.random.default_rng(1).integers(0, 255, (4, 15, 20, 3), np.uint8)
    size, start = values[0].nbytes, 8
    places, sizes, bits = start + 4 * size, start + 4 * size + 16, start + 4 * size + 32
    entries = [
        (256, 4, 1, 20), (257, 4, 1, 30), (258, 3, 3, bits), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 4, places),
        (277, 3, 1, 3), (278, 4, 1, 15), (279, 4, 4, sizes),
    ]  # fmt: skip
    table = struct.pack("<8I3H", *(start + size * number for number in (2, 3, 0, 1)), *[size] * 4, 8, 8, 8)
    table += struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    data = struct.pack("<2sHI", b"II", 42, bits + 6) + values.tobytes() + table
    (tmp_path / "in.tif").write_bytes(data)
    with Image.open(tmp_path / "in.tif") as image:
        assert not is_plain(image)
        expected = np.asarray(image)
    np.testing.assert_array_equal(expected, values[2:].reshape(30, 20, 3))
    np.testing.assert_array_equal(np.moveaxis(images.load(str(tmp_path / "in.tif")).colour, 0, -1), expected)


@pytest.mark.parametrize(("mode", "extension"), [("L", "pgm"), ("RGB", "ppm")])
def test_one_transparent_colour_is_not_plain(mode: str, extension: str, tmp_path: Path) -> None:
    """Should Pillow come to say that of such files: their alpha is not among the samples."""
    Image.new(mode, (20, 30)).save(tmp_path / f"in.{extension}")
    with Image.open(tmp_path / f"in.{extension}") as image:
        assert is_plain(image)
        image.info["transparency"] = 0
        assert not is_plain(image)


def test_plain_rows_that_are_cut_off_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "in.ppm").write_bytes(b"P6\n20 30\n255\n" + bytes(1000))
    with pytest.raises(ImageError, match="cannot be decoded"):
        images.load(str(tmp_path / "in.ppm"))
