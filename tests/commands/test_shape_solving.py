"""`convcli shape` with ?, with --layers and with -o: what is printed, drawn and refused."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from convcli.presenters.chained import short
from support.cli import Result, done, run, terminal

STEM = ["shape", "--hin", 224, "--hout", 112, "--k", "?", "--s", "?", "--p", "?"]
CHAIN = "conv:k7,s2,p3,c64 pool:k3,s2,p1 conv:k3,p1 transpose:k4,s2,p1"


# Solving


def test_the_first_solution_is_printed_as_options() -> None:
    assert done(*STEM, "-q").text == "--k 3 --s 2 --p 1\n"
    assert done("shape", "--hin", 224, *done(*STEM, "-q").text.split(), "-q").text == "112\n"
    assert done("shape", "--hin", 32, "--hout", 66, "--k", 3, "--s", 2, "--op2", "?", "-q").text == "--op2 1\n"
    assert done("shape", "--hin", 32, "--hout", 66, "--k", 3, "--s", "?", "--op2", 1, "-q").text == "--s 2\n"
    assert done("shape", "--hin", "?", "--hout", 7, "--k", 7, "-q").text == "--hin 13\n"


def test_solutions_in_the_table() -> None:
    """A dozen of them, the rest on demand."""
    result = done(*STEM)
    lines = result.text.splitlines()
    assert "32 solutions for 112" in lines[0]
    assert lines[1].split() == ["input", "kernel", "stride", "padding", "dilation"]
    assert lines[2].split() == ["224", "3", "2", "1", "1"]
    assert len(lines) == 2 + 12
    assert "and 20 more: --all or --json" in result.err
    everything = done(*STEM, "--all")
    assert len(everything.text.splitlines()) == 2 + 32
    assert everything.err == ""


def test_the_cap_of_what_is_listed_is_told() -> None:
    args = ("shape", "--hin", "?", "--hout", 112, "--k", "?", "--s", "?", "--p", "?")
    assert "and 18484 more: --all or --json for the 1000 most usual\n" in done(*args).err
    everything = done(*args, "--all")
    assert len(everything.text.splitlines()) == 2 + 1000
    assert "and 17496 more, less usual\n" in everything.err
    assert done(*args, "--json").json["count"] == 18496
    told = " ".join(done("shape", "--help").text.split())
    assert "All solutions are counted, the 1000 most usual are kept." in told
    assert "all solutions that are kept, up to 1000" in told


@pytest.mark.parametrize(
    ("asked", "limit"),
    [
        ("--hin 40 --k ?", 64),
        ("--hin 40 --k ? --s ?", 32),
        ("--hin 40 --k ? --s ? --d ?", 16),
        ("--hin ? --k ? --p ?", 32),
        ("--hin ? --k ? --s ? --p ?", 16),
        ("--hin ? --k ? --s ? --d ? --p ?", 8),
    ],
)
def test_the_bounds_are_those_of_the_help(asked: str, limit: int) -> None:
    """From 1 to 64; two of the three unknown: 32, all: 16; input and padding both unknown count as one more: 32, 16, 8."""
    assert done("shape", *asked.split(), "--hout", 20, "--json").json["bounds"]["kernel_size"] == [1, limit]


def test_solutions_in_the_json() -> None:
    found = done(*STEM, "--json").json
    assert found["op"] == "direct"
    assert found["output"] == {"height": 112, "width": 112}
    assert found["unknown"] == ["kernel_size", "stride", "padding"]
    assert found["bounds"] == {"kernel_size": [1, 32], "stride": [1, 32], "padding": "0 to d(k-1)"}
    assert found["count"] == len(found["solutions"]) == 32
    assert found["nearest"] == []
    assert found["solutions"][0] == {
        "input": {"height": 224, "width": 224},
        "output": {"height": 112, "width": 112},
        "kernel_size": [3, 3],
        "stride": [2, 2],
        "padding": {"top": 1, "bottom": 1, "left": 1, "right": 1},
        "dilation": [1, 1],
        "output_padding": [0, 0],
        "options": "--k 3 --s 2 --p 1",
        "score": 1,
    }


def test_one_axis_of_a_pair() -> None:
    options = ["shape", "--hin", 120, "--win", 160, "--k", 3, "--p", "1,?", "--hout", 60, "--wout", 79]
    assert done(*options, "--s", "2,?", "-q").text == "--s 2 --p 1,0\n"
    assert (
        done("shape", "--hin", 120, "--win", 160, "--k", "3,?", "--hout", 118, "--wout", 156, "-q").text == "--k 3,5\n"
    )
    assert done("shape", "--hin", 9, "--win", "?", "--k", 3, "--hout", 7, "--wout", 5, "-q").text == "--hin 9 --win 7\n"


def refused(*args: object) -> Result:
    """A question without a solution: exit code 2 in every form."""
    result = run(*args)
    assert result.code == 2
    return result


def test_nothing_found() -> None:
    """⌊(32 - 3)/s⌋ + 1 is 30, 15, 10 …"""
    options = ["shape", "--hin", 32, "--k", 3, "--s", "?", "--hout", 31]
    found = refused(*options, "--json").json
    assert found["solutions"] == []
    assert [near["output"]["height"] for near in found["nearest"][:3]] == [30, 15, 10]
    table = refused(*options).text.splitlines()
    assert "no solution for 31; the nearest" in table[0]
    assert table[2].split()[-1] == "30"
    quiet = refused(*options, "-q")
    assert quiet.out == b""
    assert "the nearest is 30×30, with --s 1" in quiet.err


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("--hin 224 --hout 1 --k ? --s 1", "--k 224"),  # a global average
        ("--hin 640 --hout 8 --k 3 --s ?", "--s 80"),
        ("--hin 200 --hout 2 --k 3 --d ?", "--d 99"),
        ("--hin 2 --hout 200 --k 5 --s ? --transpose", "--s 195"),
    ],
)
def test_what_is_alone_unknown_may_be_as_large_as_the_image(line: str, found: str) -> None:
    assert found in done("shape", *line.split(), "-q").text


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "--hin 224 --hout 300 --k 3 --p ?",
            "is not possible with padding ≤ d(k-1); the nearest is 226×226, with --p 2",
        ),
        ("--hin 32 --hout 900 --k ? --s ?", "is not possible with kernel, stride ≤ 32"),
        ("--hin 32 --hout 900 --k ? --p ?", "is not possible with kernel ≤ 64 and padding ≤ d(k-1)"),
        ("--hin 32 --hout 32 --k 4 --p ?", "the nearest is 31×31, with --p 1: use --p same"),
    ],
)
def test_an_error_says_what_was_tried(line: str, said: str) -> None:
    result = run("shape", *line.split(), "-q")
    assert result.code == 2
    assert said in result.err


def test_an_output_is_checked() -> None:
    """(224 - 3)/2 + 1 = 111 without padding, 112 with 1."""
    assert done("shape", "--hin", 224, "--k", 3, "--s", 2, "--p", 1, "--hout", 112, "-q").text == "112\n"
    refused = run("shape", "--hin", 224, "--k", 3, "--s", 2, "--hout", 112)
    assert refused.code == 2
    assert "the output is 111×111, not 112×112: use --p 1 or --k 2 or --hin" in refused.err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--hin 32 --k ?", ["--kernel-size ?", "--hout"]),
        ("--hin ? --k 3", ["--hin ?", "--hout"]),
        ("--hin ?,3 --k 3 --hout 3", ["'?,3'", "--hin"]),
        ("--hin 3 --k ?,?,? --hout 3", ["'?,?,?'", "H,?"]),
        ("--hin 3 --k 3 --p same,? --hout 3", ["'same,?'", "rule for one axis"]),
        ("--hin 3 --k x,? --hout 3", ["'x'", "--kernel-size"]),
        ("--hin 3 --k 3 --wout 3", ["--wout 3", "add --hout"]),
        ("--hin 3 --hout 3 --s ?", ["--kernel-size", "add --k N, or --k '?'"]),
        ("224 --k 3", ["write --hin 224"]),
        ("--hin 3 --k ? --hout 3 -o a.png", ["--output", "exclude"]),
        ("--hin 3 --k ? --hout 3 --output-size 3,3", ["--output-size", "exclude"]),
        ("--hin 9 --k 3 --op2 99 --s ? --hout 9", ["is not possible"]),
        ("--hin 9 --k 3 --op2 99 --s ? --hout 9 -q", ["is not possible"]),
        ("--hin 9 --k 3 --in-channels 3", ["--in-channels 3", "--layers"]),
        ("--hin 9 --k 3 -o a.gif", ["a.gif", ".svg, .png"]),
    ],
)
def test_refused(line: str, words: list[str], tmp_path: Path) -> None:
    result = run("shape", *line.split(), cwd=tmp_path)
    assert result.code == 2
    assert all(word in result.err for word in words), result.err
    assert result.err.count("\n") == 1
    assert result.out == b""
    assert not list(tmp_path.iterdir())


# Chains


def test_a_chain_in_the_table() -> None:
    result = done("shape", "--hin", 224, "--layers", CHAIN)
    assert "does not return to its input size: 224×224 → 112×112" in result.text
    rows = [line.split() for line in result.text.splitlines()[1:]]
    assert rows[0] == ["layer", "output", "params", "MACs", "FLOPs", "memory", "field", "jump", "start"]
    assert rows[2] == [
        "conv:k7,s2,p3,c64",
        "64×112×112",
        "9,472",
        "118.0M",
        "236.0M",
        "3.06",
        "MiB",
        "7",
        "2",
        "0",
    ]
    assert rows[3] == ["pool:k3,s2,p1", "64×56×56", "784", "KiB", "11", "4", "0"]
    assert rows[5][-3:] == ["23", "2", "-1"]
    assert rows[-1][:3] == ["total", "64×112×112", "112,000"]


def test_a_chain_in_the_json() -> None:
    found = done("shape", "--hin", 224, "--layers", CHAIN, "--json").json
    assert found["layers"][0] == {
        "layer": "conv:k7,s2,p3,c64",
        "kind": "conv",
        "output": {"channels": 64, "height": 112, "width": 112},
        "parameters": 64 * 3 * 49 + 64,
        "macs": 112 * 112 * 64 * 3 * 49,
        "flops": 2 * 112 * 112 * 64 * 3 * 49,
        "activation_bytes": 4 * 64 * 112 * 112,
        "receptive_field": 7,
        "jump": 2,
        "start": 0,
    }
    assert found["output"] == {"channels": 64, "height": 112, "width": 112}
    assert found["returns"] is False
    for name in ("parameters", "macs", "flops", "activation_bytes"):
        assert found["totals"][name] == sum(layer[name] for layer in found["layers"])


def test_the_input_of_a_chain() -> None:
    """A ResNet's five halvings lead 193 to 224 pixels to 7: ⌊(h - 1)/32⌋ + 1."""
    halvings = "conv:k7,s2,p3 pool:k3,s2,p1 conv:k3,s2,p1 conv:k3,s2,p1 conv:k3,s2,p1"
    options = ["shape", "--hin", "?", "--hout", 7, "--layers", halvings]
    assert done(*options, "-q").text == "--hin 224\n"
    found = done(*options, "--json").json
    assert sorted(one["input"]["height"] for one in found["solutions"]) == [*range(193, 225)]
    title, _, *shown = done(*options).text.splitlines()
    assert "224 can be halved most often" in title
    assert [row.split() for row in shown] == [[f"{side}×{side}", "7×7"] for side in range(193, 225)]
    assert (
        done("shape", "--hin", "?", "--win", 5, "--hout", 7, "--wout", 3, "--layers", "conv:k3", "-q").text
        == "--hin 9\n"
    )


