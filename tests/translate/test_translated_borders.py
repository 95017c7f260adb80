"""A transposed operation whose input goes on beyond its border, written for other tools."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.cli import done
from support.pictures import write

MODES = ("reflect", "replicate", "symmetric", "circular")
LINES = {
    "bilinear": "-k bilinear:3 -s 3 -p same-upper",
    "a bank": "-k sobel -s 2 -p 1 --op2 1",
    "uneven": "-k 1,2;3,4;5,6 -s 3,2 -d 2,1 -p 0,1,1,0 --op2 2,1 --channels sum --bias 3",
    "far": "-k box:5 --d 4 -s 2",
    "output padding alone": "-k box:2 -s 4 --op2 3",
    "linear": "-k bicubic:2 -s 2 -p 3 --linear",
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
@pytest.mark.parametrize("tool", ["torch", "scipy", "opencv"])
def test_the_text_computes_the_same(tool: str, line: str, mode: str, tmp_path: Path) -> None:
    write(tmp_path / "a.png", np.random.default_rng(3).integers(0, 256, (3, 4, 5), np.uint8))
    options = [*line.split(), "--padding-mode", mode]
    text = done("explain", "a.png", *options, "--transpose", "--as", tool, cwd=tmp_path).text
    done("transpose", "a.png", *options, "--dtype", "float64", "-o", "want.npy", cwd=tmp_path)
    names: dict[str, Any] = {}
    with chdir(tmp_path):
        exec(compile(text, f"<{tool}>", "exec"), names)
    np.testing.assert_allclose(np.asarray(names["result"]), np.load(tmp_path / "want.npy"), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("mode", MODES)
def test_a_tensor_keeps_its_shape(mode: str, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.random.default_rng(3).normal(size=(4, 5)))
    options = ["-k", "bilinear:4", "-s", "4", "-p", "2", "--padding-mode", mode]
    text = done("explain", "a.npy", *options, "--transpose", "--as", "scipy", cwd=tmp_path).text
    assert ".reshape(1, 4, 5)" in text
    done("transpose", "a.npy", *options, "-o", "want.npy", cwd=tmp_path)
    names: dict[str, Any] = {}
    with chdir(tmp_path):
        exec(compile(text, "<scipy>", "exec"), names)
    np.testing.assert_allclose(names["result"][0], np.load(tmp_path / "want.npy"), rtol=0, atol=1e-10)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "line", ["-k bilinear:3 -s 3 -p same-upper", "-k 1,2;3,4 -s 3,2 -d 2,1 --op2 2,1", "-k box:5 --d 4"]
)
def test_the_model_computes_the_same(line: str, mode: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    write(tmp_path / "a.png", np.random.default_rng(3).integers(0, 256, (3, 4, 5), np.uint8))
    options = [*line.split(), "--padding-mode", mode]
    text = done("explain", "a.png", *options, "--transpose", "--as", "onnx", cwd=tmp_path).text
    done("transpose", "a.png", *options, "-o", "want.npy", cwd=tmp_path)
    with chdir(tmp_path):
        exec(compile(text, "<onnx>", "exec"), {})
        [model] = tmp_path.glob("*.onnx")
        image = np.load("want.npy")
        from PIL import Image

        pixels = np.asarray(Image.open("a.png"), np.float32).transpose(2, 0, 1)[None]
        [found] = runtime.InferenceSession(str(model)).run(None, {"image": pixels})
    np.testing.assert_allclose(found[0], image, rtol=0, atol=1e-2)


def test_zeros_add_nothing(tmp_path: Path) -> None:
    write(tmp_path / "a.png", np.zeros((3, 4, 5), np.uint8))
    text = done("explain", "a.png", "-k", "box:3", "--transpose", "--as", "torch", cwd=tmp_path).text
    assert "np.pad" not in text


@pytest.mark.parametrize("tool", ["imagemagick", "vips"])
def test_tools_without_the_operation_say_so_in_a_line(tool: str, tmp_path: Path) -> None:
    write(tmp_path / "a.png", np.zeros((3, 4, 5), np.uint8))
    line = ("explain", "a.png", "-k", "box:3", "--transpose", "--padding-mode", "reflect", "--as", tool)
    text = done(*line, cwd=tmp_path).text
    assert text.startswith("# cannot be expressed: the transposed operation")
    assert text.count("\n") == 1
