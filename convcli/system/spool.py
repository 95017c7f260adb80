"""Names that are kept on disk, as far as they are many. Standard library only."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from tempfile import SpooledTemporaryFile

HELD_BYTES = 1 << 20
"""So much of a spool is kept in memory."""

PORTION = 1 << 17
"""So many names are sorted at once."""


class Spool:
    """Names in the order in which they were added. First they are added, then they are iterated over, once."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._file = SpooledTemporaryFile(HELD_BYTES)  # noqa: SIM115 (it is deleted with this object)
        self.count = 0
        for name in names:
            self.add(name)

    def add(self, name: str) -> None:
        """Add a name, in which there is no NUL."""
        self._file.write(os.fsencode(name) + b"\0")
        self.count += 1

    def __iter__(self) -> Iterator[str]:
        self._file.seek(0)
        rest = b""
        while part := self._file.read(1 << 16):
            *names, rest = (rest + part).split(b"\0")
            yield from map(os.fsdecode, names)
        self._file.close()


def in_order(names: Iterable[str]) -> Iterator[str]:
    """All names, sorted. They are read before this returns."""
    source = iter(names)
    runs = []
    while part := sorted(islice(source, PORTION)):
        runs.append(Spool(part))
    return heapq.merge(*runs)
