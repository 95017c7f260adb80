"""TIFFs by windows: the values of the ordinary reader, and files that lie."""

import struct
import tracemalloc
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from convcli import extras, images
from convcli.errors import ImageError
from convcli.images.reading.windows import opened_windows, tiff_places
from support.windows import as_the_reader, known, pixels_of

H, W = 70, 83
GENERATOR = np.random.default_rng(18)
SMOOTH = np.clip(np.add.outer(np.arange(H) * 2, np.arange(W))[..., None] + np.array([0, 40, 80]), 0, 255).astype("u1")

CODINGS = [None, "zlib", "lzma", "lzw", "packbits", "zstd"]
TYPES = ["uint8", "uint16", "int8", "int16", "int32", "uint32", "float16", "float32", "float64"]


def window(height: int = H, width: int = W) -> tuple[slice, slice]:
    top, bottom = sorted(GENERATOR.integers(0, height + 1, 2).tolist())
    left, right = sorted(GENERATOR.integers(0, width + 1, 2).tolist())
    return slice(top, bottom), slice(left, right)


def some(count: int = 4) -> list[tuple[slice, slice]]:
    return [window() for _ in range(count)] + [(slice(None), slice(None))]


@given(
    kind=st.sampled_from(TYPES),
    coding=st.sampled_from(CODINGS),
    predictor=st.booleans(),
    channels=st.integers(1, 5),
    separate=st.booleans(),
    order=st.sampled_from("<>"),
    big=st.booleans(),
    chunk=st.sampled_from([(16, 32), (48, 16), 1, 7, 70, None]),
    extra=st.sampled_from([None, "unassalpha", "assocalpha", "unspecified"]),
    white=st.booleans(),
    seed=st.integers(0, 999),
)
def test_every_kind_of_tiff_is_as_the_ordinary_reader_has_it(
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    coding: str | None,
    predictor: bool,
    channels: int,
    separate: bool,
    order: str,
    big: bool,
    chunk: Any,
    extra: str | None,
    white: bool,
    seed: int,
) -> None:
    assume(not (predictor and (coding in (None, "packbits") or kind == "float16")))
    path = tmp_path_factory.mktemp("tiffs") / "in.tif"
    generator = np.random.default_rng(seed)
    pixels = (generator.random((H, W, channels)) * 100).astype(kind)
    laid = pixels[..., 0] if channels == 1 else np.moveaxis(pixels, -1, 0) if separate else pixels
    gray = "miniswhite" if white and channels == 1 and kind[0] == "u" else "minisblack"
    options: dict[str, Any] = {"tile": chunk} if isinstance(chunk, tuple) else {"rowsperstrip": chunk}
    if channels > 1:
        options["planarconfig"] = "separate" if separate else "contig"
    if channels in (2, 4) and extra:
        options["extrasamples"] = (extra,)
    photometric = "rgb" if channels in (3, 4) else gray
    tifffile.imwrite(
        path, laid, photometric=photometric, compression=coding, predictor=predictor, byteorder=order, bigtiff=big,
        metadata=None, **options,
    )  # fmt: skip
    top, bottom = sorted(generator.integers(0, H + 1, 2).tolist())
    left, right = sorted(generator.integers(0, W + 1, 2).tolist())
    part = slice(top, bottom), slice(left, right)
    as_the_reader(path, part, (slice(None), slice(None)), cache_bytes=int(generator.integers(0, 40_000))).close()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
@pytest.mark.parametrize(
    "coding", ["raw", "tiff_lzw", "packbits", "jpeg", "tiff_adobe_deflate", "group3", "group4", "lzma"]
)
@pytest.mark.parametrize("rows", [None, 16])
def test_what_pillow_writes(mode: str, coding: str, rows: int | None, tmp_path: Path) -> None:
    """Among them palettes, single bits, fax, YCbCr with a quarter of its colours."""
    if mode == "I;16":
        image = Image.fromarray(GENERATOR.integers(0, 65536, (H, W), np.uint16))
    elif mode == "I":
        image = Image.fromarray(GENERATOR.integers(-9, 65536, (H, W), np.int32))
    else:
        image = Image.fromarray(SMOOTH)
        image = image.quantize(60) if mode == "P" else image.convert(mode)
    path = tmp_path / "in.tif"
    try:
        image.save(
            path, compression=coding, **({} if rows is None else {"tiffinfo": {278: rows}, "strip_size": rows * W})
        )
    except Exception:
        pytest.skip("not written")
    try:
        images.load(str(path))
    except ImageError:
        pytest.skip("not read")
    as_the_reader(path, *some())


