"""Kernels divided by a number, by their sum or by the sum of their magnitudes."""

from __future__ import annotations

import numpy as np

from convcli.errors import KernelError, param
from convcli.kernels.analysis import ZERO_SUM
from convcli.kernels.bank import Filter, Kernel
from convcli.kernels.response import total_of


def divided(one: Filter, divisor: float | str) -> Filter:
    """The same kernels, each divided by `divisor`: a number, ``sum`` for its own sum, or ``abs`` for its own Σ|k|.

    Raises `KernelError` if a kernel would be divided by about 0, or if its values become infinite.
    """
    return one._replace(kernels=tuple(_divided(kernel, divisor) for kernel in one.kernels))


def _divided(kernel: Kernel, divisor: float | str) -> Kernel:
    what, by = f"kernel '{kernel.name}'", divisor
    if not isinstance(by, float):
        total, size = total_of(kernel.values), total_of(np.abs(kernel.values))
        if size == 0:
            raise KernelError(what, "has zeros only, which no divisor scales", f"leave {param('divisor')} out")
        if by == "sum" and abs(total) <= ZERO_SUM * size:
            remedy = f"{param('divisor', 'abs')} divides it by {size:.6g}, the sum of its magnitudes"
            raise KernelError(
                what, f"sums to {0 if abs(total) < 1e-12 * size else total:.3g}, which cannot be the divisor", remedy
            )
        by = total if by == "sum" else size
    with np.errstate(over="ignore"):
        values = kernel.values / by
    if not np.isfinite(values).all():
        raise KernelError(what, f"becomes infinite when it is divided by {by:g}", "use a larger divisor")
    return kernel._replace(values=values)
