"""Files of safetensors, read without its package: the length of a header, the header in JSON, then the values in one stretch.

Hugging Face, "safetensors": https://github.com/huggingface/safetensors, its section on the format. Micikevicius et al.,
"FP8 Formats for Deep Learning", 2022, and the Open Compute Project's "Microscaling Formats", 2023, for the floats of 8 bits.
"""

from __future__ import annotations

import json
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.errors import KernelError
from convcli.kernels.tensors import Tensor, invalid, not_real, source_of

SUFFIX = ".safetensors"

MOST_HEADER_BYTES = 100_000_000
"""As in safetensors itself."""

MOST_AXES = 64
"""Of NumPy's arrays."""


class _Dtype(NamedTuple):
    """What PyTorch calls a dtype, how many bits a value has, and NumPy's dtype of them; "" where nothing here unpacks it."""

    name: str
    bits: int
    raw: str = ""


_DTYPES = {
    "F64": _Dtype("float64", 64, "<f8"), "F32": _Dtype("float32", 32, "<f4"), "F16": _Dtype("float16", 16, "<f2"),
    "I64": _Dtype("int64", 64, "<i8"), "I32": _Dtype("int32", 32, "<i4"), "I16": _Dtype("int16", 16, "<i2"),
    "I8": _Dtype("int8", 8, "i1"), "U64": _Dtype("uint64", 64, "<u8"), "U32": _Dtype("uint32", 32, "<u4"),
    "U16": _Dtype("uint16", 16, "<u2"), "U8": _Dtype("uint8", 8, "u1"), "BOOL": _Dtype("bool", 8, "?"),
    "BF16": _Dtype("bfloat16", 16, "<u2"), "F8_E4M3": _Dtype("float8_e4m3fn", 8, "u1"), "F8_E5M2": _Dtype("float8_e5m2", 8, "u1"),
    "F8_E4M3FNUZ": _Dtype("float8_e4m3fnuz", 8, "u1"), "F8_E5M2FNUZ": _Dtype("float8_e5m2fnuz", 8, "u1"),
    "F8_E8M0": _Dtype("float8_e8m0fnu", 8, "u1"), "C64": _Dtype("complex64", 64),
    "F4": _Dtype("F4", 4), "F6_E2M3": _Dtype("F6_E2M3", 6), "F6_E3M2": _Dtype("F6_E3M2", 6),
}  # fmt: skip


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name. Only the header is read; values are read when they are asked for.

    Raises
    ------
    KernelError
        The file is none of safetensors, or damaged.
    """
    with path.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        start, end = 8 + size, stream.seek(0, 2)
        if size > MOST_HEADER_BYTES:
            raise invalid(path, SUFFIX)
        stream.seek(8)
        text = stream.read(size)
    try:
        found, spans = _described(path, start, text)
    except (ValueError, RecursionError):  # of JSON, too
        raise invalid(path, SUFFIX) from None
    reached = 0
    for first, last in sorted(spans):  # no gaps, nothing twice, nothing behind
        if first != reached:
            raise invalid(path, SUFFIX)
        reached = last
    if start + reached != end:
        raise invalid(path, SUFFIX)
    return found


def _described(path: Path, start: int, text: bytes) -> tuple[dict[str, Tensor], list[tuple[int, int]]]:
    """The tensors that a header names, and their spans in bytes. Raises `ValueError` where it is none."""
    header = json.loads(text)
    if not isinstance(header, dict):
        raise ValueError
    header.pop("__metadata__", None)
    found: dict[str, Tensor] = {}
    spans = []
    for name, said in sorted(header.items()):
        dtype, shape, span = _checked(said)
        spans.append(span)
        values = partial(_values, path, start + span[0], said["dtype"], shape, source_of(path, name))
        found[name] = Tensor(shape, dtype.name, values)
    return found, spans


def _checked(said: Any) -> tuple[_Dtype, tuple[int, ...], tuple[int, int]]:
    """The dtype, shape and span in bytes that a header says of a tensor, if they agree."""
    if not isinstance(said, dict) or not isinstance(said.get("dtype"), str) or said["dtype"] not in _DTYPES:
        raise ValueError
    dtype, shape, span = _DTYPES[said["dtype"]], _counts(said.get("shape")), _counts(said.get("data_offsets"))
    if len(span) != 2 or 8 * (span[1] - span[0]) != prod(shape) * dtype.bits:
        raise ValueError
    return dtype, shape, (span[0], span[1])


def _counts(said: Any) -> tuple[int, ...]:
    """A list of counts, no longer than the shape of an array may be."""
    if not isinstance(said, list) or len(said) > MOST_AXES:
        raise ValueError
    if not all(type(number) is int and 0 <= number < 1 << 63 for number in said):
        raise ValueError
    return tuple(said)


def _values(path: Path, start: int, dtype: str, shape: tuple[int, ...], source: str) -> NDArray[Any]:
    """The values of a tensor, as numbers that NumPy has.

    Raises
    ------
    KernelError
        They are not real numbers, or of a dtype that is not unpacked here.
    """
    known = _DTYPES[dtype]
    if dtype == "C64":
        raise not_real(known.name, source)
    if not known.raw:
        raise KernelError(
            f"weights {source}", f"are of dtype {dtype}, which nothing here unpacks", "save float32 tensors"
        )
    with path.open("rb") as stream:
        stream.seek(start)
        array = np.fromfile(stream, known.raw, prod(shape))
    if array.size != prod(shape):
        raise invalid(path, SUFFIX)
    return _widened(array, dtype).reshape(shape)


def _widened(array: NDArray[Any], dtype: str) -> NDArray[Any]:
    """What NumPy has no dtype for, as float32."""
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
"""Bits of the fraction, bias of the exponent, and what stands for NaN. None of them has infinities."""


def _table(bits: int, bias: int, nans: tuple[int, ...]) -> NDArray[np.float32]:
    """The value of each byte."""
    codes = np.arange(128)
    exponents = codes >> bits
    fractions = (codes & ((1 << bits) - 1)) + np.where(exponents > 0, 1 << bits, 0)
    positive = np.ldexp(fractions.astype(np.float32), np.maximum(exponents, 1) - bias - bits)
    table = np.concatenate([positive, -positive])
    table[list(nans)] = np.nan
    return table
