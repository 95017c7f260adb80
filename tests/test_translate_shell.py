"""The texts for ImageMagick, vips and ONNX: run where the tools are installed, and read where they are not."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from cli import write
from hypothesis import given
from PIL import Image
from test_translate import expected, layer_for, picture, request_for, requests

from convcli.convspec import ConvSpec
from convcli.geometry import Pads, Pair
from convcli.translate import Request, translate

MAGICK = shutil.which("magick") or shutil.which("convert")
VIPS = shutil.which("vips")


def shell(text: str, folder: Path) -> None:
    ended = subprocess.run(
        ["sh", "-e", "-c", text], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, f"{text}\n{ended.stderr}"
    assert not ended.stderr, f"{text}\n{ended.stderr}"


def magick(request: Request, folder: Path) -> list[np.ndarray]:
    """The pictures that the text for ImageMagick writes, `(C, H, W)` each."""
    text = translate(request, "imagemagick")
    shell(text if shutil.which("magick") else re.sub(r"^magick", "convert", text, flags=re.MULTILINE), folder)
    colours = request.input_channels if request.channels == "each" else 1
    found = []
    for path in sorted(folder.glob("out*.png")):
        with Image.open(path) as image:  # it has a palette where it has few colours, and is gray where all of them are
            pixels = np.array(image.convert("RGB" if colours == 3 else "L"), float)
        found.append(pixels[np.newaxis] if pixels.ndim == 2 else pixels.transpose(2, 0, 1))
    return found


def vips(request: Request, folder: Path) -> list[np.ndarray]:
    """The real values that the text for vips writes."""
    shell(translate(request, "vips"), folder)
    found = []
    for path in sorted(folder.glob("out*.tif")):
        values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert values.dtype in (np.float32, np.float64)
        found.append(values[np.newaxis] if values.ndim == 2 else values[:, :, ::-1].transpose(2, 0, 1))
    return found


def check(request: Request, tool: str, folder: Path) -> None:
    image = picture(folder, request)
    want = expected(request, image)
    text = translate(request, tool)
    got = (magick if tool == "imagemagick" else vips)(request, folder)
    if tool == "imagemagick":
        want = np.clip(want, 0, 255)
    # Several results of a bank are files; their channels lie together.
    planes = np.stack(got, axis=1).reshape(-1, *got[0].shape[1:])
    assert planes.shape == want.shape, text
    # ImageMagick has 16 bits on the way and 8 in the end, and its luma differs from BT.601's in the fourth digit.
    rounding = 1.5 if request.channels == "gray" else 1.01
    tolerance = rounding if tool == "imagemagick" else 1e-5 * 255 * (1 + np.abs(request.layer.weight).sum())
    assert np.abs(planes - want).max() <= tolerance, text


TOOLS = [
    pytest.param("imagemagick", marks=pytest.mark.skipif(MAGICK is None, reason="ImageMagick is not installed")),
    pytest.param("vips", marks=pytest.mark.skipif(VIPS is None, reason="vips is not installed")),
]

SPECS = {
    "plain": ConvSpec(),
    "same": ConvSpec(padding="same"),
    "stride": ConvSpec(padding=Pads(1, 1, 1, 1), stride=Pair(2, 3)),
    "stride, valid": ConvSpec(stride=Pair(3, 2)),
    "asymmetric": ConvSpec(padding=Pads(0, 2, 3, 1), stride=Pair(2, 1)),
    "shifted": ConvSpec(padding=Pads(2, 0, 0, 2)),
    "full": ConvSpec(padding="full"),
    "dilated": ConvSpec(padding="same", dilation=Pair(2, 1)),
    "far": ConvSpec(padding=Pads(9, 8, 15, 16), stride=Pair(2, 2)),
    "flipped": ConvSpec(op="conv", padding="same"),
}


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("mode", ["zeros", "replicate", "circular", "symmetric"])
@pytest.mark.parametrize("name", SPECS)
def test_direct_operations(name: str, mode: str, tool: str, tmp_path: Path) -> None:
    for place, kernel in enumerate(("1,2,3;4,5,6;-7,8,1", "0.1,0.2;0.3,0.05;0.15,0.17;-0.1,0.13")):
        folder = tmp_path / str(place)
        folder.mkdir()
        request = request_for(replace(SPECS[name], padding_mode=mode), (7, 8), kernel, colours=(1, 3)[place])
        assert "cannot be expressed" not in translate(request, tool)
        layer = replace(request.layer, weight=request.layer.weight / (20 if place == 0 else 1))
        check(replace(request, layer=layer), tool, folder)


BANKS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "bias": (("0,-1,0;-1,2,-1;0,-1,0",), {"bias": np.full(3, 100.0)}),
    "magnitude": (("sobel",), {}),
    "magnitude with a bias": (("sobel",), {"bias": np.full(6, -40.0)}),
    "magnitude of gray": (("sobel",), {"channels": "gray"}),
    "gray of gray": (("box:3",), {"channels": "gray", "colours": 1}),
    "magnitude of one": (("sobel-x",), {"combine": "magnitude"}),
    "outputs": (("sobel-x", "box:3"), {}),
    "sum": (("sobel-x", "box:3"), {"combine": "sum"}),
    "max": (("sobel-x", "box:3", "0.1,0.2,0.5"), {"combine": "max"}),
    "two results": (("sobel", "box:3"), {"colours": 1}),
    "channels together": (("gaussian:0.5",), {"channels": "sum"}),
    "channels together, joined": (("sobel",), {"channels": "sum"}),
}


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("name", BANKS)
def test_banks(name: str, tool: str, tmp_path: Path) -> None:
    specs, options = BANKS[name]
    check(request_for(ConvSpec(padding="same", padding_mode="replicate"), (8, 9), *specs, **options), tool, tmp_path)


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("channels", ["each", "sum", "gray"])
@pytest.mark.parametrize("colours", [1, 3])
def test_opacity_is_left_out(colours: int, channels: str, tool: str, tmp_path: Path) -> None:
    request = request_for(
        ConvSpec(padding="same"), (7, 8), "0.1,0.2;0.3,0.1", colours=colours, channels=channels, transparent=True
    )
    pixels = np.random.default_rng(0).integers(0, 256, (colours + 1, 7, 8), np.uint8)
    Image.fromarray(pixels.transpose(1, 2, 0), "LA" if colours == 1 else "RGBA").save(tmp_path / "image.png")
    want = expected(request, pixels[:colours].astype(float))
    got = (magick if tool == "imagemagick" else vips)(request, tmp_path)[0]
    if tool == "imagemagick":
        want = np.clip(want, 0, 255)
    assert got.shape == want.shape
    assert np.abs(got - want).max() <= (1.5 if tool == "imagemagick" else 0.01)


@pytest.mark.skipif(MAGICK is None, reason="ImageMagick is not installed")
def test_the_first_frame(tmp_path: Path) -> None:
    request = request_for(ConvSpec(), (7, 8), "0.1,0.2;0.3,0.1", colours=1, source="image.gif", frames=2)
    frames = [Image.fromarray(np.full((7, 8), value, np.uint8)) for value in (100, 200)]
    frames[0].save(tmp_path / "image.gif", save_all=True, append_images=frames[1:])
    (got,) = magick(request, tmp_path)
    assert np.abs(got - 70).max() <= 1.01


@pytest.mark.parametrize("tool", TOOLS)
def test_large_kernels(tool: str, tmp_path: Path) -> None:
    check(request_for(ConvSpec(padding="same"), (20, 22), "gaussian:4"), tool, tmp_path)


@pytest.mark.parametrize("tool", TOOLS)
def test_names_are_quoted(tool: str, tmp_path: Path) -> None:
    source = 'it\'s $HOME "1".png'
    check(request_for(ConvSpec(), (5, 5), "box:3", source=source), tool, tmp_path)


@pytest.mark.skipif(MAGICK is None, reason="ImageMagick is not installed")
def test_linear_light_in_imagemagick(tmp_path: Path) -> None:
    """As in `test_translate`: 188, and not 128."""
    write(tmp_path / "image.png", np.array([[[0, 255]] * 3] * 3, np.uint8))
    for channels in ("each", "gray"):
        request = request_for(ConvSpec(), (3, 2), "0.5,0.5", channels=channels, linear=True)
        (found,) = magick(request, tmp_path)
        assert np.abs(found - 188).max() <= 1


IMPOSSIBLE = {
    ("imagemagick", "transposed"): "the transposed operation",
    ("vips", "transposed"): "the transposed operation",
    ("imagemagick", "layer"): "a layer that weighs each channel in its own way",
    ("vips", "layer"): "a layer that weighs each channel in its own way",
    ("imagemagick", "biases"): "a bias of its own for each channel",
    ("vips", "biases"): "a bias of its own for each channel",
    ("imagemagick", "tensor"): "a .npy file",
    ("vips", "tensor"): "a .npy file",
    ("vips", "linear"): "linear light",
}


@pytest.mark.parametrize(("tool", "what"), IMPOSSIBLE)
def test_what_cannot_be_expressed_is_all_that_is_said(tool: str, what: str) -> None:
    request = {
        "transposed": request_for(ConvSpec(transpose=True), (5, 5), "box:3"),
        "layer": layer_for(ConvSpec(), (5, 5), np.arange(27.0).reshape(1, 3, 3, 3)),
        "biases": request_for(ConvSpec(), (5, 5), "box:3", bias=np.array([1.0, 2, 3])),
        "tensor": request_for(ConvSpec(), (5, 5), "box:3", source="x.npy"),
        "linear": request_for(ConvSpec(), (5, 5), "box:3", linear=True),
    }[what]
    text = translate(request, tool)
    assert text.startswith(f"# cannot be expressed: {IMPOSSIBLE[tool, what]}")
    assert text.endswith("there is no text\n")
    assert text.count("\n") == 1


@pytest.mark.parametrize("tool", ["imagemagick", "vips"])
def test_reflect_is_said_to_be_missing(tool: str) -> None:
    request = request_for(ConvSpec(padding="same", padding_mode="reflect"), (5, 5), "box:3")
    assert "# cannot be expressed: padding mode reflect; 'mirror' is symmetric" in translate(request, tool)
    assert "cannot" not in translate(replace(request, geometry=replace(request.geometry, pads=Pads(0, 0, 0, 0))), tool)


# ONNX


def check_model(request: Request, folder: Path) -> None:
    """The model by ONNX Runtime, in float32."""
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    names: dict[str, Any] = {}
    text = translate(request, "onnx")
    with chdir(folder):
        exec(compile(text, "<onnx>", "exec"), names)
    onnx.checker.check_model(names["model"], full_check=True)
    image = picture(folder, request)
    session = runtime.InferenceSession(names["model"].SerializeToString(), providers=["CPUExecutionProvider"])
    (got,) = session.run(None, {"image": image[np.newaxis].astype(np.float32)})
    want = expected(request, image)
    assert got.shape == (1, *want.shape), text
    np.testing.assert_allclose(
        got[0], want, rtol=0, atol=1e-5 * 255 * (1 + np.abs(request.layer.weight).sum()), err_msg=text
    )


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular", "symmetric"])
@pytest.mark.parametrize("name", SPECS)
def test_models(name: str, mode: str, tmp_path: Path) -> None:
    check_model(request_for(replace(SPECS[name], padding_mode=mode), (7, 8), "1,2,3;4,5,6;-7,8,1"), tmp_path)


@pytest.mark.parametrize("name", BANKS)
def test_models_of_banks(name: str, tmp_path: Path) -> None:
    specs, options = BANKS[name]
    check_model(request_for(ConvSpec(padding="same"), (8, 9), *specs, **options), tmp_path)


@given(request=requests())
def test_models_of_any_layer(tmp_path_factory: pytest.TempPathFactory, request: Request) -> None:
    check_model(request, tmp_path_factory.getbasetemp())


class Calls:
    """Stands for a module: remembers what is called, and with what."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *words, **options: self.calls.append((name, words, options))