def test_the_input_of_a_chain_that_cannot_be() -> None:
    """Halved and doubled, then added to itself: even sizes alone."""
    options = ["shape", "--hin", "?", "--hout", 5, "--layers", "save:a pool:k2 upsample:2 add:a"]
    found = refused(*options, "--json").json
    assert found["solutions"] == []
    assert [one["input"]["height"] for one in found["nearest"][:2]] == [4, 6]
    assert "no input gives 5×5; the nearest" in refused(*options).text
    assert "the nearest is 4×4, with --hin 4" in run(*options, "-q").err
    assert "--win ?" in run(*options, "--win", "?").err
    assert "--hout 7" in run("shape", "--hin", "?", "--layers", "conv:k3").err
    assert "is not possible" in run(*options[:3], "--hout", 2**31 - 1, "--layers", "conv:k3,s1000000").err


def test_rectangular_chains_have_pairs() -> None:
    """3 rows and 5 columns, every second row: the next 3 rows are 2 apart."""
    found = done("shape", "--hin", 40, "--win", 30, "--layers", "conv:k3x5,s2x1 conv:k3", "--json").json["layers"][1]
    assert (found["receptive_field"], found["jump"], found["start"]) == ([7, 7], [2, 1], [3, 3])
    assert done("shape", "--hin", 40, "--win", 30, "--layers", "conv:k3x5,s2x1 conv:k3", "-q").text == "17 24\n"
    assert done("shape", "--hin", 40, "--layers", "pool:k2", "-q").text == "20\n"


