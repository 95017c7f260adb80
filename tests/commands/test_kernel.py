"""``convcli kernel``: what it says, what it writes, what it refuses."""

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from convcli.kernels.named import REGISTRY
from support.cli import SAMPLES, binary, cells, done, environment, run, terminal
from support.imports import loaded_by
from support.pictures import read

WEIGHTS = SAMPLES / "layer.safetensors"


def refused(*args: object, **more: object) -> str:
    """The one line of an error."""
    result = run(*args, **more)  # type: ignore[arg-type]
    assert result.code == 2, result.text
    assert result.out == b""
    (line,) = result.err.splitlines()
    return line.removeprefix("convcli: error: ")


# The list


def test_the_list_has_every_kernel() -> None:
    assert done("kernel", "-q").text.split() == list(REGISTRY)
    rows = cells(done("kernel").text)
    assert {recipe.usage for recipe in REGISTRY.values()} <= set(rows)
    documents = done("kernel", "--json").json
    assert [document["name"] for document in documents] == list(REGISTRY)
    sobel = next(document for document in documents if document["name"] == "sobel")
    assert sobel["members"] == ["sobel-x", "sobel-y"]
    assert sobel["about"].startswith("Gradient magnitude")


def test_thumbnails_on_a_terminal_only() -> None:
    assert "▀" not in done("kernel").text
    shown = terminal("kernel").out.decode()
    assert shown.count("▀") > 7 * len(REGISTRY)
    assert "\x1b[38;" in shown
    plain = terminal("kernel", NO_COLOR="1").out.decode()
    assert "▀" not in plain
    assert "sobel" in plain


# One kernel


