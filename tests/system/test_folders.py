"""Folders that a run makes."""

from pathlib import Path

import pytest

from convcli.system import folders
from convcli.system.context import Context
from convcli.system.folders import Folders, made_folders


def test_those_with_files_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not those that are empty, or hold such: they are removed at the end."""
    monkeypatch.setattr(folders, "MOST", 10)
    with Context():
        made = made_folders()
        for name in ("full", "empty", "empty/deep"):
            (tmp_path / name).mkdir()
            made.add(str(tmp_path / name))
        for number in range(1000):
            folder = tmp_path / f"full/{number}"
            folder.mkdir()
            made.add(str(folder))
            (folder / "x.png").touch()
            assert len(made.made) <= 14
        assert made_folders() is made
    assert [path.name for path in tmp_path.iterdir()] == ["full"]
    assert len([*(tmp_path / "full").iterdir()]) == 1000


def test_outside_of_a_context_nothing_is_removed(tmp_path: Path) -> None:
    made_folders().add(str(tmp_path))
    assert tmp_path.exists()
    Folders().remove()
