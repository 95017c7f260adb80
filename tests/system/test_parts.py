"""Unfinished outputs."""

import builtins
import errno
import os
from pathlib import Path
from typing import Any

import pytest

from convcli.errors import ImageError
from convcli.system.parts import Joined, Part


def test_systems_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def unknown(*_: Any) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", unknown)
        part = Part(str(tmp_path / "a"))
        part.begin()
        part.commit()
    usual = builtins.__import__

    def without(name: str, *args: Any, **more: Any) -> Any:
        if name == "fcntl":
            raise ImportError(name)
        return usual(name, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "__import__", without)
        part = Part(str(tmp_path / "b"))
        part.begin()
        part.commit()
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_a_part_that_is_renamed_while_another_run_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between opening and locking, the run that had it may end: what is locked then is a finished output."""
    import convcli.system.parts as module

    first, second = Part(str(tmp_path / "out")), Part(str(tmp_path / "out"))
    first.begin()
    os.write(first.descriptor, b"first")
    usual, waited = module._lock, []

    def late(descriptor: int, target: str, name: Path) -> None:
        if not waited:
            waited.append(name)
            first.commit()
        usual(descriptor, target, name)

    monkeypatch.setattr(module, "_lock", late)
    second.begin()
    assert waited
    os.write(second.descriptor, b"second")
    assert (tmp_path / "out").read_text() == "first"
    second.commit()
    assert (tmp_path / "out").read_text() == "second"
    first.begin()
    waited.clear()
    with pytest.raises(ImageError, match="cannot go on"):
        second.resume()
    assert waited


def test_parts_of_other_outputs_stay(tmp_path: Path) -> None:
    others = [".out.part-zz", ".out.partition-1", ".out.part-1.part", "out.part-1", ".other.part-1"]
    for name in others:
        (tmp_path / name).touch()
    part = Part(str(tmp_path / "out"))
    part.begin()
    part.other("1f").touch()
    assert [path.name for path in part.others()] == [".out.part-1f"]
    part.commit()
    assert sorted(os.listdir(tmp_path)) == sorted([*others, "out"])


def test_a_symlink_is_followed(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "far" / "real")
    part = Part(str(tmp_path / "out"))
    part.begin()
    assert [path.name for path in (tmp_path / "far").iterdir()] == [".real.part"]
    part.commit()
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "far" / "real").is_file()


def test_a_folder_that_cannot_be_put_in_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "old").touch()
    part = Part(str(target), folder=True)
    part.begin()
    usual = os.replace

    def refused(source: Path, to: Path) -> None:
        if source == part.name:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        usual(source, to)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refused)
        with pytest.raises(ImageError, match="cannot be written"):
            part.commit()
    assert [path.name for path in target.iterdir()] == ["old"]
    part.commit()
    assert [*target.iterdir()] == []
    assert os.listdir(tmp_path) == ["out"]


def test_each_process_has_a_part_of_its_own(tmp_path: Path) -> None:
    part = Part(str(tmp_path / "out"))
    part.begin()
    one, two, shared = Joined(part, True), Joined(part, True), Joined(part, False)
    assert one.file() is one.file()
    two.file().append(b"two")
    shared.file().append(b"shared")
    assert len({one.file().name, two.file().name, shared.file().name}) == 3
    assert part.other(two.file().name).read_bytes() == b"two"
    assert part.name.read_bytes() == b"shared"
    for joined in (one, two, shared):
        joined.sync()
        joined.close()
        joined.close()
    part.abandon()
    assert os.listdir(tmp_path) == []