def calls_of(request: Request, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """What a script calls of onnx, which need not be installed."""
    module, helper, numpy_helper = ModuleType("onnx"), Calls(), Calls()
    words = {"helper": helper, "numpy_helper": numpy_helper, "checker": Calls(), "save": helper.save}
    vars(module).update(words, TensorProto=type("TensorProto", (), {"FLOAT": 1}))
    monkeypatch.setitem(sys.modules, "onnx", module)
    exec(compile(translate(request, "onnx"), "<onnx>", "exec"), {})
    return [*helper.calls, *numpy_helper.calls]


def test_a_model_by_its_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ConvSpec(padding=Pads(1, 2, 3, 4), stride=Pair(2, 1), dilation=Pair(1, 2))
    calls = calls_of(request_for(spec, (8, 9), "1,2;3,4", bias=np.full(3, 7.0), label="mine"), monkeypatch)
    nodes = [(words, options) for name, words, options in calls if name == "make_node"]
    attributes = {"pads": [1, 3, 2, 4], "strides": [2, 1], "dilations": [1, 2], "group": 3}
    assert nodes == [(("Conv", ["image", "weight", "bias"], ["result"]), attributes)]
    tensors = {words[1]: words[0] for name, words, _ in calls if name == "from_array"}
    assert tensors["weight"].tolist() == [[[[1, 2], [3, 4]]]] * 3
    assert tensors["weight"].dtype == tensors["bias"].dtype == np.float32
    assert tensors["bias"].tolist() == [7, 7, 7]
    infos = [words for name, words, _ in calls if name == "make_tensor_value_info"]
    assert infos == [("image", 1, [1, 3, 8, 9]), ("result", 1, [1, 3, 5, 14])]
    assert [words[1] for name, words, _ in calls if name == "save"] == ["mine.onnx"]


def test_a_transposed_model_by_its_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ConvSpec(transpose=True, padding=Pads(0, 1, 1, 0), stride=Pair(2, 2), output_padding=Pair(1, 0))
    calls = calls_of(request_for(spec, (4, 4), "1,2;3,4", colours=1), monkeypatch)
    (node,) = [(words, options) for name, words, options in calls if name == "make_node"]
    attributes = {"pads": [0, 1, 1, 0], "strides": [2, 2], "output_padding": [1, 0]}
    assert node == (("ConvTranspose", ["image", "weight"], ["result"]), attributes)


@pytest.mark.parametrize("bias", [None, np.full(3, 7.0)])
@pytest.mark.parametrize("padding", [Pads(0, 0, 0, 0), Pads(1, 1, 0, 2), Pads(0, 3, 2, 0)])
def test_models_of_an_output_padding_beyond_the_stride(padding: Pads, bias: np.ndarray | None, tmp_path: Path) -> None:
    """PyTorch has it below the dilation, ONNX Runtime below the stride only."""
    spec = ConvSpec(transpose=True, padding=padding, dilation=Pair(3, 2), output_padding=Pair(2, 1))
    check_model(request_for(spec, (5, 6), "1,2;3,4", bias=bias), tmp_path)


def test_an_output_padding_beyond_the_stride_by_its_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the crop at the bottom leaves is kept, the rest is zeros; a bias comes after them."""
    spec = ConvSpec(transpose=True, padding=Pads(0, 1, 0, 0), dilation=Pair(3, 2), output_padding=Pair(2, 1))
    calls = calls_of(request_for(spec, (5, 6), "1,2;3,4", bias=np.full(3, 7.0)), monkeypatch)
    nodes = [(words[0], options) for name, words, options in calls if name == "make_node"]
    assert nodes == [("ConvTranspose", {"dilations": [3, 2], "group": 3}), ("Pad", {}), ("Add", {})]
    tensors = {words[1]: words[0] for name, words, _ in calls if name == "from_array"}
    assert tensors["zeros"].tolist() == [0, 0, 0, 0, 0, 0, 1, 1]
    assert tensors["bias"].shape == (1, 3, 1, 1)


def test_borders_of_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pad, or, for what it lacks, the border's indices."""
    spec = ConvSpec(padding=Pads(1, 2, 0, 3), padding_mode="reflect")
    calls = calls_of(request_for(spec, (4, 5), "1,2", colours=1), monkeypatch)
    assert [words[0] for name, words, _ in calls if name == "make_node"] == ["Pad", "Conv"]
    assert {words[1]: words[0].tolist() for name, words, _ in calls if name == "from_array"}["pads"] == [
        0, 0, 1, 0, 0, 0, 2, 3
    ]  # fmt: skip
    symmetric = replace(spec, padding_mode="symmetric")
    calls = calls_of(request_for(symmetric, (4, 5), "1,2", colours=1), monkeypatch)
    assert [words[0] for name, words, _ in calls if name == "make_node"] == ["Gather", "Gather", "Conv"]
    tensors = {words[1]: words[0].tolist() for name, words, _ in calls if name == "from_array"}
    assert tensors["rows"] == [0, 0, 1, 2, 3, 3, 2]
    assert tensors["columns"] == [0, 1, 2, 3, 4, 4, 3, 2]


def test_linear_light_is_not_in_a_model() -> None:
    text = translate(request_for(ConvSpec(), (5, 5), "box:3", linear=True), "onnx")
    assert "# cannot be expressed: linear light" in text
