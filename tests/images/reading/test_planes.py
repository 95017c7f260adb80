"""From pixels to planes: every mode and depth comes through the identity kernel unchanged."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.cli import SAMPLES, done, run
from support.pictures import ALPHA, DEEP, GRAY, REAL, RGB, H, W, chunk, identity, opened, png16, read, tensor, write

# Modes and depth: the identity kernel changes nothing


@pytest.mark.parametrize(
    ("mode", "planes"),
    [("L", GRAY), ("RGB", RGB), ("LA", np.concatenate([GRAY, ALPHA])), ("RGBA", np.concatenate([RGB, ALPHA]))],
)
@pytest.mark.parametrize("extension", ["png", "tif"])
def test_identity_is_lossless(mode: str, planes: np.ndarray, extension: str, tmp_path: Path) -> None:
    source = write(tmp_path / f"in.{extension}", planes, mode)
    image = identity(source, tmp_path / f"out.{extension}")
    assert image.mode == mode
    np.testing.assert_array_equal(read(tmp_path / f"out.{extension}"), planes)


@pytest.mark.parametrize("extension", ["bmp", "ppm", "gif", "png", "tiff"])
@pytest.mark.parametrize("planes", [GRAY, RGB], ids=["gray", "rgb"])
def test_identity_is_lossless_in_other_formats(planes: np.ndarray, extension: str, tmp_path: Path) -> None:
    source = write(tmp_path / "in.png", planes)
    image = identity(source, tmp_path / f"out.{extension}")
    np.testing.assert_array_equal(
        np.array(image.convert("RGB")), np.moveaxis(np.broadcast_to(planes, RGB.shape), 0, -1)
    )


def test_transparent_pixels(tmp_path: Path) -> None:
    """Opacity and visible colours stay; with `--alpha keep` also the colours that cannot be seen."""
    planes = np.concatenate([RGB, ALPHA])
    planes[3, :3] = 0
    source = write(tmp_path / "in.png", planes)
    identity(source, tmp_path / "out.png")
    found = read(tmp_path / "out.png")
    np.testing.assert_array_equal(found[3], planes[3])
    np.testing.assert_array_equal(found[:, 3:], planes[:, 3:])
    for policy in ("keep", "filter"):
        identity(source, tmp_path / "out.png", "--alpha", policy)
        np.testing.assert_array_equal(read(tmp_path / "out.png"), planes)


@pytest.mark.parametrize("extension", ["png", "gif", "tif", "bmp"])
def test_palette(extension: str, tmp_path: Path) -> None:
    """Colours are filtered, not palette indices."""
    image = Image.fromarray(np.moveaxis(RGB, 0, -1)).quantize(16)
    colours = np.array(image.convert("RGB"))
    image.save(tmp_path / f"in.{extension}")
    result = identity(tmp_path / f"in.{extension}", tmp_path / f"out.{extension}")
    np.testing.assert_array_equal(np.array(result.convert("RGB")), colours)
    done("apply", tmp_path / f"in.{extension}", "-k", "box:2", "-o", tmp_path / "soft.png")
    mean = sum(colours[i : H - 1 + i, j : W - 1 + j].astype(float) for i in (0, 1) for j in (0, 1)) / 4
    np.testing.assert_array_equal(np.moveaxis(read(tmp_path / "soft.png"), 0, -1), np.rint(mean))


@pytest.mark.parametrize("extension", ["png", "gif"])
def test_palette_with_transparency(extension: str, tmp_path: Path) -> None:
    image = Image.fromarray(np.moveaxis(RGB, 0, -1)).quantize(16)
    image.save(tmp_path / f"in.{extension}", transparency=3)
    before = np.array(opened(tmp_path / f"in.{extension}").convert("RGBA"))
    assert (before[..., 3] == 0).any()
    after = np.array(identity(tmp_path / f"in.{extension}", tmp_path / "out.png"))
    np.testing.assert_array_equal(after[..., 3], before[..., 3])
    np.testing.assert_array_equal(after[before[..., 3] > 0], before[before[..., 3] > 0])


def test_rgb_with_a_transparent_colour(tmp_path: Path) -> None:
    """PNG's tRNS chunk names one colour; the file has no alpha channel, the picture has transparency."""
    write(tmp_path / "in.png", RGB, transparency=tuple(int(value) for value in RGB[:, 2, 3]))
    found = np.array(identity(tmp_path / "in.png", tmp_path / "out.png"))
    assert found.shape == (H, W, 4)
    assert found[2, 3, 3] == 0
    assert (found[..., 3] == 255).sum() == H * W - 1


