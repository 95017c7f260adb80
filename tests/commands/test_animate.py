"""`convcli animate`: the cases of conv_arithmetic, files, stills, the terminal, JSON, and errors."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from convcli.system import files
from support.cli import ROOT, SAMPLES, binary, done, run, terminal
from support.pictures import write

DIRECT, TRANSPOSED = "direct", "transpose"


CASES = [
    ("no_padding_no_strides", "--hin 4 --k 3", 4, 2, 1),
    ("arbitrary_padding_no_strides", "--hin 5 --k 4 --p 2", 9, 6, 1),
    ("same_padding_no_strides", "--hin 5 --k 3 --p 1", 7, 5, 1),
    ("full_padding_no_strides", "--hin 5 --k 3 --p 2", 9, 7, 1),
    ("no_padding_strides", "--hin 5 --k 3 --s 2", 5, 2, 2),
    ("padding_strides", "--hin 5 --k 3 --s 2 --p 1", 7, 3, 2),
    ("padding_strides_odd", "--hin 6 --k 3 --s 2 --p 1", 8, 3, 2),
    ("no_padding_no_strides_transposed", "--hin 2 --k 3 --transpose", 6, 4, 1),
    ("arbitrary_padding_no_strides_transposed", "--hin 6 --k 4 --p 2 --transpose", 8, 5, 1),
    ("same_padding_no_strides_transposed", "--hin 5 --k 3 --p 1 --transpose", 7, 5, 1),
    ("full_padding_no_strides_transposed", "--hin 7 --k 3 --p 2 --transpose", 7, 5, 1),
    ("no_padding_strides_transposed", "--hin 2 --k 3 --s 2 --transpose", 7, 5, 1),
    ("padding_strides_transposed", "--hin 3 --k 3 --s 2 --p 1 --transpose", 7, 5, 1),
    ("padding_strides_odd_transposed", "--hin 3 --k 3 --s 2 --p 1 --op2 1", 8, 6, 1),
    ("dilation", "--hin 7 --k 3 --d 2", 7, 3, 1),
]
"""conv_arithmetic's animations: name, options, cells of the grid, output size, and the step of the window; all from the
parameters in its `bin/generate_makefile` and the grid of `bin/produce_figure`: i + 2p, transposed o + k - 1."""


INPUTS = {
    "arbitrary_padding_no_strides_transposed": range(1, 7),  # p' = k - p - 1 = 1
    "full_padding_no_strides_transposed": range(7),  # p' = 0
    "no_padding_strides_transposed": range(2, 5, 2),  # p' = 2, a zero between
    "padding_strides_transposed": range(1, 6, 2),
    "padding_strides_odd_transposed": range(1, 6, 2),  # and one row and column more at the end
    "padding_strides_odd": range(1, 7),
    "dilation": range(7),
}
"""Rows and columns of the grid that are the input's."""


@pytest.mark.parametrize(("name", "line", "grid", "output", "step"), CASES, ids=[case[0] for case in CASES])
def test_the_cases_of_conv_arithmetic(name: str, line: str, grid: int, output: int, step: int, tmp_path: Path) -> None:
    target = tmp_path / f"{name}.gif"
    document = done("animate", *line.split(), "-o", target, "--json").json
    assert document["op"] == (TRANSPOSED if name.endswith("transposed") else DIRECT)
    assert document["output"] == {"height": output, "width": output}
    assert (document["grid"]["height"], document["grid"]["width"]) == (grid, grid)
    assert document["kernel_flipped"] == name.endswith("transposed")
    corners = [(frame["window"]["top"], frame["window"]["left"]) for frame in document["frames"]]
    assert corners == [(step * y, step * x) for y in range(output) for x in range(output)]
    if name in INPUTS:
        places = {
            (y, x) for y, row in enumerate(document["grid"]["cells"]) for x, cell in enumerate(row) if cell == "input"
        }
        assert places == {(y, x) for y in INPUTS[name] for x in INPUTS[name]}
    taps = [tuple(tap["at"]) for tap in document["frames"][0]["taps"]]
    spread = 2 if name == "dilation" else 1
    k = 4 if name.startswith("arbitrary") else 3
    assert taps == [(spread * i, spread * j) for i in range(k) for j in range(k)]
    with Image.open(target) as image:
        assert image.n_frames == output**2  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["out.gif", "out.png", "out.apng", "out.webp", "out.svg"])
