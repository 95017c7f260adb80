"""The 4-D tensors in a file of weights, with their shapes and the range of their values."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan, prod
from pathlib import Path

import numpy as np

from convcli.errors import KernelError
from convcli.kernels import weights
from convcli.kernels.tensors import Tensor


@dataclass(frozen=True, slots=True)
class Stored:
    """A 4-D tensor in a file."""

    name: str  # its key; empty for the array of a .npy file
    shape: tuple[int, ...]  # ``(C_out, C_in/groups, kh, kw)``; of a transposed layer ``(C_in, C_out/groups, kh, kw)``
    dtype: str  # in the file
    # least, greatest and mean value; NaN if one of the values is NaN
    low: float
    high: float
    mean: float
    bias: str | None  # the key of the bias that belongs to it

    @property
    def parameters(self) -> int:
        """How many numbers it has, without the bias."""
        return prod(self.shape)


def stored(path: Path, key: str | None = None) -> list[Stored]:
    """The 4-D tensors in a file, in the order of the file, or only the one with this `key`.

    Raises
    ------
    KernelError
        A file that cannot be read, or holds none; a single one whose values cannot be read.
    """
    with weights.readable(path):
        tensors = weights.tensors(path)
        names = [
            name
            for name, tensor in tensors.items()
            if len(tensor.shape) == 4 and 0 not in tensor.shape and key in (None, name)
        ]
        found = [(name, _spread(tensors[name], len(names) == 1)) for name in names]
    if not found and key is not None:
        weights.load(f"{path}:{key}")  # raises the error that says why
    if not found:
        what = ", ".join(f"{name or 'array'} {tensor.shape}" for name, tensor in list(tensors.items())[:6]) or "nothing"
        more = f" and {len(tensors) - 6} more" if len(tensors) > 6 else ""
        remedy = f"{weights.ROWS} is wanted; a 2-D kernel is a SPEC"
        raise KernelError(f"weights '{path}'", f"hold no 4-D tensor but {what}{more}", remedy)
    return [
        Stored(
            name, tensors[name].shape, tensors[name].dtype, *values,
            bias if (bias := weights.bias_of(name)) in tensors else None,
        )
        for name, values in found
    ]  # fmt: skip


def _spread(tensor: Tensor, alone: bool) -> tuple[float, float, float]:
    """The smallest value, the largest and the mean. NaN if the values cannot be read, unless there is nothing else to say."""
    try:
        array = tensor.values()
    except KernelError:
        if alone:
            raise
        return nan, nan, nan
    return float(array.min()), float(array.max()), float(array.mean(dtype=np.float64))
