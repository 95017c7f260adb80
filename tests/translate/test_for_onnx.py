"""The texts for ONNX: run where it is installed, and read where it is not."""

from __future__ import annotations

import sys
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from convcli.convspec import ConvSpec
from convcli.geometry import Pads, Pair
from convcli.translate import Request, translate
from support.requests import BANKS, SPECS, expected, picture, request_for, requests


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


def test_a_model_has_a_result_for_each_part_of_a_bank(monkeypatch: pytest.MonkeyPatch) -> None:
    """The magnitude of a pair and a kernel by itself, on three channels."""
    calls = calls_of(request_for(ConvSpec(padding="same"), (8, 9), "sobel", "box:3"), monkeypatch)
    infos = [words for name, words, _ in calls if name == "make_tensor_value_info"]
    assert infos == [("image", 1, [1, 3, 8, 9]), ("result", 1, [1, 6, 8, 9])]


def test_linear_light_is_not_in_a_model() -> None:
    text = translate(request_for(ConvSpec(), (5, 5), "box:3", linear=True), "onnx")
    assert "# cannot be expressed: linear light" in text
