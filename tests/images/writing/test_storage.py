"""How a format keeps a picture: its depth, its channels, its size, or a line that says why not."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convcli.images import Picture, Storage
from convcli.images.writing.storage import pixels_of
from support.cli import SAMPLES, done, run
from support.pictures import DEEP, REAL, read, write


@pytest.mark.parametrize("target", ["out.jpg", "out.bmp"])
def test_16_bits_into_8_says_so(target: str, tmp_path: Path) -> None:
    write(tmp_path / "in.png", DEEP)
    result = done("apply", tmp_path / "in.png", "-k", "identity", "-o", tmp_path / target)
    assert "16" in result.err
    assert "8" in result.err
    assert np.abs(read(tmp_path / target) - DEEP / 257).max() <= (0.5 if target.endswith("bmp") else 40)


def test_float_tiff_into_8_bits(tmp_path: Path) -> None:
    """1 is white."""
    source = write(tmp_path / "in.tif", REAL)
    result = done("apply", source, "-k", "identity", "-o", tmp_path / "out.png")
    np.testing.assert_array_equal(read(tmp_path / "out.png"), np.rint(REAL * 255).clip(0, 255))
    assert "clipped" in result.err


def test_colours_that_are_not_yet_integers_are_stretched_by_given_numbers() -> None:
    """In the units of the picture, whose white is 1: (x - 0.2) · 255 / 0.5. Alpha is not stretched."""
    picture = Picture(np.array([[[0.1, 0.2, 0.4, 0.7, 0.9]]]), np.full((1, 5), 0.4), "gray", 1.0)
    pixels, clipped = pixels_of(picture, Storage("PNG", "gray", "uint8", 255.0, 255.0, "0.2,0.7"))
    assert pixels[..., 0].tolist() == [[0, 0, 102, 255, 255]]
    assert pixels[..., 1].tolist() == [[102] * 5]
    assert clipped[:3] == (1, 1, 5)


@pytest.mark.parametrize("target", ["out.jpg", "out.jpeg", "out.bmp", "out.ppm"])
def test_formats_without_alpha_refuse_it(target: str, tmp_path: Path) -> None:
    result = run("apply", SAMPLES / "icon.png", "-k", "box", "-o", tmp_path / target)
    assert result.code == 2
    assert "--alpha drop" in result.err
    assert "png" in result.err
    assert not (tmp_path / target).exists()
    assert run("apply", SAMPLES / "icon.png", "-k", "box", "--alpha", "drop", "-o", tmp_path / target).code == 0


def test_more_channels_than_a_picture_holds(tmp_path: Path) -> None:
    result = run("apply", SAMPLES / "tiny.png", "-k", "box", "-k", "box", "-o", tmp_path / "out.png")
    assert result.code == 2
    assert ".npy" in result.err
    assert "--combine" in result.err


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("out.jpg", 65500), ("out.webp", 16383), ("out.gif", 65535), ("out.tga", 65535), ("out.pcx", 65534), ("out.sgi", 65535),
        ("out.avif", 65536),
    ],
)  # fmt: skip
def test_sides_that_a_format_cannot_hold(name: str, limit: int, tmp_path: Path) -> None:
    """The error names the limit; the limit itself is fine."""
    source = write(tmp_path / "in.png", np.zeros((1, 1, limit + 1), np.uint8))
    result = run("apply", source, "-k", "1", "-o", tmp_path / name)
    assert result.code == 2
    assert f"1×{limit + 1}" in result.err
    assert f"at most {limit}" in result.err
    assert not (tmp_path / name).exists()
    if name != "out.avif":  # slow
        done("apply", source, "-k", "1,0", "-o", tmp_path / name)


def test_icons_keep_their_size(tmp_path: Path) -> None:
    done("apply", SAMPLES / "icon.png", "-k", "box:2", "-o", tmp_path / "out.ico")
    with Image.open(tmp_path / "out.ico") as image:
        assert image.size == (63, 63)
    result = run("apply", SAMPLES / "coffee.jpg", "-k", "box", "-o", tmp_path / "large.ico")
    assert result.code == 2
    assert "at most 256" in result.err
    result = run("apply", SAMPLES / "icon.png", "-k", "box", "-o", tmp_path / "out.icns")
    assert result.code == 2
    assert "1024×1024" in result.err
