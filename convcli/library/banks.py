"""Kernels and weights of the caller, parsed once: a SPEC, an array, a bank or 4-D weights."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable
from functools import lru_cache
from math import isqrt
from os import PathLike, fsdecode
from pathlib import PurePath
from threading import Lock
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from convcli.errors import ConvError, KernelError, param
from convcli.images.formats import ENDINGS
from convcli.kernels.bank import Bank, Filter, Kernel, Matrix, checked
from convcli.kernels.spec import FILES, parse
from convcli.library import arguments
from convcli.library.boundary import public
from convcli.library.pictures import host
from convcli.records import NamedTuple
from convcli.system.context import current
from convcli.windows import Array

T = TypeVar("T")

KEPT_BYTES = 1 << 16
"""Kernels up to this size are kept for the next call."""

MOST_KEPT, LARGEST_KEPT = 64, 1 << 18
"""The most things of a kind that are kept, and the most bytes of each. The oldest is dropped."""


class Kept:
    """Things that are kept by their key, up to `MOST_KEPT`."""

    def __init__(self) -> None:
        self._things: dict[Hashable, Any] = {}
        self._lock = Lock()

    def get(self, key: Hashable | None, make: Callable[[], T], size: Callable[[T], int]) -> T:
        """The thing with this key. `make` makes it if it is missing; `size` gives its bytes. None as a key: it is not kept."""
        found = None if key is None else self._things.get(key)
        if found is None:
            found = make()
            if key is not None and size(found) <= LARGEST_KEPT:
                with self._lock:
                    while len(self._things) >= MOST_KEPT:
                        self._things.pop(next(iter(self._things)))
                    self._things[key] = found
        made: T = found
        return made


class _Banks(Kept):
    """Parsed kernels."""


class Given(NamedTuple):
    """Kernels as the caller gives them: a SPEC, several, or an array; and a key that is equal for equal values."""

    specs: tuple[str, ...]
    array: Array | None
    key: Hashable | None  # None: too large to keep, or read from a file


class Weights(NamedTuple):
    """Kernels as a bank, or 4-D weights as they are applied."""

    bank: Bank | None
    weight: NDArray[Any] | None
    groups: int | None = None  # the number of groups, if the layout says it


def given(kernel: Any) -> Given:
    """The caller's kernels.

    Raises `KernelError` if they are neither text nor an array of real and finite numbers with 2 to 4 axes.
    """
    if isinstance(kernel, PathLike):
        kernel = fsdecode(kernel)
    if isinstance(kernel, str):
        return Given((kernel,), None, None if _is_file(kernel) else kernel)
    if isinstance(kernel, (list, tuple)) and kernel and all(isinstance(one, str) for one in kernel):
        specs = tuple(kernel)
        return Given(specs, None, None if any(map(_is_file, specs)) else specs)
    array = _array(kernel)
    key = (array.shape, array.dtype.str, array.tobytes()) if array.nbytes <= KEPT_BYTES else None
    return Given((), array, key)


@lru_cache(maxsize=256)
def _is_file(spec: str) -> bool:
    """Whether a SPEC may name a file, which can change between two calls."""
    return PurePath(spec.strip()).suffix.lower() in (*FILES, *ENDINGS)


def _array(kernel: Any) -> Array:
    if type(kernel) is not np.ndarray:
        module = sys.modules.get("torch")
        if module is not None and isinstance(kernel, module.Tensor):
            if arguments.needs_grad(kernel):
                rule = "requires grad, and no gradients are computed"
                raise KernelError(param("kernel"), rule, "use kernel.detach(), or torch.no_grad()")
            kernel = host(kernel, "a kernel")[0]
        elif isinstance(kernel, (list, tuple)):
            kernel = checked(list(kernel), "of lists") if _is_matrix(kernel) else _numbers(kernel)
        elif kernel is None or not hasattr(kernel, "__array__"):
            remedy = "use a SPEC such as 'gaussian:2', an array (kh, kw), a bank (n, kh, kw), or 4-D weights"
            raise KernelError(f"kernel {kernel!r}"[:80], "is neither text nor an array", remedy)
        else:
            kernel = np.asarray(kernel)
    array: Array = kernel
    if array.dtype.kind not in "buif":
        raise KernelError(f"kernel of dtype {array.dtype}", "holds no real numbers", "use real numbers")
    if not 2 <= array.ndim <= 4:
        side = isqrt(array.size)
        flat = f", for a square kernel.reshape({side}, {side})" if array.size == side**2 > 1 else ""
        remedy = f"give (kh, kw), for a row kernel[numpy.newaxis]{flat}; a bank (n, kh, kw); or 4-D weights"
        axes = "1 axis" if array.ndim == 1 else f"{array.ndim} axes"
        raise KernelError(f"kernel of shape {array.shape}", f"has {axes}", remedy)
    if array.size == 0:
        raise KernelError(f"kernel of shape {array.shape}", "is empty", "every axis must be at least 1")
    return array


def _is_matrix(rows: Any) -> bool:
    """Whether lists are the rows of one kernel, whose errors `checked` explains."""
    first = rows[0] if rows else None
    return isinstance(first, (list, tuple)) and not any(isinstance(one, (list, tuple, np.ndarray)) for one in first)


def _numbers(values: Any) -> Array:
    try:
        return np.array(values)
    except ValueError:
        raise KernelError("kernel of lists", "is ragged", "give every row the same number of values") from None


def weights_of(
    kernel: Given, transpose: bool, groups: int, channels: str | None, combine: str | None, divisor: float | str | None,
    layout: str | None,
) -> Weights:  # fmt: skip
    """The kernels as a bank or as weights.

    Raises
    ------
    ConvError
        A kernel cannot be built, or the arguments do not fit to what is given.
    """
    if kernel.array is not None and kernel.array.ndim == 4:
        for name, value in (("channels", channels), ("combine", combine), ("divisor", divisor)):
            if value is not None:
                rule = "is for kernels, and 4-D weights define how channels are mixed"
                raise ConvError(param(name, value), rule, "leave it out")
        return _weights(kernel.array, transpose, groups, layout)
    if layout is not None:
        raise ConvError(param("layout", layout), "is for 4-D weights", "leave it out")
    key = None if kernel.key is None else (kernel.key, combine, divisor)
    return current().kept(_Banks, _Banks).get(key, lambda: Weights(_bank(kernel, combine, divisor), None), _size)


def _size(weights: Weights) -> int:
    """The bytes of a bank."""
    return 0 if weights.bank is None else sum(one.values.nbytes for one in weights.bank.kernels)


def _bank(kernel: Given, combine: str | None, divisor: float | str | None) -> Bank:
    if kernel.array is None:
        filters = tuple(map(parse, kernel.specs))
    else:
        planes = kernel.array if kernel.array.ndim == 3 else kernel.array[np.newaxis]
        names = ["kernel"] if len(planes) == 1 else [f"kernel[{number}]" for number in range(len(planes))]
        filters = (
            Filter("kernel", tuple(Kernel(name, _finite(one)) for name, one in zip(names, planes, strict=True))),
        )
    if divisor is not None:
        from convcli.kernels.divisors import divided

        filters = tuple(divided(one, divisor) for one in filters)
    return Bank(filters, combine)


def _finite(plane: Array) -> Matrix:
    return checked(plane, f"of shape {plane.shape}")


def _weights(array: Array, transpose: bool, groups: int, layout: str | None) -> Weights:
    """4-D weights in PyTorch's order."""
    weight = (
        array if array.dtype.kind == "f" and array.dtype.isnative and array.dtype.char != "g" else array.astype("f8")
    )
    if not np.isfinite(weight).all():
        raise KernelError("kernel of 4 axes", "contains NaN or infinity", "every value must be finite")
    weight = weight.copy()  # it may be kept, and the caller's may change
    if layout is None:
        return Weights(None, weight)
    from convcli.kernels.layouts import arranged

    ordered, depthwise = arranged(weight, layout, transpose, groups, "of the argument kernel")
    if depthwise is not None and groups not in (1, depthwise):
        rule = f"is not the number of channels of depthwise weights, {depthwise}"
        raise ConvError(param("groups", groups), rule, "leave it out")
    return Weights(None, ordered, depthwise)


