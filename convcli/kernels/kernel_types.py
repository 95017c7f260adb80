"""What a SPEC becomes: a `Kernel` is one checked 2-D array, a `Filter` has the kernels of one SPEC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convcli.errors import KernelError, param


class Kernel(NamedTuple):
    """One kernel. `values` is ``(kh, kw)``, float64 and finite, as a correlation lays it on the image."""

    name: str
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Filter:
    """The kernels of one SPEC, and how their results are combined (one of `convcli.vocabulary.COMBINES`).

    `label` is a short name for file names. `spec` is the text that the user wrote. `factor` is the stride of the transposed
    operation that the kernel is made for; 1 for a kernel that is made for none.
    """

    label: str
    kernels: tuple[Kernel, ...]
    combine: str = "none"
    spec: str = ""
    factor: int = 1


def checked(values: ArrayLike, source: str) -> NDArray[np.float64]:
    """`values` as a finite float64 matrix ``(kh, kw)`` that is not empty. A single row may be 1-D.

    Raises
    ------
    KernelError
        The rows have different lengths, there are no values, or they are not real and finite numbers in two dimensions.
        The message names the kernel as `source`.
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
