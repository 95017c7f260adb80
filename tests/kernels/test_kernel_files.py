"""Kernels in files, whole and broken."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convcli.kernels import kernel_files, parse, rows
from convcli.kernels.spec import FILES
from support.kernels import Pickled, message, values

LAPLACE = [[0.0, 1, 0], [1, -4.5, 1], [0, 1, 0], [2, 0, 0]]
TEXTS = {
    "k.json": json.dumps(LAPLACE),
    "k.csv": "0,1,0\n1,-4.5,1\n0,1,0\n2,0,0\n",
    "k.txt": "# a comment\n0 1 0\n\n1\t-4.5  1\n0 1 0\n2 0 0",
    "spreadsheet.csv": "0,1,0,\n1,-9/2,1,\n0,1,0,\n2,0,0,\n,,,\n",
    "semicolons.csv": "0;1;0\n1;-4.5;1\n0;1;0\n2;0;0\n",
    "K.TXT": "0, 1, 0\n1, -4.5, 1\n0, 1, 0\n2, 0, 0\n",
    "k.mat": "3 4\n0 1 0\n1 -4.5 1\n0 1 0\n2 0 0\n",
    "scaled.mat": "3 4 2\n0 2 0\n2 -9 2\n0 2 0\n4 0 0\n",
    "offset0.mat": "3 4 2 0\n0 2 0\n2 -9 2\n0 2 0\n4 0 0\n",
}


@pytest.mark.parametrize("name", TEXTS)
def test_kernels_in_text_files(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(TEXTS[name])
    built = parse(str(path))
    assert built.label == path.stem
    np.testing.assert_array_equal(built.kernels[0].values, LAPLACE)


@pytest.mark.parametrize("kind", ["float64", "float32", "float16", "int8", "uint16", "bool", ">f4", ">i2"])
def test_kernels_in_npy_files(kind: str, tmp_path: Path) -> None:
    array = np.array([[0, 1, 2], [3, 0, 1]]).astype(kind)
    np.save(tmp_path / "k.npy", array)
    kernel = values(str(tmp_path / "k.npy"))
    assert kernel.dtype == np.dtype("float64")
    np.testing.assert_array_equal(kernel, array.astype(float))


def test_a_row_may_be_one_dimensional(tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", np.array([1, 2, 3]))
    (tmp_path / "k.json").write_text("[1, 2, 3]")
    assert values(str(tmp_path / "k.npy")).tolist() == values(str(tmp_path / "k.json")).tolist() == [[1, 2, 3]]


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("k.json", "{", ["not valid JSON", "nested list"]),
        ("k.json", "", ["not valid JSON", "nested list"]),
        ("k.json", "[" * 100_000, ["not valid JSON"]),
        ("k.json", "[[1,2],[3]]", ["is ragged", "row 2 has 1 value", "same number"]),
        ("k.json", '{"a": 1}', ["is a JSON object of a", '"kernel"']),
        ("k.json", '[["a"]]', ["not a matrix"]),
        ("k.json", "[[null]]", ["not a matrix"]),
        ("k.json", "[]", ["empty", "at least one"]),
        ("k.json", "5", ["0 dimensions", "2-D"]),
        ("k.json", "[[[1]]]", ["3 dimensions", "--weights"]),
        ("k.json", "[[NaN]]", ["nan", "finite"]),
        ("k.json", f"[[1{'0' * 400}]]", ["k.json"]),
        ("k.csv", "1,2\n3\n", ["is ragged", "row 2 has 1 value", "same number"]),
        ("k.csv", "1,two\n", ["'two'", "not a number", "a row on each line"]),
        ("k.csv", "a;b\n1;2\n", ["'a' in line 1", "leave out the header"]),
        ("k.csv", "\n\n", ["empty", "at least one"]),
        ("k.csv", "# nothing\n", ["empty", "at least one"]),
        ("k.csv", "1,inf\n", ["inf", "finite"]),
        ("k.csv", b"\xff\xfe1", ["not text", "numbers, with a row"]),
        ("k.txt", b"\x89PNG\r\n\x1a\n\x00\xff", ["not text", "numbers, with a row"]),
        ("k.mat", "", ["no header", "width height"]),
        ("k.mat", "3\n1 2 3\n", ["no header", "width height"]),
        ("k.mat", "2 3\n1 2 3\n4 5 6\n", ["announces 2×3", "holds 3×2", "first line"]),
        ("k.mat", "2 1 0\n1 2\n", ["scale 0", "first line"]),
        ("k.mat", "2 1 1 128\n1 2\n", ["offset 128", "--bias 128"]),
        ("k.mat", "2 1\n1 x\n", ["'x'", "not a number"]),
        ("k.mat", "2 1\n", ["empty"]),
        ("k.npy", b"", ["not a valid .npy"]),
        ("k.npy", b"\x93NUMPY\x01\x00", ["not a valid .npy", "truncated"]),
        ("k.npy", b"PNG", ["not a valid .npy"]),
    ],
)
def test_wrong_kernel_files(name: str, content: str | bytes, parts: list[str], tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    text = message(lambda: parse(str(path)))
    for part in (str(path), *parts):
        assert part in text


@pytest.mark.parametrize(
    ("array", "parts"),
    [
        (np.zeros((2, 2, 2)), ["3 dimensions", "--weights"]),
        (np.zeros((0, 3)), ["empty"]),
        (np.array([[1, np.nan]]), ["nan", "finite"]),
        (np.array([[1j]]), ["complex128", "real numbers"]),
        (np.array([["a"]]), ["real numbers"]),
    ],
)
def test_wrong_npy_kernels(array: NDArray[Any], parts: list[str], tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", array)
    text = message(lambda: parse(str(tmp_path / "k.npy")))
    for part in parts:
        assert part in text


def test_a_kernel_file_is_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", np.array([[Pickled(tmp_path / "ran")]], dtype=object))
    assert "pickled objects" in message(lambda: parse(str(tmp_path / "k.npy")))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("length", [1, 20, 90, 127, 150, 195])
def test_truncated_npy_kernels(length: int, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.ones((3, 3)))
    (tmp_path / "k.npy").write_bytes(buffer.getvalue()[:length])
    assert "not a valid .npy" in message(lambda: parse(str(tmp_path / "k.npy")))


@pytest.mark.parametrize("suffix", FILES)
def test_absent_kernel_files_and_folders(suffix: str, tmp_path: Path) -> None:
    assert "cannot be read: there is no such file" in message(lambda: parse(str(tmp_path / f"absent{suffix}")))
    (tmp_path / f"folder{suffix}").mkdir()
    assert "cannot be read: it is a folder; name a file" in message(lambda: parse(str(tmp_path / f"folder{suffix}")))


def test_kernel_files_of_other_kinds_and_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kernel.dat"
    path.write_text("a")
    assert "ends in none of .npy, .json" in message(lambda: parse(str(path)))
    monkeypatch.setattr(kernel_files, "MAX_TEXT_BYTES", 3)
    (tmp_path / "k.csv").write_text("1,2,3")
    assert "is it a kernel?" in message(lambda: parse(str(tmp_path / "k.csv")))


@pytest.mark.parametrize("suffix", FILES)
def test_a_device_without_an_end_is_not_read_to_it(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_files, "MAX_BYTES", 1 << 20)
    monkeypatch.setattr(kernel_files, "MAX_TEXT_BYTES", 1 << 20)
    path = tmp_path / f"k{suffix}"
    path.symlink_to("/dev/zero")
    assert "is larger than 1 MiB: is it a kernel?" in message(lambda: parse(str(path)))


@pytest.mark.parametrize("text", ["1\n" * 10, "1," * 9 + "1", "1,1,1\n" * 5])
def test_a_text_of_too_many_numbers_is_not_read_to_its_end(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the lines that are not read, there may be anything."""
    monkeypatch.setattr(rows, "MOST_SIDE", 9)
    monkeypatch.setattr(rows, "MOST_VALUES", 12)
    (tmp_path / "k.csv").write_text(text + "\nnonsense")
    rule = "has more than 9 rows or columns, or more than 12 numbers: is it a kernel?"
    assert rule in message(lambda: parse(str(tmp_path / "k.csv")))


def test_an_array_that_is_not_there_is_not_allocated(tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", np.ones((3, 3)))
    data = (tmp_path / "k.npy").read_bytes().replace(b"(3, 3), }        ", b"(3, 300000000), }")
    (tmp_path / "k.npy").write_bytes(data)
    assert "not a valid .npy" in message(lambda: parse(str(tmp_path / "k.npy")))
