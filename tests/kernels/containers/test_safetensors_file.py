"""Files of safetensors are read as its own package writes and reads them, and damaged ones are refused in one line."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convcli.errors import KernelError
from convcli.kernels.containers import safetensors_file


def packed(header: Any, data: bytes = b"", size: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + data


def tensor(dtype: object, shape: object, *offsets: object) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [*offsets]}


def read(folder: Path, content: bytes) -> dict[str, Any]:
    path = folder / "w.safetensors"
    path.write_bytes(content)
    return {name: found.values() for name, found in safetensors_file.read(path).items()}


@pytest.mark.parametrize(
    "dtype",
    ["float64", "float32", "float16", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool"],
)
def test_as_the_package_writes_them(dtype: str, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    values = np.arange(-6, 18).reshape(2, 3, 4).astype(dtype)
    path = tmp_path / "w.safetensors"
    save_file({"values": values, "one": values[:1], "empty": values[:0], "none": np.array(5, dtype)}, path, {"a": "b"})
    found = safetensors_file.read(path)
    assert {name: one.shape for name, one in found.items()} == {
        "values": (2, 3, 4),
        "one": (1, 3, 4),
        "empty": (0, 3, 4),
        "none": (),
    }
    assert {one.dtype for one in found.values()} == {dtype}
    for name, expected in (("values", values), ("one", values[:1]), ("none", np.array(5, dtype))):
        array = found[name].values()
        assert array.dtype == values.dtype
        np.testing.assert_array_equal(array, expected)


def test_names_are_in_the_order_of_the_package(tmp_path: Path) -> None:
    from safetensors import safe_open

    path = tmp_path / "w.safetensors"
    path.write_bytes(
        packed({"b": tensor("U8", [1], 0, 1), "a": tensor("U8", [1], 2, 3), "c": tensor("U8", [1], 1, 2)}, bytes(3))
    )
    with safe_open(path, framework="np") as archive:
        assert [*safetensors_file.read(path)] == [*archive.keys()] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("F8_E4M3", "float8_e4m3fn"),
        ("F8_E5M2", "float8_e5m2"),
        ("F8_E4M3FNUZ", "float8_e4m3fnuz"),
        ("F8_E5M2FNUZ", "float8_e5m2fnuz"),
        ("F8_E8M0", "float8_e8m0fnu"),
    ],
)
def test_every_float_of_8_bits(code: str, name: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    every = bytes(range(256))
    found = read(tmp_path, packed({"w": tensor(code, [256], 0, 256)}, every))["w"]
    expected = torch.frombuffer(bytearray(every), dtype=getattr(torch, name)).float().numpy()
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(np.signbit(found[found == 0]), np.signbit(expected[expected == 0]))


def test_floats_of_8_bits_by_hand(tmp_path: Path) -> None:
    """1, the largest, the least: OCP's table 1."""
    found = read(tmp_path, packed({"w": tensor("F8_E4M3", [4], 0, 4)}, bytes([0x38, 0x7E, 0x01, 0xFF])))["w"]
    np.testing.assert_array_equal(found, [1, 448, 2.0**-9, np.nan])


def test_bfloat16_by_hand(tmp_path: Path) -> None:
    found = read(tmp_path, packed({"w": tensor("BF16", [3], 0, 6)}, bytes([0x80, 0x3F, 0x40, 0xC0, 0x80, 0x7F])))["w"]
    np.testing.assert_array_equal(found, [1, -3, np.inf])


GOOD = {"w": tensor("U8", [2, 2], 0, 4)}


def test_the_good_one_is_read(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read(tmp_path, packed(GOOD, b"\1\2\3\4"))["w"], [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\0",
        packed(GOOD, b"\1\2\3"),
        packed(GOOD, b"\1\2\3\4\5"),
        packed(GOOD, b"\1\2\3\4", size=1 << 40),
        packed(GOOD, b"\1\2\3\4", size=(1 << 64) - 1),
        packed(b"no json"),
        packed(b"\xff\xfe\xfd"),
        packed(b"[" * 100_000),
        packed([GOOD]),
        packed({"w": 5}),
        packed({"w": {}}),
        packed({"w": tensor("U9", [4], 0, 4)}, bytes(4)),
        packed({"w": tensor(["U8"], [4], 0, 4)}, bytes(4)),
        packed({"w": tensor("U8", 4, 0, 4)}, bytes(4)),
        packed({"w": tensor("U8", [-4], 0, 4)}, bytes(4)),
        packed({"w": tensor("U8", [-2, -2], 0, 4)}, bytes(4)),
        packed({"w": tensor("U8", [0, 1 << 63], 0, 0)}),
        packed({"w": tensor("U8", [4.0], 0, 4)}, bytes(4)),
        packed({"w": tensor("U8", [True] * 4, 0, 1)}, bytes(1)),
        packed({"w": tensor("U8", [1 << 62, 1 << 62, 1 << 62], 0, 4)}, bytes(4)),
        packed({"w": tensor("U8", [1] * 65, 0, 1)}, bytes(1)),
        packed({"w": tensor("U8", [4], 0)}, bytes(4)),
        packed({"w": tensor("U8", [4], 4, 0)}, bytes(4)),
        packed({"w": tensor("U8", [4], 1, 5)}, bytes(5)),
        packed({"w": tensor("U8", [3], 0, 4)}, bytes(4)),
        packed({"w": tensor("F32", [4], 0, 4)}, bytes(4)),
        packed({"a": tensor("U8", [4], 0, 4), "b": tensor("U8", [4], 2, 6)}, bytes(6)),
        packed({"a": tensor("U8", [4], 0, 4), "b": tensor("U8", [4], 5, 9)}, bytes(9)),
        packed(b'{"w": {"dtype": "U8", "shape": [' + b"9" * 5000 + b'], "data_offsets": [0, 4]}}', bytes(4)),
    ],
)
def test_what_is_damaged_is_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(KernelError, match=r"are not a valid \.safetensors file: is it truncated"):
        read(tmp_path, content)


def test_the_header_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = packed(GOOD, b"\1\2\3\4")
    monkeypatch.setattr(safetensors_file, "MOST_HEADER_BYTES", len(content) - 8 - 4)
    assert read(tmp_path, content)
    monkeypatch.setattr(safetensors_file, "MOST_HEADER_BYTES", len(content) - 8 - 4 - 1)
    with pytest.raises(KernelError):
        read(tmp_path, content)


def test_a_file_that_shrinks_meanwhile_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(packed(GOOD, b"\1\2\3\4"))
    found = safetensors_file.read(path)
    path.write_bytes(packed(GOOD, b"\1\2\3"))
    with pytest.raises(KernelError, match="truncated"):
        found["w"].values()