@public
def kernel(spec: str | PathLike[str], *, divisor: float | str | None = None) -> NDArray[np.float64]:
    """The values of a kernel, as a correlation lays it on the image.

    Parameters
    ----------
    spec : str or path-like
        A name with arguments (``gaussian:2``), a matrix (``0,1,0;1,-4,1;0,1,0``), or a file, as for ``convcli apply -k``.
        ``convcli kernel`` lists all names.
    divisor : float, "sum" or "abs", optional
        Divide every kernel by a number, by its own sum, or by the sum of its magnitudes.

    Returns
    -------
    ndarray
        ``(kh, kw)``, or ``(n, kh, kw)`` for a bank such as ``sobel``; float64.

    Raises
    ------
    ValueError
        There is no such kernel, or an argument of it is wrong.

    Examples
    --------
    >>> import convcli
    >>> convcli.kernel("sobel-x")
    array([[-1.,  0.,  1.],
           [-2.,  0.,  2.],
           [-1.,  0.,  1.]])
    >>> convcli.kernel("sobel").shape
    (2, 3, 3)
    >>> convcli.kernel("1,2,1", divisor="sum")
    array([[0.25, 0.5 , 0.25]])
    """
    if not isinstance(spec, str | PathLike):
        raise KernelError(f"{param('spec')} {spec!r}"[:80], "is not text", "use a SPEC such as 'gaussian:2'")
    bank = weights_of(given(spec), False, 1, None, None, arguments.divisor(divisor), None).bank
    assert bank is not None
    values: NDArray[np.float64] = bank.values.copy()
    return values[0] if len(values) == 1 else values
