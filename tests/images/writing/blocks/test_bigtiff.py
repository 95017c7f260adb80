"""BigTIFFs from blocks, as tifffile, Pillow and vips read them, and beside those of the ordinary writer."""

import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convcli.errors import ImageError
from convcli.images import Picture, directories, load, save_frames
from convcli.images.directories import DOUBLE, EXIF, RATIONAL, SHORT, TEXT, UNDEFINED, Directory, Entry, entry
from convcli.images.picture import Bands, Metadata
from convcli.images.writing import Settings
from convcli.images.writing.blocks import bigtiff, block_target, levels, tiles, worker
from convcli.images.writing.storage import Storage
from convcli.system import shared_file
from support.blocks import blocks_of, halves, layout_for, picture, put, read_back, written
from support.pictures import SRGB, tags_of

VIPS = shutil.which("vips")


@contextmanager
def sides(side: int) -> Iterator[None]:
    """Small tiles, so that small pictures have many."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (tiles, bigtiff):
            patch.setattr(module, "SIDE", side)
        patch.setattr(levels, "LEAST", side)
        yield


@given(
    size=st.tuples(st.integers(1, 150), st.integers(1, 150), st.integers(1, 5)),
    dtype=st.sampled_from(["uint8", "uint16", "int16", "float32", "float64"]),
    block=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    compression=st.sampled_from([None, 0, 1, 9]),
    pyramid=st.booleans(),
    order=st.randoms(use_true_random=False),
)
def test_any_geometry_in_any_blocks(
    size: tuple[int, int, int],
    dtype: str,
    block: tuple[int, int],
    compression: int | None,
    pyramid: bool,
    order: Any,
) -> None:
    pixels = picture(*size, dtype=dtype)
    blocks = blocks_of(*size[:2], 16 * block[0], 16 * block[1])
    order.shuffle(blocks)
    often = blocks + order.sample(blocks, len(blocks) // 3)
    with sides(16), tempfile.TemporaryDirectory() as folder:
        layout = layout_for(Path(folder), "TIFF", pixels, compression=compression, pyramid=pyramid, threads=1)
        target, other = block_target(layout), worker(layout)
        target.begin()
        receipts = [put(order.choice([target, other]), pixels, [one])[0] for one in often]
        other.close()
        target.commit(receipts)
        found = read_back(layout)
        assert os.listdir(folder) == ["picture.tif"]
    expected = [*halves(pixels, 16)] if pyramid else [pixels]
    assert len(found) == len(expected)
    for one, other_one in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other_one, rtol=1e-15 if dtype == "float64" else 0, atol=0)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pillow_and_vips_read_it(channels: int, dtype: str, tmp_path: Path) -> None:
    pixels = picture(1300, 1100, channels, dtype)
    layout = layout_for(tmp_path, "TIFF", pixels, pyramid=True)
    if channels == 4:
        layout = layout._replace(space="rgb")
    written(layout, pixels, blocks_of(1300, 1100, 1024, 512))
    expected = [*halves(pixels, 512)]
    for one, other in zip(read_back(layout), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    if channels == 1 or dtype == "uint8":
        with Image.open(layout.target) as image:
            np.testing.assert_array_equal(np.asarray(image).reshape(pixels.shape), pixels)
    if VIPS is None:
        pytest.skip("vips is not installed")
    for number, level in enumerate(expected):
        name = layout.target + (f"[subifd={number - 1}]" if number else "")
        subprocess.run([VIPS, "rawsave", name, tmp_path / "raw"], check=True)
        raw = np.fromfile(tmp_path / "raw", dtype).reshape(level.shape)
        np.testing.assert_array_equal(raw, level)


RICH: Directory = {
    270: Entry(TEXT, b"a description\0"),
    271: Entry(TEXT, b"Maker\0"),
    EXIF: {0x829A: entry(RATIONAL, 0.01), 0x9286: Entry(UNDEFINED, b"ASCII\0\0\0hello"), 0xA005: {1: entry(SHORT, 7)}},
    0x8825: {1: Entry(TEXT, b"N\0"), 2: entry(RATIONAL, 52, 30, 0)},
    33550: entry(DOUBLE, 0.5, 0.5, 0),
    33922: entry(DOUBLE, 0, 0, 0, 440720, 100000, 0),
    34735: entry(SHORT, 1, 1, 0, 1, 1025, 0, 1, 1),
    42113: Entry(TEXT, b"-9999\0"),
}  # fmt: skip
METADATA = Metadata("TIFF", SRGB, (72.0, 144.0), directories.exif_of(RICH), b"<x:xmpmeta/>")
RESOLUTION = {282: entry(RATIONAL, 1200), 283: entry(RATIONAL, 600), 296: entry(SHORT, 3)}

STRIPS_AND_TILES = {273, 278, 279, 322, 323, 324, 325}


@pytest.mark.parametrize(
    ("channels", "dtype", "space", "metadata"),
    [
        (3, "uint8", "rgb", METADATA),
        (4, "uint8", "rgb", METADATA),
        (2, "uint16", "gray", METADATA._replace(resolution=RESOLUTION)),
        (4, "uint8", "cmyk", Metadata()),
        (5, "float32", "tensor", METADATA),
        (1, "float32", "gray", Metadata()),
        (6, "uint16", "tensor", Metadata(bands=Bands(2, (0, 1, 2), True))),
    ],
)
def test_tags_are_those_of_the_ordinary_writer(
    channels: int, dtype: str, space: str, metadata: Metadata, tmp_path: Path
) -> None:
    pixels = picture(600, 700, channels, dtype)
    white = 1000.0 if dtype == "float32" else float(np.iinfo(dtype).max)
    layout = layout_for(tmp_path, "TIFF", pixels, space=space, metadata=metadata, full_scale=white)
    written(layout, pixels, blocks_of(600, 700, 512, 512))
    planes = np.moveaxis(pixels, -1, 0)
    colours = {"rgb": 3, "gray": 1, "cmyk": 4}.get(space, channels)
    alpha = planes[colours] if channels > colours else None
    source = Picture(planes[:colours], alpha, space, white, real=dtype == "float32", metadata=metadata)
    ordinary = tmp_path / "ordinary.tif"
    policy = "raw" if dtype == "float32" else "clip"
    save_frames(iter([(source, Storage("TIFF", space, dtype, 1.0, white, policy))]), str(ordinary))
    found, expected = tags_of(Path(layout.target)), tags_of(ordinary)
    assert {322, 323, 324, 325} <= set(found)
    if metadata.bands:
        assert expected.pop(284) == entry(SHORT, 2)  # planes become bands of each pixel
        assert found.pop(284) == entry(SHORT, 1)
    kept = [{tag: value for tag, value in tags.items() if tag not in STRIPS_AND_TILES} for tags in (found, expected)]
    assert kept[0] == kept[1]
    again, other = load(layout.target), load(str(ordinary))
    np.testing.assert_array_equal(again.colour, other.colour)
    assert (again.space, again.full_scale, again.assumed) == (other.space, other.full_scale, other.assumed)
    for name in ("icc_profile", "dpi", "exif", "xmp", "resolution", "nodata"):
        assert getattr(again.metadata, name) == getattr(other.metadata, name)


def test_levels_say_that_they_are_smaller_ones(tmp_path: Path) -> None:
    pixels = picture(1100, 600, 1, "float32")
    layout = layout_for(tmp_path, "TIFF", pixels, pyramid=True, metadata=METADATA)
    written(layout, pixels, blocks_of(1100, 600, 512, 512))
    with tifffile.TiffFile(layout.target) as file:
        (page,) = file.pages
        assert page.parent.is_bigtiff
        assert [one.subfiletype for one in (page, *page.pages)] == [0, 1, 1]
        assert [one.shape for one in page.pages] == [(550, 300), (275, 150)]
        assert all(one.is_tiled and one.compression == 8 and one.photometric == page.photometric for one in page.pages)


@pytest.mark.parametrize("compression", [None, 0, 1, 9])
def test_the_compression_that_is_asked_for(compression: int | None, tmp_path: Path) -> None:
    assert Settings(compression=compression).check("TIFF") == ()
    pixels = picture(512, 512)
    layout = layout_for(tmp_path, "TIFF", pixels, compression=compression)
    written(layout, pixels, [(range(512), range(512))])
    with tifffile.TiffFile(layout.target) as file:
        assert (file.pages[0].compression, file.pages[0].predictor) == ((1, 1) if compression == 0 else (8, 2))
    size = os.path.getsize(layout.target)
    assert size > pixels.nbytes if compression == 0 else size < 0.95 * pixels.nbytes


def test_all_empty_tiles_share_one_place(tmp_path: Path) -> None:
    pixels = np.zeros((3000, 3000, 1), np.float32)
    pixels[2999, 0] = 1
    pixels[0, 2999] = -0.0  # which is no zero in a file
    layout = layout_for(tmp_path, "TIFF", pixels)
    written(layout, pixels, blocks_of(3000, 3000, 1024, 1024))
    with tifffile.TiffFile(layout.target) as file:
        offsets = file.pages[0].dataoffsets
        assert len(offsets) == 36
        assert len({*offsets}) == 3
    (found,) = read_back(layout)
    np.testing.assert_array_equal(found, pixels)
    assert np.signbit(found[0, 2999, 0])


def test_parts_are_copied_where_the_system_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = picture(600, 700)
    layout = layout_for(tmp_path, "TIFF", pixels)
    blocks = blocks_of(600, 700, 512, 512)
    copied = []

    def refused(*args: int) -> int:
        copied.append(args)
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(shared_file, "_COPY", 1000)
    for replacement in (refused, lambda *args: 0, None):
        if replacement is None:
            monkeypatch.delattr(os, "copy_file_range")
        else:
            monkeypatch.setattr(os, "copy_file_range", replacement, raising=False)
        target, other = block_target(layout), worker(layout)
        target.begin()
        receipts = put(other, pixels, blocks)
        other.close()
        target.commit(receipts)
        np.testing.assert_array_equal(read_back(layout)[0], pixels)
    assert copied


def test_a_picture_that_lacks_blocks_is_not_shown(tmp_path: Path) -> None:
    pixels = picture(600, 1200)
    layout = layout_for(tmp_path, "TIFF", pixels, pyramid=True)
    blocks = blocks_of(600, 1200, 512, 512)
    target = block_target(layout)
    target.begin()
    receipts = put(target, pixels, blocks[1:])
    with pytest.raises(ImageError, match=r"picture.tif' lacks 1 of its 6 tiles: begin again"):
        target.commit(receipts)
    assert not Path(layout.target).exists()
    target.commit(receipts + put(target, pixels, blocks[:1]))
    np.testing.assert_array_equal(read_back(layout)[0], pixels)


def test_a_damaged_part_is_said(tmp_path: Path) -> None:
    pixels = picture(600, 700)
    layout = layout_for(tmp_path, "TIFF", pixels)
    target, other = block_target(layout), worker(layout)
    target.begin()
    ((part, place),) = put(other, pixels, [(range(600), range(700))])
    file = tmp_path / f".picture.tif.part-{part}"
    whole = file.read_bytes()
    for damage in (
        whole[:place],
        whole[: place + 30],
        whole[: place + 30] + bytes([whole[place + 30] ^ 1]) + whole[place + 31 :],
    ):
        file.write_bytes(damage)
        with pytest.raises(ImageError, match="is damaged"):
            target.commit([[part, place]])
    file.unlink()
    with pytest.raises(ImageError, match="cannot be written: there is no such file"):
        target.commit([[part, place]])
    file.write_bytes(whole)
    target.commit([[part, place]])
    np.testing.assert_array_equal(read_back(layout)[0], pixels)


def test_after_an_error_of_the_end_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even an empty tile, of which the end made the first: those of the levels are, whose means are rounded to 0."""
    pixels = np.zeros((1600, 1600, 1), np.uint8)
    pixels[::512, ::512] = 1
    layout = layout_for(tmp_path, "TIFF", pixels, pyramid=True)
    target = block_target(layout)
    target.begin()
    receipts = put(target, pixels, blocks_of(1600, 1600, 512, 512))
    part = tmp_path / ".picture.tif.part"
    before = part.stat().st_size

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(target, "_directories", full)
        with pytest.raises(ImageError, match="the disk is full"):
            target.commit(receipts)
    assert part.stat().st_size <= before + 8
    target.commit(receipts)
    for one, other in zip(read_back(layout), halves(pixels, 512), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_block_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    pixels = picture(600, 700)
    written_files = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        layout = layout_for(tmp_path / name, "TIFF", pixels)
        written(layout, pixels, blocks_of(600, 700, 512, 512))
        written_files.append(Path(layout.target).read_bytes())
    assert written_files[0] == written_files[1]
