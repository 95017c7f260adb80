"""What is said of several images: a bad one among them, its name in errors, and names that could garble a terminal."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile

from support.cli import binary, done, run, terminal
from support.files import filtered
from support.pictures import read, write

BOX = ["-k", "box"]


# Several images


def test_a_bad_image_does_not_stop_the_rest(inputs: Path) -> None:
    result = run("apply", "a.png", "bad.png", "missing.png", "b.png", *BOX, "-q", cwd=inputs)
    assert result.code == 1
    assert result.text.split() == ["a-box.png", "b-box.png"]
    assert (inputs / "b-box.png").read_bytes() == filtered(inputs / "b.png")
    assert not (inputs / "bad-box.png").exists()
    lines = result.err.splitlines()
    assert "bad.png" in lines[0]
    assert "missing.png" in lines[1]
    assert lines[2].startswith("convcli: 2 of 4 written, 2 failed, in ")
    assert all(line.startswith("convcli: ") for line in lines)


def test_a_bad_image_in_json(inputs: Path) -> None:
    result = run("apply", "a.png", "bad.png", "b.png", *BOX, "--json", cwd=inputs)
    assert result.code == 1
    first, bad, last = result.json
    assert (first["output"], last["output"]) == ("a-box.png", "b-box.png")
    assert bad["input"] == "bad.png"
    assert "bad.png" in bad["error"]
    assert "output" not in bad


def test_an_operation_that_does_not_fit_one_image(inputs: Path) -> None:
    """It is the fault of that image: the others are done."""
    write(inputs / "small.png", np.zeros((1, 2, 2), np.uint8))
    result = run("apply", "small.png", "a.png", *BOX, "-q", cwd=inputs)
    assert result.code == 1
    assert result.text == "a-box.png\n"
    assert "small" in result.err or "kernel of 3" in result.err


def test_several_images_in_the_real_program(inputs: Path) -> None:
    result = binary("apply", "bad.png", "a.png", *BOX, "-q", cwd=inputs)
    assert (result.code, result.text) == (1, "a-box.png\n")


def test_several_images_that_all_fail(inputs: Path) -> None:
    """As when some of them do: 2 is for usage, and for a single image."""
    result = run("apply", "missing.png", "bad.png", *BOX, cwd=inputs)
    assert result.code == 1
    assert "0 of 2 written, 2 failed" in result.err


def test_a_single_bad_image_is_an_error(inputs: Path) -> None:
    assert run("apply", "bad.png", *BOX, cwd=inputs).code == 2


def test_transpose_of_several(inputs: Path) -> None:
    documents = done(
        "transpose", "a.png", "b.png", "-k", "bilinear:2", "-s", "2", "-o", "big/", "--json", cwd=inputs
    ).json
    assert [document["output"] for document in documents] == ["big/a.png", "big/b.png"]
    assert all(read(inputs / "big" / name).shape == (1, 14, 16) for name in ("a.png", "b.png"))


# What is said of which image, and how


def test_errors_of_several_images_name_them(inputs: Path) -> None:
    result = run("apply", "a.png", "b.png", *BOX, "--bias", "1,2", "-o", "out/", cwd=inputs)
    assert result.code == 1
    lines = result.err.splitlines()
    assert lines[0].startswith("convcli: error: 'a.png': bias has 2 values")
    assert lines[1].startswith("convcli: error: 'b.png': bias has 2 values")
    result = run("apply", "bad.png", "a.png", *BOX, "-o", "out/", cwd=inputs)
    assert result.err.startswith("convcli: error: input 'bad.png' ")  # not twice


def test_file_names_cannot_garble_the_terminal(inputs: Path) -> None:
    """Escapes, newlines and bytes that are no text: in the table, in notes and in errors."""
    names = ["new\nline.png", "esc\x1b[31m.png", os.fsdecode(b"byte\xff.png")]
    for name, safe in zip(names, [r"new\nline.png", r"esc\x1b[31m.png", r"byte\xff.png"], strict=True):
        (inputs / name).write_bytes((inputs / "a.png").read_bytes())
        result = binary("apply", name, "-k", "laplacian", "-o", "x.png", cwd=inputs)
        assert result.table["input"].startswith(safe)
        result = binary("apply", name, "-k", "laplacian", "-o", f"y{name}", cwd=inputs)
        assert result.err.startswith(f"convcli: y{safe}: ")
        assert len(result.err.splitlines()) == 1
        result = binary("apply", f"no{name}", *BOX, cwd=inputs)
        assert f"'no{safe}'" in result.err
        assert len(result.err.splitlines()) == 1
        assert binary("apply", name, *BOX, "-o", "x.png", "--json", cwd=inputs).json["input"] == name
        assert binary("apply", "a.png", *BOX, "-o", name, "-q", cwd=inputs).out == os.fsencode(f"{name}\n")


def test_plain_ascii_streams(inputs: Path) -> None:
    """The C locale without Python's help: signs it lacks become escapes, JSON stays JSON."""
    locale = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    result = binary("shape", "--hin", "9", "--k", "3", **locale)
    assert result.code == 0
    assert r"\u230a" in result.text
    result = binary("shape", "--hin", "9", "--k", "3", "--json", **locale)
    assert result.json["output"]["height"] == 7
    (inputs / "é.png").write_bytes((inputs / "a.png").read_bytes())
    result = binary("apply", "é.png", *BOX, "-o", "x.png", "--json", cwd=inputs, **locale)
    assert result.code == 0
    assert os.fsencode(result.json["input"]) == "é.png".encode()


