"""Read .npy streams without ever unpickling: one reader for kernels, weights and tensors."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

MAGIC = npy_format.MAGIC_PREFIX


def read(stream: BinaryIO) -> NDArray[np.generic]:
    """The array in a .npy stream, in native byte order.

    Raises
    ------
    ValueError
        Not an array that can be used; the message is a predicate with its remedy, for the caller to name the file.
    """
    try:
        array: NDArray[np.generic] = npy_format.read_array(stream, allow_pickle=False)
    except ValueError as error:
        if "Object arrays" in str(error):
            raise ValueError("holds pickled objects, which can run code: save a plain array of numbers") from None
        raise ValueError("is not a valid .npy file: is it truncated, or of another format?") from None
    except (EOFError, MemoryError, OverflowError, TypeError, SyntaxError, RecursionError):
        raise ValueError("is not a valid .npy file: is it truncated, or of another format?") from None
    if array.dtype.kind not in "biuf":
        raise ValueError(f"holds values of type {array.dtype}: real numbers are wanted")
    return array.astype(array.dtype.newbyteorder("="), copy=False)
