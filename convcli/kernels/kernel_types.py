"""What a SPEC stands for: a `Kernel` is one checked 2-D array, a `Filter` the kernels of one SPEC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convcli.errors import KernelError, param


class Kernel(NamedTuple):
    """One kernel: ``values (kh, kw)``, float64, finite, as it is laid on the image by a correlation."""

    name: str
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Filter:
    """The kernels of one SPEC and how their results are combined (one of `convcli.vocabulary.COMBINES`).

    `label` is short and safe in a file name; `spec` is what the user wrote, for display.
    """

    label: str
    kernels: tuple[Kernel, ...]
    combine: str = "none"
    spec: str = ""


def checked(values: ArrayLike, source: str) -> NDArray[np.float64]:
    """`values` as a finite, non-empty float64 matrix ``(kh, kw)``.

    Raises
    ------
    KernelError
        Rows of different lengths, no values, not numbers, not two-dimensional, NaN or infinity; `source` names the
        kernel in the message.
    """
    try:
        array = np.array(values)
        if array.dtype.kind not in "biuf":
            raise ValueError
    except ValueError:  # ragged, or not numbers
        remedy = "give every row the same count of numbers"
        raise KernelError(f"kernel {source}", "is not a matrix of numbers", remedy) from None
    if array.ndim == 1:
        array = array[np.newaxis]
    if array.ndim != 2:
        raise KernelError(
            f"kernel {source}",
            f"has {array.ndim} dimensions {array.shape}",
            f"{param('kernel')} takes a 2-D matrix, 4-D arrays go with {param('weights')}",
        )
    if array.size == 0:
        raise KernelError(f"kernel {source}", "is empty", "give at least one number")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        bad = array[~np.isfinite(array)][0]
        raise KernelError(f"kernel {source}", f"contains {bad}", "every value must be finite")
    return array
