"""What is opened in windows, and how others are refused."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from convcli.errors import ImageError
from convcli.images.reading.windows import identity_of, opened_windows
from support.servers import serving
from support.windows import as_the_reader

PIXELS = np.random.default_rng(1).integers(0, 256, (60, 70, 3), np.uint8)
PART = slice(20, 41), slice(3, 70)


def test_the_content_decides(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "in.npy", PIXELS, photometric="rgb")
    assert opened_windows(str(tmp_path / "in.npy")).format == "TIFF"
    with (tmp_path / "in.tif").open("wb") as to:
        np.save(to, PIXELS)
    assert opened_windows(str(tmp_path / "in.tif")).format == "NPY"
    (tmp_path / "in").write_bytes(b"P5 1 1 255\n7")
    assert opened_windows(str(tmp_path / "in")).format == "PPM"


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_others_are_converted_first(kind: str, tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / f"in.{kind}")
    with pytest.raises(ImageError) as told:
        opened_windows(str(tmp_path / f"in.{kind}"))
    name = {"png": "PNG", "jpg": "JPEG"}[kind]
    assert str(told.value) == (
        f"input '{tmp_path}/in.{kind}' cannot be read in parts: it is {name}; convert it first: "
        f"vips copy {tmp_path}/in.{kind} big.tif[tile,compression=deflate]"
    )


def test_what_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"no picture at all")
    with pytest.raises(ImageError, match="it is of a format that is not read so"):
        opened_windows(str(tmp_path / "in"))
    (tmp_path / "in").write_bytes(b"")
    with pytest.raises(ImageError, match="is empty"):
        opened_windows(str(tmp_path / "in"))
    with pytest.raises(ImageError, match="there is no such file"):
        opened_windows(str(tmp_path / "none"))


def test_identity_changes_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "in.ppm"
    path.write_bytes(b"P5 1 1 255\n7")
    before = identity_of(str(path))
    assert before.startswith("12 bytes, ")
    path.write_bytes(b"P5 1 1 255\n8")
    import os

    os.utime(path, ns=(1, 5))
    assert identity_of(str(path)) == "12 bytes, 5 ns"


def files(folder: Path) -> list[Path]:
    tifffile.imwrite(folder / "tiles.tif", PIXELS, photometric="rgb", tile=(16, 32), compression="zlib", metadata=None)
    tifffile.imwrite(folder / "lzw.tif", PIXELS, photometric="rgb", rowsperstrip=9, compression="lzw", metadata=None)
    np.save(folder / "in.npy", PIXELS.transpose(2, 0, 1))
    Image.fromarray(PIXELS).save(folder / "in.ppm")
    return [folder / name for name in ("tiles.tif", "lzw.tif", "in.npy", "in.ppm")]


def test_behind_a_server_that_answers_ranges(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    paths = files(tmp_path)
    with serving(tmp_path) as server:
        for path in paths:
            address = f"{server.address}/{path.name}"
            as_the_reader(path, PART, file=address).close()
            assert identity_of(address) == f"{path.stat().st_size} bytes, one"
    assert all(wanted is not None for _, wanted in server.asked)


def test_only_ranges_of_a_remote_picture_are_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    noise = np.random.default_rng(1).integers(0, 256, (900, 900, 3), np.uint8)
    tifffile.imwrite(tmp_path / "in.tif", noise, photometric="rgb", tile=(128, 128), compression="zlib", metadata=None)
    with serving(tmp_path) as server:
        file = opened_windows(f"{server.address}/in.tif")
        opened = len(server.asked)
        found = file.read(slice(130, 250), slice(140, 500))
        np.testing.assert_array_equal(found, np.moveaxis(noise[130:250, 140:500], -1, 0))
        assert len(server.asked) == opened + 3  # tiles


def test_in_memory(tmp_path: Path) -> None:
    memory = pytest.importorskip("fsspec").filesystem("memory")
    for path in files(tmp_path):
        memory.pipe_file(f"/some/{path.name}", path.read_bytes())
        as_the_reader(path, PART, file=f"memory://some/{path.name}")
