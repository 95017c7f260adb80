"""Pictures beyond memory: memmaps, Zarr arrays and other objects, in blocks, here and on a Dask client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import convcli
from convcli.library import pieces

zarr = pytest.importorskip("zarr")
IMAGE = np.random.default_rng(0).integers(0, 256, (3, 150, 170), np.uint8)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "BLOCK_VALUES", 1 << 12)
    monkeypatch.setattr(pieces, "WIDEST", 64)


def array_in(folder: Path, name: str, shape: tuple[int, ...], chunks: tuple[int, ...], kind: str, **more: Any) -> Any:
    return zarr.create_array(str(folder / name), shape=shape, chunks=chunks, dtype=kind, **more)


@pytest.fixture
def picture(tmp_path: Path) -> Any:
    """A Zarr array."""
    made = array_in(tmp_path, "in.zarr", IMAGE.shape, (1, 40, 50), "u1")
    made[:] = IMAGE
    return made


@pytest.mark.parametrize(
    ("kernel", "arguments"),
    [
        ("gaussian:3", {"padding": "same", "padding_mode": "reflect"}),
        ("sobel", {"padding": "same", "padding_mode": "circular"}),
        ("box:5", {"stride": (2, 3), "dilation": 2}),
        ("sharpen", {"channels": "gray", "padding": 1, "bias": "10%"}),
        (np.random.default_rng(1).normal(size=(2, 3, 3, 3)), {"bias": [1, 2]}),
    ],
)
def test_zarr_to_zarr(kernel: Any, arguments: dict[str, Any], picture: Any, tmp_path: Path) -> None:
    expected = convcli.conv2d(IMAGE, kernel, **arguments)
    out = array_in(tmp_path, "out.zarr", expected.shape, (len(expected), 32, 48), "f4")
    assert convcli.conv2d(picture, kernel, **arguments, out=out) is out
    np.testing.assert_array_equal(out[:], expected)
    np.testing.assert_array_equal(convcli.conv2d(picture, kernel, **arguments), expected)


def test_transposed_and_shards(picture: Any, tmp_path: Path) -> None:
    expected = convcli.conv_transpose2d(IMAGE, "bilinear:2", stride=2, padding="same-upper", padding_mode="replicate")
    out = array_in(tmp_path, "out.zarr", expected.shape, (1, 16, 20), "f4", shards=(3, 64, 60))
    convcli.conv_transpose2d(picture, "bilinear:2", stride=2, padding="same-upper", padding_mode="replicate", out=out)
    np.testing.assert_array_equal(out[:], expected)
    assert pieces._grid(out, pieces.Form(3, 0)) == (64, 60)


@pytest.mark.parametrize("policy", ["clip", "minmax", (0, 300)])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_memmap_to_memmap(policy: Any, kind: str, tmp_path: Path) -> None:
    image = np.lib.format.open_memmap(tmp_path / "in.npy", "w+", ">u2", IMAGE.shape[1:])
    image[:] = IMAGE[0].astype(np.uint16) * 257
    out = np.lib.format.open_memmap(tmp_path / "out.npy", "w+", kind, IMAGE.shape[1:])
    convcli.conv2d(image, "sobel", padding="same", out=out, range=policy)
    expected = np.empty(out.shape, kind)
    convcli.conv2d(np.array(image), "sobel", padding="same", out=expected, range=policy)
    np.testing.assert_array_equal(out, expected)


def test_batches_and_axes(tmp_path: Path) -> None:
    batch = np.random.default_rng(2).random((3, 70, 80, 2)).astype(np.float32)
    out = np.memmap(tmp_path / "out", "f4", "w+", shape=batch.shape)
    convcli.conv2d(batch, "gaussian:2", padding="same", channel_axis=-1, out=out)
    np.testing.assert_array_equal(out, convcli.conv2d(batch, "gaussian:2", padding="same", channel_axis=-1))
    planes = np.memmap(tmp_path / "planes", "f4", "w+", shape=(2, 70, 80))
    convcli.conv2d(batch[0, ..., 0], "sobel", padding="same", combine="none", out=planes)
    np.testing.assert_array_equal(planes, convcli.conv2d(batch[0, ..., 0], "sobel", padding="same", combine="none"))


class Sink:
    """Takes windows, and refuses two that share a chunk at once."""

    def __init__(self, shape: tuple[int, ...], chunks: tuple[int, ...]) -> None:
        self.array, self.shape, self.dtype, self.chunks = np.zeros(shape, np.float32), shape, np.dtype("f4"), chunks
        self.written: set[tuple[int, int]] = set()
        self.lock = Lock()

    def __getitem__(self, window: Any) -> np.ndarray:
        raise AssertionError("nothing is read")

    def __setitem__(self, window: tuple[slice, ...], values: np.ndarray) -> None:
        rows, columns = window[-2:]
        down, along = self.chunks[-2:]
        mine = {
            (y, x)
            for y in range(rows.start // down, -(-rows.stop // down))
            for x in range(columns.start // along, -(-columns.stop // along))
        }
        with self.lock:
            assert not mine & self.written, "a chunk is written twice"
            self.written |= mine
        self.array[window] = values


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.tuples(st.integers(1, 90), st.integers(1, 90)), st.tuples(st.integers(1, 99), st.integers(1, 99)), st.integers(1, 3)
)  # fmt: skip
def test_no_chunk_is_written_by_two_blocks(size: tuple[int, int], chunks: tuple[int, int], stride: int) -> None:
    image = np.random.default_rng(0).random((1, *size)).astype(np.float32)
    expected = convcli.conv2d(image, "gaussian:1", padding="same-upper", stride=stride, channel_axis=0)
    sink = Sink(expected.shape, (1, *chunks))
    convcli.conv2d(image, "gaussian:1", padding="same-upper", stride=stride, channel_axis=0, out=sink)
    np.testing.assert_array_equal(sink.array, expected)


def test_memory_is_bounded(tmp_path: Path) -> None:
    """Windows of the image are small: what the tiles of a block read."""

    class Lazy:
        shape, dtype = (4096, 4096), np.dtype("u1")
        largest = 0

        def __getitem__(self, window: tuple[slice, slice]) -> np.ndarray:
            size = [part.stop - part.start for part in window]
            Lazy.largest = max(Lazy.largest, size[0] * size[1])
            return np.zeros(size, np.uint8)

    out = np.memmap(tmp_path / "out", "u1", "w+", shape=(512, 512))
    convcli.conv2d(Lazy(), "box:8", stride=8, out=out, range="clip")
    assert 0 < Lazy.largest < 1 << 22 < np.prod(Lazy.shape)


def test_an_image_is_not_its_own_target(picture: Any, tmp_path: Path) -> None:
    again = zarr.open_array(str(tmp_path / "in.zarr"))
    mapped = np.lib.format.open_memmap(tmp_path / "m.npy", "w+", "u1", (40, 50))
    other = np.load(tmp_path / "m.npy", mmap_mode="r+")
    for image, out in ((picture, picture), (picture, again), (mapped, mapped), (mapped, other), (mapped, mapped[:])):
        with pytest.raises(ValueError, match="out is the image"):
            convcli.conv2d(image, "box:3", padding="same", out=out, range="clip")


def test_an_error_of_a_block_is_told(tmp_path: Path) -> None:
    class Broken:
        shape, dtype = (400, 400), np.dtype("u1")

        def __getitem__(self, window: Any) -> np.ndarray:
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        convcli.conv2d(Broken(), "box:3", out=np.memmap(tmp_path / "o", "f4", "w+", shape=(398, 398)))


def test_blocks_are_numpys(picture: Any, tmp_path: Path) -> None:
    out = array_in(tmp_path, "out.zarr", IMAGE.shape, (1, 50, 50), "f4")
    with pytest.raises(ValueError, match="use backend='numpy' on the CPU"):
        convcli.conv2d(picture, "box:3", padding="same", out=out, backend="torch")


# On a Dask client


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        distributed.Client(cluster, set_as_default=False) as made,
    ):
        yield made


@pytest.mark.filterwarnings("ignore")
def test_on_a_client(client: Any, picture: Any, tmp_path: Path) -> None:
    expected = convcli.conv2d(IMAGE, "gaussian:2", padding="same")
    out = array_in(tmp_path, "out.zarr", IMAGE.shape, (3, 50, 60), "f4")
    convcli.conv2d(picture, "gaussian:2", padding="same", out=out, client=client)
    np.testing.assert_array_equal(out[:], expected)
    image = np.lib.format.open_memmap(tmp_path / "in.npy", "w+", "u1", IMAGE.shape)
    image[:] = IMAGE
    mapped = np.lib.format.open_memmap(tmp_path / "out.npy", "w+", "u1", IMAGE.shape)
    convcli.conv2d(image, "sobel", padding="same", out=mapped, range="minmax", client=client)
    stretched = np.empty_like(IMAGE)
    convcli.conv2d(IMAGE, "sobel", padding="same", out=stretched, range="minmax")
    np.testing.assert_array_equal(mapped, stretched)
    convcli.conv2d(image[1], "box:3", padding="same", out=mapped[2], range="clip", client=client)
    np.testing.assert_array_equal(mapped[2], np.rint(convcli.conv2d(IMAGE[1], "box:3", padding="same")))
    assert client.run(lambda: 1)  # it is still the caller's


@pytest.mark.filterwarnings("ignore")
def test_what_a_client_cannot_reach(client: Any, picture: Any, tmp_path: Path) -> None:
    out = array_in(tmp_path, "out.zarr", IMAGE.shape, (3, 50, 60), "f4")
    with pytest.raises(ValueError, match="image is in the memory of this process"):
        convcli.conv2d(IMAGE, "box:3", padding="same", out=out, client=client)
    inside = zarr.create_array(zarr.storage.MemoryStore(), shape=IMAGE.shape, chunks=(3, 50, 60), dtype="f4")
    for target in (np.zeros(IMAGE.shape), inside):
        with pytest.raises(ValueError, match="out is in the memory of this process"):
            convcli.conv2d(picture, "box:3", padding="same", out=target, client=client)
    with pytest.raises(ValueError, match="give it as out"):
        convcli.conv2d(picture, "box:3", padding="same", client=client)
    with pytest.raises(ValueError, match="no Dask client"):
        convcli.conv2d(picture, "box:3", padding="same", out=out, client="local")
    (tmp_path / "in.zarr").rename(tmp_path / "gone.zarr")
    with pytest.raises(ValueError, match="does not see"):
        convcli.conv2d(picture, "box:3", padding="same", out=out, client=client)
