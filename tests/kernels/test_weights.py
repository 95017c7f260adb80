"""Weights and biases from files, whole and broken."""

from __future__ import annotations

import io
import pickle
import warnings
import zipfile
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.lib import format as npy_format
from numpy.typing import NDArray
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_tensors

from convcli.convspec import ConvSpec
from convcli.errors import GeometryError
from convcli.kernels import weights
from convcli.kernels.containers import archives
from convcli.system import memory, npy
from convcli.system.context import Context
from support.cli import run
from support.kernels import Pickled, message, outcome
from support.operations import convolve, transpose_convolve

# --- weights ---


WEIGHT = np.random.default_rng(0).standard_normal((4, 2, 3, 5)).astype(np.float32)
BIAS = np.arange(1, 5, dtype=np.float32)


def save(path: Path, arrays: dict[str, NDArray[Any]]) -> Path:
    """Arrays in the format of the suffix; .npy takes the only one."""
    if path.suffix == ".npy":
        [array] = arrays.values()
        np.save(path, array)
    elif path.suffix == ".npz":
        np.savez(path, **arrays)
    elif path.suffix == ".safetensors":
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)
    else:
        torch.save({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}, path)
    return path


KEYED = (".npz", ".safetensors", ".pt", ".pth")


@pytest.mark.parametrize("suffix", [".npy", *KEYED])
def test_the_only_weights_in_a_file(suffix: str, tmp_path: Path) -> None:
    path = save(tmp_path / f"layer{suffix}", {"conv.weight": WEIGHT})
    array, label = weights.load(str(path))[:2]
    assert (array.dtype, label) == (np.float32, "layer")
    np.testing.assert_array_equal(array, WEIGHT)


@pytest.mark.parametrize("suffix", KEYED)
def test_weights_by_key(suffix: str, tmp_path: Path) -> None:
    arrays = {"conv1.weight": WEIGHT, "conv1.bias": BIAS, "conv2.weight": WEIGHT + 1}
    path = save(tmp_path / f"layers{suffix}", arrays)
    for key in ("conv1.weight", "conv2.weight"):
        array, label = weights.load(f"{path}:{key}")[:2]
        np.testing.assert_array_equal(array, arrays[key])
        assert label == key
    text = message(lambda: weights.load(str(path)))
    assert "hold 2 4-D arrays" in text
    assert "conv1.weight" in text
    assert "conv2.weight" in text
    text = message(lambda: weights.load(f"{path}:conv3.weight"))
    assert "no key 'conv3.weight'" in text
    assert "did you mean conv1.weight or conv2.weight" in text or "did you mean conv2.weight or conv1.weight" in text
    assert "not 4-D but (4,)" in message(lambda: weights.load(f"{path}:conv1.bias"))


@pytest.mark.parametrize("suffix", KEYED)
def test_the_only_4d_weights_need_no_key(suffix: str, tmp_path: Path) -> None:
    path = save(tmp_path / f"layer{suffix}", {"a.bias": BIAS, "a.weight": WEIGHT, "b": np.ones((3, 3))})
    np.testing.assert_array_equal(weights.load(str(path))[0], WEIGHT)


@pytest.mark.parametrize("suffix", KEYED)
def test_no_4d_weights_at_all(suffix: str, tmp_path: Path) -> None:
    text = message(lambda: weights.load(str(save(tmp_path / f"w{suffix}", {"a": BIAS, "b": np.ones((3, 3))}))))
    assert "not 4-D" in text
    assert "(4,), (3, 3)" in text
    assert "a 2-D kernel goes with -k" in text


def test_a_2d_npy_is_a_kernel(tmp_path: Path) -> None:
    text = message(lambda: weights.load(str(save(tmp_path / "k.npy", {"": np.ones((3, 3))}))))
    assert "not 4-D but (3, 3)" in text
    assert "goes with -k" in text


