"""Strips are put once each, in any order, as soon as their rows are there."""

from __future__ import annotations

import gc
import itertools
import os
import subprocess
import weakref
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convcli import images
from convcli.images import formats
from convcli.images.writing import jpeg, netpbm, stored
from convcli.images.writing.strips import Strips
from support.cli import SAMPLES, done, run
from support.pictures import read


class Noted(Strips):
    """Notes what is put."""

    def __init__(self, height: int, rows: int) -> None:
        super().__init__(height, rows)
        self.found: list[tuple[int, list[int]]] = []

    def put(self, number: int, pixels: np.ndarray) -> None:
        self.found.append((number, pixels[:, 0, 0].tolist()))


@given(data=st.data(), height=st.integers(1, 60), rows=st.integers(1, 70))
def test_each_is_put_when_its_last_row_is_told(data: st.DataObject, height: int, rows: int) -> None:
    cuts = sorted({0, height, *data.draw(st.lists(st.integers(0, height), max_size=9))})
    parts = [range(*pair) for pair in itertools.pairwise(cuts)]
    order = data.draw(st.permutations(parts))
    count = data.draw(st.integers(0, len(order)))
    picture = np.zeros((1, height, 1), int)
    strips, told = Noted(height, rows), set[int]()
    for part in order[:count]:
        picture[0, part.start : part.stop, 0] = part  # the others are not there yet
        strips.watch(picture, part)
        told.update(part)
        assert {number for number, _ in strips.found} == {
            number for number, strip in enumerate(strips.strips) if told.issuperset(strip)
        }
    picture[0, :, 0] = range(height)
    strips.finish(np.moveaxis(picture, 0, -1), 2)
    assert sorted(strips.found) == [(number, [*strip]) for number, strip in enumerate(strips.strips)]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.open(SAMPLES / "coffee.jpg").convert("RGB").resize((900, 1100)).save(tmp_path / "in.png")
    return tmp_path


