"""Remarks about a computation whose dtype cannot hold its input or its results."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.errors import param

EXACT = {"float16": 2**11, "bfloat16": 2**8, "float32": 2**24}
"""Each dtype holds all integers up to this one."""


def remarks(given: NDArray[Any], results: NDArray[Any], dtype: str) -> tuple[str, ...]:
    """All remarks: about the pixels `given`, and about the results as computed in `dtype`."""
    return (*_inexact(given, dtype), *_infinite(given, results, dtype))


def _inexact(given: NDArray[Any], dtype: str) -> tuple[str, ...]:
    """A remark that integers are too large for the dtype of the computation."""
    if given.dtype.kind not in "iu" or dtype not in EXACT or np.iinfo(given.dtype).max <= EXACT[dtype]:
        return ()
    largest = max(-int(given.min(initial=0)), int(given.max(initial=0)))
    if largest <= EXACT[dtype]:
        return ()
    return (
        f"the values reach {largest}, and {dtype} is exact to {EXACT[dtype]} only: use {param('dtype', 'float64')}",
    )


def _infinite(given: NDArray[Any], results: NDArray[Any], dtype: str) -> tuple[str, ...]:
    """A remark that real results are beyond float16, which ends at 65504."""
    if dtype != "float16" or results.dtype.kind != "f" or not np.isinf(results).any() or not np.isfinite(given).all():
        return ()
    return (
        "some results are beyond float16, which ends at 65504, and became infinite: "
        f"use {param('dtype', 'float32 or bfloat16')}",
    )
