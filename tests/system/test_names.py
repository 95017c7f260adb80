"""Targets that a file system may take for one: `A.png` and `a.png`."""

import os
import sys
import unicodedata
from collections.abc import Callable
from itertools import product
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from convcli.runs.outputs import resolve
from convcli.system import names
from convcli.system.context import Context
from convcli.system.names import ending_of, folded, name_of, one_place, stem_and_ending, taken_for_one
from support.cli import binary, run
from support.pictures import write

BOX = ["-k", "box", "-o", "out/"]
COMPOSED, APART = "caf\u00e9.png", "cafe\u0301.png"


def macos(one: str, other: str) -> bool:
    return folded(one) == folded(other)


def windows(one: str, other: str) -> bool:
    return one.upper() == other.upper()


def linux(one: str, other: str) -> bool:
    return one == other


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Pairs of pictures in two folders, whose names differ in case or composition."""
    pairs = [("A.png", "a.png"), (COMPOSED, APART), ("STRASSE.png", "stra\u00dfe.png"), ("same.png", "same.png")]
    for number, pair in enumerate(pairs):
        for side, name in zip("xy", pair, strict=True):
            (tmp_path / f"{side}{number}").mkdir()
            write(tmp_path / f"{side}{number}" / name, np.zeros((1, 5, 5), np.uint8))
    return tmp_path


def asked(monkeypatch: pytest.MonkeyPatch, rule: Callable[[str, str], bool]) -> list[tuple[str, str, str]]:
    """Have a file system of such a rule; what it is asked."""
    questions: list[tuple[str, str, str]] = []

    def answer(folder: str, one: str, other: str) -> bool:
        questions.append((folder, one, other))
        return rule(one, other)

    monkeypatch.setattr(names, "taken_for_one", answer)
    return questions


@pytest.mark.parametrize(
    ("rule", "number", "refused"),
    [
        (macos, 0, True),
        (macos, 1, True),
        (macos, 2, True),
        (windows, 0, True),
        (windows, 1, False),
        (linux, 0, False),
        (linux, 1, False),
        (linux, 3, True),
    ],
)
def test_what_the_file_system_takes_for_one_is_refused(
    rule: Callable[[str, str], bool], number: int, refused: bool, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is done, and with a remedy that helps."""
    questions = asked(monkeypatch, rule)
    result = run("apply", f"x{number}", f"y{number}", *BOX, cwd=pictures)
    assert result.code == (2 if refused else 0)
    assert len(questions) == (number != 3)
    if refused:
        assert "would both be written to 'out/" in result.err
        assert "use different names, or one folder for each, -o 'out/{parent}/{name}'" in result.err
        assert ("' here: use" in result.err) == (number != 3)
        assert not (pictures / "out").exists()
        assert run("apply", f"x{number}", f"y{number}", *BOX[:-1], "out/{parent}/{name}", cwd=pictures).code == 0
    else:
        assert len([*(pictures / "out").iterdir()]) == 2