@pytest.mark.parametrize(
    ("source", "target", "more"),
    [
        ("in.png", "out.ppm", ()),
        ("in.png", "out.pgm", ()),
        ("in.png", "out.pgm", ("--channels", "gray")),
        ("in.png", "out.ppm", ("--range", "minmax")),
        ("in.png", "out.ppm", ("--backend", "torch")),
        ("deep.ppm", "out.ppm", ()),
        ("in.jpg", "out.ppm", ("--linear",)),
        ("in.jpg", "out.jpg", ("--backend", "torch")),
        ("in.png", "out.npy", ()),
        ("in.png", "out.npy", ("--channels", "gray")),
        ("in.png", "out.npy", ("--range", "clip")),
        ("in.png", "out.npy", ("--dtype", "float64")),
        ("in.npy", "out.npy", ()),
        ("flat.npy", "out.npy", ()),
        ("half.npy", "out.npy", ()),
    ],
)
def test_a_file_is_the_same_without_them(
    source: str, target: str, more: tuple[str, ...], photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.open(photo / "in.png").save(photo / "in.jpg")
    planes = np.moveaxis(np.asarray(Image.open(photo / "in.png")), -1, 0) / np.float32(255)
    np.save(photo / "in.npy", planes)
    np.save(photo / "flat.npy", planes[0])
    np.save(photo / "half.npy", planes.astype(np.float16))
    deep = np.asarray(Image.open(photo / "in.png")).astype(">u2") * 3
    (photo / "deep.ppm").write_bytes(b"P6 900 1100 765\n" + deep.tobytes())
    line = ("apply", source, "-k", "sharpen", "-p", "same", *more)
    found = done(*line, "-o", target, cwd=photo)
    (photo / target).rename(photo / "early")
    monkeypatch.setattr(formats, "beginner", lambda _: None)
    assert done(*line, "-o", target, cwd=photo).err == found.err
    assert (photo / target).read_bytes() == (photo / "early").read_bytes()


def test_they_are_put_while_the_picture_is_computed(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the time that the writer has the picture, none is left; a pipe is written at the end."""
    left: list[int] = []
    finish = Strips.finish

    def noted(self: Strips, pixels: np.ndarray, threads: int | None) -> None:
        left.append(sum(map(bool, self._left)))
        finish(self, pixels, threads)

    monkeypatch.setattr(Strips, "finish", noted)
    done("apply", "in.png", "-k", "sharpen", "-o", "out.jpg", cwd=photo)
    assert left == [0]
    piped = done("apply", "in.png", "-k", "sharpen", "-o", "-", "--format", "jpg", cwd=photo).out
    assert left == [0, 0]
    assert piped == (photo / "out.jpg").read_bytes()


@pytest.mark.parametrize("name", ["in.ppm", "flat.pgm", "in.npy", "flat.npy"])
def test_stored_pixels_are_written_in_pieces(name: str, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To a file and to a pipe, the same as in one."""
    planes = np.moveaxis(np.asarray(Image.open(photo / "in.png")), -1, 0)
    if name.endswith("npy"):
        np.save(photo / name, (planes if name == "in.npy" else planes[0]) / np.float32(255))
    else:
        Image.open(photo / "in.png").convert("RGB" if name == "in.ppm" else "L").save(photo / name)
    line = ("apply", name, "-k", "sharpen", "-p", "same", "-o")
    done(*line, f"pieces-{name}", cwd=photo)
    found = (photo / f"pieces-{name}").read_bytes()
    assert done(*line, "-", cwd=photo).out == found
    monkeypatch.setattr(netpbm, "PIECE_BYTES", 1 << 40)
    monkeypatch.setattr(stored, "STRIP_BYTES", 1 << 40)
    done(*line, f"one-{name}", cwd=photo)
    assert (photo / f"one-{name}").read_bytes() == found
    assert read_back(photo / f"one-{name}").shape[-2:] == (1100, 900)


def read_back(path: Path) -> np.ndarray:
    return np.load(path) if path.suffix == ".npy" else read(path)


def test_strips_are_freed_with_the_job(photo: Path) -> None:
    """They hold a coded file. In a batch, the next collection of garbage may be many files away."""
    storage = images.Storage("JPEG", "rgb", "uint8", 1.0, 255.0, "clip")
    gc.disable()
    try:
        with images.Job(str(photo / "out.jpg"), "JPEG") as job:
            job.begin(storage, (3, 2000, 1000), images.Metadata("PNG"))
            strips = weakref.ref(job.strips)
            assert strips() is not None
        del job
        assert strips() is None
    finally:
        gc.enable()


def test_in_place(photo: Path) -> None:
    done("apply", "in.png", "-k", "identity", "-o", "in.ppm", cwd=photo)
    before = read(photo / "in.ppm")
    done("apply", "in.ppm", "-k", "-1", "--bias", "255", "--in-place", cwd=photo)
    np.testing.assert_array_equal(read(photo / "in.ppm"), 255 - before)


@pytest.mark.parametrize("target", ["out.ppm", "out.jpg", "out.npy"])
def test_an_error_while_it_is_computed_leaves_nothing(
    target: str, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a new file nor a change of the old one."""
    (photo / target).write_bytes(b"old")

    def fails(*_: object) -> None:
        raise ValueError("odd")

    monkeypatch.setattr(jpeg.through_pillow, "_save", fails)
    monkeypatch.setattr(stored.File, "write", fails_after_the_head())
    monkeypatch.setattr(netpbm, "stored", full)
    result = run("apply", "in.png", "-k", "sharpen", "-o", target, "--overwrite", cwd=photo)
    assert result.code == 2
    assert len(result.err.splitlines()) == 1
    assert "cannot be written" in result.err
    assert (photo / target).read_bytes() == b"old"
    assert sorted(path.name for path in photo.iterdir()) == ["in.png", target]


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def fails_after_the_head() -> object:
    write = stored.File.write

    def fails(self: object, data: bytes, place: int) -> None:
        if place:
            raise OSError(28, "No space left on device")
        write(self, data, place)  # type: ignore[arg-type]

    return fails


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a file system")
def test_a_full_disk(photo: Path) -> None:
    """A real one, of 2 MB."""
    disk = photo / "disk"
    disk.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(disk)]
    if subprocess.run(mounted, capture_output=True, check=False).returncode:
        pytest.skip("cannot mount here")
    try:
        result = run("apply", "in.png", "-k", "sharpen", "-o", "disk/out.ppm", cwd=photo)
        assert result.code == 2
        assert "output 'disk/out.ppm' cannot be written: the disk is full" in result.err
        assert len(result.err.splitlines()) == 1
        assert [*disk.iterdir()] == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)
