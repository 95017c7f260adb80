"""Tensors of files of weights as arrays of real numbers: how each kind becomes one, and what cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from numpy.typing import NDArray

from convcli.errors import KernelError

MOST_WRITTEN_OUT = 1 << 26
"""Values up to which a tensor is written out that keeps fewer than it stands for: sparse ones, and repeated ones."""


class Tensor(NamedTuple):
    """A tensor in a file.

    Attributes
    ----------
    shape : tuple of int
    dtype : str
        As it is stored.
    values : callable
        The array of its values, real numbers of a dtype of NumPy's. Raises `KernelError` if there can be none.
    """

    shape: tuple[int, ...]
    dtype: str
    values: Callable[[], NDArray[Any]]


def of_array(array: NDArray[Any]) -> Tensor:
    """An array of real numbers that is in memory."""
    return Tensor(array.shape, str(array.dtype), lambda: array)


def of_torch(tensor: Any, source: str) -> Tensor:
    """A tensor of PyTorch's; `source` is what messages call it."""
    return Tensor(tuple(tensor.shape), name_of(tensor), lambda: from_torch(tensor, source))


def name_of(tensor: Any) -> str:
    """The dtype of a tensor of PyTorch's."""
    return str(tensor.dtype).removeprefix("torch.")


def from_torch(tensor: Any, source: str) -> NDArray[Any]:
    """A dense array of what a tensor of PyTorch's stands for; quantized values, and dtypes that NumPy lacks, become float32.

    Raises
    ------
    KernelError
        There are no values, too many to write out, or they are not real numbers.
    """
    if tensor.is_meta:
        raise KernelError(
            f"weights {source} are on device meta, which keeps shapes but no values: save them from a device that has the values"
        )
    if tensor.is_complex():
        raise not_real(name_of(tensor), source)
    try:
        plain, count = tensor.detach(), tensor.numel()
        dense = str(plain.layout) == "torch.strided"
        if count > MOST_WRITTEN_OUT and not (dense and plain.untyped_storage().nbytes() >= count * plain.itemsize):
            raise KernelError(
                f"weights {source} stand for {count} values and keep fewer: at most {MOST_WRITTEN_OUT} are written out; "
                "save a smaller part, or a dense tensor"
            )
        plain = (plain.dequantize() if plain.is_quantized else plain).to_dense().resolve_neg()
        in_numpy = plain.itemsize > 1 or not plain.is_floating_point()  # float8 is not, nor is bfloat16
        array: NDArray[Any] = (plain if in_numpy and "bfloat16" not in str(plain.dtype) else plain.float()).numpy()
    except (TypeError, RuntimeError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise KernelError(f"weights {source} cannot be read ({reason}): save plain float32 tensors") from None
    return array


def not_real(dtype: str, source: str) -> KernelError:
    """What is said of values that are not real numbers."""
    return KernelError(f"weights {source} are of dtype {dtype}: real numbers are wanted")