def test_formats(name: str, tmp_path: Path) -> None:
    done("animate", "--hin", 4, "--k", 3, "-o", name, cwd=tmp_path)
    if name.endswith("svg"):
        assert ElementTree.parse(tmp_path / name).getroot().tag.endswith("svg")
    else:
        with Image.open(tmp_path / name) as image:
            assert image.n_frames == 4  # type: ignore[attr-defined]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_stills_are_counted_from_0(tmp_path: Path) -> None:
    """The frame of the number is that of the animation, as `img.gif[0]` counts them."""
    done("animate", "--hin", 4, "--k", 3, "-o", "all.webp", cwd=tmp_path)
    done("animate", "--hin", 4, "--k", 3, "--frame", 2, "--scale", 1, "-o", "one.png", cwd=tmp_path)
    with Image.open(tmp_path / "all.webp") as film, Image.open(tmp_path / "one.png") as still:
        film.seek(2)
        here, there = np.asarray(still.convert("RGB")).astype(int), np.asarray(film.convert("RGB"))
        assert np.abs(here - there).mean() < 0.5
        film.seek(1)
        assert np.abs(here - np.asarray(film.convert("RGB"))).mean() > 0.5
    done("animate", "--hin", 4, "--k", 3, "--frame", 2, "-o", "two.svg", cwd=tmp_path)
    assert "<animate" not in (tmp_path / "two.svg").read_text()
    assert "output (1,0)" in (tmp_path / "two.svg").read_text()


