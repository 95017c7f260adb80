"""From pixels to planes: every mode and depth comes through the identity kernel unchanged."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convcli import images
from convcli.images import guards
from convcli.images.guards import array_of
from convcli.images.reading.pillow_file import decode
from support.cli import SAMPLES, done, environment, run
from support.pictures import ALPHA, DEEP, GRAY, REAL, RGB, H, W, chunk, identity, opened, png16, read, tensor, write


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


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK", "I", "LA"])
def test_large_images_are_copied_in_bands(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image.fromarray(np.random.default_rng(1).integers(0, 255, (7, 9, 3), np.uint8)).convert(mode)
    monkeypatch.setattr(guards, "BAND_PIXELS", 2 * 9)
    np.testing.assert_array_equal(array_of(image), np.asarray(image))


@pytest.mark.skipif(sys.platform != "linux", reason="counts pages as Linux does")
def test_bands_use_the_same_memory() -> None:
    """Copying a large image touches few new pages of memory beyond those of the array."""
    code = (
        "import resource; from PIL import Image; from convcli.images.guards import array_of\n"
        "from convcli.system import memory; memory.keep_arrays()\n"
        "image = Image.new('RGB', (3000, 2000), 'red'); array_of(image.resize((30, 20)))\n"
        "pages = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt; before = pages()\n"
        "array = array_of(image); print((pages() - before) * resource.getpagesize() - array.nbytes)"
    )
    env = environment(NUMPY_MADVISE_HUGEPAGE="0")  # large pages would count as one
    ended = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True, timeout=120)
    assert int(ended.stdout) < 6 << 20


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
        expected = np.asarray(image)
    np.testing.assert_array_equal(expected, values[2:].reshape(30, 20, 3))
    np.testing.assert_array_equal(np.moveaxis(images.load(str(tmp_path / "in.tif")).colour, 0, -1), expected)


@pytest.mark.parametrize("values", [[0, 65535], [-1, 0], [0, 65536], [0, 2**24 + 1], [-(2**24) - 1, 0], [0, 2**31 - 1]])
def test_32_bit_integers_of_any_value_are_read_by_one_rule(values: list[int]) -> None:
    """White is the largest number of the type, unless the user says another."""
    image = Image.fromarray(np.array([values], np.int32))
    picture = decode(image, "in.im").planes
    assert (picture.colour.dtype, picture.full_scale, picture.real) == ("float64", 2.0**31 - 1, True)
    assert picture.colour.tolist() == [[values]]
    assert picture.metadata.rare == "int32"
    assert decode(image, "in.im", white=1000).planes.full_scale == 1000


def test_real_numbers_of_pillow() -> None:
    image = Image.fromarray(np.array([[-1, 0.5]], np.float32))
    assert decode(image, "in.im").planes.full_scale == 1
    assert decode(image, "in.im", white=255).planes.full_scale == 255
