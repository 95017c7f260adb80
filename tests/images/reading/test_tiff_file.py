"""TIFFs: what tifffile reads, what Pillow reads for it, and files that are not as they should be."""

import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from convcli import images
from convcli.errors import ImageError
from support.cli import done, run

H, W = 40, 50
GENERATOR = np.random.default_rng(8)


def written(path: Path, *pages: np.ndarray, **options: Any) -> Path:
    head = {name: options.pop(name) for name in ("bigtiff", "byteorder") if name in options}
    with tifffile.TiffWriter(path, **head) as to:
        for page in pages:
            kind = "rgb" if page.ndim == 3 else "minisblack"
            to.write(page, **{"photometric": kind, "metadata": None, "contiguous": False, **options})
    return path


def loaded(path: Path) -> np.ndarray:
    """``(H, W)``, or ``(H, W, C)`` with alpha."""
    picture = images.load(str(path))
    planes = [*picture.colour] if picture.alpha is None else [*picture.colour, picture.alpha]
    return np.stack(planes, -1) if len(planes) > 1 else planes[0]


@pytest.mark.parametrize("tile", [None, (16, 32)])
@pytest.mark.parametrize("compression", [None, "zlib", "lzma"])
@pytest.mark.parametrize("predictor", [False, True])
@pytest.mark.parametrize("head", [{}, {"bigtiff": True}, {"byteorder": ">"}])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_what_tifffile_reads(
    tile: tuple[int, int] | None, compression: str | None, predictor: bool, head: dict[str, Any], dtype: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """No decoder of Pillow's is called; the colours are interleaved in memory."""
    real = dtype.startswith("float")
    if predictor and (compression is None or real):
        pytest.skip("no such file")
    pixels = (GENERATOR.random((H, W, 3)) * (1 if real else np.iinfo(dtype).max)).astype(dtype)
    path = written(tmp_path / "in.tif", pixels, tile=tile, compression=compression, predictor=predictor, **head)
    monkeypatch.setattr(Image, "open", None)
    colour = images.load(str(path)).colour
    np.testing.assert_array_equal(np.moveaxis(colour, 0, -1), pixels)
    assert colour.dtype == dtype
    assert np.moveaxis(colour, 0, -1).flags.c_contiguous


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("extra", [["unassalpha"], ["unspecified"], ["unassalpha", "unspecified"]])
@pytest.mark.parametrize("separate", [False, True])
def test_one_extra_sample_is_alpha_if_it_says_so(dtype: str, extra: list[str], separate: bool, tmp_path: Path) -> None:
    pixels = GENERATOR.integers(0, 200, (H, W, 3 + len(extra)), dtype)
    laid = np.moveaxis(pixels, -1, 0) if separate else pixels
    config = "separate" if separate else "contig"
    path = written(tmp_path / "in.tif", laid, extrasamples=extra, planarconfig=config, compression="zlib")
    np.testing.assert_array_equal(loaded(path), pixels)
    picture = images.load(str(path))
    assert picture.mode == ("rgba" if extra == ["unassalpha"] else "tensor")
    assert picture.colour.strides[0] == picture.colour.itemsize  # interleaved


@pytest.mark.parametrize("coding", ["tiff_lzw", "packbits", "jpeg", "group4"])
def test_other_codings_are_left_to_pillow(coding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = GENERATOR.integers(0, 256, (H, W), np.uint8)
    image = Image.fromarray(pixels > 128) if coding == "group4" else Image.fromarray(pixels)
    image.save(tmp_path / "in.tif", compression=coding)
    monkeypatch.setattr(tifffile.TiffPage, "asarray", None)
    with Image.open(tmp_path / "in.tif") as there:
        np.testing.assert_array_equal(loaded(tmp_path / "in.tif"), np.asarray(there.convert("L")))


@pytest.mark.parametrize("coding", ["lzw", "packbits", "jpeg"])
def test_a_bigtiff_with_high_bytes_first_is_not_for_pillow(coding: str, tmp_path: Path) -> None:
    pixels = np.full((H, W), 77, np.uint8)
    path = written(tmp_path / "in.tif", pixels, bigtiff=True, byteorder=">", compression=coding)
    np.testing.assert_array_equal(loaded(path), pixels)


@pytest.mark.parametrize("coding", ["lerc", "webp", "jpeg2000"])
def test_codings_that_pillow_does_not_know_are_left_to_tifffile(coding: str, tmp_path: Path) -> None:
    pixels = np.full((H, W, 3), 77, np.uint8)
    np.testing.assert_array_equal(loaded(written(tmp_path / "in.tif", pixels, compression=coding)), pixels)


def test_signed_bytes_keep_their_sign(tmp_path: Path) -> None:
    pixels = GENERATOR.integers(-128, 128, (H, W), np.int8)
    np.testing.assert_array_equal(loaded(written(tmp_path / "in.tif", pixels)), pixels)


@pytest.mark.parametrize("target", ["tif", "png", "jpg"])
def test_real_colours_keep_their_metadata(target: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[270], exif[274] = "a field", 6
    exif.get_ifd(0x8769)[0x9003] = "2026:01:01 00:00:00"
    real = GENERATOR.random((H, W, 3)).astype(np.float32)
    picture = images.Picture(
        np.moveaxis(real, -1, 0), None, "rgb", 1.0, real=True, metadata=images.Metadata("TIFF", exif=exif.tobytes())
    )
    storage = images.storage_for(picture, "rgb", (3, H, W), False, "TIFF", None)
    images.save(picture, str(tmp_path / "in.tif"), storage)
    result = done("apply", tmp_path / "in.tif", "-k", "identity", "-o", tmp_path / f"out.{target}", "--json")
    assert result.json["notes"] == []
    source = images.load(str(tmp_path / f"out.{target}")).metadata.exif
    assert source is not None
    found = Image.Exif()
    found.load(source)
    assert found[270] == "a field"
    assert found.get_ifd(0x8769)[0x9003] == "2026:01:01 00:00:00"


# Files that are not as they should be


def deflated(path: Path, strips: list[bytes], rows: int, missing: int = 0) -> Path:
    """A gray TIFF of strips, written from the specification; `missing` of them are not told of."""
    count = len(strips) - missing
    tables = 8 + sum(map(len, strips))
    places = np.cumsum([8, *map(len, strips)])[:count]
    table = struct.pack(f"<{count}I", *places) + struct.pack(f"<{count}I", *map(len, strips[:count]))
    entries = [
        (256, 4, 1, W), (257, 4, 1, H), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1),
        (273, 4, count, tables if count > 1 else 8), (277, 3, 1, 1), (278, 4, 1, rows),
        (279, 4, count, tables + 4 * count if count > 1 else len(strips[0])),
    ]  # fmt: skip
    body = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    head = struct.pack("<2sHI", b"II", 42, tables + len(table))
    path.write_bytes(head + b"".join(strips) + table + body)
    return path


def test_strips_are_as_large_as_they_should_be(tmp_path: Path) -> None:
    pixels = GENERATOR.integers(0, 256, (H, W), np.uint8)
    strips = [zlib.compress(pixels[start : start + 10].tobytes()) for start in range(0, H, 10)]
    np.testing.assert_array_equal(loaded(deflated(tmp_path / "in.tif", strips, 10)), pixels)


def test_a_bomb_in_a_strip_does_not_go_off(tmp_path: Path) -> None:
    """A strip of 2,000 bytes holds 100 MB: no more than the picture is taken out of it."""
    bomb = zlib.compress(bytes(100_000_000), 9)
    tracemalloc.start()
    picture = images.load(str(deflated(tmp_path / "in.tif", [bomb], H)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not picture.colour.any()
    assert peak < 10_000_000


@pytest.mark.parametrize("kind", ["short", "missing", "garbled"])
def test_pixels_that_are_not_there(kind: str, tmp_path: Path) -> None:
    pixels = GENERATOR.integers(0, 256, (H, W), np.uint8)
    strips = [zlib.compress(pixels[start : start + 10].tobytes()) for start in range(0, H, 10)]
    if kind == "short":
        strips[2] = zlib.compress(pixels[:9].tobytes())
    if kind == "garbled":
        strips[1] = b"\x78\x9c" + bytes([255]) * 300
    deflated(tmp_path / "in.tif", strips, 10, missing=kind == "missing")
    with pytest.raises(ImageError, match="cannot be decoded"):
        images.load(str(tmp_path / "in.tif"))


def test_pages_behind_the_end_of_the_file(tmp_path: Path) -> None:
    """The last directory refers to another one, which is not there: not a file of two pages."""
    pages = [GENERATOR.integers(0, 256, (H, W), np.uint8) for _ in range(3)]
    path = written(tmp_path / "in.tif", *pages)
    with tifffile.TiffFile(path) as file:
        end = file.pages[2].offset
    path.write_bytes(path.read_bytes()[:end])
    result = run("apply", path, "-k", "box", "-o", tmp_path / "out.tif")
    assert result.code == 2
    assert "page 2 is missing" in result.err


def test_large_pages_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = written(tmp_path / "in.tif", *[np.zeros((H, W), np.uint8)] * 3)
    images.load(str(path), 3 * H * W)
    with pytest.raises(ImageError, match=f"has {3 * H * W} pixels in 3 frames, more than {3 * H * W - 1}"):
        images.load(str(path), 3 * H * W - 1)


@pytest.mark.parametrize(
    ("scale", "offset", "said"), [("0.0001", "-0.1", "offset (-0.1) and scale (0.0001) are"), ("1", "0", "")]
)
def test_a_scale_of_gdal_is_said(scale: str, offset: str, said: str, tmp_path: Path) -> None:
    items = f'<Item name="OFFSET" sample="0" role="offset">{offset}</Item><Item name="SCALE" sample="0" role="scale">{scale}</Item>'
    tags = [(42112, 2, 0, f"<GDALMetadata>{items}</GDALMetadata>", True)]
    tifffile.imwrite(tmp_path / "in.tif", np.full((4, 5), 1000, np.uint16), extratags=tags, metadata=None)
    picture = images.load(str(tmp_path / "in.tif"))
    assert picture.notes == ((f"its {said} not applied to its values",) if said else ())
    assert (picture.colour == 1000).all()