@pytest.mark.parametrize("bits", [1, 2, 4, 6, 10, 12, 14])
@pytest.mark.parametrize("coding", [None, "zlib", "lzw"])
@pytest.mark.parametrize("tile", [None, (16, 32)])
def test_fewer_bits(bits: int, coding: str | None, tile: tuple[int, int] | None, tmp_path: Path) -> None:
    pixels = GENERATOR.integers(0, 2**bits, (H, W)).astype(bool if bits == 1 else "u1" if bits < 8 else "u2")
    path = tmp_path / "in.tif"
    for photometric in ("minisblack", "miniswhite"):
        try:
            tifffile.imwrite(
                path, pixels, bitspersample=bits, photometric=photometric, compression=coding, tile=tile, metadata=None,
                rowsperstrip=None if tile else 13,
            )  # fmt: skip
        except (ValueError, NotImplementedError):
            pytest.skip("not written")
        as_the_reader(path, *some())


@pytest.mark.parametrize("coding", ["jpeg", "jpeg2000", "png", "lerc", "webp"])
@pytest.mark.parametrize("tile", [None, (32, 48)])
@pytest.mark.parametrize(("photometric", "sampling"), [("rgb", None), ("ycbcr", (2, 2)), ("minisblack", None)])
def test_codecs_of_pictures(
    coding: str, tile: tuple[int, int] | None, photometric: str, sampling: tuple[int, int] | None, tmp_path: Path
) -> None:
    if (sampling and coding != "jpeg") or (photometric == "minisblack" and coding == "webp"):
        pytest.skip("no such file")
    path = tmp_path / "in.tif"
    pixels = SMOOTH[..., 0] if photometric == "minisblack" else SMOOTH
    tifffile.imwrite(
        path, pixels, photometric=photometric, compression=coding, tile=tile, subsampling=sampling, metadata=None,
        rowsperstrip=None if tile else 16,
    )  # fmt: skip
    as_the_reader(path, *some())


def test_metadata_is_carried(tmp_path: Path) -> None:
    """Tags of a map, of a program, of no data, a profile and EXIF's own directory, in both byte orders and sizes."""
    more = [
        (42113, "s", 0, "17", True), (33550, "d", 3, (1.0, 2.0, 0.0), True), (33922, "d", 6, (0, 0, 0, 5.0, 6.0, 0), True),
        (34735, "H", 8, (1, 1, 0, 1, 1025, 0, 1, 1), True), (65000, "B", 5, b"hello", True),
    ]  # fmt: skip
    for order in "<>":
        for big in (False, True):
            path = tmp_path / "in.tif"
            tifffile.imwrite(
                path, SMOOTH, photometric="rgb", tile=(32, 32), compression="zlib", resolution=(300, 200), bigtiff=big,
                description="a field " * 40, iccprofile=b"p" * 4000, extratags=more, byteorder=order, metadata=None,
            )  # fmt: skip
            file = as_the_reader(path, *some(1))
            assert file.scene.metadata.nodata == 17
            assert file.chunk == (32, 32)
    exif = Image.Exif()
    exif[305] = "by hand"
    exif.get_ifd(0x8769)[0x9003] = "2026:01:01 00:00:00"
    exif.get_ifd(0x8825)[1] = "N"
    picture = images.Picture(
        np.moveaxis(SMOOTH, -1, 0), None, "rgb", 255.0, metadata=images.Metadata("TIFF", exif=exif.tobytes())
    )
    images.save(picture, str(tmp_path / "in.tif"), images.storage_for(picture, "rgb", (3, H, W), False, "TIFF", None))
    scene = as_the_reader(tmp_path / "in.tif").scene
    assert scene.metadata.exif is not None
    assert b"2026:01:01" in scene.metadata.exif


def test_white_of_real_values(tmp_path: Path) -> None:
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, np.ones((H, W), "f4"), photometric="minisblack", metadata=None)
    assert opened_windows(str(path), 5.0).scene.full_scale == 5
    assert not opened_windows(str(path), 5.0).scene.assumed
    tifffile.imwrite(path, SMOOTH, photometric="rgb", metadata=None)
    with pytest.raises(ImageError, match="defines it as 255"):
        opened_windows(str(path), 5.0)


