"""Tensors in files of weights as arrays of real numbers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from convcli.errors import KernelError
from convcli.records import NamedTuple

MOST_WRITTEN_OUT = 1 << 26
"""The most values of a sparse tensor, or of one that repeats its values, that become an array."""


class Tensor(NamedTuple):
    """A tensor in a file."""

    shape: tuple[int, ...]
    dtype: str  # as it is stored
    # returns the array of its values: real numbers, of a dtype that NumPy has. Raises `KernelError` if it cannot.
    values: Callable[[], NDArray[Any]]
    layout: str = ""  # of its axes, one of `convcli.vocabulary.LAYOUTS`, if the file is of a kind that says it
    bias: str = ""  # the name of its bias, if the file says it


def of_array(array: NDArray[Any]) -> Tensor:
    """An array of real numbers that is in memory."""
    return Tensor(array.shape, str(array.dtype), lambda: array)


def name_of(tensor: Any) -> str:
    """The dtype of a tensor of PyTorch."""
    return str(tensor.dtype).removeprefix("torch.")


def from_torch(tensor: Any, source: str) -> NDArray[Any]:
    """The values of a tensor of PyTorch as a dense array. Quantized values, and dtypes that NumPy lacks, become float32.

    Raises `KernelError` if there are no values, or too many, or if they are not real numbers.
    """
    if tensor.is_meta:
        rule = "are on device meta, which has shapes but no values"
        raise KernelError(f"weights {source}", rule, "save them from a device that has the values")
    if tensor.is_complex():
        raise not_real(name_of(tensor), source)
    try:
        plain, count = tensor.detach(), tensor.numel()
        dense = str(plain.layout) == "torch.strided"
        if count > MOST_WRITTEN_OUT and not (dense and plain.untyped_storage().nbytes() >= count * plain.itemsize):
            remedy = f"save a smaller part, or a dense tensor; at most {MOST_WRITTEN_OUT} are read"
            raise KernelError(f"weights {source}", f"stand for {count} values but store fewer", remedy)
        plain = (plain.dequantize() if plain.is_quantized else plain).to_dense().resolve_neg()
        in_numpy = plain.itemsize > 1 or not plain.is_floating_point()  # not float8 and bfloat16
        array: NDArray[Any] = (plain if in_numpy and "bfloat16" not in str(plain.dtype) else plain.float()).numpy()
    except (TypeError, RuntimeError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise KernelError(f"weights {source}", f"cannot be read ({reason})", "save plain float32 tensors") from None
    return array


def not_real(dtype: str, source: str) -> KernelError:
    """The error for values that are not real numbers."""
    return KernelError(f"weights {source}", f"are of dtype {dtype}", "save real numbers")


def listing(names: list[str]) -> str:
    """Names in a message, the first dozen."""
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def source_of(path: Path, name: str | None) -> str:
    """The name of a tensor of a file in messages."""
    return f"'{path}'" + (f" key '{name}'" if name else "")


def invalid(path: Path, kind: str) -> KernelError:
    """The error for a file that is of another kind, or damaged."""
    rule = f"are not a valid {kind} file"
    return KernelError(f"weights '{path}'", rule, "is it truncated, or of another format?")
