"""Read .safetensors files without the package: the length of the header, the header in JSON, then all values.

Hugging Face, "safetensors": https://github.com/huggingface/safetensors, its section on the format. Micikevicius et al.,
"FP8 Formats for Deep Learning", 2022, and the Open Compute Project's "Microscaling Formats", 2023, for the floats of 8 bits.
"""

from __future__ import annotations

import json
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.errors import KernelError
from convcli.kernels.containers.tensors import Tensor, invalid, not_real, source_of
from convcli.system import memory

SUFFIX = ".safetensors"

MOST_HEADER_BYTES = 100_000_000
"""The limit of the safetensors package."""

MOST_AXES = 64
"""The limit of NumPy."""


DTYPES = {
    "F64": ("float64", "<f8"), "F32": ("float32", "<f4"), "F16": ("float16", "<f2"), "BF16": ("bfloat16", "<u2"),
    "I64": ("int64", "<i8"), "I32": ("int32", "<i4"), "I16": ("int16", "<i2"), "I8": ("int8", "i1"), "BOOL": ("bool", "?"),
    "U64": ("uint64", "<u8"), "U32": ("uint32", "<u4"), "U16": ("uint16", "<u2"), "U8": ("uint8", "u1"),
    "F8_E4M3": ("float8_e4m3fn", "u1"), "F8_E5M2": ("float8_e5m2", "u1"), "F8_E4M3FNUZ": ("float8_e4m3fnuz", "u1"),
    "F8_E5M2FNUZ": ("float8_e5m2fnuz", "u1"), "F8_E8M0": ("float8_e8m0fnu", "u1"), "C64": ("complex64", "<c8"),
}  # fmt: skip
"""PyTorch's name of a dtype, and NumPy's dtype for its bytes."""

PACKED = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}
"""The bits of dtypes that are not unpacked here."""


def read(path: Path, key: str | None = None) -> dict[str, Tensor]:
    """The tensors of a file by name. Only the header is read; values are read when they are needed.

    Raises `KernelError` if the file is not a safetensors file, or is damaged.
    """
    with path.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        text = stream.read(size) if size <= MOST_HEADER_BYTES else b""
        end = stream.seek(0, 2)
    try:
        return _described(path, json.loads(text), 8 + size, end)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):  # other JSON, or not JSON
        raise invalid(path, SUFFIX) from None


def _described(path: Path, header: Any, start: int, end: int) -> dict[str, Tensor]:
    """The tensors of a header. Their values are the bytes from `start` to `end`, without gaps and overlaps.

    Raises one of several errors if it is not a header.
    """
    header.pop("__metadata__", None)
    found: dict[str, Tensor] = {}
    spans = []
    for name, said in sorted(header.items()):
        dtype, shape, (first, last) = said["dtype"], _counts(said["shape"]), _counts(said["data_offsets"])
        bits = PACKED[dtype] if dtype in PACKED else 8 * np.dtype(DTYPES[dtype][1]).itemsize
        if 8 * (last - first) != prod(shape) * bits:
            raise ValueError
        spans.append((first, last))
        values = partial(_values, path, start + first, dtype, shape, source_of(path, name))
        found[name] = Tensor(shape, DTYPES.get(dtype, (dtype,))[0], values)
    spans.sort()
    if [*(first for first, _ in spans), end - start] != [0, *(last for _, last in spans)]:
        raise ValueError
    return found


def _counts(said: Any) -> tuple[int, ...]:
    """A list of sizes or positions."""
    plain = isinstance(said, list) and len(said) <= MOST_AXES
    if not plain or not all(type(number) is int and 0 <= number < 1 << 63 for number in said):
        raise ValueError
    return tuple(said)


def _values(path: Path, start: int, dtype: str, shape: tuple[int, ...], source: str) -> NDArray[Any]:
    """The values of a tensor, in a dtype of NumPy.

    Raises `KernelError` if they are not real numbers, or of a dtype that cannot be unpacked here.
    """
    if dtype in PACKED:
        rule = f"are of dtype {dtype}, which cannot be unpacked"
        raise KernelError(f"weights {source}", rule, "save float32 tensors")
    name, raw = DTYPES[dtype]
    if dtype == "C64":
        raise not_real(name, source)
    need = prod(shape) * np.dtype(raw).itemsize
    if memory.refuses(need):
        raise KernelError(f"weights {source}", f"need {need / 2**30:.1f} GiB, {memory.share()}", "save smaller tensors")
    with path.open("rb") as stream:
        stream.seek(start)
        array = np.fromfile(stream, raw, prod(shape))
    if array.size != prod(shape):
        raise invalid(path, SUFFIX)
    return widened(array, dtype).reshape(shape)


def widened(array: NDArray[Any], dtype: str) -> NDArray[Any]:
    """Values of a dtype that NumPy lacks, as float32."""
    if dtype == "BF16":  # the upper half of a float32
        return (array.astype(np.uint32) << 16).view(np.float32)
    if dtype == "F8_E5M2":  # the upper half of a float16
        return (array.astype(np.uint16) << 8).view(np.float16).astype(np.float32)
    if dtype == "F8_E8M0":
        powers = np.ldexp(1.0, array.astype(np.int32) - 127)
        powers[array == 255] = np.nan
        return powers.astype(np.float32)
    if dtype in _FLOATS_OF_8_BITS:
        return np.take(_table(*_FLOATS_OF_8_BITS[dtype]), array)
    return array


_FLOATS_OF_8_BITS = {
    "F8_E4M3": (3, 7, (0x7F, 0xFF)),
    "F8_E4M3FNUZ": (3, 8, (0x80,)),
    "F8_E5M2FNUZ": (2, 16, (0x80,)),
}
"""The bits of the fraction, the bias of the exponent, and the codes of NaN. None of them has infinities."""


def _table(bits: int, bias: int, nans: tuple[int, ...]) -> NDArray[np.float32]:
    """The value of each byte."""
    codes = np.arange(128)
    exponents = codes >> bits
    fractions = (codes & ((1 << bits) - 1)) + np.where(exponents > 0, 1 << bits, 0)
    positive = np.ldexp(fractions.astype(np.float32), np.maximum(exponents, 1) - bias - bits)
    table = np.concatenate([positive, -positive])
    table[list(nans)] = np.nan
    return table
