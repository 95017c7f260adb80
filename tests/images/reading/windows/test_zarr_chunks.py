"""Zarr 2 and 3 and OME-Zarr by windows."""

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcli import extras
from convcli.errors import ImageError
from convcli.images.reading.windows import identity_of, opened_windows

zarr = pytest.importorskip("zarr")
GENERATOR = np.random.default_rng(3)


def written(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    array = zarr.create_array(path, shape=pixels.shape, dtype=pixels.dtype, **options)
    array[...] = pixels
    return path


def ome(
    path: Path, pixels: np.ndarray, axes: str, version: int = 3, scale: tuple[float, ...] = (), **options: Any
) -> Path:
    """An OME-Zarr of two levels, as 0.5 or 0.4 has it."""
    group = zarr.create_group(path, zarr_format=version)
    for name, part in (("0", pixels), ("1", pixels[..., ::2, ::2])):
        array = group.create_array(name, shape=part.shape, dtype=part.dtype, chunks=options.get("chunks", "auto"))
        array[...] = part
    kinds = {"t": "time", "c": "channel"}
    named = [{"name": one, "type": kinds.get(one, "space")} for one in axes]
    for one in named:
        if one["type"] == "space":
            one["unit"] = "micrometer"
    datasets: list[dict[str, Any]] = [{"path": "0"}, {"path": "1"}]
    for number, data in enumerate(datasets):
        sizes = [s * (2**number if a in "yx" else 1) for s, a in zip(scale or (1.0,) * len(axes), axes, strict=True)]
        data["coordinateTransformations"] = [{"type": "scale", "scale": sizes}]
    multiscales = [{"axes": named, "datasets": datasets, "name": "x"}]
    group.attrs.update(
        {"ome": {"version": "0.5", "multiscales": multiscales}} if version == 3 else {"multiscales": multiscales}
    )
    return path


@given(
    kind=st.sampled_from(
        ["bool", "uint8", "uint16", "int16", "uint32", "int64", "float16", "float32", "float64", ">u2", ">f4"]
    ),
    lead=st.sampled_from([(), (1,), (2,), (3,), (7,), (1, 1), (1, 3), (1, 1, 2)]),
    size=st.tuples(st.integers(5, 30), st.integers(5, 30)),
    chunk=st.integers(1, 12),
    version=st.sampled_from([2, 3]),
    sharded=st.booleans(),
    last=st.booleans(),
    bounds=st.tuples(*[st.integers(0, 30)] * 4),
)
def test_windows_are_those_of_the_array(
    tmp_path_factory: pytest.TempPathFactory, kind: str, lead: tuple[int, ...], size: tuple[int, int], chunk: int,
    version: int, sharded: bool, last: bool, bounds: tuple[int, int, int, int],
) -> None:  # fmt: skip
    path = tmp_path_factory.mktemp("zarrs") / "in.zarr"
    pixels = (GENERATOR.random((*lead, *size)) * 100).astype(kind)
    if last and lead == (3,):
        pixels = np.moveaxis(pixels, 0, -1)
    chunks = tuple(min(chunk, side) for side in pixels.shape)
    options: dict[str, Any] = {"chunks": chunks, "zarr_format": version}
    if sharded and version == 3:
        options["shards"] = tuple(2 * side for side in chunks)
    written(path, pixels, **options)
    expected = np.moveaxis(pixels, -1, 0) if last and lead == (3,) else pixels.reshape(-1, *size)
    file = opened_windows(str(path), cache_bytes=1000)
    rows, columns = slice(*sorted(bounds[:2])), slice(*sorted(bounds[2:]))
    found = file.read(rows, columns)
    np.testing.assert_array_equal(found, expected[:, rows, columns])
    assert found.dtype == file.scene.dtype
    assert found.dtype.isnative
    assert file.scene.shape == expected.shape
    assert file.interleaved == (file.scene.space != "tensor")
    assert (np.moveaxis(found, 0, -1) if file.interleaved else found).flags.c_contiguous


@pytest.mark.parametrize(
    ("shape", "kind", "mode", "white", "assumed"),
    [
        ((20, 30), "uint8", "gray", 255, False), ((3, 20, 30), "uint16", "rgb", 65535, False),
        ((20, 30, 3), "uint8", "rgb", 255, False), ((20, 30, 4), "uint8", "rgba", 255, False),
        ((4, 20, 30), "uint8", "tensor", 255, True), ((2, 20, 30), "uint8", "tensor", 255, True),
        ((3, 20, 30), "float32", "tensor", 1, True), ((20, 30), "int16", "tensor", 1, True),
        ((4, 30, 3), "uint8", "tensor", 255, True),
    ],
)  # fmt: skip
def test_what_an_array_is(
    shape: tuple[int, ...], kind: str, mode: str, white: float, assumed: bool, tmp_path: Path
) -> None:
    path = written(tmp_path / "in.zarr", np.zeros(shape, kind))
    file = opened_windows(str(path))
    scene = file.scene
    assert (scene.mode, scene.full_scale, scene.assumed, file.format) == (mode, white, assumed, "ZARR")
    assert (scene.rank, scene.real, scene.metadata.format) == (
        2 if mode == "tensor" and len(shape) == 2 else 3,
        False,
        "ZARR",
    )


def test_white_may_be_said_of_tensors_alone(tmp_path: Path) -> None:
    path = written(tmp_path / "real.zarr", np.zeros((20, 30), "f4"))
    assert opened_windows(str(path), 7.0).scene.full_scale == 7
    path = written(tmp_path / "gray.zarr", np.zeros((20, 30), "u1"))
    with pytest.raises(ImageError, match="defines it as 255"):
        opened_windows(str(path), 7.0)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(("axes", "lead"), [("yx", ()), ("cyx", (4,)), ("tczyx", (1, 3, 1)), ("zyx", (1,))])
def test_the_first_level_of_an_ome_zarr(version: int, axes: str, lead: tuple[int, ...], tmp_path: Path) -> None:
    pixels = GENERATOR.integers(0, 255, (*lead, 40, 60), np.uint8)
    scale = tuple({"y": 0.5, "x": 0.25}.get(axis, 1.0) for axis in axes)
    path = ome(tmp_path / "in.ome.zarr", pixels, axes, version, scale)
    file = opened_windows(str(path))
    np.testing.assert_array_equal(file.read(slice(None), slice(None)), pixels.reshape(-1, 40, 60))
    assert file.scene.mode == {1: "gray", 3: "rgb", 4: "rgba"}[max(1, int(np.prod(lead)))]
    assert file.scene.metadata.dpi == pytest.approx((25400 / 0.25, 25400 / 0.5)) or file.scene.metadata.dpi is None
    resolution = file.scene.metadata.resolution
    assert resolution is not None
    assert resolution[282].numbers == (40_000,)  # type: ignore[union-attr]
    assert resolution[283].numbers == (20_000,)  # type: ignore[union-attr]
    assert resolution[296].numbers == (3,)  # type: ignore[union-attr]


def test_another_level_by_its_path(tmp_path: Path) -> None:
    """Its axes and sizes are what the group around it says."""
    pixels = GENERATOR.integers(0, 255, (4, 40, 60), np.uint8)
    path = ome(tmp_path / "in.ome.zarr", pixels, "cyx", 2, (1, 50.0, 25.0))
    file = opened_windows(str(path / "1"))
    np.testing.assert_array_equal(file.read(slice(None), slice(None)), pixels[:, ::2, ::2])
    assert (file.scene.mode, file.scene.metadata.dpi) == ("rgba", pytest.approx((508, 254)))


def test_names_of_axes_come_before_shapes(tmp_path: Path) -> None:
    pixels = GENERATOR.random((30, 20, 3)).astype(np.float32)
    path = written(tmp_path / "in.zarr", pixels, dimension_names=["x", "y", "band"])
    found = opened_windows(str(path)).read(slice(2, 9), slice(5, 30))
    np.testing.assert_array_equal(found, pixels.transpose(2, 1, 0)[:, 2:9, 5:30])


def test_missing_chunks_are_the_fill_value(tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "in.zarr", shape=(40, 50), chunks=(20, 25), dtype="u1", fill_value=7)
    array[:20, :25] = 9
    found = opened_windows(str(tmp_path / "in.zarr")).read(slice(None), slice(None))[0]
    assert (found[:20, :25] == 9).all()
    assert (found[20:] == 7).all()


def test_small_chunks_are_read_several_at_a_time(tmp_path: Path) -> None:
    path = written(tmp_path / "in.zarr", np.zeros((3, 900, 900), np.uint8), chunks=(1, 30, 30))
    assert opened_windows(str(path)).chunk == (390, 390)
    path = written(tmp_path / "large.zarr", np.zeros((3, 900, 900), np.uint8), chunks=(1, 800, 700))
    assert opened_windows(str(path)).chunk == (800, 700)


def test_threads_read_the_same(tmp_path: Path) -> None:
    pixels = GENERATOR.integers(0, 255, (3, 200, 300), np.uint8)
    file = opened_windows(str(written(tmp_path / "in.zarr", pixels, chunks=(1, 64, 64))), cache_bytes=100_000)
    places = [(int(top), int(left)) for top, left in GENERATOR.integers(0, 150, (40, 2))]
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda at: file.read(slice(at[0], at[0] + 40), slice(at[1], at[1] + 50)), places)
        for (top, left), part in zip(places, found, strict=True):
            np.testing.assert_array_equal(part, pixels[:, top : top + 40, left : left + 50])
    file.close()


