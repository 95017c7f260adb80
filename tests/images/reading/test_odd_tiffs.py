"""TIFFs as other programs write them: odd tags, rare depths, planes apart. Nothing is lost or told wrongly."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from support.cli import binary, done, run
from support.pictures import GENERATOR, H, W, opened, read, tensor, tiff, write


def test_real_colour_tiff_in(tmp_path: Path) -> None:
    """Pillow does not read it: tifffile does."""
    planes = GENERATOR.normal(0, 1, (H, W, 3)).astype(np.float32)
    cv2.imwrite(str(tmp_path / "in.tif"), planes, [cv2.IMWRITE_TIFF_COMPRESSION, 1])
    done("apply", tmp_path / "in.tif", "-k", "identity", "-o", tmp_path / "out.tif")
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "out.tif"), cv2.IMREAD_UNCHANGED), planes)


COLOURS = GENERATOR.integers(0, 256, (H, W, 3), np.uint8)


@pytest.mark.parametrize("target", ["tif", "png", "jpg", "webp"])
def test_bigtiff_keeps_its_tags(target: str, tmp_path: Path) -> None:
    """Their EXIF head is that of a plain TIFF, which others read."""
    source = tiff(tmp_path / "in.tif", COLOURS, bigtiff=True, description="a field", software="by hand")
    done("apply", source, "-k", "identity", "-o", tmp_path / f"out.{target}")
    found = opened(tmp_path / f"out.{target}").getexif()
    assert (found[270], found[305]) == ("a field", "by hand")


ODD_TAGS = [
    (274, "H", 2, (6, 1)), (274, "s", 0, "six"), (274, "f", 1, float("nan")), (341, "s", 0, "abc"), (341, "f", 1, 0.0),
    (341, "f", 1, float("nan")), (34675, "H", 3, (1, 2, 3)), (34675, "s", 0, "profile"), (700, "H", 2, (1, 2)),
    (34377, "H", 2, (1, 2)), (34377, "B", 9, b"8BIM\4\x0c\0\0\0"), (33723, "d", 2, (1.5, 2.5)), (270, "H", 2, (7, 8)),
    (36867, "q", 1, -5), (42240, "2I", 1, (1, 0)),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize(("number", "kind", "count", "value"), ODD_TAGS)
def test_an_odd_tag_does_not_spoil_the_pixels(
    number: int, kind: str, count: int, value: object, dtype: str, tmp_path: Path
) -> None:
    """Real colours go through tifffile, the others through Pillow."""
    pixels = COLOURS if dtype == "uint8" else (COLOURS / np.float32(255)).astype(np.float32)
    source = tiff(tmp_path / "in.tif", pixels, extratags=[(number, kind, count, value, True)])
    for target in ("tif", "png", "jpg", "webp"):
        done("apply", source, "-k", "identity", "-o", tmp_path / f"out.{target}")
    upright = np.rot90(COLOURS, -1) if value == (6, 1) else COLOURS
    np.testing.assert_array_equal(read(tmp_path / "out.png"), np.moveaxis(upright, -1, 0))


def test_a_white_of_zero_is_none(tmp_path: Path) -> None:
    pixels = GENERATOR.random((H, W, 3), np.float32)
    source = tiff(tmp_path / "in.tif", pixels, extratags=[(341, "f", 1, 0.0, True)])
    done("apply", source, "-k", "identity", "-o", tmp_path / "out.png")
    np.testing.assert_array_equal(read(tmp_path / "out.png"), np.moveaxis(np.rint(pixels * 255), -1, 0))


def test_what_tifffile_says_of_a_tag_is_not_printed(tmp_path: Path) -> None:
    """In a batch of two, as the real program."""
    pixels = GENERATOR.random((H, W, 3), np.float32)
    source = tiff(tmp_path / "in.tif", pixels, description="x" * 40)
    data = bytearray(source.read_bytes())
    (place,) = struct.unpack_from("<I", data, 4)
    for entry in range(struct.unpack_from("<H", data, place)[0]):
        at = place + 2 + 12 * entry
        if struct.unpack_from("<H", data, at)[0] == 270:
            struct.pack_into("<I", data, at + 8, 1 << 30)  # far behind the file's end
    source.write_bytes(data)
    write(tmp_path / "other.png", np.zeros((3, H, W), np.uint8))
    result = binary("apply", "in.tif", "other.png", "-k", "identity", "-o", "out/", cwd=tmp_path)
    assert result.code == 0
    assert all(line.startswith(("convcli: in.tif:", "convcli: 2 ")) for line in result.err.splitlines()), result.err


def test_what_pillow_says_of_a_tag_is_not_printed(tmp_path: Path) -> None:
    """Its logger tells of more samples than it decodes; in a batch, whose threads leave Python's messages alone."""
    many = GENERATOR.integers(0, 256, (H, W, 70), np.uint8)
    tiff(tmp_path / "in.tif", many, photometric="minisblack", planarconfig="contig")
    write(tmp_path / "other.png", np.zeros((3, H, W), np.uint8))
    result = binary("apply", "in.tif", "other.png", "-k", "identity", "-o", "out/", cwd=tmp_path)
    assert "More samples" not in result.err
    assert all(line.startswith("convcli: ") for line in result.err.splitlines()), result.err


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_white_is_zero(order: str, compression: str | None, tmp_path: Path) -> None:
    """TIFF's MinIsWhite, of 8, 16 and 32 bits."""
    for dtype in ("uint8", "uint16", "uint32"):
        largest = np.iinfo(dtype).max
        pixels = GENERATOR.integers(0, largest, (H, W), dtype, endpoint=True)
        pixels[0, :2] = 0, largest
        source = tiff(tmp_path / "in.tif", pixels, byteorder=order, photometric="miniswhite", compression=compression)
        found = tensor(source, "--dtype", "float64")
        np.testing.assert_array_equal(found[0], float(largest) - pixels)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", ["uint32", "int32"])
