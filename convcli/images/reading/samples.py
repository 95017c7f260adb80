"""What the declared type of samples decides: the dtype in memory, the white, and whether results are real numbers.

Never the values of one frame: all pages of a file, and all files of a batch, are read by one rule.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.records import NamedTuple

_EXACT = {"i1": "f4", "i2": "f4", "i4": "f8", "u4": "f8", "i8": "f8", "u8": "f8", "f2": "f4"}
"""Types that pictures are not computed in, and the smallest real type that holds all of their values, of 64 bits the nearest."""

SPREAD = (1, 2, 4)
"""Bits of unsigned integers that are spread to 8, which is exact: white becomes 255."""


class Samples(NamedTuple):
    """Samples as pictures have them: uint8, uint16, float32 or float64."""

    array: NDArray[Any]
    white: float  # the largest value of an integer type; 1 for floating point
    real: bool  # whether they are real numbers, or integers of a type that pictures are not written with
    notes: tuple[str, ...] = ()  # what was lost
    rare: str = ""  # the declared type, if pictures are not written with it: ``int16``


def samples_of(array: NDArray[Any], bits: int | None = None) -> Samples:
    """Samples of any real type in the machine's byte order.

    Parameters
    ----------
    array : ndarray
        Of booleans, integers of 8 to 64 bits, or floating point.
    bits : int, optional
        The bits of an integer, if the file declares fewer than its dtype has.
    """
    if array.dtype == bool:
        array, bits = array.view(np.uint8), 1
    kind, code = array.dtype.kind, array.dtype.str[1:]
    if kind == "f":
        white = 1.0
    else:
        bits = bits or 8 * array.itemsize
        white = 2.0 ** (bits - (kind == "i")) - 1
        if bits in SPREAD:
            array, white = array * np.uint8(255 / white), 255.0
    held = array.astype(_EXACT.get(code, code), copy=False)
    rare = array.dtype.name if code in _EXACT else ""
    return Samples(held, white, kind == "f" or code in _EXACT, _rounded(array), rare)


def _rounded(array: NDArray[Any]) -> tuple[str, ...]:
    """A remark on integers of 64 bits that float64 rounds."""
    if array.dtype.kind not in "iu" or array.itemsize < 8:
        return ()
    largest = max(-int(array.min(initial=0)), int(array.max(initial=0)))
    return (f"values reach {largest}, and integers beyond {1 << 53} are rounded",) if largest > 1 << 53 else ()
