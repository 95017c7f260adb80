"""Models of ONNX: their constants as the package writes them, and layers as ONNX Runtime runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from convcli.kernels import weights
from convcli.kernels.containers import onnx_file
from support.cli import done
from support.kernels import message

RANDOM = np.random.default_rng(0)
WEIGHT = RANDOM.normal(size=(4, 3, 3, 2)).astype(np.float32)
BIAS = np.arange(4, dtype=np.float32)
X = RANDOM.normal(size=(3, 8, 9)).astype(np.float32)


def graph(nodes: list[Any], constants: dict[str, NDArray[Any]], channels: int = 3) -> Any:
    """A model that makes y of x."""
    made = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def ran(model: Any, x: NDArray[Any]) -> NDArray[Any]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": x[None]})[0][0])


def check(model: Any, name: str, x: NDArray[Any], command: str, folder: Path, *options: str) -> str:
    onnx.save(model, folder / name)
    np.save(folder / "x.npy", x)
    said = done(command, "x.npy", "--weights", name, *options, "-o", "y.npy", "-q", cwd=folder).err
    np.testing.assert_allclose(np.load(folder / "y.npy"), ran(model, x), atol=1e-5)
    return said


@pytest.mark.parametrize("name", ["m.onnx", "model"])
def test_a_convolution_and_its_bias(name: str, tmp_path: Path) -> None:
    node = helper.make_node("Conv", ["x", "onnx::Conv_1", "onnx::Conv_2"], ["y"])
    said = check(graph([node], {"onnx::Conv_1": WEIGHT, "onnx::Conv_2": BIAS}), name, X, "apply", tmp_path)
    assert "'onnx::Conv_2' of" in said
    assert weights.load(f"{tmp_path / name}:onnx::Conv_1").label == "onnx-Conv-1"


def test_a_transposed_convolution(tmp_path: Path) -> None:
    node = helper.make_node("ConvTranspose", ["x", "w", "b"], ["y"])
    stored = RANDOM.normal(size=(3, 4, 3, 2)).astype(np.float32)
    check(graph([node], {"w": stored, "b": BIAS}), "m.onnx", X, "transpose", tmp_path)


def test_constants_among_the_nodes(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(WEIGHT)),
        helper.make_node("Identity", ["w"], ["v"]),
        helper.make_node("Conv", ["x", "v"], ["y"]),
    ]
    check(graph(nodes, {}), "m.onnx", X, "apply", tmp_path)


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("zero", [False, True])
def test_quantized_weights(axis: int | None, zero: bool, tmp_path: Path) -> None:
    stored = RANDOM.integers(-9, 9, (4, 3, 3, 2)).astype(np.int8)
    count = 1 if axis is None else stored.shape[axis]
    constants: dict[str, NDArray[Any]] = {
        "w": stored, "s": RANDOM.random(count).astype(np.float32), "z": np.full(count, zero, np.int8), "b": BIAS,
    }  # fmt: skip
    if axis is None:
        constants |= {"s": constants["s"][0].reshape(()), "z": constants["z"][0].reshape(())}
    more = {} if axis is None else {"axis": axis}
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s", "z"] if zero else ["w", "s"], ["v"], **more),
        helper.make_node("Conv", ["x", "v", "b"], ["y"]),
    ]
    check(graph(nodes, constants), "m.onnx", X, "apply", tmp_path)


KINDS = [
    "float32",
    "float64",
    "float16",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "int64",
    "uint32",
    "uint64",
    "bool",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("raw", [True, False])
def test_every_type_in_both_forms(kind: str, raw: bool, tmp_path: Path) -> None:
    """As bytes, or as a list of numbers."""
    stored = RANDOM.integers(0, 2 if kind == "bool" else 100, (2, 1, 3, 3)).astype(kind)
    stored = -stored if kind.startswith(("int", "float")) else stored
    code = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    tensor = helper.make_tensor("w", code, stored.shape, stored.tobytes() if raw else stored.ravel(), raw)
    made = graph([], {})
    made.graph.initializer.append(tensor)
    onnx.save(made, tmp_path / "m.onnx")
    np.testing.assert_array_equal(weights.load(f"{tmp_path}/m.onnx").weight, stored.astype(np.float64))


@pytest.mark.parametrize("code", [TensorProto.BFLOAT16, TensorProto.FLOAT8E4M3FN, TensorProto.FLOAT8E5M2])
def test_types_that_numpy_lacks(code: int, tmp_path: Path) -> None:
    tensor = helper.make_tensor("w", code, (1, 1, 2, 2), [0.5, -1.5, 2.0, 0.0])
    made = graph([], {})
    made.graph.initializer.append(tensor)
    onnx.save(made, tmp_path / "m.onnx")
    np.testing.assert_array_equal(weights.load(f"{tmp_path}/m.onnx").weight.ravel(), [0.5, -1.5, 2.0, 0.0])


def test_types_that_cannot_be_read(tmp_path: Path) -> None:
    made = graph([], {})
    made.graph.initializer.append(helper.make_tensor("w", TensorProto.COMPLEX64, (1, 1, 1, 1), [1j]))
    onnx.save(made, tmp_path / "m.onnx")
    assert "save real numbers" in message(lambda: weights.load(f"{tmp_path}/m.onnx"))
    made.graph.initializer[0].CopyFrom(helper.make_tensor("w", TensorProto.INT4, (1, 1, 1, 2), [1, 2]))
    onnx.save(made, tmp_path / "m.onnx")
    assert "are of dtype number 22 of ONNX" in message(lambda: weights.load(f"{tmp_path}/m.onnx"))


def test_values_in_another_file(tmp_path: Path) -> None:
    made = graph([helper.make_node("Conv", ["x", "w", "b"], ["y"])], {"w": WEIGHT, "b": BIAS})
    onnx.save_model(made, tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    found = weights.load(f"{tmp_path}/m.onnx")
    np.testing.assert_array_equal(found.weight, WEIGHT)
    np.testing.assert_array_equal(found.bias, BIAS)
    (tmp_path / "m.data").rename(tmp_path / "gone")
    assert "are in the file 'm.data', which is not there" in message(lambda: weights.load(f"{tmp_path}/m.onnx"))


@pytest.mark.parametrize("location", ["../m.data", "/etc/passwd", "a/b", "..", ""])
def test_values_in_another_folder_are_refused(location: str, tmp_path: Path) -> None:
    made = graph([], {"w": WEIGHT})
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "288")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    assert "in another folder: keep the model's files in one folder" in message(
        lambda: weights.load(f"{tmp_path}/m.onnx")
    )


MODEL = graph([helper.make_node("Conv", ["x", "w", "b"], ["y"])], {"w": WEIGHT, "b": BIAS}).SerializeToString()


@given(data=st.data())
def test_damaged_models(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Any byte can be any other, and the file can end anywhere: it is read, or refused in one line."""
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    changed = bytearray(MODEL)
    for _ in range(data.draw(st.integers(0, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(changed[: data.draw(st.integers(1, len(changed)))])
    try:
        for one in onnx_file.read(path).values():
            one.values()
    except onnx_file.KernelError as error:
        said = error.text
    else:
        return
    assert ": " in said


def test_an_empty_file_and_a_shape_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.onnx").write_bytes(b"")
    assert "are not a valid .onnx file" in message(lambda: weights.load(f"{tmp_path}/m.onnx"))
    (tmp_path / "m.onnx").write_bytes(MODEL)
    monkeypatch.setattr("convcli.system.memory.total_bytes", lambda: 100.0)
    assert "this machine has" in message(lambda: weights.load(f"{tmp_path}/m.onnx"))
