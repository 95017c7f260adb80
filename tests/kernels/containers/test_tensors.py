"""Every kind of tensor in a file of weights is read as real numbers or refused in one line, by every command alike."""

from __future__ import annotations

import json
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from convcli.kernels import weights
from convcli.kernels.containers import tensors
from support.cli import SAMPLES, done, run

TINY = SAMPLES / "tiny.png"
VALUES = torch.randint(-20, 20, (4, 1, 3, 3), generator=torch.Generator().manual_seed(0)) * 0.25
"""Which quantization in steps of a quarter, bfloat16 and float8_e5m2 nearly, keep as they are."""


def by_tensor(kind: torch.dtype = torch.qint8, zero: int = 0, of: torch.Tensor = VALUES) -> torch.Tensor:
    return torch.quantize_per_tensor(of, 0.25, zero, kind)


def by_channel() -> torch.Tensor:
    return torch.quantize_per_channel(VALUES, torch.full((4,), 0.25), torch.zeros(4, dtype=torch.int), 0, torch.qint8)


def saved(path: Path, make: Callable[[], Any]) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch advises against most of these; people have them
        torch.save(make(), path)
    return path


def listed(path: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = done("kernel", "--weights", path, "--json").json["tensors"]
    return found


def features(path: object, folder: Path) -> NDArray[np.generic]:
    target = folder / "features.npy"
    done("apply", TINY, "--channels", "gray", "--weights", path, "-q", "-o", target)
    array: NDArray[np.generic] = np.load(target)
    return array


@pytest.mark.parametrize(
    ("dtype", "tensor"),
    [
        ("qint8", lambda: by_tensor()),
        ("quint8", lambda: by_tensor(torch.quint8, zero=128)),
        ("qint32", lambda: by_tensor(torch.qint32, zero=7)),
        ("qint8", lambda: by_channel()),
        ("float32", lambda: VALUES.to_sparse()),
        ("float32", lambda: torch.nn.Parameter(VALUES)),
        ("float32", lambda: type("Own", (torch.nn.Parameter,), {})(VALUES)),
        ("bfloat16", lambda: VALUES.bfloat16()),
        ("float16", lambda: VALUES.half()),
        ("float32", lambda: VALUES.to(torch.complex64).conj().real),
    ],
    ids=[
        "quantized",
        "with a zero point",
        "wide",
        "by channel",
        "sparse",
        "parameter",
        "subclass",
        "bfloat16",
        "half",
        "view",
    ],
)
@pytest.mark.filterwarnings("ignore")  # PyTorch's, of quantized tensors
def test_what_stands_for_real_numbers_is_read_as_them(
    dtype: str, tensor: Callable[[], torch.Tensor], tmp_path: Path
) -> None:
    path = saved(tmp_path / "layer.pt", tensor)
    np.testing.assert_array_equal(weights.load(str(path)).weight.astype(np.float32), VALUES.numpy())
    (one,) = listed(path)
    assert (one["dtype"], one["shape"]) == (dtype, [4, 1, 3, 3])
    assert (one["min"], one["max"]) == (float(VALUES.min()), float(VALUES.max()))
    plain = features(saved(tmp_path / "plain.pt", lambda: VALUES), tmp_path)
    np.testing.assert_array_equal(features(path, tmp_path), plain)


@pytest.mark.parametrize(
    "kind", ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"]
)
def test_eight_bits(kind: str, tmp_path: Path) -> None:
    save_file = pytest.importorskip("safetensors.torch").save_file
    tensor = VALUES.abs().clamp(min=0.25).to(getattr(torch, kind))
    save_file({"conv.weight": tensor, "conv.bias": torch.ones(4)}, tmp_path / "layer.safetensors")
    saved(tmp_path / "layer.pt", lambda: {"conv.weight": tensor, "conv.bias": torch.ones(4)})
    for name in ("layer.safetensors", "layer.pt"):
        found = weights.load(str(tmp_path / name))
        np.testing.assert_array_equal(found.weight, tensor.float().numpy())
        assert found.bias is not None
        (one,) = listed(tmp_path / name)
        assert (one["dtype"], one["bias"]) == (kind, "conv.bias")


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        (lambda: torch.empty(4, 1, 3, 3, device="meta"), "on device meta, which has shapes but no values: save them"),
        (lambda: VALUES.to(torch.complex64), "of dtype complex64: save real numbers"),
        (lambda: VALUES.to(torch.complex32), "of dtype complex32: save real numbers"),
        (lambda: VALUES.to(torch.complex64).conj(), "of dtype complex64: save real numbers"),
        (lambda: torch.zeros(4, 1, 3, 3, dtype=torch.uint8).view(torch.bits8), "save plain float32 tensors"),
        (lambda: torch.sparse_coo_tensor([[0]] * 4, [1.0], (10**5, 10**5, 3, 3)), "stand for 90000000000 values"),
        (lambda: torch.ones(1, 1, 1, 1).expand(10**5, 10**5, 3, 3), "stand for 90000000000 values"),
        (lambda: torch.empty(4, 1, 0, 3), "4, 1, 0, 3"),
        (lambda: torch.tensor(1.0), "()"),
        (lambda: by_tensor(of=torch.tensor(1.0)), "()"),
        (lambda: torch.nested.nested_tensor([VALUES[0], VALUES[1, :, :2]]), "nested tensors, whose parts differ in size: save"),
    ],
    ids=["meta", "complex", "half complex", "conjugate", "bits", "sparse", "repeated", "empty", "0-d", "quantized 0-d", "nested"],
)  # fmt: skip
def test_what_does_not_is_refused_in_one_line(tensor: Callable[[], torch.Tensor], said: str, tmp_path: Path) -> None:
    path, picture = saved(tmp_path / "layer.pt", tensor), ("--channels", "gray", "--weights", tmp_path / "layer.pt")
    for command in (
        ("kernel", "--weights", path),
        ("kernel", "--weights", path, "-o", tmp_path / "out.svg"),
        ("apply", TINY, *picture, "-o", tmp_path / "out.npy"),
        ("transpose", TINY, *picture, "-o", tmp_path / "out.npy"),
        ("compare", TINY, *picture),
        ("explain", TINY, *picture, "--at", "1,1"),
    ):
        result = run(*command)
        assert result.code == 2
        assert result.out == b""
        assert said in result.err
        assert result.err.count("\n") == 1
        assert "layer.pt" in result.err


