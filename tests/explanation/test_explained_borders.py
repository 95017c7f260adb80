"""The sum behind a pixel of a transposed operation whose input goes on beyond its border."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.cli import done
from support.pictures import write

LINE = ("-k", "1,2,3;4,5,6;7,8,9", "-s", "2", "-p", "1", "--op2", "1", "--transpose")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "a.png", np.arange(1, 13, dtype=np.uint8).reshape(1, 3, 4))
    return tmp_path


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "symmetric", "circular"])
def test_the_sum_is_the_value(mode: str, folder: Path) -> None:
    options = [*LINE, "--padding-mode", mode]
    done("transpose", "a.png", *LINE[:-1], "--padding-mode", mode, "-o", "b.npy", cwd=folder)
    want = np.load(folder / "b.npy")[0]
    assert want.shape == (6, 8)
    for y, x in ((0, 0), (5, 7), (5, 0), (2, 7), (3, 3)):
        told = done("explain", "a.png", *options, "--at", f"{y},{x}", "--json", cwd=folder).json
        assert told["sum"] == pytest.approx(want[y, x])
        assert told["padding_mode"] == mode


def test_copies_are_marked_and_named(folder: Path) -> None:
    """The last row reads row 3, which is row 2 again; between its pixels are zeros, as between those of the input."""
    told = done("explain", "a.png", *LINE, "--padding-mode", "replicate", "--at", "5,7", "--json", cwd=folder).json
    assert told["marks"] == [["pixel", "between", "copy"], ["between"] * 3, ["copy", "between", "copy"]]
    assert told["sources"] == [[[2, 3], None, [2, 3]], [None] * 3, [[2, 3], None, [2, 3]]]
    shown = done("explain", "a.png", *LINE, "--padding-mode", "replicate", "--at", "5,7", cwd=folder).text
    assert "beyond the border, the input extended by mode replicate: row 3 is 2; column 4 is 3" in shown
    assert "padding           1; the input is extended by replicate" in shown
    assert "3→2" in shown


def test_runs_of_copies_are_told_together(folder: Path) -> None:
    line = ("-k", "box:9", "-s", "2", "--transpose", "--padding-mode", "reflect", "--at", "0,0")
    shown = done("explain", "a.png", *line, cwd=folder).text
    assert "rows -4 to -2 are 0 to 2; row -1 is 1; columns -4 to -3 are 2 to 3; columns -2 to -1 are 2 to 1" in shown


@pytest.mark.parametrize("mode", ["reflect", "replicate", "symmetric", "circular"])
def test_what_an_input_touches_is_what_reads_it(mode: str, folder: Path) -> None:
    """The weights of a pixel in all outputs are what a picture of that pixel alone becomes."""
    options = [*LINE, "--padding-mode", mode]
    for y, x in ((0, 0), (1, 2), (2, 3)):
        alone = np.zeros((1, 3, 4), np.uint8)
        alone[0, y, x] = 1
        write(folder / "one.png", alone)
        done("transpose", "one.png", *LINE[:-1], "--padding-mode", mode, "-o", "one.npy", cwd=folder)
        found = np.zeros((6, 8))
        told = done("explain", "a.png", *options, "--input-at", f"{y},{x}", "--json", cwd=folder).json
        for way in told["outputs"]:
            found[tuple(way["at"])] += way["weight"]
        np.testing.assert_allclose(found, np.load(folder / "one.npy")[0])
    shown = done("explain", "a.png", *options, "--input-at", "2,3", cwd=folder).text
    assert ("a copy beyond the border" in shown) == (mode in ("replicate", "symmetric"))


def test_the_figure(folder: Path) -> None:
    done("explain", "a.png", *LINE, "--padding-mode", "reflect", "--at", "5,7", "-o", "f.svg", cwd=folder)
    assert "the input extended by mode reflect" in (folder / "f.svg").read_text()


def test_animate_shows_the_copies(folder: Path) -> None:
    line = ("animate", "--hin", "3", "--k", "3", "--s", "2", "--transpose", "--json", "--padding-mode")
    taps = done(*line, "replicate", cwd=folder).json["frames"][0]["taps"]
    assert [tap["input"] for tap in taps] == [[0, 0], None, [0, 0], None, None, None, [0, 0], None, [0, 0]]
    assert [tap["kind"] for tap in taps][:2] == ["padding", "padding"]
    assert [tap["input"] for tap in done(*line, "zeros", cwd=folder).json["frames"][0]["taps"]][:-1] == [None] * 8
    told = done("animate", "a.png", *LINE, "--padding-mode", "circular", "--json", cwd=folder).json
    for frame in told["frames"]:
        assert sum(tap["product"] for tap in frame["taps"]) == pytest.approx(frame["value"])
