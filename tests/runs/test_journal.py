"""The journal of a picture in blocks: what another run goes on with, and what it refuses."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import tifffile

from convcli.errors import ImageError
from convcli.geometry import Size
from convcli.runs import block_setup, block_work, journal_objects
from convcli.runs.journal import Journal
from support.cli import Result, done, run

PIXELS = np.random.default_rng(0).integers(0, 256, (1100, 1500, 3), np.uint8)
COUNT = 9


@pytest.fixture(autouse=True)
def store() -> Iterator[Any]:
    """An empty store."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small blocks."""
    monkeypatch.setattr(block_work, "LARGEST", Size(512, 512))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, PIXELS, tile=(128, 128), photometric="rgb")
    return path


def words(source: Path, target: object, kernel: str = "sobel-x") -> list[object]:
    return ["apply", source, "-k", kernel, "-p", "same", "--memory", "1G", "--threads", 1, "--json", "-o", target]


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Runs a command until so many blocks are in its journal, then fails without a word to anybody, as after SIGKILL."""

    class Killed(BaseException):
        pass

    def stop(count: int, *words: object) -> None:
        real, added = Journal.add, list[str]()

        def add(self: Journal, block: str, **entry: Any) -> None:
            if len(added) == count:
                raise Killed
            added.append(block)
            real(self, block, **entry)
            self._lines.save()

        with monkeypatch.context() as patch:
            patch.setattr(Journal, "add", add)
            patch.setattr(Journal, "close", lambda self: None)
            with pytest.raises(Killed):
                run(*words)

    return stop


def refused(result: Result) -> str:
    assert result.code in (1, 2), result.err
    assert result.err.count("\n") == 1
    return result.err


TARGETS = ["out.tif", "memory://out/x.zarr"]


@pytest.mark.parametrize("name", TARGETS)
def test_it_goes_on(name: str, source: Path, tmp_path: Path, stopped: Any, store: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(journal_objects, "ALIVE", 0.0)
    target = name if "://" in name else tmp_path / name
    whole = done(*words(source, tmp_path / "whole.tif")).json
    stopped(4, *words(source, target))
    result = done(*words(source, target), "--skip-existing").json
    assert result["blocks"]["done_before"] == 4
    assert result["blocks"]["count"] == COUNT
    assert result["clipped"] == whole["clipped"]
    done("apply", target, "-k", "identity", "-o", tmp_path / "back.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "back.tif"), tifffile.imread(tmp_path / "whole.tif"))
    assert not [found for found in store.find("/") if ".convcli" in found]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert done(*words(source, target), "--skip-existing").json["skipped"]


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("kernel", "was begun with another kernel or bias and another --combine: type"),
        ("input", "was begun with another input, or before it was changed: type"),
        ("version", "was begun with another version of convcli: type"),
        ("geometry", "was begun with another stride, padding or dilation: type"),
        ("output", "was begun with another format, --compression or --pyramid: type"),
        ("range", "was begun with another --range or full scale: type"),
        ("operation", "was begun with another choice of channels, alpha, light or precision: type"),
    ],
)
def test_it_refuses_another_run(
    change: str, what: str, name: str, source: Path, tmp_path: Path, stopped: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_objects, "ALIVE", 0.0)
    target = name if "://" in name else tmp_path / name
    stopped(2, *words(source, target))
    if change == "input":
        os.utime(source, ns=(1, 1))
    if change == "version":
        monkeypatch.setattr(block_setup, "__version__", "0.0.1")
    kernel = "sobel" if change == "kernel" else "sobel-x"
    options = {
        "geometry": ["-p", "2"], "output": ["--pyramid"], "range": ["--range", "abs"], "operation": ["--linear"]
    }  # fmt: skip
    line = refused(run(*words(source, target, kernel), *options.get(change, ()), "--skip-existing"))
    assert what in line
    assert ": type the same command, delete '" in line
    done(*words(source, target, kernel))  # which begins again


@pytest.mark.parametrize("name", TARGETS)
def test_it_goes_on_in_the_blocks_that_were_begun(
    name: str, source: Path, tmp_path: Path, stopped: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with more memory, or on workers with more, where it would take larger ones."""
    monkeypatch.setattr(journal_objects, "ALIVE", 0.0)
    target = name if "://" in name else tmp_path / name
    stopped(4, *words(source, target))
    monkeypatch.setattr(block_work, "LARGEST", Size(1024, 4096))
    result = done(*words(source, target), "--skip-existing").json
    assert (result["blocks"]["done_before"], result["blocks"]["count"]) == (4, COUNT)


def test_blocks_that_were_begun_and_do_not_fit_any_more(
    source: Path, tmp_path: Path, stopped: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_work, "LARGEST", Size(1024, 4096))
    stopped(1, *words(source, tmp_path / "out.tif"))
    small = [*words(source, tmp_path / "out.tif"), "--memory", "200M"]
    line = refused(run(*small, "--skip-existing"))
    assert "a block of 1024×1536 values of the result needs" in line
    found = re.search(r"and 200 are allowed: use --memory (\d+M) or more, or leave out --skip-existing for sm", line)
    assert found is not None
    done(*small, "--memory", found[1], "--skip-existing")
    os.unlink(tmp_path / "out.tif")
    done(*small)


