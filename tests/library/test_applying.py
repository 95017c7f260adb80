"""apply writes the bytes that the command line writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import convcli
from support.cli import SAMPLES, done

LINES: list[tuple[str, str, str, Any, dict[str, Any]]] = [
    ("coffee.jpg", "o.jpg", "-k sobel -p same --padding-mode reflect", "sobel", {"padding": "same", "padding_mode": "reflect"}),
    ("coffee.jpg", "o.png", "-k gaussian:2 -s 2 --linear", "gaussian:2", {"stride": 2, "linear": True}),
    ("icon.png", "o.png", "-k gaussian:1 -p same", "gaussian:1", {"padding": "same"}),
    ("icon.png", "o.webp", "-k box:3 --alpha drop --range offset --quality 70", "box:3",
     {"alpha": "drop", "range": "offset", "quality": 70}),
    ("gradient16.png", "o.tif", "-k sobel-x --bias 50%", "sobel-x", {"bias": "50%"}),
    ("animation.gif", "o.gif", "-k gaussian:1 -p 2,2,1,1", "gaussian:1", {"padding": (2, 2, 1, 1)}),
    ("coffee.jpg", "o.png", "-k sobel-x --range=-255,255", "sobel-x", {"range": (-255, 255)}),
    ("coffee.jpg", "o.npy", "-k 1,2,1 --normalize --op conv -d 2", "1,2,1", {"divisor": "sum", "op": "conv", "dilation": 2}),
    ("coffee.jpg", "o.png", "-k sobel-x -k sobel-y --combine max --channels gray", ["sobel-x", "sobel-y"],
     {"combine": "max", "channels": "gray"}),
]  # fmt: skip


@pytest.mark.parametrize(("source", "target", "line", "kernel", "arguments"), LINES, ids=[line[2] for line in LINES])
def test_the_same_bytes(
    source: str, target: str, line: str, kernel: Any, arguments: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "cli").mkdir()
    done("apply", SAMPLES / source, *line.split(), "-o", f"cli/{target}", cwd=tmp_path)
    made = convcli.apply(SAMPLES / source, tmp_path / target, kernel, **arguments)
    assert made.target == str(tmp_path / target)
    assert (tmp_path / target).read_bytes() == (tmp_path / "cli" / target).read_bytes()


def test_in_blocks(tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.random.default_rng(0).random((3, 600, 700), np.float32))
    line = "-k gaussian:3 -p same --memory 1G --pyramid --range minmax -o cli.tif"
    done("apply", "in.npy", *line.split(), cwd=tmp_path)
    more: dict[str, Any] = {"memory": 1 << 30, "pyramid": True, "range": "minmax"}
    convcli.apply(tmp_path / "in.npy", tmp_path / "o.tif", "gaussian:3", padding="same", **more)
    assert (tmp_path / "o.tif").read_bytes() == (tmp_path / "cli.tif").read_bytes()


def test_transposed_and_weights(tmp_path: Path) -> None:
    options = "-k bilinear:2 -s 2 -p same-upper --padding-mode replicate"
    done("transpose", SAMPLES / "tiny.png", *options.split(), "-o", "cli.png", cwd=tmp_path)
    more: dict[str, Any] = {"stride": 2, "padding": "same-upper", "padding_mode": "replicate", "transpose": True}
    convcli.apply(SAMPLES / "tiny.png", tmp_path / "o.png", "bilinear:2", **more)
    assert (tmp_path / "o.png").read_bytes() == (tmp_path / "cli.png").read_bytes()
    done("apply", SAMPLES / "coffee.jpg", "--weights", SAMPLES / "conv1.npy", "-o", "cli.npy", cwd=tmp_path)
    convcli.apply(SAMPLES / "coffee.jpg", tmp_path / "o.npy", np.load(SAMPLES / "conv1.npy"))
    assert (tmp_path / "o.npy").read_bytes() == (tmp_path / "cli.npy").read_bytes()


def test_what_it_says(tmp_path: Path) -> None:
    made = convcli.apply(SAMPLES / "coffee.jpg", tmp_path / "o.png", "sobel", padding="same")
    assert made.input_shape == made.output_shape == (3, 400, 600)
    assert (made.frames, made.backend, made.range) == (1, "numpy", "clip")
    assert made.clipped > 0


def test_files_are_protected(tmp_path: Path) -> None:
    path = tmp_path / "in.png"
    Image.new("L", (9, 9)).save(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="is the input"):
        convcli.apply(path, path, "box:3")
    (tmp_path / "there.png").write_bytes(b"x")
    with pytest.raises(ValueError, match="use overwrite=True"):
        convcli.apply(path, tmp_path / "there.png", "box:3", overwrite=False)
    for source, target in ((path, "-"), ("-", tmp_path / "o.png")):
        with pytest.raises(ValueError, match="is a stream"):
            convcli.apply(source, target, "box:3")
    np.savetxt(tmp_path / "k.csv", np.ones((3, 3)), delimiter=",")
    with pytest.raises(ValueError, match="kernel"):
        convcli.apply(path, tmp_path / "k.csv", str(tmp_path / "k.csv"))
    assert path.read_bytes() == before
    assert sorted(one.name for one in tmp_path.iterdir()) == ["in.png", "k.csv", "there.png"]
