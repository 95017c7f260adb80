"""What a tile's work is made of: calls into NumPy that are known beforehand, and the arrays of a thread that they work on."""

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
"""Calls into NumPy with all their arguments, one after the other: ``function(*arguments)``."""


def run(steps: Steps) -> None:
    """Do one after the other."""
    for function, arguments in steps:
        function(*arguments)


class Buffers:
    """What a thread uses again for tile after tile: arrays, and the steps that work on them.

    Fresh memory costs more than many a computation. And what Python does between two calls into NumPy is all that threads
    cannot do side by side: cutting views anew for every tile would take a fifth of the time.
    """

    def __init__(self) -> None:
        self._kept = _Kept()

    def get(self, name: str, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """The array of this name, thread, shape and dtype; what it held before is lost."""
        arrays = self._kept.arrays
        size = prod(shape)
        if name not in arrays or arrays[name].size < size or arrays[name].dtype != dtype:
            arrays[name] = np.zeros(size, dtype)  # what nobody fills is worked on where lines lie as one
            self._kept.made.clear()  # else what was made of the array that was would keep it in memory
        array: NDArray[Any] = arrays[name][:size].reshape(shape)
        return array

    def made(self, owner: object, key: tuple[object, ...], make: Callable[[], T]) -> T:
        """What was made of this owner, key and thread, for as long as the arrays are those it was made of; else it is made.

        What the owner before it had is lost.
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
    """What one thread keeps."""

    def __init__(self) -> None:
        self.arrays: dict[str, NDArray[Any]] = {}
        self.owner: object = None
        self.made: dict[tuple[object, ...], Any] = {}