def test_32_bit_integers_keep_their_sign(dtype: str, order: str, tmp_path: Path) -> None:
    bounds = np.iinfo(dtype)
    pixels = GENERATOR.integers(bounds.min, bounds.max, (H, W), dtype, endpoint=True)
    source = tiff(tmp_path / "in.tif", pixels, byteorder=order)
    np.testing.assert_array_equal(tensor(source, "--dtype", "float64")[0], pixels.astype(np.float64))
    result = done("apply", source, "-k", "identity", "-o", tmp_path / "out.tif")
    assert "64 bits are stored with 32" in result.err


def test_every_page_has_its_depth(tmp_path: Path) -> None:
    """Planes apart and real colours stand behind a page that Pillow reads."""
    deep = GENERATOR.integers(0, 65536, (3, H, W), np.uint16)
    real = GENERATOR.normal(0, 1, (H, W, 3)).astype(np.float32)
    gray = GENERATOR.integers(0, 65536, (H, W), np.uint16)
    source = tiff(tmp_path / "in.tif", COLOURS, deep, 255 - COLOURS, real, gray)
    result = done("apply", source, "-k", "identity", "-o", tmp_path / "out.tif", "--json")
    assert result.json["frames"] == 5
    assert result.json["notes"] == []
    tifffile = pytest.importorskip("tifffile")
    pages = [page.asarray() for page in tifffile.TiffFile(tmp_path / "out.tif").pages]
    for found, expected in zip(pages, [COLOURS, np.moveaxis(deep, 0, -1), 255 - COLOURS, real, gray], strict=True):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    done("apply", source, "-k", "identity", "-o", tmp_path / "out.png")
    np.testing.assert_array_equal(read(tmp_path / "out.png"), np.moveaxis(COLOURS, -1, 0))


BT601, BT709 = (0.299, 0.587, 0.114), (0.2126, 0.7152, 0.0722)
FULL, STUDIO = (0, 255, 128, 255, 128, 255), (16, 235, 128, 240, 128, 240)


def ycbcr(
    path: Path,
    units: np.ndarray,
    sides: tuple[int, int],
    deflated: bool,
    coefficients: tuple[float, ...],
    levels: tuple[int, ...],
) -> Path:
    """A TIFF of YCbCr from the specification (TIFF 6.0, section 21): `units` ``(rows, columns, v·h + 2)`` of v×h pixels each."""
    (rows, columns, _), (v, h) = units.shape, sides
    data = units.astype(np.uint8).tobytes()
    data = zlib.compress(data) if deflated else data
    ratios = [part for value in coefficients for part in (round(value * 10000), 10000)] + [
        part for value in levels for part in (value, 1)
    ]
    table = struct.pack("<3H18I", 8, 8, 8, *ratios)
    at = 8 + len(data)
    entries = [
        (256, 4, 1, columns * h), (257, 4, 1, rows * v), (258, 3, 3, at), (259, 3, 1, 8 if deflated else 1), (262, 3, 1, 6),
        (273, 4, 1, 8), (277, 3, 1, 3), (278, 4, 1, rows * v), (279, 4, 1, len(data)), (284, 3, 1, 1), (529, 5, 3, at + 6),
        (530, 3, 2, v << 16 | h), (532, 5, 6, at + 30),
    ]  # fmt: skip
    body = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    path.write_bytes(struct.pack("<2sHI", b"II", 42, at + len(table)) + data + table + body)
    return path