def test_blocks_of_a_journal_that_fit_no_target(source: Path, tmp_path: Path, stopped: Any) -> None:
    stopped(1, *words(source, tmp_path / "out.tif"))
    path = tmp_path / ".out.tif.convcli"
    path.write_bytes(path.read_bytes().replace(b'"block":[512,512]', b'"block":[7,0]'))
    line = refused(run(*words(source, tmp_path / "out.tif"), "--skip-existing"))
    assert "was begun with blocks of another size: type" in line


def test_a_torn_line_is_no_line(source: Path, tmp_path: Path, stopped: Any) -> None:
    stopped(4, *words(source, tmp_path / "out.tif"))
    path = tmp_path / ".out.tif.convcli"
    path.write_bytes(path.read_bytes()[:-9])
    result = done(*words(source, tmp_path / "out.tif"), "--skip-existing").json
    assert result["blocks"]["done_before"] == 3
    whole = done(*words(source, tmp_path / "whole.tif")).json
    assert result["clipped"] == whole["clipped"]


def test_a_damaged_journal(source: Path, tmp_path: Path, stopped: Any) -> None:
    stopped(4, *words(source, tmp_path / "out.tif"))
    (tmp_path / ".out.tif.convcli").write_bytes(b"nonsense")
    assert "is damaged: delete it, or leave out --skip-existing" in refused(
        run(*words(source, tmp_path / "out.tif"), "--skip-existing")
    )


def test_a_full_disk(source: Path, tmp_path: Path) -> None:
    """What was written stays, and is completed where there is room again."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mounted, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        line = refused(run(*words(source, disk / "out.tif")))
        assert re.search(r"\d blocks of '.*out.tif' failed, [1-8] of 9 are done: .*the disk is full; ", line)
        assert "--skip-existing goes on" in line
        assert not (disk / "out.tif").exists()
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        result = done(*words(source, disk / "out.tif"), "--skip-existing").json
        whole = done(*words(source, tmp_path / "whole.tif")).json
        assert 1 <= result["blocks"]["done_before"] < COUNT
        assert result["clipped"] == whole["clipped"]
        np.testing.assert_array_equal(tifffile.imread(disk / "out.tif"), tifffile.imread(tmp_path / "whole.tif"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_another_run_is_at_work_behind_the_address(source: Path, stopped: Any, store: Any) -> None:
    """It was killed a moment ago, which nobody can tell."""
    stopped(2, *words(source, "memory://out/x.zarr"))
    kept = store.find("/")
    for more in ([], ["--skip-existing"]):
        line = refused(run(*words(source, "memory://out/x.zarr"), *more))
        assert "output 'memory://out/x.zarr' is being written by another run: it was at work 0 s ago; wait" in line
    assert {*kept} <= {*store.find("/")}


def test_a_run_whose_place_is_taken_says_so(source: Path, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one has begun anew meanwhile, and keeps what it has."""
    monkeypatch.setattr(journal_objects, "ALIVE", 0.0)
    monkeypatch.setattr(journal_objects, "EVERY", 0.0)
    real = Journal.add

    def add(self: Journal, block: str, **entry: Any) -> None:
        monkeypatch.setattr(Journal, "add", real)
        done(*words(source, "memory://out/x.zarr"))
        real(self, block, **entry)

    monkeypatch.setattr(Journal, "add", add)
    line = refused(run(*words(source, "memory://out/x.zarr", "box:3")))
    assert "was begun anew by another run" in line
    assert "/out/x.zarr/zarr.json" in store.find("/")


def test_objects_come_now_and_then(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(journal_objects, "monotonic", lambda: now[0])
    one = Journal("memory://a/x.zarr", {"a": 1})
    assert not one.exists()
    one.begin()
    for number in range(10):
        one.add(f"{number}", receipt=[])
        now[0] += 10
    names = [name for name in store.find("/a") if "lines-" in name]
    assert len(names) == 3
    one.close()
    other = Journal("memory://a/x.zarr", {"a": 1})
    assert other.exists()
    assert [*other.go_on()] == [f"{number}" for number in range(10)]
    other.remove()
    assert store.find("/a") == []


def test_only_a_zarr_is_written_in_blocks_behind_an_address(source: Path, store: Any) -> None:
    line = refused(run(*words(source, "memory://out/x.tif")))
    assert "output 'memory://out/x.tif' cannot be written in blocks as TIFF behind an address: write .zarr, or" in line
    done("apply", source, "-k", "box:3", "-o", "memory://out/x.tif")  # as a whole
    assert store.find("/") == ["/out/x.tif"]


def test_of_another_target_nothing_is_known(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="cannot be read"):
        Journal(str(tmp_path / "out.tif"), {}).go_on()
