"""`convcli explain` as a user meets it: what is shown, the JSON, figures, the inverse question, errors; the values of `apply`."""

import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import convcli.translate
from convcli.convspec import ConvSpec
from convcli.drawing.colors import PALETTES
from convcli.drawing.scene import Text
from convcli.explanation import illustration, pixel, subject
from convcli.runs.operation import assemble
from support.cli import SAMPLES, Result, binary, cells, done, environment, run, terminal
from support.figures import SVG
from support.layers import Layer, layers
from support.pictures import read, write

# The command against `apply` and `transpose`


def options_of(layer: Layer) -> list[str]:
    """The command line of a layer."""
    spec, pair = layer.spec, lambda values: ",".join(map(str, values))
    out = [
        f"--stride={pair(spec.stride)}",
        f"--dilation={pair(spec.dilation)}",
        f"--groups={spec.groups}",
        f"--op={spec.op}",
    ]
    out.append(f"--padding={spec.padding if isinstance(spec.padding, str) else pair(spec.padding)}")
    out.append(f"--padding-mode={spec.padding_mode}")
    if any(spec.output_padding):
        out.append(f"--output-padding={pair(spec.output_padding)}")
    if spec.output_size is not None:
        out.append(f"--output-size={pair(spec.output_size)}")
    if layer.bias is not None:
        out.append(f"--bias={','.join(format(value, '.17f') for value in layer.bias)}")
    return out