def test_integers_of_64_bits_are_told_by_their_type(tmp_path: Path) -> None:
    """Which of them are too large, nobody knows before all are read."""
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, np.arange(H * W).reshape(H, W), photometric="minisblack", metadata=None)
    file = opened_windows(str(path))
    assert file.scene.notes[0].startswith("integers of 64 bits are held as floating point")
    np.testing.assert_array_equal(file.read(slice(3, 9), slice(None))[0], images.load(str(path)).colour[0, 3:9])


# Pages


def test_the_first_of_several_pages(tmp_path: Path) -> None:
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, np.stack([SMOOTH, 255 - SMOOTH, SMOOTH]), photometric="rgb", metadata=None)
    file = as_the_reader(path)
    assert file.scene.notes == ("the first of 3 frames is used",)
    assert file.scene.metadata.frames == 3


def test_reduced_pictures_and_masks_are_no_pages(tmp_path: Path) -> None:
    path = tmp_path / "in.tif"
    with tifffile.TiffWriter(path) as to:
        to.write(SMOOTH, photometric="rgb", tile=(32, 32), metadata=None, subifds=1)
        to.write(SMOOTH[::2, ::2], photometric="rgb", tile=(32, 32), metadata=None, subfiletype=1)
        to.write(SMOOTH[::4, ::4], photometric="rgb", tile=(32, 32), metadata=None, subfiletype=1)
        to.write(SMOOTH[..., 0], photometric="minisblack", tile=(32, 32), metadata=None, subfiletype=1)
    with tifffile.TiffFile(path, mode="r+") as there:
        there.pages[2].tags[254].overwrite(4)  # a mask
    file = as_the_reader(path)
    assert file.scene.metadata.frames == 1
    assert "2 reduced copies of the picture are left out" in file.scene.notes


@pytest.mark.parametrize("kind", ["imagej", "shaped", "cut"])
def test_pictures_behind_one_directory(kind: str, tmp_path: Path) -> None:
    """The first of those that are there."""
    path = tmp_path / "in.tif"
    stack = np.stack([SMOOTH[..., 0]] * 5).astype(np.uint16)
    if kind != "imagej":
        tifffile.imwrite(path, stack, photometric="minisblack", truncate=True)
    else:
        tifffile.imwrite(path, stack, imagej=True)
    if kind == "cut":
        path.write_bytes(path.read_bytes()[: -2 * H * W])
    file = as_the_reader(path, *some(1))
    assert file.scene.metadata.frames == (1 if kind == "cut" else 5)


def test_turned_pixels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, SMOOTH, photometric="rgb", metadata=None, extratags=[(274, "H", 1, 6, True)])
    with pytest.raises(ImageError, match=r"cannot be read in parts: .*orientation 6.*vips copy .*autorotate"):
        opened_windows(str(path))


# What is not there


def patched(path: Path, tag: int, change: Callable[[tuple[int, ...]], tuple[int, ...]]) -> None:
    """Change the numbers of a tag of the first page, in its place."""
    with tifffile.TiffFile(path, mode="r+") as file:
        found = file.pages[0].tags[tag]
        value = found.value if isinstance(found.value, tuple) else (found.value,)
        found.overwrite(change(value), dtype="I")