@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize("sides", [(1, 1), (1, 2), (2, 2)])
@pytest.mark.parametrize("coefficients", [BT601, BT709])
@pytest.mark.parametrize("levels", [FULL, STUDIO])
def test_ycbcr_is_converted_as_the_file_says(
    deflated: bool, sides: tuple[int, int], coefficients: tuple[float, ...], levels: tuple[int, ...], tmp_path: Path
) -> None:
    """By the formulas of TIFF 6.0: codes to full range by ReferenceBlackWhite, then to RGB by YCbCrCoefficients."""
    v, h = sides
    units = GENERATOR.integers(60, 180, (8, 10, v * h + 2))
    source = ycbcr(tmp_path / "in.tif", units, sides, deflated, coefficients, levels)
    codes = np.empty((8 * v, 10 * h, 3))
    codes[..., 0] = units[..., :-2].reshape(8, 10, v, h).swapaxes(1, 2).reshape(8 * v, 10 * h)
    codes[..., 1:] = units[..., -2:].repeat(v, 0).repeat(h, 1)
    black, white = np.array(levels[::2], float), np.array(levels[1::2], float)
    y, cb, cr = np.moveaxis((codes - black) * ([255, 127, 127] / (white - black)), -1, 0)
    red, green, blue = coefficients
    r, b = cr * (2 - 2 * red) + y, cb * (2 - 2 * blue) + y
    expected = np.stack([r, (y - blue * b - red * r) / green, b]).clip(0, 255)
    result = done("apply", source, "-k", "identity", "-o", tmp_path / "out.png")
    assert result.err == ""
    np.testing.assert_allclose(read(tmp_path / "out.png"), expected, atol=4)  # libtiff rounds every step


@pytest.mark.parametrize(
    ("coefficients", "levels", "said"), [(BT601, FULL, False), (BT709, FULL, True), (BT601, STUDIO, True)]
)
def test_ycbcr_that_libjpeg_converts(
    coefficients: tuple[float, ...], levels: tuple[int, ...], said: bool, tmp_path: Path
) -> None:
    ratios = [[part for value in values for part in (round(value * 10000), 10000)] for values in (coefficients, levels)]
    more = [(529, "2I", 3, ratios[0], True), (532, "2I", 6, ratios[1], True)]
    source = tiff(tmp_path / "in.tif", COLOURS, photometric="ycbcr", compression="jpeg", extratags=more)
    result = done("apply", source, "-k", "identity", "-o", tmp_path / "out.png")
    assert ("JPEG's own YCbCr is used" in result.err) == said


def test_levels_that_are_integers(tmp_path: Path) -> None:
    """Old programs write ReferenceBlackWhite so, where fractions should be."""
    more = [(532, "I", 6, STUDIO, True)]
    source = tiff(tmp_path / "in.tif", COLOURS, photometric="ycbcr", compression="jpeg", extratags=more)
    result = done("apply", source, "-k", "identity", "-o", tmp_path / "out.png")
    assert "is declared" not in result.err
    assert "declared as another (levels 16, 235, 128, 240, 128, 240)" in result.err


@pytest.mark.parametrize("coding", [None, "lzw"])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "uint32"])
def test_an_orientation_of_another_type(kind: str, coding: str | None, tmp_path: Path) -> None:
    """A byte where 16 bits should be, which Pillow does not follow."""
    pixels = GENERATOR.integers(0, 200, (H, W)).astype(kind)
    source = tiff(tmp_path / "in.tif", pixels, compression=coding, extratags=[(274, "B", 1, 6, True)])
    np.testing.assert_array_equal(tensor(source)[0], np.rot90(pixels, -1))


@pytest.mark.parametrize("coding", [None, "lzw", "zlib"])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_palette_of_8_bits(bits: int, coding: str | None, tmp_path: Path) -> None:
    """Colours that never exceed 255 have 8 bits, as libtiff rules: not nearly black."""
    colours = GENERATOR.integers(0, 256, (3, 256), np.uint16)
    colours[0, 0] = 255
    pixels = GENERATOR.integers(0, 256, (H, W), np.uint8)
    stored = colours << (bits - 8)
    source = tiff(tmp_path / "in.tif", pixels, photometric="palette", colormap=stored, compression=coding)
    np.testing.assert_array_equal(tensor(source), np.moveaxis(colours.T[pixels], -1, 0))


@pytest.mark.parametrize("coding", ["jpeg", "webp"])
def test_what_the_libtiff_of_pillow_does_not_decode(coding: str, tmp_path: Path) -> None:
    """A JPEG of 16 bits without loss, and WebP: imagecodecs does."""
    deep = coding == "jpeg"
    pixels = GENERATOR.integers(0, 65536, (H, W), np.uint16) if deep else COLOURS
    source = tiff(tmp_path / "in.tif", pixels, compression=coding, compressionargs={"lossless": True})
    if deep:
        with tifffile.TiffFile(source, mode="r+b") as file:
            file.pages[0].tags[258].overwrite(16)  # tifffile writes 12
    np.testing.assert_array_equal(tensor(source), pixels[np.newaxis] if deep else np.moveaxis(pixels, -1, 0))


def test_a_jpeg_that_nothing_decodes_says_what_pillow_says(tmp_path: Path) -> None:
    source = tiff(tmp_path / "in.tif", COLOURS[..., 0], compression="jpeg")
    data = source.read_bytes()
    source.write_bytes(data.replace(b"\xff\xc0", b"\xff\xcb"))
    result = run("apply", source, "-k", "identity", "-o", tmp_path / "out.png")
    assert result.code == 2
    assert "decoder error" in result.err
    assert len(result.err.splitlines()) == 1