@settings(max_examples=25)
@given(layer=layers(), data=st.data())
def test_value_is_what_apply_and_transpose_write(
    layer: Layer, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("explain")
    np.save(folder / "in.npy", layer.image)
    np.save(folder / "w.npy", layer.weight)
    line = ["in.npy", "--weights", "w.npy", *options_of(layer)]
    command = "transpose" if layer.spec.transpose else "apply"
    done(command, *line, "-o", "out.npy", "-q", "--dtype", "float64", "--backend", "reference", cwd=folder)
    expected = np.load(folder / "out.npy")
    batch = 0 if layer.batch is None else data.draw(st.integers(0, layer.batch - 1))
    result = expected if layer.batch is None else expected[batch]
    place = tuple(data.draw(st.integers(0, count - 1)) for count in result.shape)
    more = ["--transpose"] if layer.spec.transpose else []
    more += [] if layer.batch is None else [f"--item={batch}"]
    document = done(
        "explain", *line, *more, f"--at={place[1]},{place[2]}", f"--channel={place[0]}", "--json", cwd=folder
    ).json
    full = layer.magnitude if layer.batch is None else layer.magnitude[batch]
    allowed = 1e-12 * full[place] + 1e-300
    assert document["value"] == pytest.approx(result[place], abs=allowed)
    assert document["sum"] == pytest.approx(np.sum(document["products"]) + document["bias"], abs=allowed)
    np.testing.assert_allclose(np.multiply(document["window"], document["kernel"]), document["products"])
    assert document["output_shape"] == [*result.shape]
    assert document["op"] == ("transpose" if layer.spec.transpose else layer.spec.op)


PICTURES = {
    "gray.png": (1, "L"), "rgb.png": (3, "RGB"), "rgba.png": (4, "RGBA"), "la.png": (2, "LA"),
}  # fmt: skip
OPERATIONS = [
    "-k sobel", "-k sobel-x --op conv", "-k box:2 -s 2", "-k gaussian:1 -p same --padding-mode reflect",
    "-k laplacian --bias 50%", "-k sharpen --alpha filter", "-k box --linear", "-k gaussian:1 --linear --bias 3",
    "-k sobel --channels gray", "-k identity --alpha keep", "-k box --alpha premultiply --bias 7",
    "-k kirsch", "-k sobel-x --channels sum --alpha drop", "-k sobel-x -k sobel-y --combine sum", "-k prewitt --combine max",
    "-k bilinear:2 -s 2 -p 1 --transpose", "-k box:3 --op2 1 -s 2", "-k box:2 --transpose --output-size 18,22 -s 2 --alpha keep",
]  # fmt: skip


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(5)
    for name, (count, mode) in PICTURES.items():
        write(folder / name, generator.integers(0, 256, (count, 9, 11), dtype=np.uint8), mode)
    deep = generator.integers(0, 65536, (1, 9, 11), dtype=np.uint16)
    write(folder / "deep.png", deep)
    return folder


@pytest.mark.parametrize("line", OPERATIONS)
@pytest.mark.parametrize("name", [*PICTURES, "deep.png"])
def test_values_and_what_is_written_of_pictures(name: str, line: str, pictures: Path, tmp_path: Path) -> None:
    """Every channel of a pixel: real values as in the .npy, integers as in the .png."""
    if "premultiply" in line and name not in ("rgba.png", "la.png"):
        line = line.replace("--alpha premultiply", "")
    transposed = "--transpose" in line or "--op2" in line
    command, words = ("transpose" if transposed else "apply"), line.replace("--transpose", "").split()
    source = pictures / name
    policy = [] if len(line) % 2 else ["--range", "offset"]
    done(command, source, *words, "-o", tmp_path / "out.npy", "-q")
    done(command, source, *words, *policy, "-o", tmp_path / "out.png", "-q")
    real, stored = np.load(tmp_path / "out.npy"), read(tmp_path / "out.png")
    asked = ["explain", source, *line.split(), *policy, "--at=-2,3", "--json"]
    computed = done(*asked).json["output_shape"][0]
    assert 0 <= len(real) - computed <= (name in ("rgba.png", "la.png"))  # opacity may be copied
    for channel in range(computed):
        document = done(*asked, f"--channel={channel}").json
        assert document["at"] == [real.shape[1] - 2, 3]
        value = float(real[channel, -2, 3])
        assert document["value"] == pytest.approx(value, rel=1e-4, abs=1e-2)
        close_call = document["linear"] or abs(value % 1 - 0.5) < 1e-2  # float32 may round it the other way
        assert abs(document["written"] - int(stored[channel, -2, 3])) <= close_call


@pytest.mark.parametrize("policy", ["clip", "abs", "offset", "minmax", "-100,250"])
@pytest.mark.parametrize("name", ["gray.png", "rgb.png", "deep.png"])
def test_every_range_policy(policy: str, name: str, pictures: Path, tmp_path: Path) -> None:
    line = ["-k", "1,-2,0;0,3,-1", "--range", policy]
    done("apply", pictures / name, *line, "-o", tmp_path / "out.png", "-q")
    stored = read(tmp_path / "out.png")
    for y, x in [(0, 0), (3, 4), (7, 8), (2, 6)]:
        document = done("explain", pictures / name, *line, "--at", f"{y},{x}", "--json").json
        assert document["written"] == stored[0, y, x]
        assert document["range"] == policy


TINY = SAMPLES / "tiny.png"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("explain")
    write(path / "ramp.png", np.arange(20, dtype=np.uint8).reshape(1, 4, 5))  # 0 … 4 / 5 … 9 / 10 … 14 / 15 … 19
    write(path / "rgb.png", np.random.default_rng(0).integers(0, 256, (3, 8, 9), dtype=np.uint8))
    np.save(path / "maps.npy", np.arange(24, dtype=np.float32).reshape(2, 3, 4))
    np.save(path / "batch.npy", np.arange(48, dtype=np.float64).reshape(2, 2, 3, 4))
    np.save(path / "w.npy", np.random.default_rng(1).normal(size=(5, 3, 3, 3)))
    np.save(path / "wide.npy", np.random.default_rng(1).normal(size=(2, 40, 3, 3)))
    np.save(path / "deep.npy", np.random.default_rng(1).normal(size=(40, 5, 5)))
    return path


# What is shown


def test_a_sum_by_hand(folder: Path) -> None:
    result = done("explain", "ramp.png", "-k", "1,2;3,4", "--at", "1,2", "--bias", "0.5", cwd=folder)
    text = result.text
    assert result.err == ""
    assert text.startswith("convcli explain: output 1,2 of channel 0 (gray)\n")
    assert "corr: the kernel as it is, not flipped" in text
    assert "1│  7  8 │" in text
    assert "2│ 12 13 │" in text
    assert "│ 3 4 │" in text
    assert "│ 36 52 │" in text
    assert result.table["sum"] == "111 + 0.5 (bias) = 111.5"
    assert result.table["value"] == "111.5"
    assert result.table["stored"].startswith("112")  # half to even
    assert "half to even" in result.table["stored"]


def test_the_flipped_kernel_is_shown_flipped(folder: Path) -> None:
    text = done("explain", "ramp.png", "-k", "1,2;3,4", "--op", "conv", "--at", "1,2", cwd=folder).text
    assert "conv: the kernel flipped in both axes" in text
    assert "│ 4 3 │" in text
    assert "│ 2 1 │" in text


def test_padding_is_marked_and_says_what_it_copies(folder: Path) -> None:
    line = ["explain", "ramp.png", "-k", "box:3", "-p", "2", "--at", "0,0"]
    zeros = done(*line, cwd=folder).text
    assert "(0): beyond the border, padding of zeros" in zeros
    assert "-2│ (0) (0) (0) │" in zeros
    reflected = done(*line, "--padding-mode", "reflect", cwd=folder).text
    assert "-2→2│ (12) (11) (10) │" in reflected
    assert "rows -2 to -1 are 2 to 1; columns -2 to -1 are 2 to 1" in reflected


def test_a_combined_bank_shows_every_member(folder: Path) -> None:
    result = done("explain", "ramp.png", "-k", "sobel", "--at", "0,0", cwd=folder)
    table = cells(result.text)
    assert table["sobel-x"] == "8"
    assert table["sobel-y"] == "40"
    assert table["magnitude"] == "√(8² + 40²) = 40.7922"
    assert table["stored"].startswith("41")


@pytest.mark.parametrize(
    ("line", "value", "written", "words"),
    [
        ("--kernel=-1", "-6", "0", "below 0: clipped"), ("--kernel=-1 --range abs", "-6", "6", "the absolute value"),
        ("--kernel=-1 --range offset", "-6", "122", "128 is added"), ("--kernel=60.0", "360", "255", "above 255: clipped"),
        ("--kernel=0.4", "2.4", "2", "rounded"), ("--kernel=-1 --format npy", "-6", "-6", "raw, NPY"),
        ("--kernel=-1 --range minmax", "-6", "174", "-19 to 0, the whole range, is stretched to 0 to 255"),
        ("--kernel=-1 --range=-8,-3", "-6", "102", "(-8 to -3 is stretched to 0 to 255; --range -8,-3, PNG)"),
        ("--kernel=-1 --range=-3,2", "-6", "0", "-3 to 2 is stretched to 0 to 255; below -3: clipped"),
        ("--kernel=-1 --range=-9,-7", "-6", "255", "-9 to -7 is stretched to 0 to 255; above -7: clipped"),
        ("--kernel=-1 --range=-8,-3 --format npy", "-6", "102", "-8 to -3 is stretched to 0 to 255; float32"),
        ("--kernel=-1 --range=-9,-7 --format npy", "-6", "255", "above -7: clipped; float32"),
    ],
)  # fmt: skip
def test_what_is_written_and_why(line: str, value: str, written: str, words: str, folder: Path) -> None:
    """The 6 of the ramp: minmax gives (-6 + 19) · 255 / 19 = 174.47, and -8,-3 2 · 51."""
    table = done("explain", "ramp.png", *line.split(), "--at", "1,1", cwd=folder).table
    assert table["value"] == value
    assert table["stored"].partition(" ")[0] == written
    assert words in table["stored"]


def test_transposed_lists_what_reaches_the_output(folder: Path) -> None:
    line = ["explain", "ramp.png", "-k", "1,2,3;4,5,6;7,8,9", "-s", "2", "--transpose", "--at", "2,3"]
    text = done(*line, cwd=folder).text
    assert "an output sees it turned by 180°" in text
    assert "·: a zero between two input pixels" in text
    rows = [text_.split() for text_ in text.splitlines() if text_.startswith("  0 ")]
    assert rows == [["0", "1,1", "0,1", "6", "2", "12"], ["0", "0,1", "2,1", "1", "8", "8"]]
    assert done(*line, "-q", cwd=folder).text == "20.0\n"


def test_nothing_reaches_output_padding(folder: Path) -> None:
    text = done("explain", "ramp.png", "-k", "box:3", "-s", "2", "--op2", "1", "--at=-1,0", cwd=folder).text
    assert "no input pixel reaches it" in text
    assert "row 9 is output_padding: the kernels end at row 8" in text
    assert "column" not in text.split("no input pixel reaches it")[1].split("sum")[0]


@pytest.mark.parametrize("columns", [80, 200])
def test_the_layout_fits(columns: int, folder: Path) -> None:
    """Piped, with COLUMNS set: matrices side by side where there is room, else below each other, else in short."""
    for line in ("-k gaussian:1 -p same", "-k gaussian:5 -p full", "-k sobel -p 1", "-k box:2 -s 3 --transpose"):
        text = binary("explain", "rgb.png", *line.split(), "--at", "1,1", cwd=folder, COLUMNS=str(columns)).text
        matrices = [row for row in text.splitlines() if "│" in row or row.startswith("    ")]
        assert max(map(len, matrices), default=0) <= columns
    wide = binary(
        "explain", "rgb.png", "-k", "gaussian:1", "-p", "same", "--at", "1,1", cwd=folder, COLUMNS=str(columns)
    )
    assert ("× gaussian:1" in wide.text.split("\n  input channel")[1].splitlines()[0]) == (columns == 200)


def test_large_windows_are_shown_in_short(folder: Path) -> None:
    text = done("explain", "rgb.png", "-k", "box:31", "-p", "same", "--at", "0,0", cwd=folder).text
    assert "31×31 is too large to show here: --json and -o have all of it" in text
    assert "the sums of its rows" in text
    assert len(text.splitlines()) < 50
    beyond = done("explain", "rgb.png", "-k", "box:31", "-p", "40", "--at", "0,0", cwd=folder)
    assert beyond.table["value"] == "0"
    many = done("explain", "deep.npy", "--weights", "wide.npy", "--at", "0,0", cwd=folder).text
    assert "36 more windows" in many
    assert len(many.splitlines()) < 60


def test_on_a_terminal(folder: Path) -> None:
    result = terminal("explain", "ramp.png", "-k", "sobel", "-p", "1", "--at", "0,0", cwd=folder)
    assert result.code == 0
    assert b"\x1b[2m" in result.out  # padding is faint
    assert "√(" in result.text


# JSON


def test_json_by_hand(folder: Path) -> None:
    document = done(
        "explain", "ramp.png", "-k", "1,2;3,4", "-p", "1", "--bias", "50%", "--at", "0,1", "--json", cwd=folder
    ).json
    assert document["op"] == "corr"
    assert (document["at"], document["channel"]) == ([0, 1], 0)
    assert document["window"] == [[[0, 0], [0, 1]]]
    assert document["kernel"] == [[[1, 2], [3, 4]]]
    assert document["products"] == [[[0, 0], [0, 4]]]
    assert document["bias"] == 127.5
    assert document["sum"] == document["value"] == 131.5
    assert document["written"] == 132
    assert document["marks"] == [["zero", "zero"], ["pixel", "pixel"]]
    assert document["sources"] == [[None, None], [[0, 0], [0, 1]]]
    assert document["padding"] == {"top": 1, "bottom": 1, "left": 1, "right": 1}


def test_json_of_a_combination_has_every_member(folder: Path) -> None:
    document = done("explain", "ramp.png", "-k", "sobel", "--at", "0,0", "--json", cwd=folder).json
    assert document["kernels"] == ["sobel-x", "sobel-y"]
    assert document["sum"] == [8, 40]
    assert document["value"] == pytest.approx(np.hypot(8, 40))
    assert np.shape(document["products"]) == (2, 1, 3, 3)


def test_negative_places_count_from_the_end(folder: Path) -> None:
    line = ("explain", "rgb.png", "-k", "identity", "--json")
    document = done(*line, "--at=-1,-2", "--channel", "-1", cwd=folder).json
    assert (document["at"], document["channel"]) == ([7, 7], 2)


def test_one_image_of_a_batch(folder: Path) -> None:
    document = done("explain", "batch.npy", "-k", "identity", "--at", "1,1", "--item=-1", "--json", cwd=folder).json
    assert document["value"] == 29


def test_from_standard_input(folder: Path) -> None:
    data = (folder / "ramp.png").read_bytes()
    assert done("explain", "-", "-k", "identity", "--at", "2,3", "-q", input=data).text == "13.0\n"


def test_what_does_not_fit_the_format_is_explained_all_the_same(folder: Path) -> None:
    result = done("explain", "rgb.png", "--weights", "w.npy", "--at", "0,0", "--json", cwd=folder)
    assert result.json["container"] == "NPY"
    assert result.err == ""
    assert "does not fit" in result.json["notes"][-1]
    assert run("explain", "rgb.png", "--weights", "w.npy", "--at", "0,0", "--format", "png", cwd=folder).code == 2


# The inverse


def test_what_an_input_touches_by_hand(folder: Path) -> None:
    document = done(
        "explain", "ramp.png", "-k", "1,2;3,4", "-s", "2", "-p", "1", "--input-at", "1,1", "--json", cwd=folder
    ).json
    assert document["input_at"] == [1, 1]
    assert document["value"] == 6
    assert [(way["at"], way["channel"], way["weight"], way["tap"]) for way in document["outputs"]] == [
        ([1, 1], 0, 1, [0, 0])
    ]


def test_copies_in_the_padding_touch_again(folder: Path) -> None:
    line = ("explain", "ramp.png", "-k", "1,2,3", "-p", "0,1", "--padding-mode", "replicate", "--input-at", "0,0")
    ways = done(*line, "--json", cwd=folder).json["outputs"]
    assert [(way["at"], way["tap"], way["weight"], way["mark"]) for way in ways] == [
        ([0, 0], [0, 0], 1, "copy"), ([0, 0], [0, 1], 2, "pixel"), ([0, 1], [0, 0], 1, "pixel"),
    ]  # fmt: skip
    assert done(*line, "-q", cwd=folder).text == "0,0 0 1.0\n0,0 0 2.0\n0,1 0 1.0\n"
    text = done(*line, cwd=folder).text
    assert "reaches 2 outputs in 3 ways" in text
    assert "a copy in the padding" in text


def test_what_an_input_touches_transposed(folder: Path) -> None:
    ways = done(
        "explain",
        "ramp.png",
        "-k",
        "1,2;3,4",
        "-s",
        "2",
        "-p",
        "1",
        "--transpose",
        "--input-at",
        "0,1",
        "--json",
        cwd=folder,
    ).json["outputs"]
    assert [(way["at"], way["tap"], way["weight"]) for way in ways] == [([0, 1], [1, 0], 3), ([0, 2], [1, 1], 4)]


def test_an_input_that_touches_nothing(folder: Path) -> None:
    line = ("explain", "ramp.png", "-k", "1", "-s", "2", "--input-at", "1,0")
    assert "reaches no output" in done(*line, cwd=folder).text
    assert done(*line, "--json", cwd=folder).json["outputs"] == []
    done(*line, "-o", "nothing.svg", "-q", cwd=folder)


# Figures


def test_a_figure_holds_the_numbers(folder: Path, tmp_path: Path) -> None:
    done("explain", "ramp.png", "-k", "1,2;3,-4", "-p", "1", "--at", "0,1", "-q", "-o", tmp_path / "f.svg", cwd=folder)
    root = ElementTree.parse(tmp_path / "f.svg").getroot()
    shown = [element.text for element in root.iter(f"{SVG}text")]
    assert shown.count("−4") == 2  # the kernel's, and its product with 1
    assert "Σ = −4" in shown
    assert any(text and text.startswith("value −4, stored 0") for text in shown)
    assert any("stroke-dasharray" in element.attrib for element in root.iter(f"{SVG}rect"))


@pytest.mark.parametrize("more", [["--at", "1,1"], ["--input-at", "1,1"]])
def test_png_figures_in_both_themes(more: list[str], folder: Path, tmp_path: Path) -> None:
    pages = []
    for theme in ("light", "dark"):
        done(
            "explain", "ramp.png", "-k", "box", "-p", "1", *more, "-o", tmp_path / "f.png", "--theme", theme, cwd=folder
        )
        pages.append(Image.open(tmp_path / "f.png").convert("L").getpixel((0, 0)))
    assert pages[0] == 255
    assert pages[1] < 40


# Other tools


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What `--as` hands over to be translated."""
    requests: list[dict[str, Any]] = []

    def request(**values: Any) -> None:
        requests.append(values)

    monkeypatch.setattr(convcli.translate, "Request", request, raising=False)
    monkeypatch.setattr(convcli.translate, "translate", lambda request, tool: f"# {tool}\n", raising=False)
    return requests


def test_another_tool_is_told_the_operation_as_it_is_applied(asked: list[dict[str, Any]], folder: Path) -> None:
    line = ("rgb.png", "-k", "1,2;3,4", "--op", "conv", "-s", "2,1", "-p", "1", "--bias", "7", "--as", "torch")
    assert done("explain", *line, cwd=folder).text == "# torch\n"
    [request] = asked
    assert request["layer"].weight.tolist() == [[[[4, 3], [2, 1]]]] * 3
    assert (request["layer"].groups, request["channels"], request["flipped"]) == (3, "each", True)
    assert request["layer"].bias.tolist() == [7, 7, 7]
    assert request["geometry"].stride == (2, 1)
    assert request["source"] == "rgb.png"
    assert done("explain", *line, "--json", cwd=folder).json == {"schema": 1, "tool": "torch", "code": "# torch\n"}


def test_another_tool_is_told_of_the_colours_alone(asked: list[dict[str, Any]]) -> None:
    result = done("explain", SAMPLES / "icon.png", "-k", "sobel", "--channels", "sum", "--as", "scipy")
    assert asked[0]["layer"].weight.shape == (2, 3, 3, 3)
    assert asked[0]["parts"] == ((2, "magnitude"),)
    assert (asked[0]["input_channels"], asked[0]["channels"]) == (3, "sum")
    assert "alpha is left out" in result.err


# Wrong command lines


@pytest.mark.parametrize(("ending", "orientation", "turned"), [
    ("jpg", 1, True), ("png", 1, False), ("png", 6, True), ("webp", 6, True), ("tif", 6, True), ("tif", 1, False),
])  # fmt: skip
def test_another_tool_is_told_to_turn_what_is_turned(
    ending: str, orientation: int, turned: bool, asked: list[dict[str, Any]], tmp_path: Path
) -> None:
    """A JPEG always: the next one may say so."""
    exif = Image.Exif()
    exif[274] = orientation
    Image.new("RGB", (9, 6)).save(tmp_path / f"in.{ending}", exif=exif)
    done("explain", tmp_path / f"in.{ending}", "-k", "box", "--as", "torch")
    assert asked[0]["turned"] == turned


def refused(*args: object, cwd: Path) -> Result:
    before = sorted(cwd.iterdir())
    result = run("explain", *args, cwd=cwd)
    assert result.code == 2, result.out
    assert result.out == b""
    assert result.err.startswith("convcli: error: ")
    assert result.err.count("\n") == 1
    assert sorted(cwd.iterdir()) == before
    return result


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ramp.png -k box", "no pixel is given: add --at Y,X"),
        ("ramp.png -k box --at 1,1 --input-at 1,1", "exclude each other"),
        ("ramp.png --at 1,1", "add -k SPEC"),
        ("ramp.png -k box --at 2,0", "row 2 is not in the output of 2×3: use 0 to 1, or -2 to -1 from the end"),
        ("ramp.png -k box --at 0,-4", "column -4 is not in the output of 2×3: use 0 to 2"),
        ("ramp.png -k box --at 0,0 --channel 1", "channel 1 is not in the output of 1 channel: use 0"),
        ("rgb.png -k box --input-at 8,0", "row 8 is not in the input of 8×9: use 0 to 7"),
        ("rgb.png -k box --input-at 0,0 --channel 3", "channel 3 is not in the input of 3 channels: use 0 to 2"),
        ("ramp.png -k box --at 1", "'1' is not Y,X"),
        ("ramp.png -k box --at 1,2,3", "'1,2,3' is not Y,X"),
        ("ramp.png -k box --at a,b", "is not Y,X"),
        ("ramp.png -k box --at 99999999999999,0", "is not Y,X"),
        ("ramp.png -k box --at 0,0 --channel x", "'x' is not a whole number"),
        ("ramp.png -k box --at 0,0 --item 0", "--item 0 is for a batch"),
        ("batch.npy -k box --at 0,0", "a batch of 2 images: name one of them with --item 0 to 1"),
        ("batch.npy -k box --at 0,0 --item 2", "image 2 is not in the batch: use 0 to 1"),
        ("ramp.png -k box:9 --at 0,0", "larger than the padded image"),
        ("ramp.png -k box --at 0,0 -o figure.pdf", "ends in none of .svg, .png"),
        ("ramp.png -k box --at 0,0 -o ramp.png", "is the input"),
        ("ramp.png -k box --at 0,0 -o nowhere/f.svg", "nowhere"),
        ("ramp.png -k box --as torch -o f.svg", "is for the figure of a pixel"),
        ("ramp.png -k box --as matlab", "'matlab' is not one of"),
        ("missing.png -k box --at 0,0", "'missing.png' cannot be read"),
        ("ramp.png -k box --at 0,0 --linear --format webm", "cannot be written"),
        ("maps.npy -k box --at 0,0 --linear", "--linear is for gray and RGB images"),
    ],
)  # fmt: skip
def test_wrong_command_lines(line: str, words: str, folder: Path) -> None:
    assert words in refused(*line.split(), cwd=folder).err


def test_endless_padding_is_refused(folder: Path) -> None:
    line = "ramp.png -k box:9 -p 700 --padding-mode replicate --input-at 0,0"
    assert "reaches the output in" in refused(*line.split(), cwd=folder).err


def test_a_closed_pipe_is_no_error(folder: Path) -> None:
    command = f"{sys.executable} -m convcli explain ramp.png -k box --at 0,0 | head -1; echo ${{PIPESTATUS[0]}}"
    ended = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment(), capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout.splitlines()[-1] == "0"
    assert ended.stderr == ""


def test_values_that_are_no_numbers(folder: Path) -> None:
    np.save(folder / "odd.npy", np.array([[np.nan, np.inf], [1, 2]]))
    for place in ("0,0", "0,1", "1,0"):
        result = done("explain", "odd.npy", "-k", "1,-1", "-p", "1", "--at", place, "-o", "odd.png", cwd=folder)
        assert "value" in result.table
    assert done("explain", "odd.npy", "-k", "1", "--at", "0,0", "--json", cwd=folder).json["value"] is None


@pytest.mark.parametrize(
    ("output", "what"),
    [
        ("ramp.png", "output 'ramp.png' is the input 'ramp.png': use another name\n"),
        ("{name}", "output 'ramp.png' is the input 'ramp.png': use another name\n"),
        ("", "output '' is empty: use a .svg or .png file, or a folder that ends in '/'\n"),
    ],
)
def test_remedies_are_those_that_explain_has(output: str, what: str, folder: Path) -> None:
    """It knows neither --in-place nor -o -."""
    before = (folder / "ramp.png").read_bytes()
    result = run("explain", "ramp.png", "-k", "box", "--at", "1,1", "-o", output, cwd=folder)
    assert (result.code, result.err) == (2, f"convcli: error: {what}")
    assert (folder / "ramp.png").read_bytes() == before


def texts(path: Path) -> list[str]:
    return [element.text or "" for element in ElementTree.parse(path).iter(f"{SVG}text")]


def test_four_digits_where_there_is_room(folder: Path, tmp_path: Path) -> None:
    done("explain", "ramp.png", "-k", "bilinear:2", "--at", "0,0", "-o", tmp_path / "b.svg", cwd=folder)
    assert texts(tmp_path / "b.svg").count(".5625") == 4


def test_dust_is_no_number(folder: Path, tmp_path: Path) -> None:
    done("explain", "ramp.png", "-k", "1e-19,0.25;0,0.5", "--at", "0,1", "-o", tmp_path / "d.svg", cwd=folder)
    shown = texts(tmp_path / "d.svg")
    assert shown.count("~0") == 2  # in the kernel, and its product
    assert not [text for text in shown if "e−19" in text]


@pytest.mark.parametrize("question", ["--at", "--input-at"])
def test_large_windows_are_thinned_out(question: str, tmp_path: Path) -> None:
    """A window of 399 rows: 80 cells, one for five, of 3.5 pixels."""
    np.save(tmp_path / "in.npy", np.random.default_rng(0).random((399, 399)))
    line = ("explain", "in.npy", "-k", "box:399", "-p", "same", question, "199,199")
    done(*line, "-o", "f.svg", "-q", cwd=tmp_path)
    assert len(list(ElementTree.parse(tmp_path / "f.svg").iter(f"{SVG}rect"))) < 3 * 80 * 80 + 10
    assert any("one in 5 rows and columns is drawn" in text for text in texts(tmp_path / "f.svg"))
    done(*line, "-o", "f.png", "-q", cwd=tmp_path)
    with Image.open(tmp_path / "f.png") as picture:
        assert max(picture.size) < 2500


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (["-k", "gaussian:1"], "gaussian:1"),
        (["-k", "bilinear:2", "-s", 2, "--transpose"], "bilinear:2"),
        (["-k", "sobel:5", "-k", "box:5"], "sobel:5 + box:5"),
        (["-k", "0,1;-1,0"], "0,1;-1,0"),
        (["-k", ",".join("1" * 40)], f"{'1,' * 29}1…"),
    ],
)
def test_kernels_are_named_as_they_were_written(options: list[object], name: str, tmp_path: Path) -> None:
    """Not by the labels of file names, which are no SPECs."""
    args = ("explain", SAMPLES / "coffee.jpg", *options, "--at", "0,0", "-o", "figure.svg")
    assert done(*args, cwd=tmp_path).table["kernel"].startswith(f"{name}, ")
    assert f">coffee.jpg; {name}, " in (tmp_path / "figure.svg").read_text()


def test_members_with_arguments_are_named_with_them() -> None:
    args = ("explain", SAMPLES / "tiny.png", "-k", "sobel:5", "--at", "0,0")
    assert done(*args, "--json").json["kernels"] == ["sobel-x:5", "sobel-y:5"]


def test_what_computes_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of apply can be run again, with all that it says of the computation."""
    args = ("explain", TINY, "-k", "gaussian:1", "-p", "same", "--at", "1,2", "--json")
    plain = done(*args).json
    for more in (
        ("--backend", "torch", "--dtype", "float16", "--threads", 1),
        ("--backend", "numpy", "--plan", "fft"),
        ("--device", "cuda"),
        ("--backend", "reference"),
    ):
        assert done(*args, *more).json == plain
    monkeypatch.setenv("CONVCLI_BACKEND", "torch")
    assert done(*args).json == plain
    assert run(*args, "--backend", "none").code == 2


def test_the_largest_of_a_maximum_comes_first() -> None:
    operation = assemble(ConvSpec(), ("kirsch",))
    answer = pixel.explain(subject.load(str(SAMPLES / "tiny.png"), operation), (1, 1))
    assert answer.output.rule == "max"
    assert answer.joined == 645
    assert [window.total for window in answer.telling(3)] == [645, 645, 645]
    assert len(answer.telling(100)) == len(answer.windows) == 8
    drawn = [shape.text for shape in illustration.draw(answer, PALETTES["light"]).shapes if isinstance(shape, Text)]
    assert drawn.count("Σ = 645") == 3
    text = done("explain", SAMPLES / "tiny.png", "-k", "kirsch", "--at", "1,1").text
    assert "4 more candidates of the maximum; the sum of products of each kernel\n" in text
    assert "kirsch-se -1075" in text


def test_a_maximum_shows_the_winner_first_though_another_has_the_largest_window(folder: Path) -> None:
    """The input channels decide together: 200 + 0 + 0 against 150 + 150 + 150."""
    write(folder / "pair.png", np.array([[[200, 150]], [[0, 150]], [[0, 150]]], np.uint8))
    operation = assemble(ConvSpec(), ("1,0", "0,1"), channels="sum", combine="max")
    answer = pixel.explain(subject.load(str(folder / "pair.png"), operation), (0, 0))
    assert answer.joined == 450
    assert [window.trace.sum for window in answer.telling(4)] == [450, 450, 450, 200]
    assert [window.trace.sum for window in answer.telling(1)] == [450]


@pytest.mark.parametrize(("channels", "label"), [("each", "sobel-x "), ("sum", "sobel-x 2 ")])
def test_sums_say_what_they_are_of(channels: str, label: str) -> None:
    bank = ("-k", "box:3", "-k", "sobel-x", "-k", "sobel-y", "-k", "sharpen", "-k", "emboss", "--combine", "sum")
    text = done("explain", SAMPLES / "tiny.png", *bank, "--channels", channels, "--at", "1,1").text
    assert " of the sum; the sum of products of each kernel" in text
    assert label in text


@pytest.mark.parametrize(
    ("options", "further", "drawn"),
    [
        ("-k kirsch", "4 more candidates of the maximum", "5 more candidates of the maximum"),
        (
            "-k box -k sobel-x --combine max --channels sum",
            "2 more windows of the maximum's candidates",
            "3 more windows of the ",
        ),
        ("-k sobel --channels sum", "2 more windows of the magnitude", "3 more windows of the magnitude"),
        (
            "-k box -k sobel-x -k sobel-y -k sharpen -k emboss --combine sum",
            "1 more window of the sum",
            "2 more windows of the sum",
        ),
        (
            "-k box -k sobel-x -k sobel-y -k sharpen -k emboss --combine max",
            "1 more candidate of the maximum",
            "2 more candidates of",
        ),
    ],
)
def test_what_is_not_shown_is_what_it_is_to_the_result(options: str, further: str, drawn: str, tmp_path: Path) -> None:
    """The kernels of a maximum are candidates, none of which is added to another."""
    line = ["explain", SAMPLES / "tiny.png", *options.split(), "--at", "1,1"]
    assert f"{further}; " in done(*line, "-o", tmp_path / "figure.svg").text
    assert f"not drawn: {drawn}" in (tmp_path / "figure.svg").read_text()


def test_the_colour_that_nobody_asked_for_is_named(folder: Path) -> None:
    note = "this is channel 0 (red): --channel takes another, --channels gray their luma, as in animate"
    line = "explain", "rgb.png", "-k", "box", "--at", "1,1"
    assert note in done(*line, cwd=folder).err
    assert note in done(*line, "--json", cwd=folder).json["notes"]
    assert note in done(*line[:4], "--input-at", "1,1", cwd=folder).err
    for chosen in (["--channel", 0], ["--channels", "gray"], ["--channels", "sum", "--channel", 0]):
        assert "this is channel" not in done(*line, *chosen, cwd=folder).err
    assert "this is channel" not in done("explain", "ramp.png", *line[2:], cwd=folder).err
    weights = "explain", "rgb.png", "--weights", "w.npy", "--at", "1,1"
    assert "this is channel" not in done(*weights, cwd=folder).err


def test_the_figure_is_named(folder: Path, tmp_path: Path) -> None:
    figure = tmp_path / "sum.svg"
    for at in ("--at", "--input-at"):
        told = done("explain", "ramp.png", "-k", "box", at, "1,1", "-o", figure, cwd=folder).text
        assert told.endswith(f"\n  figure written to {figure}\n")
