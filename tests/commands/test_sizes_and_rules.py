"""Sizes as ``32x32``, and TensorFlow's and ONNX's words for paddings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convcli.vocabulary import PADDING_RULES, padding_rule
from support.cli import done, run
from support.pictures import write


@pytest.mark.parametrize(
    ("line", "same"),
    [
        ("--hin 32x32 --k 3x3", "--hin 32 --k 3"),
        ("--hin 32 --k 3X3 -s 2x2 -p 1×1 -d 2x2", "--hin 32 --k 3 -s 2 -p 1 -d 2"),
        ("--hin 32 --k 3 -s 2 --op2 1x1", "--hin 32 --k 3 -s 2 --op2 1"),
        ("--hin 32 --k 3 -s 2 --output-size 66x66", "--hin 32 --k 3 -s 2 --output-size 66,66"),
        ("--hin 32x32 --win 32 --k 3", "--hin 32 --win 32 --k 3"),
        ("--hin 32 --hout 16x16 --k ? -s ? -p ?", "--hin 32 --hout 16 --k ? -s ? -p ?"),
        ("--hin 32 --k 3 -s 2 -p SAME", "--hin 32 --k 3 -s 2 -p same-upper"),
        ("--hin 32 --k 3 -s 2 -p SAME_UPPER", "--hin 32 --k 3 -s 2 -p same-upper"),
        ("--hin 32 --k 3 -s 2 -p same_lower", "--hin 32 --k 3 -s 2 -p same-lower"),
        ("--hin 32 --k 3 -s 2 -p Same-Lower", "--hin 32 --k 3 -s 2 -p same-lower"),
        ("--hin 32 --k 3 -p VALID", "--hin 32 --k 3 -p valid"),
        ("--hin 32 --k 3 -p Full", "--hin 32 --k 3 -p full"),
        ("--hin 32 --k 3 -s 2 -p SAME --transpose", "--hin 32 --k 3 -s 2 -p same-upper --transpose"),
        ("--hin 32 --layers conv:k3,s2,pSAME", "--hin 32 --layers conv:k3,s2,psame-upper"),
    ],
)
def test_two_spellings(line: str, same: str) -> None:
    assert done("shape", *line.split(), "-q").text == done("shape", *same.split(), "-q").text
    if "--layers" not in line:
        assert done("shape", *line.split(), "--json").json == done("shape", *same.split(), "--json").json


def test_lower_case_same_stays_pytorchs() -> None:
    assert padding_rule("same") == "same"
    result = run("shape", "--hin", "32", "--k", "3", "-s", "2", "-p", "same")
    assert result.code == 2
    assert "PyTorch allows stride 1 only" in result.err
    assert [padding_rule(rule) for rule in PADDING_RULES] == [*PADDING_RULES]
    assert padding_rule("SOME") is None


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--hin 32 --k 3x5", "the order here is H,W: write 3,5 for 3 rows and 5 columns"),
        ("--hin 32 --k 3 -s 2x1", "write 2,1"),
        ("--hin 32 --k 3 -p 1x2", "write 1,2"),
        ("--hin 32 --k 3 -s 2 --output-size 64x32", "write 64,32"),
        ("--hin 64x32 --k 3", "'64x32' may be W×H or H×W: for 64 rows and 32 columns use --hin 64 --win 32"),
        ("--hin 64,32 --k 3", "'64,32' is two sides: for 64 rows and 32 columns use --hin 64 --win 32"),
        ("--hin 32 --hout 64x32 --k ? -p ?", "use --hout 64 --wout 32"),
        ("--hin 32x32 --win 8 --k 3", "--hin 32x32 and --win 8 exclude each other: give --hin 32 --win 8"),
        ("--hin 0x0 --k 3", "is not a whole number from 1"),
        ("--hin 3x --k 3", "is not a whole number from 1"),
        ("--hin 32 --k 3x3x3", "is not N or H,W"),
    ],
)
def test_sides_that_differ_are_refused(line: str, words: str) -> None:
    result = run("shape", *line.split())
    assert result.code == 2
    assert words in result.err
    assert result.err.count("\n") == 1


def test_other_commands_take_them(tmp_path: Path) -> None:
    write(tmp_path / "a.png", np.random.default_rng(2).integers(0, 256, (1, 9, 9), np.uint8))
    for line, same in (("-s 2x2 -p 1x1", "-s 2 -p 1"), ("-s 2 -p SAME", "-s 2 -p same-upper")):
        done("apply", "a.png", "-k", "box", *line.split(), "-o", "b.png", cwd=tmp_path)
        done("apply", "a.png", "-k", "box", *same.split(), "-o", "c.png", cwd=tmp_path)
        assert (tmp_path / "b.png").read_bytes() == (tmp_path / "c.png").read_bytes()
    told = done("animate", "--hin", "5x5", "-k", "3x3", "--json").json
    assert told["output"] == {"height": 3, "width": 3}
    told = done("compare", "--size", "16x16", "--in-channels", "1", "--repeats", "1", "--json").json
    assert told["rows"][0]["output_shape"] == [1, 14, 14]