@pytest.mark.parametrize(
    ("photometric", "coding"), [("rgb", "zlib"), ("rgb", "lzw"), ("rgb", None), ("palette", "lzw")]
)
@pytest.mark.parametrize("nodata", [None, "9"])
def test_missing_tiles_have_no_data(photometric: str, coding: str | None, nodata: str | None, tmp_path: Path) -> None:
    path = tmp_path / "in.tif"
    options: dict[str, Any] = {"extratags": [(42113, "s", 0, nodata, True)]} if nodata else {}
    if photometric == "palette":
        options["colormap"] = (np.arange(768) * 85 % 65536).reshape(3, 256).astype(np.uint16)
    pixels = SMOOTH if photometric == "rgb" else SMOOTH[..., 0]
    tifffile.imwrite(path, pixels, photometric=photometric, tile=(32, 32), compression=coding, metadata=None, **options)
    filled = pixels_of(images.load(str(path))).copy()
    for tag in (324, 325):
        patched(path, tag, lambda values: (0, *values[1:4], 0, *values[5:]))
    blank = int(nodata or 0)
    lost = (
        np.full((3, 1, 1), blank)
        if photometric == "rgb"
        else (options["colormap"][:, blank] // 256).astype("u1")[:, None, None]
    )
    filled[:, :32, :32] = lost
    filled[:, 32:64, 32:64] = lost
    file = opened_windows(str(path))
    np.testing.assert_array_equal(file.read(slice(None), slice(None)), filled)


def test_missing_tiles_of_jpeg_are_black(tmp_path: Path) -> None:
    path = tmp_path / "in.tif"
    tifffile.imwrite(
        path, SMOOTH, photometric="ycbcr", tile=(32, 32), compression="jpeg", subsampling=(2, 2), metadata=None
    )
    whole = pixels_of(images.load(str(path))).copy()
    for tag in (324, 325):
        patched(path, tag, lambda values: (0, *values[1:]))
    whole[:, :32, :32] = 0
    np.testing.assert_array_equal(opened_windows(str(path)).read(slice(None), slice(None)), whole)


# Files that lie


def tiled(path: Path, coding: str | None = "zlib", **options: Any) -> Path:
    tifffile.imwrite(path, SMOOTH, photometric="rgb", tile=(32, 32), compression=coding, metadata=None, **options)
    return path


def refused(path: Path, match: str) -> None:
    """In one line, with little memory, when it is opened or read."""
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match=match) as told:
            opened_windows(str(path)).read(slice(None), slice(None))
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    assert "\n" not in str(told.value)
    assert str(path) in str(told.value)


def entry(path: Path, tag: int, kind: int, count: int, value: int) -> None:
    """Write a tag of the first directory again, of a classic file with low bytes first."""
    data = bytearray(path.read_bytes())
    (place,) = struct.unpack_from("<I", data, 4)
    for number in range(struct.unpack_from("<H", data, place)[0]):
        at = place + 2 + 12 * number
        if struct.unpack_from("<H", data, at)[0] == tag:
            struct.pack_into("<HHII", data, at, tag, kind, count, value)
    path.write_bytes(data)


def test_a_tile_beyond_the_end(tmp_path: Path) -> None:
    path = tiled(tmp_path / "in.tif")
    patched(path, 324, lambda values: (*values[:4], 1 << 30, *values[5:]))
    refused(path, "cannot be decoded: the tile at 32,32: it lies beyond the end of the file")
    path = tiled(tmp_path / "in.tif")
    patched(path, 325, lambda values: (*values[:4], 1 << 31, *values[5:]))
    refused(path, "the tile at 32,32: it has 2147483648 bytes")


def test_too_few_tiles(tmp_path: Path) -> None:
    path = tiled(tmp_path / "in.tif")
    entry(path, 256, 4, 1, 1 << 20)
    refused(path, "9 of 98304 strips or tiles are there")


def test_sizes_that_overflow(tmp_path: Path) -> None:
    path = tiled(tmp_path / "in.tif")
    entry(path, 256, 4, 1, (1 << 32) - 1)
    entry(path, 257, 4, 1, (1 << 32) - 1)
    refused(path, "9 of 18014398509481984 strips or tiles are there")
    path = tiled(tmp_path / "in.tif")
    entry(path, 322, 4, 1, 1 << 20)
    entry(path, 323, 4, 1, 1 << 20)
    refused(
        path, r"it has tiles of 3072.0 GiB, more than 1; convert it first: vips copy .*\[tile,compression=deflate\]"
    )


def test_no_sizes(tmp_path: Path) -> None:
    for tag, rule in ((256, "no width"), (257, "no width or no height"), (322, "its tiles have no width")):
        path = tiled(tmp_path / "in.tif")
        entry(path, tag, 4, 1, 0)
        refused(path, rule)


def test_a_table_beyond_the_end(tmp_path: Path) -> None:
    path = tiled(tmp_path / "in.tif")
    entry(path, 324, 4, 1 << 30, 8)
    refused(path, "the table of tag 324 lies beyond the end of the file")


def test_a_large_tag_is_not_read(tmp_path: Path) -> None:
    path = tiled(tmp_path / "in.tif", extratags=[(65000, "B", 5, b"hello", True)])
    with path.open("ab") as to:
        to.truncate((80 << 20) + 1)
    entry(path, 65000, 1, 70 << 20, 8)
    refused(path, "its tags have more than 64 MiB")