def test_sizes_and_looks(tmp_path: Path) -> None:
    def size(*more: object) -> tuple[int, int]:
        done("animate", "--hin", 12, "--k", 3, "--frame", 0, "-o", "a.png", *more, cwd=tmp_path)
        with Image.open(tmp_path / "a.png") as image:
            return image.size

    assert size("--scale", 1) == tuple(side // 2 for side in size())
    assert size("--cell", 60, "--scale", 1) > size("--cell", 30, "--scale", 1)
    size("--theme", "dark")
    with Image.open(tmp_path / "a.png") as image:
        assert image.getpixel((0, 0)) == (0x16, 0x19, 0x1D)
    done("animate", "--hin", 4, "--k", 3, "-o", "a.gif", "--fps", 10, "--title", "Ω & <1>", cwd=tmp_path)
    with Image.open(tmp_path / "a.gif") as image:
        assert image.info["duration"] == 100
    done("animate", "--hin", 4, "--k", 3, "-o", "a.svg", "--title", "Ω & <1>", cwd=tmp_path)
    done("animate", "--hin", 4, "--k", 3, "-o", "b.svg", "--title", "a\x01b\udcff", cwd=tmp_path)
    assert any(node.text == "a\\x01b\\xff" for node in ElementTree.parse(tmp_path / "b.svg").iter())
    assert any(node.text == "Ω & <1>" for node in ElementTree.parse(tmp_path / "a.svg").iter())


def test_the_numbers_of_an_image(tmp_path: Path) -> None:
    """The example of Dumoulin and Visin, figure 1.1: a 3×3 kernel on a 5×5 input; (0,0) is 12."""
    image = [[3, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]]
    np.save(tmp_path / "a.npy", np.array(image, float))
    document = done("animate", "a.npy", "-k", "0,1,2;2,2,0;0,1,2", "--json", cwd=tmp_path).json
    assert [frame["value"] for frame in document["frames"]] == [12, 12, 17, 10, 17, 19, 9, 6, 14]
    first = document["frames"][0]["taps"]
    assert [tap["value"] for tap in first] == [3, 3, 2, 0, 0, 1, 3, 1, 2]
    assert [tap["weight"] for tap in first] == [0, 1, 2, 2, 2, 0, 0, 1, 2]
    shown = done(
        "animate", "a.npy", "-k", "0,1,2;2,2,0;0,1,2", "--frame", 0, "-o", "-", "--format", "svg", cwd=tmp_path
    )
    assert "(0,0): 3·1 + 2·2 + 1·1 + 2·2 + 5 products of 0 = 12" in shown.text
    # the same with stride 2 and padding 1: figure 1.2
    strided = done("animate", "a.npy", "-k", "0,1,2;2,2,0;0,1,2", "-s", 2, "-p", 1, "--json", cwd=tmp_path).json
    assert [frame["value"] for frame in strided["frames"]] == [6, 17, 3, 8, 17, 13, 6, 4, 4]
    flipped = done("animate", "a.npy", "-k", "0,1,2;2,2,0;0,1,2", "--op", "conv", "--json", cwd=tmp_path).json
    assert [tap["weight"] for tap in flipped["frames"][0]["taps"]] == [2, 1, 0, 0, 2, 2, 2, 1, 0]


def test_no_digit_before_the_point_is_lost(tmp_path: Path) -> None:
    done("animate", "1000.5,2000;3000,4000", "-k", "box:2", "--frame", 0, "-o", "n.svg", cwd=tmp_path)
    assert {">1000.5<", ">2500.1<"} <= set(re.findall(">[^<>]+<", (tmp_path / "n.svg").read_text()))


def test_numbers_may_be_written_down() -> None:
    frames = done("animate", "1,2,3;4,5,6;7,8,9", "-k", "1,0;0,-1", "--json").json["frames"]
    assert [frame["value"] for frame in frames] == [-4, -4, -4, -4]
    assert [frame["value"] for frame in done("animate", "1/4,0.5", "-k", "2.0", "--json").json["frames"]] == [0.5, 1]


def test_borders_copy_values(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[1.0, 2, 3]]))
    line = ("animate", "a.npy", "-k", "1,1,1", "-p", "0,1", "--json", "--padding-mode")
    values = lambda mode: [frame["value"] for frame in done(*line, mode, cwd=tmp_path).json["frames"]]
    assert values("zeros") == [3, 6, 5]
    assert values("reflect") == [5, 6, 7]
    assert values("circular") == [6, 6, 6]


def test_channels(tmp_path: Path) -> None:
    """Gray by default: 0.299 R + 0.587 G + 0.114 B."""
    write(tmp_path / "a.png", np.array([[[100, 0]], [[200, 0]], [[50, 10]]], np.uint8))
    values = lambda *more: [
        frame["value"]
        for frame in done("animate", "a.png", "-k", "identity:1", "--json", *more, cwd=tmp_path).json["frames"]
    ]
    assert values() == pytest.approx([153, 1.14])
    assert values("--channel", 1) == [200, 0]
    assert values("--channel", 2) == [50, 10]
    np.save(tmp_path / "b.npy", np.arange(4.0).reshape(2, 1, 2))
    frames = done("animate", "b.npy", "-k", "1", "--json", cwd=tmp_path).json["frames"]
    assert [frame["value"] for frame in frames] == [0, 1]


def test_what_is_lost_is_said(tmp_path: Path) -> None:
    write(tmp_path / "a.png", np.full((2, 2, 2), 9, np.uint8), "LA")
    assert "a.png: alpha is left out" in done("animate", "a.png", "-k", "1", "-o", "a.svg", cwd=tmp_path).err
    document = done("animate", "a.png", "-k", "1", "--json", cwd=tmp_path).json
    assert document["notes"] == ["alpha is left out"]
    assert document["written"] is None


