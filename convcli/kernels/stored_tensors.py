"""The 4-D tensors in a file of weights, with their shapes and the range of their values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import nan, prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.errors import KernelError
from convcli.kernels import weights

_DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn",
           "F8_E5M2": "float8_e5m2", "I8": "int8", "U8": "uint8", "I16": "int16", "U16": "uint16", "I32": "int32",
           "U32": "uint32", "I64": "int64", "U64": "uint64", "BOOL": "bool"}  # fmt: skip
"""PyTorch's name for each dtype name of safetensors."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A 4-D tensor in a file.

    Attributes
    ----------
    name : str
        Its key; empty for the array of a .npy file.
    shape : tuple of int
        ``(C_out, C_in/groups, kh, kw)``; of a transposed layer ``(C_in, C_out/groups, kh, kw)``.
    dtype : str
        In the file.
    low, high, mean : float
        Least, greatest and mean value; NaN if one of the values is NaN.
    bias : str or None
        The key of the bias that belongs to it.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    low: float
    high: float
    mean: float
    bias: str | None

    @property
    def parameters(self) -> int:
        """How many numbers it has, without the bias."""
        return prod(self.shape)


def stored(path: Path, key: str | None = None) -> list[Stored]:
    """The 4-D tensors in a file, in the order of the file, or only the one with this `key`.

    Raises
    ------
    KernelError
        The file cannot be read, or has no such tensor.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    found = []
    with weights.readable(path):
        for name, shape, dtype, load in _tensors(path):
            shapes[name] = shape
            if len(shape) == 4 and 0 not in shape and key in (None, name):
                found.append((name, dtype, _spread(load())))
    if not found and key is not None:
        weights.load(f"{path}:{key}")  # raises the error that says why
    if not found:
        what = ", ".join(f"{name or 'array'} {shape}" for name, shape in list(shapes.items())[:6]) or "nothing"
        more = f" and {len(shapes) - 6} more" if len(shapes) > 6 else ""
        remedy = f"{weights.ROWS} is wanted; a 2-D kernel is a SPEC"
        raise KernelError(f"weights '{path}'", f"hold no 4-D tensor but {what}{more}", remedy)
    return [
        Stored(name, shapes[name], dtype, *values, bias if (bias := weights.bias_of(name)) in shapes else None)
        for name, dtype, values in found
    ]


def _tensors(path: Path) -> Iterator[tuple[str, tuple[int, ...], str, Callable[[], NDArray[Any]]]]:
    """Name, shape, dtype and a function for the values of every tensor in a file, so that not all need be in memory at once."""
    ending = path.suffix.lower()
    if ending == ".safetensors":
        for name, (shape, dtype) in weights.safetensors_header(path).items():
            yield name, shape, _DTYPES.get(dtype, dtype), partial(_one, path, name)
    elif ending in (".pt", ".pth"):
        for name, tensor in weights.torch_tensors(path).items():
            dtype = str(tensor.dtype).removeprefix("torch.")
            yield name, tuple(tensor.shape), dtype, partial(weights.from_torch, tensor)
    else:
        for name, array in weights.read(path, None).items():
            yield name, tuple(array.shape), str(array.dtype), partial(np.asarray, array)


def _one(path: Path, name: str) -> NDArray[Any]:
    array: NDArray[Any] = weights.read(path, name)[name]
    return array


def _spread(array: NDArray[Any]) -> tuple[float, float, float]:
    if array.dtype.kind not in "biuf":
        return nan, nan, nan
    return float(array.min()), float(array.max()), float(array.mean(dtype=np.float64))
