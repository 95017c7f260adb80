"""Zarrs from blocks, as zarr and ome-zarr read them."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcli import extras
from convcli.errors import ImageError
from convcli.geometry import Size
from convcli.images.writing.blocks import block_target, levels, shards, worker
from support.blocks import blocks_of, halves, layout_for, picture, put, read_back, written

zarr = pytest.importorskip("zarr")


@given(
    size=st.tuples(st.integers(1, 150), st.integers(1, 150), st.integers(1, 4)),
    dtype=st.sampled_from(["uint8", "uint16", "float32", "float64"]),
    block=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    unit=st.sampled_from([5, 16]),
    compression=st.sampled_from([None, 0, 9]),
    pyramid=st.booleans(),
    order=st.randoms(use_true_random=False),
)
def test_any_geometry_in_any_blocks(
    size: tuple[int, int, int],
    dtype: str,
    block: tuple[int, int],
    unit: int,
    compression: int | None,
    pyramid: bool,
    order: Any,
) -> None:
    pixels = picture(*size, dtype=dtype)
    side = Size(block[0] * unit, block[1] * unit)
    blocks = blocks_of(*size[:2], *side)
    order.shuffle(blocks)
    often = blocks + order.sample(blocks, len(blocks) // 3)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for module, name in ((levels, "LEAST"), (shards, "LEAST"), (shards, "SIDE")):
            patch.setattr(module, name, 16)
        layout = layout_for(
            Path(folder), "ZARR", pixels, compression=compression, pyramid=pyramid, threads=1, block=side
        )
        target, other = block_target(layout), worker(layout)
        assert target.grid == side
        target.begin()
        receipts = [put(order.choice([target, other]), pixels, [one])[0] for one in often]
        other.close()
        target.commit(receipts)
        found = read_back(layout)
        assert [entry.name for entry in Path(folder).iterdir()] == ["picture.zarr"]
    expected = [*halves(pixels, 16)] if pyramid else [pixels]
    assert len(found) == len(expected)
    for one, other_one in zip(found, expected, strict=True):
        assert one.dtype == pixels.dtype
        np.testing.assert_allclose(one, other_one, rtol=1e-15 if dtype == "float64" else 0, atol=0)


def test_shards_and_chunks(tmp_path: Path) -> None:
    layout = layout_for(tmp_path, "ZARR", picture(9, 9), pyramid=True, block=Size(2048, 4096))
    layout = layout._replace(shape=(3, 20000, 30000))
    found = [(one.shard, one.chunk, one.made) for one in shards.arrays(layout)]
    assert found[:4] == [
        ((2048, 4096), (3, 512, 512), True),
        ((1024, 2048), (3, 512, 512), True),
        ((512, 1024), (3, 512, 512), True),
        ((1024, 1024), (3, 512, 512), False),
    ]
    assert {one[0] for one in found[3:]} == {(1024, 1024)}
    (bands,) = shards.arrays(layout._replace(space="tensor", pyramid=False, block=Size(300, 1042)))
    assert bands.chunk == (1, 300, 1042 // 2 if (1042 // 2) <= 512 else 1042)


def test_what_is_empty_is_not_there(tmp_path: Path) -> None:
    pixels = np.zeros((700, 1100, 1), np.float32)
    pixels[600, 600] = -0.0
    layout = layout_for(tmp_path, "ZARR", pixels)
    written(layout, pixels, blocks_of(700, 1100, 512, 512))
    assert [
        str(path.relative_to(layout.target)) for path in Path(layout.target, "0/c").rglob("*") if path.is_file()
    ] == ["0/c/0/1/1"]
    (found,) = read_back(layout)
    np.testing.assert_array_equal(found, pixels)
    assert np.signbit(found[600, 600, 0])


def test_zarr_checks_the_index_of_a_shard(tmp_path: Path) -> None:
    """That it is read at all shows that its checksum is right: a wrong one is an error."""
    pixels = picture(512, 512)
    layout = layout_for(tmp_path, "ZARR", pixels)
    written(layout, pixels, [(range(512), range(512))])
    np.testing.assert_array_equal(read_back(layout)[0], pixels)
    shard = Path(layout.target, "0/c/0/0/0")
    data = shard.read_bytes()
    shard.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(ValueError, match="checksum"):
        read_back(layout)


def test_blocks_are_the_shards_that_zarr_would_write(tmp_path: Path) -> None:
    pixels = picture(1024, 1024)
    layout = layout_for(tmp_path, "ZARR", pixels)
    written(layout, pixels, blocks_of(1024, 1024, 512, 512))
    ours = zarr.open_array(Path(layout.target, "0"))
    theirs = zarr.create_array(
        tmp_path / "theirs", shape=ours.shape, dtype=ours.dtype, chunks=ours.chunks, shards=ours.shards,
        compressors=ours.compressors, fill_value=0, dimension_names=("c", "y", "x"),
    )  # fmt: skip
    theirs[...] = ours[...]
    for name in ("zarr.json", "c/0/0/0", "c/0/1/1"):
        one, other = (Path(place, name).read_bytes() for place in (Path(layout.target, "0"), tmp_path / "theirs"))
        assert (json.loads(one) == json.loads(other)) if name.endswith("json") else len(one) == len(other)


@pytest.mark.parametrize("package", ["zarr", "numcodecs"])
def test_without_zarr(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "is_installed", lambda name: name != package)
    for make in (block_target, worker):
        with pytest.raises(
            ImageError, match=r"cannot be written: zarr|numcodecs is not installed; pip install 'convcli\[scale\]'"
        ):
            make(layout_for(tmp_path, "ZARR", picture(9, 9)))


def test_ome_zarr_reads_it(tmp_path: Path) -> None:
    reader = pytest.importorskip("ome_zarr.reader")
    io = pytest.importorskip("ome_zarr.io")
    pixels = picture(1100, 700)
    layout = layout_for(tmp_path, "ZARR", pixels, pyramid=True, pixel=(0.25, 0.5))
    written(layout, pixels, blocks_of(1100, 700, 512, 512))
    (node,) = reader.Reader(io.parse_url(layout.target))()
    for one, other in zip(node.data, halves(pixels, 512), strict=True):
        np.testing.assert_array_equal(np.moveaxis(np.asarray(one), 0, -1), other)