def test_many_tags(tmp_path: Path) -> None:
    path = tiled(tmp_path / "in.tif")
    data = bytearray(path.read_bytes())
    struct.pack_into("<H", data, struct.unpack_from("<I", data, 4)[0], 65535)
    path.write_bytes(data)
    refused(path, "a directory has 65535 tags")


def following(path: Path, place: int) -> None:
    """Say where the second directory is."""
    data = bytearray(path.read_bytes())
    (first,) = struct.unpack_from("<I", data, 4)
    struct.pack_into("<I", data, first + 2 + 12 * struct.unpack_from("<H", data, first)[0], place)
    path.write_bytes(data)


def test_directories_in_a_circle_and_beyond_the_end(tmp_path: Path) -> None:
    path = tiled(tmp_path / "in.tif")
    (first,) = struct.unpack_from("<I", path.read_bytes(), 4)
    following(path, first)
    refused(path, "its directories follow each other in a circle")
    following(path, 1 << 31)
    refused(path, "page 1 is missing")


def test_a_chain_of_directories_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiled(tmp_path / "in.tif")
    size = path.stat().st_size
    following(path, size)
    with path.open("ab") as to:  # empty directories, each says where the next one is
        to.write(b"".join(struct.pack("<HI", 0, size + 6 * (number + 1)) for number in range(70_000)))
    refused(path, "it has more than 65536 directories")


@pytest.mark.parametrize("coding", ["zlib", "lzma", "lzw", "zstd", "packbits"])
def test_a_tile_that_inflates_beyond_its_size(coding: str, tmp_path: Path) -> None:
    """Only as much as a tile has is taken out of it, or it is refused."""
    bomb = tmp_path / "bomb.tif"
    tifffile.imwrite(bomb, np.zeros((6400, 6400, 3), "u1"), photometric="rgb", rowsperstrip=6400, compression=coding)
    with tifffile.TiffFile(bomb) as file:
        page = file.pages[0]
        file.filehandle.seek(page.dataoffsets[0])
        data = file.filehandle.read(page.databytecounts[0])
    path = tiled(tmp_path / "in.tif", coding)
    size = path.stat().st_size
    with path.open("ab") as to:
        to.write(data)
    patched(path, 324, lambda values: (*values[:4], size, *values[5:]))
    patched(path, 325, lambda values: (*values[:4], len(data), *values[5:]))
    tracemalloc.start()
    with suppress(ImageError):
        assert not opened_windows(str(path)).read(slice(32, 64), slice(32, 64)).any()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


@pytest.mark.parametrize("coding", ["jpeg2000", "png", "jpeg"])
def test_a_tile_that_says_it_is_larger(coding: str, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.tif"
    tifffile.imwrite(bomb, np.zeros((2048, 2048, 3), "u1"), photometric="rgb", rowsperstrip=2048, compression=coding)
    with tifffile.TiffFile(bomb) as file:
        page = file.pages[0]
        file.filehandle.seek(page.dataoffsets[0])
        data = file.filehandle.read(page.databytecounts[0])
    path = tiled(tmp_path / "in.tif", coding)
    size = path.stat().st_size
    with path.open("ab") as to:
        to.write(data)
    patched(path, 324, lambda values: (*values[:4], size, *values[5:]))
    patched(path, 325, lambda values: (*values[:4], len(data), *values[5:]))
    refused(path, "cannot be decoded: the tile at 32,32: ")


@pytest.mark.parametrize("kind", ["short", "garbled"])
def test_a_tile_that_is_damaged(kind: str, tmp_path: Path) -> None:
    path = tiled(tmp_path / "in.tif")
    data = zlib.compress(bytes(32 * 31 * 3)) if kind == "short" else b"\x78\x9c" + bytes([255]) * 300
    size = path.stat().st_size
    with path.open("ab") as to:
        to.write(data)
    patched(path, 324, lambda values: (*values[:4], size, *values[5:]))
    patched(path, 325, lambda values: (*values[:4], len(data), *values[5:]))
    file = opened_windows(str(path))
    file.read(slice(0, 32), slice(None))  # the others are there
    refused(path, "cannot be decoded: the tile at 32,32: ")


def test_kinds_that_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, np.zeros((H, W), np.complex64), photometric="minisblack", metadata=None)
    refused(path, "is a TIFF of complex numbers")
    tifffile.imwrite(
        path, np.zeros((16, H, W), "u1"), photometric="minisblack", metadata=None, volumetric=True, tile=(16, 16, 16)
    )
    refused(path, "is a volume: save its slices as pages")
    tifffile.imwrite(path, SMOOTH, photometric="rgb", metadata=None, compression="jpegxl")
    refused(path, "it is compressed by JPEGXL; convert it first: vips copy")