def test_files_hold_chains(tmp_path: Path) -> None:
    tables = [{"type": "conv", "kernel_size": 7, "stride": 2, "padding": 3, "channels": 64}, "pool:k3,s2,p1"]
    (tmp_path / "net.json").write_text(json.dumps({"in_channels": 1, "layers": tables}))
    (tmp_path / "net.toml").write_text(
        'in_channels = 1\n[[layers]]\ntype = "conv"\nkernel_size = 7\nstride = 2\npadding = 3\nchannels = 64\n'
        '[[layers]]\ntype = "pool"\nkernel_size = [3, 3]\nstride = 2\npadding = 1\n'
    )
    words = done("shape", "--hin", 64, "--in-channels", 1, "--layers", "conv:k7,s2,p3,c64 pool:k3,s2,p1", "--json").json
    for name in ("net.json", "net.toml"):
        found = done("shape", "--hin", 64, "--layers", tmp_path / name, "--json").json
        for layer in (*found["layers"], *words["layers"]):
            layer.pop("layer")
        assert found == words
        words = done(
            "shape", "--hin", 64, "--in-channels", 1, "--layers", "conv:k7,s2,p3,c64 pool:k3,s2,p1", "--json"
        ).json
    three = done("shape", "--hin", 64, "--layers", tmp_path / "net.json", "--in-channels", 3, "--json").json
    assert three["input"]["channels"] == 3


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ("", ["no layers", "conv:k7"]),
        ("conv:k3 konv:k3", ["layer 2 'konv:k3'", "'konv'", "conv, depthwise, transpose, pool"]),
        ("conv", ["layer 1 'conv'", "kernel size is missing", "conv:k3,p1"]),
        ("upsample", ["scale is missing", "upsample:2"]),
        ("conv:k3 conv:3", ["layer 2", "'3' is not a setting of conv", "write k3"]),
        ("conv:64,k7,s2", ["'64' is not a setting of conv", "c64 for channels"]),
        ("conv:k3,,s2", ["layer 1", "not a setting"]),
        ("conv7/2,c64", ["no kind of layer", "use conv, as in conv:k3,p1"]),
        ("Conv2d", ["no kind of layer", "use conv", "c the output channels"]),
        ("conv:k3 ConvTranspose2d", ["layer 2", "use transpose"]),
        ("conv:k3 MaxPool2d", ["layer 2", "use pool, as in pool:k2"]),
        ("conv:k3,relu", ["'relu' is a layer of its own", "'conv:k3,p1 relu'"]),
        ("conv:k3 s2x1", ["layer 2", "join settings by commas, as in conv:k3,s2x1"]),
        ("conv:k3, s2", ["layer 1", "write no spaces in a layer"]),
        ("conv:k3,s2;pool:k2", ["'s2;pool:k2'", "separate layers by spaces"]),
        ("pool:k2,p2 conv:k3", ["layer 1"]),
        ("pool:k32 conv:k7", ["layer 2", "3 more padding on each side (p)"]),
        ("conv:k0", ["'k0'", "from 1"]),
        ("conv:k3x3x3", ["'k3x3x3'", "HxW"]),
        ("conv:k99999999999", ["'k99999999999'", "2147483647"]),
        ("conv:k3,psam", ["'psam'", "same-upper"]),
        ("conv:k3,ceil", ["'ceil' is not a setting of conv"]),
        ("conv:k3,s2,psame", ["'same'", "same-upper"]),
        ("conv:k3,k5", ["'k5' sets k a second time"]),
        ("conv:k3,bias,nobias", ["exclude"]),
        ("transpose:k3,op2=1", ["output_padding 1", "stride 1"]),
        ("conv:k3,g2", ["3 input channels", "2 groups"]),
        ("conv:k3,c4 conv:k3,c3,g2", ["layer 2", "3 output channels"]),
        ("pool:k2 conv:k40", ["layer 2 'conv:k40'", "40 rows", "16"]),
        ("cat:a", ["nothing is kept under 'a'", "save:NAME"]),
        ("save:b from:a", ["nothing is kept under 'a'", "use b"]),
        ("save:a pool:k2 add:a", ["layer 3", "3×32×32", "3×16×16"]),
        ("pool:k2 save:a upsample:2 cat:a", ["16×16", "32×32"]),
        ("save:", ["'' is not a name", "save:a"]),
        ("pool:k2,p2", ["padding 2", "at most 1"]),
        ("nowhere.json", ["nowhere.json", "no such file"]),
        ("list.json", ["no list of layers"]),
        ("broken.json", ["broken.json", "not JSON"]),
        ("broken.toml", ["broken.toml", "not TOML"]),
        ("key.json", ["layer 1", "'kernel' is not a key", "kernel_size"]),
        ("surplus.json", ["'x'", "layers and in_channels"]),
        ("channels.toml", ["in_channels '0'"]),
    ],
)
def test_chains_refused(layers: str, words: list[str], tmp_path: Path) -> None:
    files = {
        "list.json": "[1]", "broken.json": "{", "broken.toml": "=", "key.json": '[{"type": "conv", "kernel": 3}]',
        "surplus.json": '{"layers": ["conv:k3"], "x": 1}', "channels.toml": 'in_channels = 0\nlayers = ["conv:k3"]',
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    result = run("shape", "--hin", 32, "--layers", layers, cwd=tmp_path)
    assert result.code == 2
    assert all(word in result.err for word in words), result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("option", ["--k 3", "--s 1", "--hout 3", "--transpose", "-o a.png", "--op2 1", "--all"])
def test_a_chain_has_no_options_of_a_single_layer(option: str) -> None:
    result = run("shape", "--hin", 32, "--layers", "conv:k3", *option.split())
    assert result.code == 2
    assert "is for a single layer" in result.err


# Losses, and the picture


def test_losses_in_the_table() -> None:
    """224 + 6 - 7 = 223 is odd: the last padded row is not read; 3 of 112 outputs see padding at each side."""
    table = done("shape", "--hin", 224, "--k", 7, "--s", 2, "--p", 3).table
    assert table["unused"] == "1 row at the bottom, 1 column at the right, of the padding"
    clean = 1 - (109 / 112) ** 2  # the outputs 2 to 110: 2·2 - 3 = 1, 2·110 - 3 + 6 = 223
    assert table["saw padding"] == f"{100 * clean:.3g} % of the outputs"
    assert "nothing" in done("shape", "--hin", 9, "--k", 3).table["unused"]
    assert "1 and 1 of the image" in done("shape", "--hin", 10, "--k", 3, "--s", 2).table["unused"]


def test_losses_in_the_json() -> None:
    found = done("shape", "--hin", 10, "--win", 12, "--k", 3, "--s", "2,4", "--json").json
    assert found["losses"] == {"unused": [1, 1], "unused_pixels": [1, 1], "saw_padding": 0}
    assert found["overlap"] == {"min": 0, "max": 2, "interior": {"min": 0, "max": 2}, "checkerboard": True}
    found = done("shape", "--hin", 8, "--k", 3, "--s", 2, "--op2", 0, "--json").json
    assert found["losses"] is None
    assert (found["overlap"]["min"], found["overlap"]["max"]) == (1, 4)


def test_checkerboards_are_named() -> None:
    row = lambda k: done("shape", "--hin", 16, "--k", k, "--s", 2, "--transpose").table["overlap"]
    assert row(3) == "an output is reached by 1, 2 or 4 taps; away from the border 1, 2 or 4: a checkerboard"
    assert row(4) == "an output is reached by 1, 2 or 4 taps; away from the border 4: even"
    assert row(2) == "an output is reached by 1 tap"
    assert row(9).startswith("an output is reached by 1 to 25 taps; away from the border 16, 20 or 25")


def test_a_strided_convolution_leaves_its_checkerboard_in_the_gradient() -> None:
    shown = done("shape", "--hin", 16, "--k", 3, "--s", 2).table["overlap"]
    assert shown.endswith("away from the border 1, 2 or 4: a checkerboard in its gradient")


def test_a_figure_is_named(tmp_path: Path) -> None:
    assert done("shape", "--hin", 16, "--k", 3, "-o", "map.svg", cwd=tmp_path).table["figure"] == "map.svg"


def test_a_rule_for_stride_1_is_named() -> None:
    options = ["shape", "--hin", 224, "--hout", 112, "--k", 7, "--s", "?", "--p"]
    why = "--p same is for stride 1 only, use --p same-upper"
    assert why in refused(*options, "same").text
    assert why in run(*options, "same", "-q").err
    assert done(*options, "same-upper", "-q").text == "--s 2\n"


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("--hin 32 --hout 64 --k 3 --s 2 --p ? --transpose", "use --op2 '?', which leads to --p 1 --op2 1"),
        ("--hin 7 --hout 5 --k 3 --s ? --p 1", "use --p '?', which leads to --s 1 --p 0"),
        ("--hin ? --hout 64 --k 3 --s 2 --p 1 --transpose", "use --op2 '?', which leads to --op2 1 --hin 32"),
    ],
)
def test_a_further_unknown_that_helps_is_named(line: str, remedy: str) -> None:
    result = run("shape", *line.split())
    assert result.code == 2
    assert remedy in result.err


