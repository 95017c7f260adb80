"""Hints at what is legal and seldom meant: a line on stderr and in JSON's notes, once for a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.cli import done
from support.pictures import write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png"):
        write(tmp_path / name, np.random.default_rng(1).integers(120, 256, (3, 24, 30), np.uint8))
    np.save(tmp_path / "w.npy", np.ones((2, 3, 3, 3)) / 27)
    return tmp_path


BORDER = "--padding-mode reflect changes nothing without --padding: nothing beyond the border is read"
MADE = "kernel 'bilinear:2' is made for the transposed operation with --stride 2 and --padding 1, which enlarges by 2"


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("apply a.png -k box --padding-mode reflect", BORDER),
        ("apply a.png -k box --padding-mode reflect -p valid", BORDER),
        ("apply a.png --weights w.npy --padding-mode reflect --channels each", BORDER),
        ("transpose a.png -k box:2 -s 2 --padding-mode reflect", "reflect changes nothing: nothing beyond the border"),
        ("apply a.png -k bilinear:2", MADE),
        ("apply a.png -k bilinear", MADE.replace("bilinear:2", "bilinear")),
        ("transpose a.png -k bilinear:2 -s 3 -p 1", "it leaves a pattern: use -k bilinear:3, --padding same-upper and"),
        ("transpose a.png -k bilinear:2 -s 2", "with another padding the output is not 2 times the input"),
        ("transpose a.png -k bilinear:2 -s 2 -p 0,1,1,1", "enlarges by 2 with --stride 2 and --padding 1"),
        ("transpose a.png -k bicubic:3 -s 3 -p 1", "enlarges by 3 with --stride 3 and --padding 4"),
        ("transpose a.png -k nearest:2 -s 1", "enlarges by 2 with --stride 2 and --padding 0"),
        ("transpose a.png -k lanczos:2 -s 2 -p 5 -d 2", "enlarges by 2 with --stride 2 and --padding 5"),
    ],
)  # fmt: skip
def test_a_hint(line: str, hint: str, folder: Path) -> None:
    command, *rest = line.split()
    told = done(command, *rest, "-o", "out.npy", "--json", cwd=folder)
    assert any(hint in note for note in told.json["notes"])
    assert told.err == ""
    assert hint in done(command, *rest, "-o", "out.npy", "-q", cwd=folder).err


@pytest.mark.parametrize(
    "line",
    [
        "apply a.png -k box -p 1 --padding-mode reflect",
        "apply a.png -k box -p same --padding-mode reflect",
        "apply a.png -k box",
        "transpose a.png -k bilinear:2 -s 2 -p 1",
        "transpose a.png -k bilinear:2 -s 2 -p same-upper --padding-mode replicate",
        "transpose a.png -k bilinear:3 -s 3 -p same-lower",
        "transpose a.png -k bicubic:4 -s 4 -p 6",
        "transpose a.png -k nearest:3 -s 3",
        "transpose a.png -k nearest:3 -s 3 -p valid",
        "transpose a.png -k lanczos:2,3 -s 2 -p 5",
        "transpose a.png -k box:3 -s 2 -p 1",
        "apply a.png -k bilinear:1",
    ],
)
def test_no_hint(line: str, folder: Path) -> None:
    command, *rest = line.split()
    assert done(command, *rest, "-o", "out.npy", "--json", cwd=folder).json["notes"] == []


def test_of_many_images_it_is_said_once(folder: Path) -> None:
    result = done("apply", "a.png", "b.png", "-k", "box", "--padding-mode", "reflect", "-o", "out/", cwd=folder)
    assert result.err.count("changes nothing") == 1
    told = done("apply", "a.png", "b.png", "-k", "box", "--padding-mode", "reflect", "-o", "out/", "--json", cwd=folder)
    assert [document["notes"] for document in told.json] == [[BORDER], [BORDER]]


def test_other_commands_say_it_too(folder: Path) -> None:
    line = ("a.png", "-k", "box", "--padding-mode", "reflect")
    assert BORDER in done("explain", *line, "--at", "1,1", "--json", cwd=folder).json["notes"]
    assert BORDER in done("explain", *line, "--at", "1,1", cwd=folder).err
    assert BORDER in done("compare", *line, "--repeats", "1", "--json", cwd=folder).json["notes"]
    told = done("compare", "--size", "8,8", "--padding-mode", "reflect", "--repeats", "1", "--json", cwd=folder)
    assert BORDER in told.json["notes"]
    geometry = ("animate", "--hin", "5", "--k", "3", "--padding-mode", "reflect")
    assert done(*geometry, "--json", cwd=folder).json["notes"] == [BORDER]
    assert f"convcli: {BORDER}\n" == done(*geometry, "-o", "c.gif", "-q", cwd=folder).err


SIXTEEN = "1,2,1;2,4,2;1,2,1"


def test_a_sum_that_clips_is_named_before_the_range(folder: Path) -> None:
    said = done("apply", "a.png", "-k", SIXTEEN, "-o", "out.png", "-q", cwd=folder).err
    assert "clipped" in said
    assert said.index("the kernel sums to 16; --normalize keeps the brightness") < said.index("--range")
    told = done("apply", "a.png", "-k", SIXTEEN, "-o", "out.png", "--json", cwd=folder).json
    assert told["notes"] == ["the kernel sums to 16; --normalize keeps the brightness"]
    said = done("apply", "a.png", "b.png", "-k", SIXTEEN, "-o", "out/", cwd=folder).err
    assert said.count("the kernel sums to 16") == 1
    assert said.index("the kernel sums to 16") < said.index("--range")


def test_the_sum_of_a_transposed_operation_is_spread(folder: Path) -> None:
    said = done(
        "transpose", "a.png", "-k", SIXTEEN, "-s", "2", "-p", "1", "--op2", "1", "-o", "out.png", "-q", cwd=folder
    ).err
    assert "the kernel sums to 16, which stride 2 divides by 4; --divisor 4 keeps the brightness" in said
    again = done("transpose", "a.png", "-k", "bilinear:2", "-s", "2", "-p", "1", "-o", "out.png", "-q", cwd=folder).err
    assert "sums to" not in again


@pytest.mark.parametrize(
    "options", ["-k laplacian", "-k sobel", "-k unsharp:2", "-k box --bias 300", f"-k {SIXTEEN} --range abs"]
)
def test_other_causes_of_clipping(options: str, folder: Path) -> None:
    assert "sums to" not in done("apply", "a.png", *options.split(), "-o", "out.png", "-q", cwd=folder).err


def test_rows_that_the_shell_took(folder: Path) -> None:
    """``-k 0,1,0;1,-4,1`` without quotes ends the command at the ``;``."""
    hint = "kernel '0,1,0' is one row: if there was a ; after it, the shell took it; use quotes, as in -k '0,1,0;…'"
    assert hint in done("apply", "a.png", "-k", "0,1,0", cwd=folder).err
    assert hint in done("apply", "a.png", "--overwrite", "--kernel=0,1,0", cwd=folder).err
    for line in (["-k", "0,1,0", "-o", "out.png"], ["-o", "out.png", "-k", "1,1"], ["-o", "out.png", "-k", "1,2;3,4"]):
        assert "one row" not in done("apply", "a.png", *line, cwd=folder).err


def test_an_even_size_moves_the_result(folder: Path) -> None:
    hint = "a kernel of 3×4 has no middle: the result moves by half a pixel; use an odd size"
    kernel = "-k", "1,1,1,1;1,1,1,1;1,1,1,1", "-o", "out.npy", "-q"
    for rule in ("same", "same-upper", "same-lower"):
        assert hint in done("apply", "a.png", *kernel, "-p", rule, cwd=folder).err
    for others in (["-p", "1"], ["-p", "same-upper", "-s", "2"], ["-p", "same", "-d", "2"]):
        assert "no middle" not in done("apply", "a.png", *kernel, *others, cwd=folder).err


def test_a_large_kernel_makes_all_results_small(folder: Path) -> None:
    """They are channels of one result."""
    line = "apply", "a.png", "-k", "sobel-x", "-k", "gaussian:2", "-o", "out.npy", "-q"
    hint = "all results are as small as that of 'gaussian:2', 13×13: --padding same keeps the size"
    assert hint in done(*line, cwd=folder).err
    for others in (["-p", "same"], ["-p", "6"]):
        assert "as small as" not in done(*line, *others, cwd=folder).err
    assert "as small as" not in done("apply", "a.png", "-k", "sobel", "-k", "log:0.4,3", *line[6:], cwd=folder).err