def test_one_that_cannot_be_read_leaves_the_others(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "layers.pt",
        lambda: {"meta": torch.empty(4, 1, 3, 3, device="meta"), "nested": torch.nested.nested_tensor([VALUES[0]]), "real": VALUES,
         "complex": VALUES.to(torch.complex64), "quantized": by_channel(), "quantized.scale": torch.tensor(0.1)},
    )  # fmt: skip
    found = {one["name"]: one for one in listed(path)}
    assert [*found] == ["meta", "real", "complex", "quantized"]
    assert found["meta"]["min"] is None
    assert found["quantized"]["min"] == found["real"]["min"] == float(VALUES.min())
    features(f"{path}:real", tmp_path)
    result = run("kernel", "--weights", f"{path}:meta")
    assert result.code == 2
    assert "key 'meta' are on device meta" in result.err
    assert "hold 4 4-D arrays" in run("apply", TINY, "--weights", path).err


def test_biases_are_read_as_weights_are(tmp_path: Path) -> None:
    path = saved(tmp_path / "layer.pt", lambda: {"conv.weight": by_tensor(), "conv.bias": by_tensor(of=torch.ones(4))})
    assert weights.load(str(path)).bias == pytest.approx([1, 1, 1, 1])
    saved(path, lambda: {"conv.weight": VALUES, "conv.bias": torch.empty(4, device="meta")})
    assert listed(path)[0]["bias"] == "conv.bias"
    assert "key 'conv.bias' are on device meta" in run("apply", TINY, "--weights", path).err


@pytest.mark.parametrize(
    ("dtype", "size", "said"), [("C64", 8, "complex64: save real numbers"), ("F4", 0.5, "F4, which cannot be unpacked")]
)
def test_safetensors_of_other_kinds(dtype: str, size: float, said: str, tmp_path: Path) -> None:
    length = int(16 * size)
    header = json.dumps({"w": {"dtype": dtype, "shape": [4, 1, 2, 2], "data_offsets": [0, length]}}).encode()
    path = tmp_path / "layer.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(length))
    for command in (("kernel", "--weights", path), ("apply", TINY, "--weights", path)):
        result = run(*command)
        assert result.code == 2
        assert said in result.err


def test_objects_in_archives_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "layer.npz", w=np.array([[[[1, None]]]], dtype=object), v=VALUES.numpy())
    for spec in (tmp_path / "layer.npz", f"{tmp_path}/layer.npz:w"):
        result = run("kernel", "--weights", spec)
        assert result.code == 2
        assert "pickled objects" in result.err


def test_what_is_written_out_is_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = saved(tmp_path / "layer.pt", VALUES.to_sparse)
    monkeypatch.setattr(tensors, "MOST_WRITTEN_OUT", VALUES.numel())
    assert weights.load(str(path)).weight.size == VALUES.numel()
    monkeypatch.setattr(tensors, "MOST_WRITTEN_OUT", VALUES.numel() - 1)
    assert "stand for 36 values" in run("kernel", "--weights", path).err
    assert listed(saved(path, lambda: VALUES))[0]["parameters"] == 36  # a dense tensor keeps what it stands for