# The bar of a picture in blocks

STOPPED = """
import os, signal
from convcli.__main__ import main
from convcli.runs import blocks

write, told = blocks.Run._write, [signal.SIGINT]

def stopping(*args):
    write(*args)
    if told:
        os.kill(os.getpid(), told.pop())

blocks.Run._write = stopping
main()
"""


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    path = tmp_path / "tiles.tif"
    pixels = np.arange(2100 * 600, dtype=np.uint32).astype(np.uint8).reshape(2100, 600)
    tifffile.imwrite(path, pixels, tile=(256, 256), compression="zlib")
    return path


APPLY = ("apply", "tiles.tif", "-k", "sobel", "--memory", "256M")


@pytest.mark.parametrize("more", [("-o", "out.zarr"), ("-o", "out.tif", "--pyramid", "--range", "minmax")])
def test_the_bar_of_blocks_leaves_the_terminal_before_the_table_comes(more: tuple[str, ...], tiles: Path) -> None:
    ended = terminal(*APPLY, *more, cwd=tiles.parent)
    assert ended.code == 0, ended.text
    assert "Traceback" not in ended.text
    bar, _, table = ended.text.rpartition("\x1b[?25h")  # which shows the cursor again
    assert re.search(r"([1-9])/\1", bar)
    assert "blocks" in table
    assert "blocks" not in bar


def test_an_interruption_of_blocks_on_a_terminal_is_told_in_a_line(tiles: Path) -> None:
    ended = terminal(*APPLY, "-o", "out.zarr", cwd=tiles.parent, code=STOPPED)
    assert ended.code == 130, ended.text
    assert "Traceback" not in ended.text
    told = ended.text.rpartition("interrupted")[2]
    assert re.match(r": [1-9] of [0-9]+ blocks are written; --skip-existing goes on", told), ended.text


def test_failed_blocks_on_a_terminal_are_told_in_a_line(tiles: Path) -> None:
    with tifffile.TiffFile(tiles) as file:
        place = file.pages[0].dataoffsets[-1]
    with tiles.open("r+b") as file:
        file.seek(place)
        file.write(b"\xff" * 20)
    ended = terminal(*APPLY, "-o", "out.zarr", cwd=tiles.parent)
    assert ended.code == 1, ended.text
    assert "Traceback" not in ended.text
    assert re.search(r"failed, [1-9] of [0-9]+ are done", ended.text)
