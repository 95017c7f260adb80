"""Pictures beyond memory: memmaps, Zarr arrays and other objects, in blocks, here and on a Dask client."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import convcli
from convcli.errors import ConvError
from convcli.library import pieces
from support.cli import environment

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


PEAK = """
import re, sys
import numpy as np, zarr, convcli
def bytes_of(name):
    with open("/proc/self/status") as stream:
        return int(re.search(name + r":\\s+(\\d+)", stream.read())[1]) << 10
def arrays(side):
    made = [zarr.create_array(f"{side}{name}", shape=(3, side, side), chunks=(1, 250, 250), dtype=kind, fill_value=7)
            for name, kind in (("in", "u1"), ("out", "f4"))]
    return made
image, out = arrays(500)
convcli.conv2d(image, "gaussian:3", padding="same", out=out, threads=1)  # all is imported
image, out = arrays(3000)
with open("/proc/self/clear_refs", "w") as stream:
    stream.write("5")
before = bytes_of("VmRSS")
convcli.conv2d(image, "gaussian:3", padding="same", out=out, threads=8, memory=eval(sys.argv[1]))
print(bytes_of("VmHWM") - before)
"""


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="the peak of a process is read as Linux tells it"
)
def test_memory_is_what_blocks_take(tmp_path: Path) -> None:
    """The peak of a process beyond what it had before the call."""

    def peak(memory: str) -> int:
        folder = tmp_path / memory.strip("'")
        folder.mkdir()
        command = [sys.executable, "-c", PEAK, memory]
        ended = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        return int(ended.stdout)

    bounded = peak("'64M'")
    assert bounded < 64 << 20
    assert peak("None") > 1.5 * bounded


@pytest.mark.parametrize("memory", ["64M", 1 << 22, 1 << 23])
def test_values_do_not_depend_on_memory(memory: Any, picture: Any, tmp_path: Path) -> None:
    expected = convcli.conv2d(IMAGE, "gaussian:3", padding="same")
    out = array_in(tmp_path, "out.zarr", expected.shape, (1, 8, 12), "f4")
    small = array_in(tmp_path, "small.zarr", IMAGE.shape, (1, 8, 12), "u1")
    small[:] = IMAGE
    assert convcli.conv2d(small, "gaussian:3", padding="same", out=out, memory=memory) is out
    np.testing.assert_array_equal(out[:], expected)
    array = np.empty_like(expected)  # arrays in memory, too
    convcli.conv2d(IMAGE, "gaussian:3", padding="same", out=array, memory=memory)
    np.testing.assert_array_equal(array, expected)


def test_the_largest_blocks_that_fit() -> None:
    class Bench:
        def needs(self, size: Any) -> int:
            return int(size.height * size.width)

    def fitting(memory: int, threads: int = 4) -> tuple[tuple[int, int], int]:
        size, count = pieces._fitting(Bench(), pieces.Size(600, 1000), pieces.Size(50, 100), threads, memory)  # type: ignore[arg-type]
        return tuple(size), count  # type: ignore[return-value]

    assert fitting(2_400_000) == ((600, 1000), 4)
    assert fitting(2_399_999) == ((300, 1000), 4)
    assert fitting(1_199_999) == ((150, 1000), 4)
    assert fitting(599_999) == ((150, 500), 4)
    assert fitting(20_000) == ((50, 100), 4)
    assert fitting(19_999) == ((50, 100), 2)
    assert fitting(5_000) == ((50, 100), 1)
    with pytest.raises(ConvError, match="a block of 50×100 values of the result needs"):
        fitting(4_999)


def test_where_memory_does_not_suit(picture: Any, tmp_path: Path) -> None:
    out = array_in(tmp_path, "out.zarr", IMAGE.shape, (3, 150, 170), "f4")
    with pytest.raises(
        ValueError, match=r"a block of 150×170 values .* MiB, and 0 are allowed: use memory='64M' or more"
    ):
        convcli.conv2d(picture, "box:3", padding="same", out=out, memory=1000)
    with pytest.raises(ValueError, match=r"memory needs a place for the result .*: give it as out"):
        convcli.conv2d(picture, "box:3", memory="64M")
    tensor = torch.empty(IMAGE.shape)
    with pytest.raises(ValueError, match="memory is for blocks, and a tensor"):
        convcli.conv2d(picture, "box:3", padding="same", out=tensor, memory="64M")
    with pytest.raises(
        ValueError, match="memory 'much' is not an amount of memory from 64M up: use '512M' or '2G', or bytes"
    ):
        convcli.conv2d(picture, "box:3", padding="same", out=out, memory="much")


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


@pytest.mark.filterwarnings("ignore")
def test_a_client_that_is_closed(client: Any, picture: Any, tmp_path: Path) -> None:
    out = array_in(tmp_path, "out.zarr", IMAGE.shape, (3, 50, 60), "f4")
    convcli.conv2d(picture, "box:3", padding="same", out=out, client=client, memory="64M")
    np.testing.assert_array_equal(out[:], convcli.conv2d(IMAGE, "box:3", padding="same"))
    other = type(client)(client.scheduler.address, set_as_default=False)
    other.close()
    with pytest.raises(ValueError, match="client is closed: connect a new one"):
        convcli.conv2d(picture, "box:3", padding="same", out=out, client=other)
