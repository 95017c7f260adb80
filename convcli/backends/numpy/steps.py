"""The work on a tile: calls into NumPy that are prepared in advance, and the arrays of a thread that they use."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from threading import local
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")

Step = tuple[Callable[..., Any], tuple[Any, ...]]
Steps = list[Step]
"""Calls into NumPy with all their arguments, in this order: ``function(*arguments)``."""


def run(steps: Steps) -> None:
    """Make all calls, one after the other."""
    for function, arguments in steps:
        function(*arguments)


class Buffers:
    """What a thread reuses for tile after tile: arrays, and the steps that work on them.

    Fresh memory often costs more than a computation. And the Python code between two calls into NumPy is the only work
    that threads cannot do at the same time: to make new views for every tile would take a fifth of the time.
    """

    def __init__(self) -> None:
        self._kept = _Kept()

    def get(self, name: str, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """The array of this name, shape and dtype, one for each thread. What it held before is lost."""
        arrays = self._kept.arrays
        size = prod(shape)
        if name not in arrays or arrays[name].size < size or arrays[name].dtype != dtype:
            arrays[name] = np.zeros(size, dtype)  # steps over all lines as one also read values never set
            self._kept.made.clear()  # otherwise, objects made of the old array would keep it in memory
        array: NDArray[Any] = arrays[name][:size].reshape(shape)
        return array

    def made(self, owner: object, key: tuple[object, ...], make: Callable[[], T]) -> T:
        """What a thread has made for an owner and a key. `make` makes it if it is missing, or if the arrays have changed since.

        Everything made for the previous owner is dropped.
        """
        kept = self._kept
        if kept.owner is not owner:
            kept.made.clear()
            kept.owner = owner
        if key not in kept.made:
            kept.made[key] = make()
        found: T = kept.made[key]
        return found


class _Kept(local):
    """The arrays and objects that one thread keeps."""

    def __init__(self) -> None:
        self.arrays: dict[str, NDArray[Any]] = {}
        self.owner: object = None
        self.made: dict[tuple[object, ...], Any] = {}