@pytest.mark.parametrize("extension", ["png", "tif", "bmp"])
def test_one_bit(extension: str, tmp_path: Path) -> None:
    bits = GRAY[0] > 127
    Image.fromarray(bits).save(tmp_path / f"in.{extension}")
    image = identity(tmp_path / f"in.{extension}", tmp_path / "out.png")
    assert image.mode == "L"
    np.testing.assert_array_equal(np.array(image), bits * 255)


@pytest.mark.parametrize("extension", ["tif", "jpg"])
def test_cmyk(extension: str, tmp_path: Path) -> None:
    source = write(tmp_path / f"in.{extension}", np.concatenate([RGB, ALPHA]), "CMYK")
    before = opened(source)
    same = identity(source, tmp_path / "out.tif")
    assert same.mode == "CMYK"
    np.testing.assert_array_equal(np.array(same), np.array(before))
    converted = identity(source, tmp_path / "out.png")  # PNG has no CMYK
    assert converted.mode == "RGB"
    np.testing.assert_array_equal(np.array(converted), np.array(before.convert("RGB")))
    assert identity(source, tmp_path / "out.jpg").mode == "CMYK"


@pytest.mark.parametrize("source", ["in.png", "in.tif"])
@pytest.mark.parametrize("target", ["out.png", "out.tif", "out.pgm"])
def test_16_bit_gray(source: str, target: str, tmp_path: Path) -> None:
    write(tmp_path / source, DEEP)
    result = run("apply", tmp_path / source, "-k", "identity", "-o", tmp_path / target)
    assert result.code == 0
    assert result.err == ""
    np.testing.assert_array_equal(read(tmp_path / target), DEEP)
    assert read(tmp_path / target).max() > 255


def test_16_bit_sample(tmp_path: Path) -> None:
    image = identity(SAMPLES / "gradient16.png", tmp_path / "out.png")
    assert image.mode.startswith("I;16")
    np.testing.assert_array_equal(np.array(image), read(SAMPLES / "gradient16.png")[0])


def test_16_bit_gray_png_of_any_writer(tmp_path: Path) -> None:
    source = png16(tmp_path / "deep.png", DEEP)
    image = identity(source, tmp_path / "out.png")
    np.testing.assert_array_equal(np.array(image), DEEP[0])


def test_float_tiff(tmp_path: Path) -> None:
    """Values stay real, negative and above 1, and are not clipped."""
    source = write(tmp_path / "in.tif", REAL)
    result = done("apply", source, "-k", "identity", "-o", tmp_path / "out.tif")
    assert result.err == ""
    image = opened(tmp_path / "out.tif")
    assert image.mode == "F"
    np.testing.assert_array_equal(np.array(image), REAL[0])
    done("apply", source, "-k", "identity", "-o", tmp_path / "out.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), REAL)


# Depth, sign, transparency


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_the_transparent_gray_of_every_depth(bits: int, tmp_path: Path) -> None:
    """PNG's tRNS, in the units of the file; a row of gray values, written from the specification."""
    count = 8
    values = np.arange(count) % 2**bits
    key = int(values[1])
    row = np.unpackbits(values.astype(">u2").view(np.uint8).reshape(count, 2), axis=1)[:, 16 - bits :]
    body = (
        chunk(b"IHDR", struct.pack(">IIBBBBB", count, 1, bits, 0, 0, 0, 0))
        + chunk(b"tRNS", struct.pack(">H", key))
        + chunk(b"IDAT", zlib.compress(b"\0" + np.packbits(row).tobytes()))
        + chunk(b"IEND", b"")
    )
    (tmp_path / "in.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    gray, alpha = tensor(tmp_path / "in.png")[:, 0]
    white = 65535 if bits == 16 else 255
    np.testing.assert_array_equal(gray, values if bits == 16 else values * 255 // (2**bits - 1))
    np.testing.assert_array_equal(alpha, np.where(values == key, 0, white))