def test_what_helps_leads_there() -> None:
    layer = ["shape", "--hin", 32, "--k", 3, "--s", 2]
    assert done(*layer, "--hout", 64, "--p", "?", "--op2", "?", "-q").text == "--p 1 --op2 1\n"
    assert done(*layer, "--p", 1, "--op2", 1, "-q").text == "64\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--hin 32 --k 3 --s 2 -p 1 --op2 1 --output-size 64", "64"),
        ("--hin 3 --win 4 --k 3 --s 2 -p SAME_UPPER --op2 1 --output-size 6,8", "6 8"),
        (
            "--hin 32 --k 3 --s 2 -p 1 --op2 1,0 --output-size 64",
            "output_padding 1,0 gives 64×63, not output_size 64×64: give one",
        ),
        ("--hin 32 --k 3 --s 2 --output-size 64", "for 64 use --padding 1, or --padding same-upper"),
    ],
)
def test_output_sizes_with_an_output_padding(line: str, said: str) -> None:
    """One that agrees is taken. ONNX's output_shape comes without pads, which the remedy names."""
    result = run("shape", *line.split(), "-q")
    assert (result.text.strip() == said) if result.code == 0 else said in result.err


def test_the_picture(tmp_path: Path) -> None:
    """Counts in the cells, in reading order; 3 pixels, 3 taps, stride 2: 1 1 2 1 2 1 1."""
    options = ["shape", "--hin", 3, "--k", 3, "--s", 2, "--transpose"]
    assert done(*options, "-q", "-o", "map.svg", cwd=tmp_path).text == "7\n"
    root = ElementTree.parse(tmp_path / "map.svg").getroot()
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    line = [1, 1, 2, 1, 2, 1, 1]
    counts = [str(down * across) for down in line for across in line]
    start = texts.index("1")
    assert texts[start : start + 49] == counts
    assert texts[start + 49 :] == ["1", "2", "4", "taps"]  # the legend
    for theme, corner in (("light", 255), ("dark", 0x16)):
        done(*options, "-q", "-o", f"{theme}.png", "--theme", theme, cwd=tmp_path)
        with Image.open(tmp_path / f"{theme}.png") as image:
            assert np.asarray(image)[0, 0, 0] == corner


