"""An error's remedy leads somewhere: what it says is done, and works or at least is another matter."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from support.cli import done, environment, run
from support.pictures import write

GENERATOR = np.random.default_rng(7)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "rgb.png", GENERATOR.integers(0, 256, (3, 9, 9), dtype=np.uint8))
    write(tmp_path / "rgba.png", GENERATOR.integers(0, 256, (4, 9, 9), dtype=np.uint8))
    np.save(tmp_path / "hwc.npy", np.ones((40, 50, 3), np.float32))
    np.save(tmp_path / "maps.npy", np.ones((8, 9, 9), np.float32))
    np.save(tmp_path / "three.npy", np.ones((8, 3, 3, 3)))
    np.save(tmp_path / "one.npy", np.ones((8, 1, 3, 3)))
    return tmp_path


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        (
            "rgb.png --weights three.npy -o out.png",
            "write tif or .npy (-o out.npy), or draw them on a sheet with --montage",
        ),
        ("hwc.npy -k box -o out.png", "(40, 50, 3) is 40 channels of 50×3"),
        ("maps.npy -k box -o out.png", "--channels sum"),
        ("rgb.png -k sobel --combine none -o out.png", "join them with --combine"),
        ("rgb.png -k sobel:4", "from 3 to 31"),
        ("rgb.png --weights three.npy --groups 3", "use --groups 1"),
        ("rgb.png --weights one.npy -o out.npy", "use --channels gray"),
        ("maps.npy --weights three.npy -o out.npy", "use an image of 3 channels"),
        ("maps.npy --weights one.npy -o out.npy", "use --groups 8"),
        ("rgba.png --weights three.npy --alpha filter -o out.npy", "use --alpha keep or drop"),
        ("rgb.png -k box --range raw -o out.jpg", "or tif instead of JPEG"),
        ("rgb.png -k rgb.png", "has 3 channels, and a kernel is one: save it in gray"),
        ("rgb.png -k box --pad 1", "did you mean --padding"),
        ("rgb.png -k box --op2 1", "'convcli transpose'"),
        ("rgb.png -k", "'convcli apply -h'"),
        ("rgb.png -k box -p x", "Invalid value for '-p' (--padding):"),
        ("rgb.png -k box -o {stem.png", "an unpaired brace"),
    ],
)
def test_remedy(line: str, remedy: str, folder: Path) -> None:
    result = run("apply", *line.split(), cwd=folder)
    assert result.code == 2
    assert remedy in result.err
    assert result.err.count("\n") == 1
    assert not list(folder.glob("*out*"))


@pytest.mark.parametrize("kernel", ["1 2 1; 2 4 2", "1 2 1"])
def test_values_separated_by_spaces(kernel: str, folder: Path) -> None:
    assert "separate them by commas" in run("apply", "rgb.png", "-k", kernel, cwd=folder).err


@pytest.mark.parametrize(
    "line",
    [
        "maps.npy -k box --channels sum -o out.png",
        "rgb.png -k sobel --combine magnitude -o out.png",
        "rgb.png --weights one.npy --channels gray -o out.npy",
        "maps.npy --weights one.npy --groups 8 -o out.npy",
        "rgba.png --weights three.npy --alpha keep -o out.npy",
        "rgb.png -k box --range raw -o out.tif",
    ],
)
def test_the_remedies_work(line: str, folder: Path) -> None:
    done("apply", *line.split(), cwd=folder)


def test_memory_of_the_transposed_operation(folder: Path) -> None:
    result = run("transpose", "rgb.png", "-k", "box", "-s", "2000000", cwd=folder)
    assert result.code == 2
    assert "a smaller --stride or --dilation" in result.err


def test_inputs_of_one_name(folder: Path) -> None:
    for name in ("a", "b"):
        (folder / name).mkdir()
        write(folder / name / "x.png", np.zeros((1, 9, 9), np.uint8))
    result = run("apply", "a/x.png", "b/x.png", "-k", "box", "-o", "out/", cwd=folder)
    assert "use different names, or one folder for each" in result.err


def test_a_stored_bias_is_not_spoken_of_before_an_error(folder: Path) -> None:
    np.savez(folder / "layer.npz", **{"c.weight": np.ones((2, 3, 3, 3)), "c.bias": np.ones(2)})
    layer = ("--weights", "layer.npz:c.weight")
    result = run("apply", "rgb.png", *layer, "-o", "out.png", cwd=folder)
    assert result.code == 2
    assert result.err.count("\n") == 1
    result = done("apply", "rgb.png", *layer, "-o", "out.npy", "--json", cwd=folder)
    assert result.err == ""
    assert "is added" in result.json["notes"][0]
    assert "is added" in done("apply", "rgb.png", *layer, "-o", "out.npy", "-q", cwd=folder).err


def test_compare_keeps_its_remarks_in_the_json(folder: Path) -> None:
    np.savez(folder / "layer.npz", **{"c.weight": np.ones((2, 3, 3, 3)), "c.bias": np.ones(2)})
    result = done("compare", "rgb.png", "--weights", "layer.npz:c.weight", "--repeats", "1", "--json", cwd=folder)
    assert "is added" in result.json["notes"][0]
    assert result.err == ""


@pytest.mark.parametrize("text", ["a" * 5000, "ú" * 200, "nul\x00byte"])
def test_words_that_can_be_no_path(text: str, tmp_path: Path) -> None:
    """Found by fuzzing: the file system refuses to look for such names."""
    for option in ("-k", "--weights"):
        assert run("apply", "img.png", option, text, cwd=tmp_path).code == 2


BROKEN = """
import sys
sys.path.insert(0, "broken")
from convcli.__main__ import main
sys.argv = ["convcli", *sys.argv[1:]]
main()
"""


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A folder with two images, and a torch whose library the loader refuses."""
    (tmp_path / "broken/torch").mkdir(parents=True)
    (tmp_path / "broken/torch/__init__.py").write_text("raise ImportError('libtorch_cpu.so: failed to map segment')")
    for name in ("a.png", "b.png"):
        write(tmp_path / name, np.zeros((3, 6, 7), np.uint8))
    return tmp_path


@pytest.mark.parametrize(
    "line",
    [
        "apply a.png -k box --backend torch -o out.png",
        "apply a.png b.png -k box --backend torch -o out/",
        "apply . -k box --backend torch -o out/",
        "apply a.png -k box --dtype float16 -o out.png",
        "compare a.png -k box --backend torch",
    ],
)
def test_a_torch_that_cannot_be_loaded(line: str, broken: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", BROKEN, *line.split()],
        cwd=broken, env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "backend 'torch' cannot be loaded (libtorch_cpu.so: failed to map segment)" in ended.stderr
    assert "--backend numpy" in ended.stderr
    assert sorted(path.name for path in broken.iterdir()) == ["a.png", "b.png", "broken"]


def test_compare_goes_on_without_a_torch_that_cannot_be_loaded(broken: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", BROKEN, *["compare", "a.png", "-k", "box", "--repeats", "1", "--json"]],
        cwd=broken, env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert "cannot be loaded" in found["missing"][0]
    assert {row["backend"] for row in found["rows"]} == {"numpy", "reference"}