# Refused


def changed(path: Path, **values: Any) -> Path:
    """Metadata of Zarr 3 or 2 with other values."""
    file = next(file for name in ("zarr.json", ".zarray") if (file := path / name).exists())
    file.write_text(json.dumps(json.loads(file.read_text()) | values))
    return path


@pytest.mark.parametrize(
    ("pixels", "match"),
    [
        (np.zeros((2, 20, 30, 3), "u1"), r"has shape \(2, 20, 30, 3\).*save one of them by itself"),
        (np.zeros((2, 3, 20, 30), "f4"), "one picture at a time is read"),
        (np.zeros(5), r"use \(H, W\) or \(C, H, W\)"),
        (np.zeros((5, 5), complex), "has values of type complex128: save real numbers"),
    ],
)
def test_arrays_that_are_no_picture(pixels: np.ndarray, match: str, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=match):
        opened_windows(str(written(tmp_path / "in.zarr", pixels)))


def test_a_volume_names_its_axis(tmp_path: Path) -> None:
    path = ome(tmp_path / "in.ome.zarr", np.zeros((5, 20, 30), np.uint8), "zyx")
    with pytest.raises(ImageError, match="has 5 pictures along its axis 'z': one picture at a time is read"):
        opened_windows(str(path))


def test_a_group_without_a_picture(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "in.zarr").create_array("deep", shape=(4, 4), dtype="u1")
    with pytest.raises(ImageError, match=r"is a group of Zarr without a picture .*: name an array in it: deep"):
        opened_windows(str(tmp_path / "in.zarr"))


