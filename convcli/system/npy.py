"""Read .npy streams without ever unpickling, and write them. Used for kernels, weights and tensors."""

from __future__ import annotations

import io
import tokenize
from math import prod
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray


class NpyError(ValueError):
    """A stream without a usable array. Its `args` are the rule and the remedy of an error; the caller adds the name of the file."""


_DAMAGED = EOFError, OverflowError, TypeError, SyntaxError, RecursionError, tokenize.TokenError
"""What NumPy raises in addition to ValueError."""


def read(stream: BinaryIO) -> NDArray[np.generic]:
    """The array in a .npy stream, of its own shape and dtype, in native byte order. Long doubles become float64.

    Raises `NpyError` if it is not an array of real numbers.
    """
    invalid = NpyError("is not a valid .npy file", "is it truncated, or of another format?")
    try:
        array: NDArray[np.generic] = npy_format.read_array(stream, allow_pickle=False)
    except ValueError as error:
        if "Object arrays" in str(error):
            raise NpyError("has pickled objects, which can run code", "save a plain array of numbers") from None
        raise invalid from None
    except (MemoryError, *_DAMAGED):
        raise invalid from None
    if array.dtype.kind not in "biuf":
        raise NpyError(f"has values of type {array.dtype}", "save real numbers")
    if array.dtype.itemsize > 8:
        return array.astype(np.float64)  # the format of long doubles depends on the machine
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def pixels(stream: BinaryIO) -> int:
    """The number of pixels by the header of a .npy stream, ``N·H·W``; 0 if there is no header. Goes back to the start."""
    try:
        version = npy_format.read_magic(stream)
        header = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
        shape = header(stream)[0]
    except (ValueError, *_DAMAGED):
        return 0
    finally:
        stream.seek(0)
    return prod(shape) if len(shape) < 3 else prod(shape[:-3]) * prod(shape[-2:])


def write(stream: BinaryIO, array: NDArray[Any]) -> None:
    """Write a C-contiguous array like `numpy.save`, whose own errors do not say why writing failed."""
    header = io.BytesIO()
    npy_format.write_array_header_1_0(header, npy_format.header_data_from_array_1_0(array))
    stream.write(header.getvalue())
    stream.write(array.data.cast("B") if array.size else b"")