def test_the_json_of_a_kernel() -> None:
    document = done("kernel", "sobel-x", "--json").json
    assert document["name"] == document["spec"] == "sobel-x"
    assert document["kernel"] == [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    assert (document["height"], document["width"], document["sum"], document["abs_sum"]) == (3, 3, 0, 8)
    assert document["gain"] == pytest.approx(8)
    assert document["gain_at"] == pytest.approx([0, 0.25])
    assert document["range"] == [-4, 4]
    assert (document["zero_sum"], document["symmetric"], document["antisymmetric"]) == (True, False, True)
    assert (document["rank"], document["separable"]) == (1, True)
    assert document["factors"] == [{"scale": 1, "column": [1, 2, 1], "row": [-1, 0, 1]}]
    assert document["mirror"] == {"left_right": False, "top_bottom": True}
    response = document["response"]
    assert len(response["frequency"]) == len(response["horizontal"]) == len(response["vertical"]) == 33
    assert response["horizontal"][16] == pytest.approx(8)


def test_the_json_of_a_bank_and_of_several() -> None:
    document = done("kernel", "sobel", "--json").json
    assert (document["combine"], document["rank"]) == ("magnitude", 1)
    assert document["gain"] == pytest.approx(8)
    assert [one["name"] for one in document["kernels"]] == ["sobel-x", "sobel-y"]
    first, second = done("kernel", "box:3", "-k", "1,2;3,4", "--json").json
    assert first["spec"] == "box:3"
    assert second["kernel"] == [[1, 2], [3, 4]]


def test_the_table() -> None:
    table = done("kernel", "bilinear:2").table
    assert table["size"] == "4×4"
    assert table["matrix × 1/16"] == "1 3 3 1"
    assert table["factors"] == "1/16 × (1, 3, 3, 1)ᵀ (1, 3, 3, 1)"
    assert table["range"] == "0…1 becomes 0…4, 0…255 0…1020: above white is clipped, see --range"
    assert "the result moves ½ pixel up and ½ pixel to the left" in table["centre"]
    table = done("kernel", "box:3").table
    assert table["range"].endswith("never clipped")
    assert "convolution = correlation" in table["symmetry"]
    assert "convolution = −correlation" in done("kernel", "sobel-x").table["symmetry"]
    assert "differ (--op)" in done("kernel", "1,2;3,4").table["symmetry"]
    assert done("kernel", "sobel").table["combined"] == "2 kernels of sobel, by magnitude"
    text = done("kernel", "gaussian:1").text
    assert "0.1592" in text
    assert "too many to show" in done("kernel", "gaussian:10").text


def test_a_script_gets_a_spec() -> None:
    literal = done("kernel", "box:3", "-q").text.strip()
    assert literal == "1/9,1/9,1/9;1/9,1/9,1/9;1/9,1/9,1/9"
    assert done("kernel", literal, "--json").json["kernel"] == done("kernel", "box:3", "--json").json["kernel"]
    assert done("kernel", "sobel", "-q").text.splitlines() == ["-1,0,1;-2,0,2;-1,0,1", "-1,-2,-1;0,0,0;1,2,1"]
    assert done("kernel", "--kernel=-1,0,1;-2,0,2;-1,0,1", "-q").text == "-1,0,1;-2,0,2;-1,0,1\n"


def test_conv_flips() -> None:
    assert done("kernel", "1,2;3,4", "--op", "conv", "-q").text == "4.0,3.0;2.0,1.0\n"
    assert "flipped" in done("kernel", "1,2;3,4", "--op", "conv").text


def test_pictures_on_a_terminal_only() -> None:
    assert "▀" not in done("kernel", "sobel-x").text
    lines = terminal("kernel", "sobel-x").out.decode().splitlines()
    drawn = [re.sub("\x1b[^m]*m", "", line) for line in lines if "▀" in line]
    assert len(drawn) == 16
    assert all(len(line) <= 80 for line in drawn)
    assert drawn[0].count("▀") == 30 + 31  # 3×3 taps of 10 columns, and the response, whose middle is a pixel
    assert "▀" not in terminal("kernel", "sobel-x", NO_COLOR="1").out.decode()
    narrow = terminal("kernel", "sobel-x", COLUMNS="40").out.decode().splitlines()
    assert all(len(re.sub("\x1b[^m]*m", "", line)) <= 40 for line in narrow if "▀" in line)


# Files


@pytest.mark.parametrize("ending", ["npy", "json", "csv", "txt", "mat"])
def test_files_come_back(ending: str, tmp_path: Path) -> None:
    name = f"k.{ending}"
    assert done("kernel", "unsharp:1.5", "-o", name, "-q", cwd=tmp_path).text == f"{name}\n"
    kernel = done("kernel", name, "--json", cwd=tmp_path).json["kernel"]
    assert kernel == done("kernel", "unsharp:1.5", "--json").json["kernel"]
    assert done("kernel", "unsharp:1.5", "-o", "-", "--format", ending).out == (tmp_path / name).read_bytes()


def test_a_bank_is_written_to_a_file_each(tmp_path: Path) -> None:
    done("kernel", "kirsch", "-o", "{kernel}.csv", "-q", cwd=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"kirsch-{way}.csv" for way in ("n", "ne", "e", "se", "s", "sw", "w", "nw")
    )
    line = refused("kernel", "sobel", "-o", "s.csv", cwd=tmp_path)
    assert "one file for 2 kernels (sobel-x, sobel-y)" in line
    assert "{kernel}.csv" in line
    assert not (tmp_path / "s.csv").exists()


def test_figures(tmp_path: Path) -> None:
    done("kernel", "sobel", "-o", "s.svg", cwd=tmp_path)
    texts = [element.text or "" for element in ElementTree.parse(tmp_path / "s.svg").iter() if "text" in element.tag]
    assert {"sobel-x", "sobel-y", "−2", "|H|: gain of waves, in cycles per pixel"} <= set(texts)
    done("kernel", "sobel", "-o", "s.png", "--theme", "dark", cwd=tmp_path)
    light = done("kernel", "sobel", "-o", "-", "--format", "png").out
    (tmp_path / "light.png").write_bytes(light)
    dark, bright = read(tmp_path / "s.png"), read(tmp_path / "light.png")
    assert dark.shape == bright.shape
    assert dark[:, 0, 0].max() < 60
    assert tuple(bright[:, 0, 0]) == (255, 255, 255)


def test_the_figure_shows_the_kernel(tmp_path: Path) -> None:
    """Where the kernel's cells lie is the orange of negative and the blue of positive values."""
    done("kernel", "sobel-x", "-o", "s.png", cwd=tmp_path)
    picture = read(tmp_path / "s.png").astype(int)
    left = picture[:, 2 * (24 + 58 + 20) :, 2 * (24 + 30 + 20)][:, 0]
    right = picture[:, 2 * (24 + 58 + 20) :, 2 * (24 + 30 + 320)][:, 0]
    assert left[0] > left[2] + 40
    assert right[2] > right[0] + 40


# Weights


def test_the_tensors_in_a_file(tmp_path: Path) -> None:
    (row,) = done("kernel", "--weights", WEIGHTS, "--json").json["tensors"]
    assert {key: row[key] for key in ("name", "shape", "dtype", "parameters", "bias")} == {
        "name": "conv1.weight", "shape": [8, 3, 7, 7], "dtype": "float32", "parameters": 8 * 3 * 49, "bias": "conv1.bias",
    }  # fmt: skip
    values = np.load(SAMPLES / "conv1.npy")
    assert (row["min"], row["max"]) == pytest.approx((values.min(), values.max()))
    assert done("kernel", "--weights", WEIGHTS, "-q").text == "conv1.weight\n"
    (npy,) = done("kernel", "--weights", SAMPLES / "conv1.npy", "--json").json["tensors"]
    assert (npy["name"], npy["shape"]) == ("", [8, 3, 7, 7])


@pytest.mark.parametrize("ending", ["pt", "npz", "safetensors"])
def test_only_4d_tensors_are_listed(ending: str, tmp_path: Path) -> None:
    arrays = {
        "a.weight": np.full((2, 3, 1, 1), 0.5, np.float16),
        "a.bias": np.zeros(2, np.float32),
        "b.weight": np.arange(8, dtype=np.float64).reshape(2, 1, 2, 2),
        "fc.weight": np.zeros((4, 5), np.float32),
    }
    path = tmp_path / f"m.{ending}"
    if ending == "pt":
        torch.save({"state_dict": {name: torch.from_numpy(array) for name, array in arrays.items()}}, path)
    elif ending == "npz":
        np.savez(path, **arrays)
    else:
        save_file(arrays, path)
    first, second = sorted(done("kernel", "--weights", path, "--json").json["tensors"], key=lambda row: row["name"])
    assert (first["name"], first["dtype"], first["mean"], first["bias"]) == ("a.weight", "float16", 0.5, "a.bias")
    assert (second["name"], second["min"], second["max"], second["mean"]) == ("b.weight", 0, 7, 3.5)
    assert second["bias"] is None
    (only,) = done("kernel", "--weights", f"{path}:b.weight", "--json").json["tensors"]
    assert only["name"] == "b.weight"
    assert "name one as" in refused("kernel", "--weights", path, "-o", tmp_path / "s.png")


def test_bfloat16_keeps_its_name(tmp_path: Path) -> None:
    from safetensors.torch import save_file as save_torch

    tensors = {"w": torch.full((1, 1, 2, 2), 1.5, dtype=torch.bfloat16)}
    torch.save(tensors, tmp_path / "m.pt")
    save_torch(tensors, tmp_path / "m.safetensors")
    for name in ("m.pt", "m.safetensors"):
        (row,) = done("kernel", "--weights", name, "--json", cwd=tmp_path).json["tensors"]
        assert (row["dtype"], row["mean"]) == ("bfloat16", 1.5)


def test_values_that_are_no_numbers_are_listed(tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", np.full((1, 1, 2, 2), np.nan))
    (row,) = done("kernel", "--weights", "w.npy", "--json", cwd=tmp_path).json["tensors"]
    assert row["mean"] is None


def test_filters_as_a_sheet(tmp_path: Path) -> None:
    done("kernel", "--weights", f"{WEIGHTS}:conv1.weight", "-o", "f.svg", cwd=tmp_path)
    texts = [element.text for element in ElementTree.parse(tmp_path / "f.svg").iter() if "text" in element.tag]
    assert texts[:9] == ["conv1.weight 8×3×7×7", *map(str, range(8))]
    weight = np.zeros((2, 3, 2, 2))
    weight[0, :, 0, 0] = 1  # white on gray
    weight[1, 0, 1, 1] = -2  # the darkest red
    weight[1, 2, 1, 1] = 2
    np.save(tmp_path / "w.npy", weight)
    done("kernel", "--weights", "w.npy", "-o", "f.png", cwd=tmp_path)
    picture = read(tmp_path / "f.png")
    colours = {tuple(map(int, pixel)) for pixel in picture.reshape(3, -1).T}
    assert {(255, 255, 255), (128, 128, 128), (0, 128, 255)} <= colours


def test_filters_of_many_channels(tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", np.random.default_rng(0).standard_normal((300, 20, 3, 3)))
    done("kernel", "--weights", "w.npy", "-o", "f.svg", cwd=tmp_path)
    text = (tmp_path / "f.svg").read_text()
    assert ">63←15<" in text
    assert ">64←0<" not in text
    words = re.sub(r"<[^>]*>|\s", "", text)
    assert "thefirst64of300filters" in words
    assert "thefirst16of20inputchannels" in words
    np.save(tmp_path / "p.npy", np.ones((5, 4, 1, 1)))
    done("kernel", "--weights", "p.npy", "-o", "p.svg", cwd=tmp_path)
    assert "5outputchannelsdown,4inputchannelsacross" in re.sub(r"<[^>]*>|\s", "", (tmp_path / "p.svg").read_text())


def test_filters_on_a_terminal() -> None:
    shown = terminal("kernel", "--weights", WEIGHTS).out.decode()
    assert shown.count("▀") == 8 * 7 * 4
    assert "▀" not in done("kernel", "--weights", WEIGHTS).text


# What is refused


@pytest.mark.parametrize(
    ("args", "parts"),
    [
        (("sobbel",), ("did you mean sobel",)),
        (("1,2;3",), ("ragged",)),
        (("1e308,1e308",), ("1e+308", "scale it")),
        (("1e-300,0",), ("1e-300", "scale it")),
        (("nope.csv",), ("cannot be read",)),
        (("box", "-o", "k.jpg"), ("'k.jpg'", "svg, png, npy")),
        (("box", "-o", "k"), ("'k'", "svg, png, npy")),
        (("box", "-o", "-"), ("--format",)),
        (("box", "--format", "svg"), ("-o -",)),
        (("box", "-o", "k.csv", "--format", "csv"), ("-o -",)),
        (("box", "-o", "-", "--format", "bmp"), ("'bmp'", "svg, png")),
        (("box", "-o", "none/k.csv"), ("none/k.csv", "cannot be written")),
        (("-o", "k.csv"), ("no kernel", "convcli kernel sobel-x -o k.csv")),
        (("box", "--weights", "w.npy"), ("exclude each other",)),
        (("--weights", "nope.pt"), ("cannot be read",)),
        (("--weights", "k.csv"), ("there is no such file",)),
        (("--weights", f"{WEIGHTS}:nope"), ("no key 'nope'", "conv1.weight")),
        (("--weights", f"{WEIGHTS}:conv1.bias"), ("not 4-D",)),
        (("--weights", f"{SAMPLES / 'conv1.npy'}:conv1.weight"), ("one array", f"write {SAMPLES / 'conv1.npy'}")),
        (("--weights", str(WEIGHTS), "-o", "w.csv"), ("w.csv", ".svg or .png")),
    ],
)
def test_errors_are_one_line(args: tuple[str, ...], parts: tuple[str, ...], tmp_path: Path) -> None:
    line = refused("kernel", *args, cwd=tmp_path)
    for part in parts:
        assert part in line
    assert not list(tmp_path.iterdir())


def test_a_2d_array_is_no_weights(tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", np.ones((3, 3)))
    assert "a 2-D kernel is a SPEC" in refused("kernel", "--weights", "k.npy", cwd=tmp_path)


def test_the_kernel_that_is_read_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "k.csv").write_text("1,2\n")
    assert "is the kernel that is read" in refused("kernel", "k.csv", "-o", "k.csv", cwd=tmp_path)
    assert (tmp_path / "k.csv").read_text() == "1,2\n"


def test_the_real_program(tmp_path: Path) -> None:
    result = binary("kernel", "box:3", "-o", "-", "--format", "json", cwd=tmp_path)
    assert result.code == 0
    assert json.loads(result.out) == [[1 / 9] * 3] * 3
    assert "convcli kernel: box:3" in result.err


@pytest.mark.parametrize("line", ["kernel", "kernel sobel --json", "kernel box -q", "kernel box -o k.mat -q"])
def test_what_is_not_used_is_not_loaded(line: str, tmp_path: Path) -> None:
    assert loaded_by(line, tmp_path) == {"click", "numpy"}


@pytest.mark.parametrize(
    ("output", "what"),
    [
        ("{foo}.csv", "output '{foo}.csv' has the unknown field '{foo}': use {kernel}"),
        ("{stem}.svg", "output '{stem}.svg' has the unknown field '{stem}': use {kernel}"),
        ("{kernel.csv", "output '{kernel.csv' has an unpaired brace: write {kernel}, or leave it out"),
        ("k.csv/", "output 'k.csv/' is a folder: use a file in it, as in 'k.csv/{kernel}.csv'"),
        ("there.csv", "output 'there.csv' is a folder: use a file in it, as in 'there.csv/{kernel}.csv'"),
    ],
)
def test_names_that_are_no_files(output: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "there.csv").mkdir()
    assert refused("kernel", "sobel-x", "-o", output, cwd=tmp_path) == what
    assert [path.name for path in tmp_path.iterdir()] == ["there.csv"]


def test_templates_make_folders_and_figures(tmp_path: Path) -> None:
    for ending in ("csv", "svg"):
        names = [f"new/sobel-{axis}.{ending}" for axis in "xy"]
        assert done("kernel", "sobel", "-o", "new/{kernel}." + ending, "-q", cwd=tmp_path).text.split() == names
    assert (tmp_path / "new" / "sobel-y.csv").read_text() == "-1,-2,-1\n0,0,0\n1,2,1\n"
    assert ElementTree.parse(tmp_path / "new" / "sobel-x.svg").getroot()[0].text == "sobel-x"


def test_large_kernels_are_written_row_by_row() -> None:
    """A kernel of 4095×4095 values: a pipe that is closed after the first of them ends the work."""
    command = [sys.executable, "-m", "convcli", "kernel", "box:4095", "-q"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(20).startswith(b"5.9633759267")
        process.stdout.close()
        assert process.stderr.read() == b""
        process.wait(60)
    document = done("kernel", "box:301", "--json").json
    assert document["kernel"] == [[1 / 90601] * 301] * 301
    assert done("kernel", "box:301", "-q").text == ";".join([",".join(["1/90601"] * 301)] * 301) + "\n"
    bank = done("kernel", "sobel", "laplacian", "--json").json
    assert [len(part.get("kernels", [0])) for part in bank] == [2, 1]
    assert bank[0]["kernels"][1]["kernel"] == [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]


def test_a_bias_is_named_as_what_is_not_4d() -> None:
    message = refused("kernel", "--weights", f"{WEIGHTS}:conv1.bias")
    assert f"'{WEIGHTS}' key 'conv1.bias' are not 4-D but (8,)" in message


def test_a_figure_of_nothing_has_no_scale(tmp_path: Path) -> None:
    done("kernel", "0,0;0,0", "-o", "z.svg", cwd=tmp_path)
    texts = [element.text for element in ElementTree.parse(tmp_path / "z.svg").iter("{http://www.w3.org/2000/svg}text")]
    assert ".5" not in texts
    assert "1" not in texts
    assert texts.count("0") == 4 + 2  # the cells, and the middle of the frequencies


def test_unknown_names_point_to_the_list() -> None:
    assert refused("kernel", "nosuchx").endswith("'convcli kernel' lists the names")