def test_a_large_chunk_is_refused(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "in.zarr", shape=(1 << 20, 1 << 20), chunks=(1 << 16, 1 << 16), dtype="u1")
    with pytest.raises(ImageError, match=r"its chunks of \(65536, 65536\) have 4.0 GiB, more than 1"):
        opened_windows(str(tmp_path / "in.zarr"))


class Harm:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("change", [{"compressor": {"id": "pickle"}}, {"filters": [{"id": "pickle"}]}, {"dtype": "|O"}])
def test_no_pickled_chunk_is_ever_opened(change: dict[str, Any], tmp_path: Path) -> None:
    """It would run what it says."""
    path = written(tmp_path / "in.zarr", np.ones((20, 30), "u1"), zarr_format=2, chunks=(20, 30))
    (path / "0.0").write_bytes(pickle.dumps(Harm(tmp_path / "harm")))
    changed(path, **change)
    with pytest.raises(ImageError):
        opened_windows(str(path)).read(slice(None), slice(None))
    assert not (tmp_path / "harm").exists()


def test_other_codecs_are_not_taken(tmp_path: Path) -> None:
    path = written(tmp_path / "in.zarr", np.zeros((20, 30), "u1"), zarr_format=2)
    changed(path, filters=[{"id": "base64"}])
    with pytest.raises(
        ImageError, match="has the codec 'base64', which is not taken: write it with another, such as zstd"
    ):
        opened_windows(str(path))


def test_damage_is_told_in_one_line(tmp_path: Path) -> None:
    path = written(tmp_path / "in.zarr", np.ones((40, 50), "u1"), chunks=(20, 25))
    (path / "c" / "1" / "0").write_bytes(b"no such data")
    file = opened_windows(str(path))
    with pytest.raises(ImageError, match="cannot be decoded: the part at 0,0: ") as told:
        file.read(slice(None), slice(None))
    assert "\n" not in str(told.value)
    for damage in ("{", json.dumps({"zarr_format": 3}), json.dumps({"zarr_format": 9, "node_type": "array"})):
        (path / "zarr.json").write_text(damage)
        with pytest.raises(ImageError, match=r"cannot be decoded|is a group of Zarr without a picture") as told:
            opened_windows(str(path))
        assert "\n" not in str(told.value)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="is a folder: name a file, or a Zarr"):
        opened_windows(str(tmp_path))


def test_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "in.zarr", np.zeros((20, 30), "u1"))
    monkeypatch.setattr(extras, "is_installed", lambda name: name != "zarr")
    with pytest.raises(
        ImageError, match=r"is a Zarr, which needs zarr: it is not installed; pip install 'convcli\[scale\]'"
    ):
        opened_windows(str(path))


def test_identity_follows_the_metadata(tmp_path: Path) -> None:
    path = written(tmp_path / "in.zarr", np.zeros((20, 30), "u1"))
    before = identity_of(str(path))
    assert identity_of(str(path)) == before
    changed(path, attributes={"a": 1})
    assert identity_of(str(path)) != before


def test_over_a_store_in_memory(tmp_path: Path) -> None:
    pixels = GENERATOR.integers(0, 255, (3, 40, 60), np.uint8)
    path = ome(tmp_path / "in.ome.zarr", pixels, "cyx")
    memory = pytest.importorskip("fsspec").filesystem("memory")
    for file in path.rglob("*"):
        if file.is_file():
            memory.pipe_file(f"/windows/in.ome.zarr/{file.relative_to(path)}", file.read_bytes())
    for name in ("memory://windows/in.ome.zarr", "memory://windows/in.ome.zarr/0"):
        file = opened_windows(name)
        np.testing.assert_array_equal(file.read(slice(5, 33), slice(1, 60)), pixels[:, 5:33, 1:60])
        assert identity_of(name)