def test_imagecodecs_is_named_where_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiled(tmp_path / "in.tif", "jpeg2000")

    class Page(tifffile.TiffPage):
        @property
        def decode(self) -> Any:
            raise ValueError("<COMPRESSION.JPEG2000: 34712> requires the 'imagecodecs' package")

    monkeypatch.setattr(tifffile.tifffile, "TiffPage", Page)
    monkeypatch.setattr(extras, "is_installed", lambda name: False)
    with pytest.raises(ImageError, match=r"needs imagecodecs: it is not installed; pip install 'convcli\[tiff\]'"):
        opened_windows(str(path))


# Large ones


def sparse(path: Path, side: int) -> Path:
    """A BigTIFF of any size, all of whose tiles are the same 512² of gray, written from the specification."""
    tile = zlib.compress(bytes(range(256)) * 1024)
    count = (side // 512) ** 2
    head, place = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16), 16
    tags = [(256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1),
            (322, 3, 1, 512), (323, 3, 1, 512), (324, 16, count, 0), (325, 4, count, 0)]  # fmt: skip
    tables = place + 8 + 20 * len(tags) + 8
    data = tables + 12 * count
    tags[-2:] = [(324, 16, count, tables), (325, 4, count, tables + 8 * count)]
    with path.open("wb") as to:
        to.write(head + struct.pack("<Q", len(tags)))
        to.write(b"".join(struct.pack("<HHQQ", *tag) for tag in tags) + bytes(8))
        np.full(count, data, "<u8").tofile(to)
        np.full(count, len(tile), "<u4").tofile(to)
        to.write(tile)
    return path


def test_a_picture_of_a_million_rows_and_columns(tmp_path: Path) -> None:
    """Of the tables only what is asked for is read."""
    side = 512 * 1954
    path = sparse(tmp_path / "in.tif", side)
    tracemalloc.start()
    file = opened_windows(str(path))
    found = file.read(slice(side - 3, side), slice(side - 700, side))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert file.scene.size == (side, side)
    np.testing.assert_array_equal(found[0], np.tile((np.arange(side - 700, side) % 512 % 256).astype("u1"), (3, 1)))
    assert peak < 8_000_000


@pytest.mark.parametrize("coding", ["zlib", "lzw", None])
def test_threads_read_the_same(coding: str | None, tmp_path: Path) -> None:
    pixels = GENERATOR.integers(0, 256, (300, 400, 3), np.uint8)
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, pixels, photometric="rgb", tile=(64, 48), compression=coding, metadata=None)
    file = opened_windows(str(path), cache_bytes=40_000)
    windows = [window(300, 400) for _ in range(100)]
    with ThreadPoolExecutor(8) as pool:
        for (rows, columns), found in zip(windows, pool.map(lambda one: file.read(*one), windows), strict=True):
            np.testing.assert_array_equal(found, np.moveaxis(pixels[rows, columns], -1, 0))


def test_a_strip_that_is_not_compressed_is_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One strip may be the whole picture, of any size."""
    monkeypatch.setattr(tiff_places, "_ROWS_BYTES", 1000)
    path = tmp_path / "in.tif"
    for rows in (H, 32, 30, 7):
        for separate in (False, True):
            laid = np.moveaxis(SMOOTH, -1, 0) if separate else SMOOTH
            config = "separate" if separate else "contig"
            tifffile.imwrite(path, laid, photometric="rgb", planarconfig=config, rowsperstrip=rows, metadata=None)
            assert as_the_reader(path, *some()).chunk.height <= max(1, 1000 // (W * (1 if separate else 3)))
    Image.fromarray(SMOOTH).quantize(20).save(path)
    assert as_the_reader(path, *some()).chunk.height == 1000 // W


def test_strips_without_their_lengths(tmp_path: Path) -> None:
    """Some programs leave them out where nothing is compressed."""
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, SMOOTH, photometric="rgb", metadata=None)
    whole = images.load(str(path))
    entry(path, 279, 99, 1, 0)  # a type that nobody knows
    file = opened_windows(str(path))
    np.testing.assert_array_equal(file.read(slice(5, 60), slice(None)), whole.colour[:, 5:60])
    assert known(file.scene)["space"] == "rgb"