def test_standard_streams() -> None:
    gif = binary("animate", "--hin", 3, "--k", 2, "-o", "-")
    assert gif.out.startswith(b"GIF89a")
    assert "output" in gif.err
    webp = binary("animate", "-", "-k", "1", "-o", "-", "--format", "webp", input=(SAMPLES / "tiny.png").read_bytes())
    assert webp.out[8:12] == b"WEBP"
    assert "terminal" in terminal("animate", "--hin", 3, "--k", 2, "-o", "-").text
    assert terminal("animate", "--hin", 3, "--k", 2, "-o", "-").code == 2


def test_quiet_and_table(tmp_path: Path) -> None:
    assert done("animate", "--hin", 3, "--k", 2, "-o", "a.svg", "-q", cwd=tmp_path).text == "a.svg\n"
    table = done("animate", "--hin", 3, "--k", 2, "--p", 1, "-o", "a.svg", cwd=tmp_path).table
    assert table == {"input": "3×3", "grid": "5×5, padded", "output": "4×4", "frames": "16", "written": "a.svg"}


def test_frames_as_text() -> None:
    shown = done("animate", "--hin", 3, "--win", 2, "--k", 2, "--terminal").text
    assert shown.startswith(
        "convolution 3×2 → 2×1, frame 0 of 0 to 1\n\n"
        "[■][■]    [■]\n"
        "[■][■]     ·\n"
        " ■  ■\n\n"
        "output (0,0): 4 of 4 taps are on the input\n\n"
    )
    assert shown.count("frame") == 2


def test_transposed_frames_as_text() -> None:
    shown = done(
        "animate", "--hin", 1, "--win", 2, "--k", "1,2", "--s", 2, "--op2", "0,1", "--terminal", "--frame", 2
    ).text
    assert shown.splitlines()[2] == " ·  ■ [0][■] ·  +      ■  ■ [■] ·  ·"


