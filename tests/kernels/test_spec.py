"""SPECs of several lines, and byte order marks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcli.kernels import parse
from support.kernels import correlated, message, values


def test_a_spec_of_several_lines_is_refused_in_one(capsys: pytest.CaptureFixture[str]) -> None:
    from convcli.cli import main

    with pytest.raises(SystemExit) as caught:
        main(["apply", "samples/tiny.png", "-k", "1,2\n3,4", "-o", "-"])
    assert caught.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    ("name", "text"),
    [("k.csv", "1,2\n3,4\n"), ("k.txt", "1 2\n3 4\n"), ("k.json", "[[1,2],[3,4]]"), ("k.mat", "2 2\n1 2\n3 4\n")],
)
def test_byte_order_marks(encoding: str, name: str, text: str, tmp_path: Path) -> None:
    mark = "\ufeff" if encoding.startswith("utf-16-") else ""  # the others write it themselves
    (tmp_path / name).write_bytes((mark + text).encode(encoding))
    np.testing.assert_array_equal(values(str(tmp_path / name)), [[1, 2], [3, 4]])


# --- SPEC: literals ---


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("0,1,0;1,-4,1;0,1,0", [[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
        (" -1 , 0 ,1; ", [[-1, 0, 1]]),
        ("1;2;3", [[1], [2], [3]]),
        ("3.0", [[3]]),
        ("-.5", [[-0.5]]),
        ("1/9,2/9;-1/3,.5", [[1 / 9, 2 / 9], [-1 / 3, 0.5]]),
        ("1e-3,+2.5E2", [[0.001, 250]]),
        ("1,2,3,4;5,6,7,8", [[1, 2, 3, 4], [5, 6, 7, 8]]),
    ],
)
def test_literals(spec: str, expected: list[list[float]]) -> None:
    built = parse(spec)
    assert built.combine == "none"
    np.testing.assert_array_equal(built.kernels[0].values, expected)


@given(
    st.integers(1, 5).flatmap(
        lambda n: st.lists(st.lists(st.floats(-1e9, 1e9), min_size=n, max_size=n), min_size=1, max_size=5)
    )
)
def test_any_matrix_can_be_written_as_a_literal(rows: list[list[float]]) -> None:
    spec = ";".join(",".join(map(repr, row)) for row in rows)
    np.testing.assert_array_equal(values(spec), rows)


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("1,2;3", ["ragged", "row 2 has 1 value,", "row 1 has 2", "give every row"]),
        ("1,2;;3,4", ["an empty cell", "write rows as"]),
        ("1,x,3", ["'x'", "not a number", "write rows as"]),
        ("1,,3", ["an empty cell", "write rows as"]),
        ("1,2,", ["an empty cell"]),
        ("1/0,1", ["divides by zero", "'1/0'", "finite"]),
        ("1/x,1", ["'1/x'", "not a number"]),
        ("1,nan", ["nan", "finite"]),
        ("1,inf", ["inf", "finite"]),
        ("1e999,1", ["inf", "finite"]),
        (";", ["empty", "at least one number"]),
        (",", ["empty", "at least one number"]),
    ],
)
def test_wrong_literals(spec: str, parts: list[str]) -> None:
    text = message(lambda: parse(spec))
    for part in (f"'{spec}'", *parts):
        assert part in text


# --- SPEC: ImageMagick ---


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("3x3: 0,-1,0 -1,5,-1 0,-1,0", [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        ("3: 0,-1,0 -1,5,-1 0,-1,0", [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        ("3x3:0,-1,0,-1,5,-1,0,-1,0", [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        ("3x3:\n 1 2 3\n 4 5 6\n 7 8 9\n", [[1, 2, 3], [4, 5, 6], [7, 8, 9]]),
        ("1: 2", [[2]]),
        # width before height
        ("3x1: 1,2,3", [[1, 2, 3]]),
        ("1x3: 1,2,3", [[1], [2], [3]]),
        ("3x2: 1,2,3 4,5,6", [[1, 2, 3], [4, 5, 6]]),
        # holes
        ("3x3: -,1,- nan,2,NaN -,3,-", [[0, 1, 0], [0, 2, 0], [0, 3, 0]]),
        # the default origin of an even side is (W-1)/2, as the anchor of "same" is
        ("2x2: 1,2 3,4", [[1, 2], [3, 4]]),
        ("3x3+1+1: 1,2,3 4,5,6 7,8,9", [[1, 2, 3], [4, 5, 6], [7, 8, 9]]),
        # any other is moved to the centre of a larger matrix
        ("3x1+0+0: 1,2,3", [[0, 0, 1, 2, 3]]),
        ("3x1+2+0: 1,2,3", [[1, 2, 3, 0, 0]]),
        ("1x3+0+2: 1,2,3", [[1], [2], [3], [0], [0]]),
        ("2x2+1+1: 1,2 3,4", [[1, 2, 0], [3, 4, 0], [0, 0, 0]]),
        ("2x2+0+1: 1,2 3,4", [[0, 1, 2], [0, 3, 4], [0, 0, 0]]),
    ],
)
def test_imagemagick_notation(spec: str, expected: list[list[float]]) -> None:
    np.testing.assert_array_equal(values(spec), expected)


def test_imagemagick_origin_is_the_pixel_that_is_replaced() -> None:
    """``3x1+0+0: 1,10,100``: the output's own pixel weighs 1, its right neighbours 10 and 100."""
    image = np.zeros((1, 9))
    image[0, 3:6] = 1, 2, 3
    assert correlated(image, values("3x1+0+0: 1,10,100"))[0, 3] == 321
    assert correlated(image, values("3x1: 1,10,100"))[0, 4] == 321
    assert correlated(image, values("3x1+2+0: 1,10,100"))[0, 5] == 321


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("3x3: 1,2,3", ["3 values", "3x3 (width x height) needs 9"]),
        ("3: 1,2,3", ["3 values", "needs 9"]),
        ("2x1: 1,2,3", ["3 values", "needs 2"]),
        ("0x0:", ["0x0", "at least 1"]),
        ("2x1: 1,x", ["'x'", "not a number"]),
        ("2x1: 1,inf", ["inf", "finite"]),
        ("2x1+2+0: 1,2", ["origin at +2+0", "outside 2x1", "move it inside"]),
        ("2x1+-1+0: 1,2", []),
        ("3x1: -,-,-", ["has holes only: give at least one number"]),
        ("3x1@: 1,2,3", ["'@'", "its own -k"]),
        ("3x1>: 1,2,3", ["'>'", "its own -k"]),
    ],
)
def test_wrong_imagemagick_notation(spec: str, parts: list[str]) -> None:
    text = message(lambda: parse(spec))
    for part in parts:
        assert part in text