@pytest.mark.parametrize("suffix", [".npy", *KEYED])
@pytest.mark.parametrize("kind", ["float64", "float16", "int8", "uint8", "int64"])
def test_dtypes_of_weights(suffix: str, kind: str, tmp_path: Path) -> None:
    """Floats stay what they are, integers become float64."""
    stored = (10 * np.abs(WEIGHT)).astype(kind)
    array = weights.load(str(save(tmp_path / f"w{suffix}", {"w": stored}))).weight
    assert array.dtype == (kind if kind.startswith("float") else "float64")
    np.testing.assert_array_equal(array, stored)


def test_big_endian_weights_become_native(tmp_path: Path) -> None:
    array = weights.load(str(save(tmp_path / "w.npy", {"w": WEIGHT.astype(">f4")}))).weight
    assert array.dtype == np.dtype("=f4")
    assert array.dtype.isnative
    np.testing.assert_array_equal(array, WEIGHT)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_bfloat16_weights_become_float32(suffix: str, tmp_path: Path) -> None:
    tensors = {"w": torch.from_numpy(WEIGHT).to(torch.bfloat16), "b": torch.zeros(4, dtype=torch.bfloat16)}
    path = tmp_path / f"w{suffix}"
    (save_tensors if suffix == ".safetensors" else torch.save)(tensors, path)
    for spec in (str(path), f"{path}:w"):
        array = weights.load(spec).weight
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, tensors["w"].float().numpy())
    assert "(4,)" in message(lambda: weights.load(f"{path}:b"))


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("kind", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_float8_weights_become_float32_or_are_refused(suffix: str, kind: torch.dtype, tmp_path: Path) -> None:
    """NumPy has no such type, as it has no bfloat16."""
    tensor = torch.from_numpy(WEIGHT).to(kind)
    path = tmp_path / f"w{suffix}"
    (save_tensors if suffix == ".safetensors" else torch.save)({"w": tensor}, path)
    loaded, refusal = outcome(lambda: weights.load(str(path)))
    if refusal:
        assert "float8" in refusal.lower()
    else:
        assert loaded[0].dtype == np.float32
        np.testing.assert_array_equal(loaded[0], tensor.float().numpy())


def test_extended_precision_becomes_double(tmp_path: Path) -> None:
    """No backend computes in it, and torch does not take it."""
    array = weights.load(str(save(tmp_path / "w.npy", {"": WEIGHT.astype(np.longdouble)}))).weight
    assert array.dtype == np.float64


@pytest.mark.parametrize(
    "tensor",
    [torch.empty(1, 1, 2, 2, device="meta"), torch._neg_view(torch.ones(1, 1, 2, 2))],
    ids=["no data", "lazily negated"],
)
def test_tensors_that_numpy_cannot_read(tensor: torch.Tensor, tmp_path: Path) -> None:
    torch.save({"w": tensor}, tmp_path / "w.pt")
    loaded, refusal = outcome(lambda: weights.load(str(tmp_path / "w.pt")))
    assert "w.pt" in refusal or (loaded[0] == -1).all()


def test_what_torch_saves(tmp_path: Path) -> None:
    """A tensor, a state_dict, a checkpoint around one; parameters, views and old archives."""
    layer = torch.nn.Sequential(torch.nn.Conv2d(2, 4, (3, 5)), torch.nn.Linear(2, 2))
    expected = layer[0].weight.detach().numpy()
    path = tmp_path / "w.pt"
    for content in (layer[0].weight, layer.state_dict(), {"state_dict": layer.state_dict(), "epoch": 3}):
        torch.save(content, path)
        np.testing.assert_array_equal(weights.load(str(path))[0], expected)
    np.testing.assert_array_equal(weights.load(f"{path}:0.weight")[0], expected)
    torch.save(layer.state_dict(), path, _use_new_zipfile_serialization=False)
    np.testing.assert_array_equal(weights.load(str(path))[0], expected)
    torch.save(torch.from_numpy(WEIGHT).permute(0, 1, 3, 2)[:, :, ::2], path)
    np.testing.assert_array_equal(weights.load(str(path))[0], WEIGHT.transpose(0, 1, 3, 2)[:, :, ::2])
    torch.save([1, 2], path)
    assert "hold a list: save a tensor or a state_dict" in message(lambda: weights.load(str(path)))
    torch.save({"epoch": 3}, path)
    assert "hold no tensors, only epoch" in message(lambda: weights.load(str(path)))


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt", ".pth"])
def test_weights_are_never_unpickled(suffix: str, tmp_path: Path) -> None:
    path, ran = tmp_path / f"w{suffix}", tmp_path / "ran"
    evil = np.array([Pickled(ran)], dtype=object)
    if suffix == ".npy":
        np.save(path, evil)
    elif suffix == ".npz":
        np.savez(path, w=evil)
    else:
        torch.save({"w": Pickled(ran)}, path)
    text = message(lambda: weights.load(str(path)))
    assert "pickled objects" in text
    assert "save a plain array" in text
    assert not ran.exists()


def deflated(path: Path, shape: tuple[int, ...], head: bytes = b"") -> Path:
    """An archive of one array of zeros, deflated, as `numpy.savez_compressed` makes it, without the memory for it."""
    if not head:
        begin = io.BytesIO()
        npy_format.write_array_header_1_0(begin, {"descr": "<f4", "fortran_order": False, "shape": shape})
        head = begin.getvalue()
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("weight.npy", "w", force_zip64=True) as stream,
    ):
        stream.write(head)
        for _ in range(4 * prod(shape) // MIB):
            stream.write(bytes(MIB))
        stream.write(bytes(4 * prod(shape) % MIB))
    return path


MIB = 1 << 20


def test_archives_are_looked_at_before_they_are_inflated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_INFLATED", MIB)
    path = deflated(tmp_path / "w.npz", (1 << 20,))
    monkeypatch.setattr(npy, "read", None)
    assert "are not 4-D but (1048576,)" in message(lambda: weights.load(str(path)))
    path = deflated(tmp_path / "w.npz", (512, 128, 4, 4))
    assert "inflate from 0.0 to 4 MiB, and may be a decompression bomb" in message(lambda: weights.load(str(path)))
    monkeypatch.undo()
    assert weights.load(str(path)).weight.shape == (512, 128, 4, 4)


def test_an_archive_whose_header_would_not_end(tmp_path: Path) -> None:
    path = deflated(tmp_path / "w.npz", (MIB,), b"\x93NUMPY\2\0" + (1 << 30).to_bytes(4, "little"))
    assert "is not a valid .npy file" in message(lambda: weights.load(str(path)))


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors", ".pt"])
def test_what_the_memory_does_not_hold_is_not_read(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / f"w{suffix}", {"weight": WEIGHT})
    monkeypatch.setattr(memory, "total_bytes", lambda: 100.0)
    assert "this machine has 0.0" in message(lambda: weights.load(str(path)))


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors", ".pt"])
def test_devices_are_not_weights(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"w{suffix}"
    path.symlink_to("/dev/zero")
    assert "are not in a file but in a device or a pipe" in message(lambda: weights.load(str(path)))


def test_a_file_of_torch_that_is_deflated_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch does not deflate its archives, but reads such ones."""
    torch.save({"weight": torch.zeros(64, 64, 3, 3)}, tmp_path / "plain.pt")
    with (
        zipfile.ZipFile(tmp_path / "plain.pt") as plain,
        zipfile.ZipFile(tmp_path / "w.pt", "w", zipfile.ZIP_DEFLATED) as made,
    ):
        for name in plain.namelist():
            made.writestr(name, plain.read(name))
    monkeypatch.setattr(archives, "MOST_INFLATED", 1000)
    monkeypatch.setattr(archives, "MOST_TIMES", 10)
    assert "may be a decompression bomb" in message(lambda: weights.load(str(tmp_path / "w.pt")))
    assert weights.load(str(tmp_path / "plain.pt")).weight.shape == (64, 64, 3, 3)


def test_a_pickled_module_and_a_bare_pickle_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save(torch.nn.Conv2d(1, 1, 3), path)
    assert "pickled objects" in message(lambda: weights.load(str(path)))
    path.write_bytes(pickle.dumps({"w": Pickled(tmp_path / "ran")}))
    assert str(path) in message(lambda: weights.load(str(path)))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("suffix", [".npy", *KEYED])
@pytest.mark.parametrize("part", [0, 0.01, 0.3, 0.6, 0.99])
def test_truncated_weights(suffix: str, part: float, tmp_path: Path) -> None:
    path = save(tmp_path / f"w{suffix}", {"w": WEIGHT})
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    text = message(lambda: weights.load(str(path)))
    assert str(path) in text
    assert "not a valid" in text
    assert "truncated" in text


@pytest.mark.parametrize("suffix", [".npy", *KEYED])
def test_weights_that_are_something_else(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"w{suffix}"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    assert "not a valid" in message(lambda: weights.load(str(path)))
    path.unlink()
    assert "cannot be read: there is no such file" in message(lambda: weights.load(str(path)))
    path.mkdir()
    assert "cannot be read: it is a folder; name a file" in message(lambda: weights.load(str(path)))


@pytest.mark.parametrize("suffix", [".npy", *KEYED])
@pytest.mark.parametrize(
    ("array", "parts"),
    [
        (np.full((1, 1, 2, 2), np.nan), ["NaN or infinity", "finite"]),
        (np.full((1, 1, 2, 2), np.inf), ["NaN or infinity", "finite"]),
        (np.ones((0, 1, 2, 2)), ["empty", "(0, 1, 2, 2)", "at least 1"]),
        (np.ones((1, 1, 2, 2), np.complex64), ["real numbers"]),
    ],
)
def test_unusable_weights(suffix: str, array: NDArray[Any], parts: list[str], tmp_path: Path) -> None:
    text = message(lambda: weights.load(str(save(tmp_path / f"w{suffix}", {"w": array}))))
    for part in parts:
        assert part in text


def test_specs_of_weights(tmp_path: Path) -> None:
    colon = tmp_path / "a:b.npy"
    np.save(colon, WEIGHT)
    np.testing.assert_array_equal(weights.load(str(colon))[0], WEIGHT)
    plain = save(tmp_path / "w.npy", {"": WEIGHT})
    assert "have no key 'x': write" in message(lambda: weights.load(f"{plain}:x"))
    assert "colon without a key" in message(lambda: weights.load(f"{plain}:"))
    (tmp_path / "w.txt").write_text("1,2,3")
    assert "are a file of no known kind: save them as .npy" in message(lambda: weights.load(str(tmp_path / "w.txt")))


def test_weights_must_fit_the_channels(tmp_path: Path) -> None:
    """Their layout is named where it is wrong."""
    weight = weights.load(str(save(tmp_path / "w.npy", {"": WEIGHT}))).weight
    image = np.ones((3, 9, 9))
    text = message(lambda: convolve(image, weight, ConvSpec()), GeometryError)
    assert "expect 2 input channels, the image has 3" in text
    assert "(C_out, C_in/groups, kh, kw)" in text
    text = message(lambda: transpose_convolve(image, weight, ConvSpec()), GeometryError)
    assert "expect 4 input channels, the image has 3" in text
    assert "(C_in, C_out/groups, kh, kw)" in text
    text = message(lambda: convolve(image, weight, ConvSpec(groups=2)), GeometryError)
    assert "groups 2 does not divide the 3 input channels: use an image of 4 channels" in text
    assert "not 4-D" in message(lambda: convolve(image, np.ones((3, 3)), ConvSpec()), GeometryError)


# The bias beside the weight; checkpoints; byte order marks


def response(path: str, folder: Path, *options: str) -> tuple[float, str]:
    """The first value of what a layer of zeros makes of zeros, which is its bias; and what was said."""
    np.save(folder / "in.npy", np.zeros((2, 8, 8)))
    result = run("apply", folder / "in.npy", "--weights", path, *options, "-o", folder / "out.npy")
    assert result.code == 0, result.err
    return float(np.load(folder / "out.npy")[1, 0, 0]), result.err


@pytest.mark.parametrize("suffix", KEYED)
def test_the_bias_beside_the_weight_is_added(suffix: str, tmp_path: Path) -> None:
    arrays = {"conv1.weight": WEIGHT, "conv1.bias": BIAS, "conv2.weight": WEIGHT, "other.bias": BIAS + 9}
    path = save(tmp_path / f"layers{suffix}", arrays)
    value, said = response(f"{path}:conv1.weight", tmp_path)
    assert value == pytest.approx(float(BIAS[1]))
    assert "'conv1.bias'" in said
    assert "--bias 0" in said
    assert response(f"{path}:conv1.weight", tmp_path, "--bias", "5") == (5, "")
    assert response(f"{path}:conv2.weight", tmp_path) == (0, "")


@pytest.mark.parametrize("suffix", KEYED)
def test_the_bias_of_the_only_weight(suffix: str, tmp_path: Path) -> None:
    path = save(tmp_path / f"layer{suffix}", {"weight": WEIGHT, "bias": BIAS})
    assert response(str(path), tmp_path)[0] == pytest.approx(float(BIAS[1]))


def test_a_bias_of_another_length_is_named_and_left_out(tmp_path: Path) -> None:
    path = save(tmp_path / "layer.npz", {"weight": WEIGHT, "bias": np.ones(3)})
    value, said = response(str(path), tmp_path)
    assert value == 0
    assert "has 3 values for 4 output channels and is not added" in said


def test_the_bias_of_a_transposed_layer(tmp_path: Path) -> None:
    layer = torch.nn.ConvTranspose2d(4, 6, 3, groups=2)
    torch.save(layer.state_dict(), tmp_path / "layer.pt")
    x = np.random.default_rng(0).normal(size=(4, 5, 6)).astype(np.float32)
    np.save(tmp_path / "in.npy", x)
    options = ["--weights", tmp_path / "layer.pt", "--groups", "2", "-o", tmp_path / "out.npy"]
    assert run("transpose", tmp_path / "in.npy", *options).code == 0
    with torch.no_grad():
        expected = layer(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, atol=1e-5)


def test_compare_adds_the_bias_too(tmp_path: Path) -> None:
    path = save(tmp_path / "layer.npz", {"weight": WEIGHT, "bias": BIAS})
    result = run("compare", "--size", "8,8", "--in-channels", "2", "--weights", path, "--repeats", "1")
    assert result.code == 0, result.err
    assert "'bias'" in result.err


def test_checkpoints_of_state_dicts(tmp_path: Path) -> None:
    """Keys of several levels are joined by points; what holds no tensors says what it holds."""
    torch.save({"model": {"conv1.weight": torch.from_numpy(WEIGHT)}, "epoch": 3}, tmp_path / "w.pt")
    for spec in (f"{tmp_path / 'w.pt'}", f"{tmp_path / 'w.pt'}:model.conv1.weight"):
        np.testing.assert_array_equal(weights.load(spec).weight, WEIGHT)
    torch.save({"epoch": 3, "args": {"rate": 0.1}}, tmp_path / "w.pt")
    assert "hold no tensors, only epoch, args.rate" in message(lambda: weights.load(str(tmp_path / "w.pt")))


def test_torchscript_is_named(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(torch.nn.Conv2d(1, 1, 3)).save(tmp_path / "w.pt")
    recwarn.clear()
    with Context(owns_process=True):
        text = message(lambda: weights.load(str(tmp_path / "w.pt")))
    assert "TorchScript" in text
    assert "state_dict()" in text
    assert not recwarn.list


def test_empty_name_of_weights() -> None:
    assert "weights '' are empty" in message(lambda: weights.load(""))


def test_a_file_whose_name_has_a_colon_is_that_file(tmp_path: Path) -> None:
    path = str(tmp_path / "net.npz:conv1.npy")
    assert weights.split(path) == (tmp_path / "net.npz", "conv1.npy")
    np.save(path, np.ones((1, 1, 3, 3)))
    assert weights.split(path) == (Path(path), None)
    assert weights.load(path)[0].shape == (1, 1, 3, 3)