def test_it_plays_on_a_terminal() -> None:
    shown = terminal("animate", "--hin", 3, "--k", 2, "--terminal", "--fps", 50)
    assert shown.code == 0
    for number in range(4):
        assert f"frame {number} of 0 to 3" in shown.text
    assert "\x1b[" in shown.text
    assert "\x1b[" not in terminal("animate", "--hin", 3, "--k", 2, "--terminal", TERM="dumb").text
    narrow = terminal("animate", "--hin", 30, "--k", 2, "--terminal", COLUMNS="60")
    assert narrow.code == 2
    assert "no room" in narrow.text


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--hin 5 --k 3", "there is no output: add -o FILE"),
        ("--k 3 -o o.gif", "there is nothing to animate: give --hin N"),
        ("--hin 5 -o o.gif", "no kernel is given: add its size, --k N"),
        ("a.png -o o.gif", "no kernel is given: add -k SPEC"),
        ("a.png -k box --hin 5 -o o.gif", "--hin is for a geometry without an image"),
        ("a.png --k 3 -o o.gif", "--k is for a geometry without an image"),
        ("a.png -k box --channel 3 -o o.gif", "--channel 3 is not in 'a.png', which has 3: use 0 to 2"),
        ("a.png -k sobel -o o.gif", "kernel 'sobel' is 2 kernels: animate one of them: sobel-x, sobel-y"),
        ("a.png -k nonsense -o o.gif", "nonsense"),
        ("a.png -k box -o a.png", "is an input of this run: use another name"),
        ("1,2;3 -k box -o o.gif", "input '1,2;3' is ragged: row 2 has 1 value"),
        ("1,2,x -k box -o o.gif", "contains 'x', not a number"),
        ("--hin 5 --k 3 --frame 1 --fps 3 -o o.png", "--fps 3 is for an animation"),
        ("--hin 5 --k 3 --scale 3 -o o.svg", "--scale 3 is for pixels"),
        ("missing.png -k box -o o.gif", "no such file"),
        ("--hin 5 --k 3 -k box -o o.gif", "exclude each other"),
        ("--hin 5 --k 7 -o o.gif", "larger than the padded image"),
        ("--hin 5 --k 3 --frame 9 -o o.png", "--frame 9 is not among the 9 steps: use 0 to 8"),
        ("--hin 5 --k 3 --frame 1 -o o.gif", "is not for a still: use one of .png, .svg"),
        ("--hin 5 --k 3 -o o.jpg", "is not for an animation: use one of .gif, .png, .apng, .webp, .svg"),
        ("--hin 5 --k 3 -o - --format jpg", "format 'jpg' is not for an animation"),
        ("--hin 5 --k 3 -o o.gif --format gif", "--format gif is for -o -"),
        ("--hin 5 --k 3 --format gif --json", "--format gif is for -o -"),
        ("--hin 5 --k 3 -o - --terminal", "both want standard output"),
        ("--hin 5 --k 3 --json --terminal", "both want standard output"),
        ("--hin 5 --k 3 -o no/o.gif", "there is no folder"),
        ("--hin 5 --k 3 --channel 0 -o o.gif", "--channel is for an IMAGE"),
        ("--hin 64 --k 3 -o o.gif", "at most 1024 (32×32)"),
        ("--hin 5 --k 3 --fps 0 -o o.gif", "not a number from 0.1 to 50"),
        ("--hin 5 --k 3 --fps nan -o o.gif", "not a number from 0.1 to 50"),
        ("--hin 5 --k 3 --scale 99 -o o.gif", "not a number from 0.25 to 8"),
        ("--hin 5 --k 3 --cell 0 -o o.gif", "not a whole number from 1 to 400"),
        ("--hin 5 --k 3 --frame -1 -o o.png", "not a whole number from 0"),
        ("a.png -k 0.123456,1e-7 --cell 9 -o o.gif", "--cell 9 is too small"),
        ("--hin 32 --k 1 --cell 400 -o o.gif", "use a smaller --scale or --cell"),
        ("--hin 32 --k 1 --cell 400 --frame 3 --scale 8 -o o.png", "use a smaller --scale or --cell"),
    ],
)
def test_errors(line: str, says: str, tmp_path: Path) -> None:
    write(tmp_path / "a.png", np.zeros((3, 4, 4), np.uint8))
    result = run("animate", *line.split(), cwd=tmp_path)
    assert result.code == 2
    assert says in result.err
    assert result.err.count("\n") == 1
    assert result.out == b""
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_without_an_image_k_is_a_size_or_a_kernel(tmp_path: Path) -> None:
    size = done("animate", "--hin", 5, "-k", "3,2", "--json").json
    assert size["kernel_size"] == [3, 2]
    assert size["frames"][0]["taps"][0]["weight"] is None
    named = done("animate", "--hin", 5, "-k", "sobel-x", "--json").json
    assert [tap["weight"] for tap in named["frames"][0]["taps"]] == [-1, 0, 1, -2, 0, 2, -1, 0, 1]
    done("animate", "--hin", 5, "-k", "sobel-x", "--frame", 0, "-o", "a.svg", cwd=tmp_path)
    assert ">×−2</text>" in (tmp_path / "a.svg").read_text()


def test_a_geometry_loads_neither_pillow_nor_rich(tmp_path: Path) -> None:
    from support.imports import loaded_by

    assert loaded_by("animate --hin 4 --k 3 -o a.svg -q", tmp_path) == {"click"}
    assert loaded_by("animate --hin 4 --k 3 --terminal", tmp_path) == {"click"}
    assert loaded_by("animate --hin 4 --k 3 -o a.gif -q", tmp_path) == {"click", "numpy", "PIL"}


def test_nothing_is_left_of_what_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "a.gif").write_bytes(b"before")
    monkeypatch.setattr(files.os, "replace", full)
    result = run("animate", "--hin", 4, "--k", 3, "-o", "a.gif", cwd=tmp_path)
    assert result.code == 2
    assert "the disk is full" in result.err
    assert (tmp_path / "a.gif").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["a.gif"]