def test_folders_that_differ_in_case(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The nearest folder that is there is asked, of all names that differ."""
    write(pictures / "one.png", np.zeros((1, 5, 5), np.uint8))
    (pictures / "In").mkdir()
    (pictures / "in").mkdir()
    for folder, name in (("In", "One.png"), ("in", "one.png")):
        write(pictures / folder / name, np.zeros((1, 5, 5), np.uint8))
    line = ["apply", "In/One.png", "in/one.png", "-k", "box", "-o", "{parent}-out/deep/{name}"]
    questions = asked(monkeypatch, macos)
    result = run(*line, cwd=pictures)
    assert result.code == 2
    assert "written to 'in-out/deep/one.png', which is 'In-out/deep/One.png' here" in result.err
    here = str(pictures.resolve())
    assert questions == [(here, "in-out", "In-out"), (here, "one.png", "One.png")]
    asked(monkeypatch, lambda one, other: macos(one, other) and one != "in-out")
    assert run(*line, cwd=pictures).code == 0


def test_one_file_by_two_spellings(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place, where both spellings are the same file: here by a link."""
    (pictures / "x0/a.png").hardlink_to(pictures / "x0/A.png")
    asked(monkeypatch, macos)
    result = run("apply", "x0/A.png", "x0/a.png", "-k", "box", "--in-place", cwd=pictures)
    assert result.code == 2
    assert "use each image only once" in result.err


def test_nothing_is_asked_where_names_differ(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = asked(monkeypatch, macos)
    assert run("apply", "x0/A.png", f"x1/{COMPOSED}", "x3/same.png", *BOX, cwd=pictures).code == 0
    assert questions == []


@pytest.mark.skipif(sys.platform != "linux", reason="whose file systems tell them apart")
def test_the_real_program_on_linux(pictures: Path) -> None:
    """Both are written, and nothing else lies there."""
    result = binary("apply", "x0", "y0", "x1", "y1", *BOX, "-q", cwd=pictures)
    assert (result.code, result.err) == (0, "")
    assert {path.name for path in (pictures / "out").iterdir()} == {"A.png", "a.png", COMPOSED, APART}
    assert not list(pictures.rglob("*.tmp"))


def test_the_file_system_itself_is_asked(tmp_path: Path) -> None:
    """Its answer is what it does, and the file that it is asked with is gone."""
    (tmp_path / "A").touch()
    insensitive = (tmp_path / "a").exists()
    assert taken_for_one(str(tmp_path), "B.png", "b.png") == insensitive
    assert taken_for_one(str(tmp_path), "same", "same")
    assert not taken_for_one(str(tmp_path), "one", "other")
    assert not taken_for_one(str(tmp_path / "none"), "B.png", "b.png")  # where nothing can be written
    assert not taken_for_one(str(tmp_path), "B\0", "b\0")
    assert not taken_for_one(str(tmp_path), "\u0301" * 300, "\u0300" * 300)  # no name is so long
    assert one_place(f"{tmp_path}/no/B.png", f"{tmp_path}/no/b.png") == insensitive
    assert not one_place(f"{tmp_path}/a/b", f"{tmp_path}/a/b/c")
    assert not one_place("B.png", "b.png")
    assert [path.name for path in tmp_path.iterdir()] == ["A"]


@pytest.fixture
def insensitive(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have a file system that takes for one what `folded` does; the names that it is asked with."""
    asked_with: list[str] = []
    usual = os.open

    def exists(path: str) -> bool:
        folder, name = os.path.split(path)
        return folded(name) in map(folded, os.listdir(folder))

    def opened(path: str, *rest: int) -> int:
        asked_with.append(os.path.basename(path))
        return usual(path, *rest)

    monkeypatch.setattr(os.path, "lexists", exists)
    monkeypatch.setattr(os, "open", opened)
    return asked_with


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("N" * 255, "n" * 255),
        ("n" * 250 + "B.png", "n" * 250 + "b.png"),
        (f"stra\u00dfe{COMPOSED}", f"STRASSE{APART}"),
        ("\u00e9Xe\u0301.png", "e\u0301X\u00e9.png"),
        ("a\u0301\u0323.png", "a\u0323\u0301.png"),
        ("\u212a.png", "k.PNG"),
    ],
)
def test_names_of_any_length(one: str, other: str, tmp_path: Path, insensitive: list[str]) -> None:
    """Only one letter is asked of, if all of them are of ASCII."""
    assert max(len(os.fsencode(name)) for name in (one, other)) <= 255
    assert taken_for_one(str(tmp_path), one, other)
    assert insensitive
    assert all(len(name) < 30 for name in insensitive)
    assert not taken_for_one(str(tmp_path), one, f"m{other[1:]}")
    assert not list(tmp_path.iterdir())


def test_one_difference_is_not_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows folds case and keeps letters apart that are composed otherwise."""
    monkeypatch.setattr(names, "_probed", lambda folder, one, other: windows(one, other))
    assert taken_for_one(str(tmp_path), f"A{COMPOSED}", f"a{COMPOSED}")
    assert not taken_for_one(str(tmp_path), f"A{COMPOSED}", f"a{APART}")


def test_files_that_are_there_are_compared(tmp_path: Path, insensitive: list[str]) -> None:
    for name in ("A.png", COMPOSED, APART):
        (tmp_path / name).touch()
    (tmp_path / "a.png").hardlink_to(tmp_path / "A.png")
    if len(list(tmp_path.iterdir())) == 4:
        assert taken_for_one(str(tmp_path), "A.png", "a.png")
        assert not taken_for_one(str(tmp_path), COMPOSED, APART)
        assert not any(name.endswith(".tmp") for name in insensitive)


def test_many_names_take_one_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is compared with all the others, and the folder is asked once."""
    monkeypatch.chdir(tmp_path)
    count, usual = [], os.open

    def opened(path: str, *rest: int) -> int:
        count.append(path)
        return usual(path, *rest)

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os.path, "lexists", lambda path: False)  # Linux, wherever this runs
    letters = product(*zip("abcdef", "ABCDEF", strict=True))
    inputs = ["".join(name) + ".png" for name in letters]
    with Context():
        assert len(resolve(inputs, "out/", "box")) == 64
        assert len(count) == 1


def test_folded() -> None:
    assert folded("A.PNG") == folded("a.png")
    assert folded(COMPOSED) == folded(APART) == folded(COMPOSED.upper())
    assert folded("\u212a") == folded("k")  # the Kelvin sign
    assert folded(unicodedata.normalize("NFC", "\u01d5")) == folded("u\u0308\u0304")
    assert folded("a") != folded("b")
    assert folded("caf\udcff") == folded("CAF\udcff")  # a byte that is no text


@given(st.text("ab.Pn /", max_size=12))
@example(".png")
@example("..png")
@example("x.png/")
@example("a.zarr/.")
@example("...")
@example("a/..")
def test_names_and_endings_are_those_of_pathlib(path: str) -> None:
    if sys.platform == "win32":
        pytest.skip("POSIX paths")
    expected = PurePosixPath(path)
    assert name_of(path) == expected.name
    if expected.name.rstrip(".") == expected.name or not expected.name.strip("."):
        assert stem_and_ending(path) == (expected.stem, expected.suffix)
        assert ending_of(path) == expected.suffix.lower()


@pytest.mark.parametrize(("path", "parts"), [("a.", ("a.", "")), ("a.png.", ("a.png.", "")), ("..", ("..", ""))])
def test_a_dot_at_the_end_is_no_ending(path: str, parts: tuple[str, str]) -> None:
    """Pythons differ in it."""
    assert stem_and_ending(path) == parts
