"""Numbers as spreadsheets, programs and people write them: read where they can be read in one way, else refused or remarked on."""

from __future__ import annotations

from pathlib import Path

import pytest

from convcli.errors import as_options
from convcli.kernels import parse
from support.cli import done, run
from support.kernels import message, values

PLUS = [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
GERMAN = [[0.0625, 0.125, 0.0625], [0.125, 0.25, 0.125]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # what convcli kernel -q prints
        ("0,1,0;1,-4,1;0,1,0", PLUS), ("1x3: 1/4,1/2,1/4", [[0.25], [0.5], [0.25]]), ("1/9,1/9,1/9", [[1 / 9] * 3]),
        # decimal commas
        ("0,0625;0,125;0,0625\n0,125;0,25;0,125\n", GERMAN), ("0,0625;0,125;0,0625", GERMAN[:1]),
        ("0;0,5;1\n-1,5;2;3e2\n", [[0, 0.5, 1], [-1.5, 2, 300]]),
        ("1,2;3,4\n5,6;7,8\n", [[1.2, 3.4], [5.6, 7.8]]), ("0,5;1\n", [[0.5, 1]]),
        ("0,0625\t0,125\n1\t2,5", [[0.0625, 0.125], [1, 2.5]]),
        ('"0,5","1,25"\n"0","-1"', [[0.5, 1.25], [0, -1]]), ('"0,5";"1,25"', [[0.5, 1.25]]),
        # cells of all kinds
        ('"0","1","0"\n"1",-4,"1"\n"0","1","0"', PLUS), ("0,1,0,\n1,-4,1,\n0,1,0,\n", PLUS),
        ("0;1;0;\n1;-4;1;\n0;1;0;\n", PLUS), ("0 1 0;\n1 -4 1;\n0 1 0;\n", PLUS),
        ("0,1,0;\n1,-4,1;\n0,1,0;\n", PLUS), ("0 1 0; 1 -4 1; 0 1 0", PLUS),
        ("0\t1\t0\n1\t-4\t1\n0\t1\t0", PLUS), ("1,\t2,\t3", [[1, 2, 3]]),
        # a divided literal
        ("(0,1,0;1,-4,1;0,1,0)/2\n", [[each / 2 for each in row] for row in PLUS]),
        # comments
        ("0,1,0 # above\n1,-4,1# middle\n  # nothing\n0,1,0", PLUS), ("# plus\n\n0 1 0\n1 -4 1\n0 1 0", PLUS),
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".csv", ".txt"])
def test_texts_with_one_reading(text: str, expected: list[list[float]], suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"k{suffix}").write_text(text)
    assert values(str(tmp_path / f"k{suffix}")).tolist() == expected


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "0,25;0,5;0,25",
            ["can be read in two ways", "0.25 0.5 0.25 with decimal commas", "rows of two numbers, 0,25 0,5 0,25"],
        ),
        ("1,2;3,4", ["can be read in two ways", "write decimals with a point, or each row on a line"]),
        ("-1,0,1;-2,0,2\n-1,-2;0,0\n", ["has a whole kernel in each line", "each with its own -k"]),
        ("1,5;x\n2;3\n", ["both ; and , in line 1", "'x' is not a number with a decimal comma"]),
        ("1;2\n1,000.5;2\n", ["both ; and , in line 2", "'1,000.5'"]),
        ('"a","b"\n1,2', ["'a' in line 1", "leave out the header"]),
        ("1,,2", ["contains ''"]),
        ("2.155;+546;19,47;6\n", ["both ; and , in line 1", "'2.155' is not a number with a decimal comma"]),
        ("0,1,0;1,-4;0,1,0", ["is ragged: row 2 has 2 values"]),
    ],
)
def test_texts_that_are_refused(text: str, parts: list[str], tmp_path: Path) -> None:
    (tmp_path / "k.csv").write_text(text)
    said = message(lambda: parse(str(tmp_path / "k.csv")))
    for part in parts:
        assert part in said


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("1,2,1;2,4,2;1,2,1/16", "only its last value is divided by 16; to divide all of them, write '(…)/16' or --divisor 16"),
        ("1,2,1,2,4,2,1,2,1", "is one row of 9 values: if 3×3 is meant, separate rows by ;"),
        (",".join(["1"] * 25), "if 5×5 is meant"),
        ("(1,2,1;2,4,2;1,2,1)/16", ""), ("1/16,2/16,1/16", ""), ("1,2,1", ""), ("0,1/2", ""), ("1,2,3,4", ""),
        ("1;2;1;2;4;2;1;2;1", ""), ("(1,2,1,2)/3", ""), ("1,2,3,4,5,4,3,2,1", ""),
    ],
)  # fmt: skip
def test_what_is_legal_but_likely_a_slip(spec: str, said: str) -> None:
    notes = [as_options(note) for note in parse(spec).notes]
    assert len(notes) == bool(said)
    assert all(said in note for note in notes)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("k.csv", "1,2,1\n2,4,2\n1,2,1/16\n", "only its last value is divided by 16"),
        ("k.csv", "1,2,1,2,4,2,1,2,1\n", "if 3×3 is meant, write each row on a line"),
        ("k.json", "[1,2,1,2,4,2,1,2,1]", "if 3×3 is meant, write a list for each row"),
        ("k.json", "[[1,2,1,2,4,2,1,2,1]]", ""),
        ("k.txt", "9x1: 1,2,1,2,4,2,1,2,1", ""),
        ("k.mat", "9 1\n1 2 1 2 4 2 1 2 1\n", ""),
        ("k.txt", "1;2;1\n", "is one row, with ; between its numbers: for a column"),
        ("k.csv", "1/16,2/16\n1/16,2/16\n", ""),
        ("k.csv", "1;2\n3;4\n", ""),
    ],
)
def test_slips_in_files(name: str, text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    notes = [as_options(note) for note in parse(str(tmp_path / name)).notes]
    assert len(notes) == bool(said)
    assert all(said in note for note in notes)


def test_remarks_are_seen(tmp_path: Path) -> None:
    slip = "1,2,1;2,4,2;1,2,1/16"
    said = done("apply", "samples/coffee.jpg", "-k", slip, "-o", tmp_path / "a.png", "-q").err
    assert said.count("only its last value is divided by 16") == 1
    assert "only its last value" in done("kernel", slip, "-q").err
    row = done("apply", "samples/coffee.jpg", "-o", tmp_path / "b.png", "-q", "-k", "1,2,1,2,4,2,1,2,1").err
    assert "is one row of 9 values" in row
    assert "the shell took it" not in row


@pytest.mark.parametrize("spec", ["(1,2)/0", "(1,2)/x", "(1,2)/", "((1,2))/3"])
def test_wrong_divisors_of_literals(spec: str) -> None:
    assert message(lambda: parse(spec))


def test_divided_literals() -> None:
    assert values("(1,2,1;2,4,2;1,2,1)/16").tolist() == values("binomial").tolist()
    assert values(" ( 1 , 3 ; ) / 0.5 ").tolist() == [[2, 6]]
    assert values("(1/2,1)/2").tolist() == [[0.25, 0.5]]


def test_a_file_of_two_kernels_is_named(tmp_path: Path) -> None:
    """What ``convcli kernel sobel -q`` prints are two."""
    (tmp_path / "k.txt").write_text(done("kernel", "sobel", "-q").text)
    assert "has a whole kernel in each line" in run("apply", "samples/tiny.png", "-k", tmp_path / "k.txt").err