def test_the_documents_list_the_cases() -> None:
    page = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
    for name, line, *_ in CASES:
        assert f"`convcli animate {line} -o {name}.gif`" in page


def dark(path: Path) -> int:
    """Pixels of a title's ink."""
    with Image.open(path) as image:
        return int((np.asarray(image.convert("L"))[:60] < 100).sum())


def test_signs_that_the_font_lacks_are_boxes_and_are_told(tmp_path: Path) -> None:
    line = ("animate", "--hin", 5, "--k", 3, "--frame", 0, "-q", "--title")
    told = run(*line, "漢字", "-o", "t.png", cwd=tmp_path)
    assert told.err == "convcli: t.png: the built-in font lacks '漢字', drawn as boxes: write .svg\n"
    assert run(*line, "  ", "-o", "u.png", cwd=tmp_path).err == ""
    assert dark(tmp_path / "t.png") > dark(tmp_path / "u.png") + 50
    assert run(*line, "漢字", "-o", "t.svg", cwd=tmp_path).err == ""
    assert "漢字" in (tmp_path / "t.svg").read_text()
    gif = done("animate", "--hin", 3, "--k", 3, "--title", "漢a", "-o", "t.gif", "--json", cwd=tmp_path).json
    assert gif["notes"] == ["the built-in font lacks '漢', drawn as boxes: write .svg"]


@pytest.mark.parametrize(
    ("line", "grid"),
    [
        ("--hin 7 --k 3 --d 2", "7×7"),
        ("--hin 5 --k 3 --p 1", "7×7, padded"),
        ("--hin 3 --k 3 --transpose", "7×7, padded"),
        ("--hin 3 --k 3 --p 2 --transpose", "3×3"),
        ("--hin 3 --k 1 --s 2 --transpose", "5×5, zero-stuffed"),
        ("--hin 2 --k 2 --s 2 --op2 1", "6×6, zero-stuffed and padded"),
    ],
)
def test_the_grid_is_said_to_be_what_it_is(line: str, grid: str, tmp_path: Path) -> None:
    """The last: 2 pixels, a zero between them, k - 1 = 1 around, and one of output_padding."""
    assert done("animate", *line.split(), "-o", "g.svg", cwd=tmp_path).table["grid"] == grid


@pytest.mark.parametrize(
    ("numbers", "what"),
    [
        ("nan,1;2,3", "contains nan"),
        ("1,2;3,x", "contains 'x', not a number"),
        ("1,2;3", "is ragged"),
        ("photo,1.png", "there is no such file"),
    ],
)
def test_numbers_that_are_none(numbers: str, what: str) -> None:
    result = run("animate", numbers, "-k", 1, "--json")
    assert (result.code, result.out) == (2, b"")
    assert f"input '{numbers}'" in result.err
    assert what in result.err


def test_channels_count_from_the_end(tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.arange(3.0).reshape(3, 1, 1))
    document = done("animate", "in.npy", "-k", 1, "--channel", -1, "--json", cwd=tmp_path).json
    assert document["frames"][0]["value"] == 2
    assert "use 0 to 2, or -3 to -1" in run("animate", "in.npy", "-k", 1, "--channel", -4, "--json", cwd=tmp_path).err


def test_a_film_is_named_after_its_operation() -> None:
    """Only a kernel with numbers shows whether it is flipped."""
    numbers = "animate", "1,2;3,4", "-k", "1,2;3,4", "--terminal"
    geometry = "animate", "--hin", 5, "--k", 3, "--terminal"
    assert done(*numbers).text.startswith("correlation 2×2 → 1×1")
    assert done(*numbers, "--op", "conv").text.startswith("convolution 2×2 → 1×1")
    assert done(*numbers, "--transpose").text.startswith("transposed convolution 2×2 → 3×3")
    assert done(*geometry).text.startswith("convolution 5×5 → 3×3")


def test_a_size_is_no_image() -> None:
    assert "'5' is not an image: write --hin 5 for a geometry" in run("animate", 5, "--k", 3, "--terminal").err