def test_texts_of_the_picture_stay_on_the_page(tmp_path: Path) -> None:
    for options in (
        "--hin 3 --k 3 --s 2 --transpose",
        "--hin 300 --win 2 --k 11,1 --s 7,1 --d 3 --transpose --p 1,2,0,0",
    ):
        done("shape", *options.split(), "-q", "-o", "map.svg", cwd=tmp_path)
        root = ElementTree.parse(tmp_path / "map.svg").getroot()
        for node in root.iter("{http://www.w3.org/2000/svg}text"):
            assert float(node.attrib["x"]) >= 0
            assert float(node.attrib["x"]) + float(node.attrib["textLength"]) <= float(root.attrib["width"])
            assert float(node.attrib["y"]) <= float(root.attrib["height"])


def test_tables_on_a_terminal() -> None:
    """Every number is whole at 80 columns."""
    for options in (STEM, ["shape", "--hin", 224, "--layers", CHAIN]):
        shown = terminal(*options, COLUMNS="80")
        assert shown.code == 0
        lines = re.sub(r"\x1b\[[\d;]*m", "", shown.text).splitlines()
        assert all(len(line.rstrip()) <= 80 for line in lines)
    assert any(line.split()[:4] == ["conv:k7,s2,p3,c64", "64×112×112", "9,472", "118.0M"] for line in lines)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (9999, "9999"),
        (10_000, "10.00k"),
        (118_013_952, "118.0M"),
        (999_949_999, "999.9M"),
        (999_950_000, "1.000G"),
    ],
)
def test_short_counts(count: int, text: str) -> None:
    assert short(count) == text


def test_a_title_is_as_wide_as_the_terminal() -> None:
    """Its table is narrower."""
    line = ("shape", "--hin", "224", "--hout", "112", "--k", "?", "--s", "?", "--p", "?")
    shown = terminal(*line, COLUMNS="80", NO_COLOR="1").out.decode()
    assert "32 solutions for 112, usual first (kernel, stride ≤ 32)" in shown


def test_a_chain_that_no_size_returns_from() -> None:
    text = done("shape", "--hin", 32, "--layers", "conv:k3,s2 transpose:k4,s2,p2").text
    assert "does not return to its input size: 32×32 → 28×28 (no size returns)" in text
    one = "conv:k3x3,s2x2,p1x1 transpose:k4x3,s2x2,p2x1"
    assert "(returning: no size (rows), odd sizes (columns))" in done("shape", "--hin", 32, "--layers", one).text
