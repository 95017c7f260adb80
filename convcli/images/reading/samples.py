"""What the declared type of samples decides: the dtype in memory, the white, and whether results are real numbers.

Never the values of one frame: all pages of a file, and all files of a batch, are read by one rule.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_EXACT = {"i1": "f4", "i2": "f4", "i4": "f8", "u4": "f8", "i8": "f8", "u8": "f8", "f2": "f4"}
"""Types that pictures are not computed in, and the smallest real type that holds all of their values, of 64 bits the nearest."""


class Samples(NamedTuple):
    """Samples as pictures have them: uint8, uint16, float32 or float64."""

    array: NDArray[Any]
    white: float  # the largest value of an integer type; 1 for floating point
    real: bool  # whether they are real numbers, or integers of a type that pictures are not written with


def samples_of(array: NDArray[Any]) -> Samples:
    """Samples of any real type in the machine's byte order.

    Parameters
    ----------
    array : ndarray
        Of booleans, integers of 8 to 64 bits, or floating point.
    """
    if array.dtype == bool:
        array = array.view(np.uint8) * np.uint8(255)
    kind = array.dtype.kind
    white = float(np.iinfo(array.dtype).max) if kind in "iu" else 1.0
    code = array.dtype.str[1:]
    held = array.astype(_EXACT.get(code, code), copy=False)
    return Samples(held, white, kind == "f" or code in _EXACT)
