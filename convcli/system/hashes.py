"""Sets of very many hashes, at 8 bytes each."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

PORTION = 1 << 13
"""So many hashes are collected before they are sorted."""


class Hashes:
    """A set of integers of 64 bits, such as Python's hashes.

    Those of the last additions are in a set. The others are in sorted arrays: an array is merged with the one before it when it
    has become as long.
    """

    def __init__(self, values: Iterable[int] = ()) -> None:
        self._recent: set[int] = set()
        self._sorted: list[NDArray[np.int64]] = []
        for value in values:
            self.add(value)

    def __contains__(self, value: int) -> bool:
        if value in self._recent:
            return True
        wanted = np.int64(value)
        for part in self._sorted:
            place = int(part.searchsorted(wanted))
            if place < part.size and part[place] == wanted:
                return True
        return False

    def __len__(self) -> int:
        return len(self._recent) + sum(part.size for part in self._sorted)

    @property
    def nbytes(self) -> int:
        """The bytes of the arrays."""
        return sum(part.nbytes for part in self._sorted)

    def add(self, value: int) -> None:
        """Add a value."""
        self._recent.add(value)
        if len(self._recent) < PORTION:
            return
        made = np.fromiter(self._recent, np.int64, len(self._recent))
        made.sort()
        self._recent = set()
        while self._sorted and self._sorted[-1].size <= made.size:
            made = np.concatenate([self._sorted.pop(), made])
            made.sort(kind="stable")  # which merges what is sorted
        self._sorted.append(made)
