"""How much memory there is: what cannot fit is refused before anything is allocated. Standard library only."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from math import ceil, inf
from threading import Condition
from typing import NamedTuple

from convcli.errors import param


@cache
def total_bytes() -> float:
    """The memory of this machine, of the container that this runs in, or up to its limit; infinite where nothing says."""
    try:
        installed: float = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on every platform
        installed = inf
    return min(installed, _allowed(), _address_space())


PROGRAM_BYTES, THREAD_BYTES = 300 << 20, 160 << 20
"""Address space of the program with NumPy and Pillow, and of a thread: its stack, its heap, what BLAS sets aside for it."""


@cache
def most_threads() -> int:
    """How many threads the limit of this process's address space (``ulimit -v``) has room for.

    Where there is no room for its buffers, BLAS ends the process without a word.
    """
    space = _address_space()
    return 1 << 16 if space == inf else max(1, int((space - PROGRAM_BYTES) // THREAD_BYTES))


def give_up() -> None:
    """There was no memory: where others hold some of it, begin again when they are done.

    Raises
    ------
    Wait
        It can begin again.
    """
    mine = _mine.get()
    if mine is not None and mine.again:
        raise Wait(total_bytes())


def refuses(need: float) -> bool:
    """Whether `need` bytes are more than this thread may have, and waiting would not help.

    Raises
    ------
    Wait
        They are more than its share, and it can have more when others are done.
    """
    mine = _mine.get()
    if mine is None:
        return need > total_bytes()
    if need <= mine.bytes:
        return False
    if mine.again and need <= total_bytes():
        raise Wait(need)
    return True


def share() -> str:
    """What this thread may have in words, for the error that it is not enough."""
    mine = _mine.get()
    if mine is None or mine.again:
        return f"this machine has {total_bytes() / 2**30:.1f}"
    return f"each of {mine.owners} images at once (see {param('threads')}) may have {mine.bytes / 2**30:.1f}"


class Wait(BaseException):
    """Work that needs more memory than its share: it is to be given up, and begun again when there is as much.

    No `Exception`, as it is none of those that decoders and encoders raise.
    """

    def __init__(self, need: float) -> None:
        super().__init__(need)
        self.need = need


class Shares:
    """The memory in equal shares, for so many threads at once; who needs more waits for several of them.

    Nobody waits who holds any: what turns out to need more gives up all it has, and begins again. So nobody waits for
    ever; and as all are served in turn, nobody is passed by.
    """

    def __init__(self, count: int) -> None:
        self.count = self.free = count
        self.turn: deque[object] = deque()
        self.changed = Condition()
        self.closed = False

    @contextmanager
    def of(self, need: float, again: bool) -> Iterator[int]:
        """Hold as many shares as `need` bytes are, one or more, for as long as the block lasts.

        Parameters
        ----------
        need : float
            Bytes.
        again : bool
            Whether the block may end in `Wait`: whether what it does can be begun again.

        Returns
        -------
        int
            How many; 0, and nothing is held, if the run ends before their turn comes.
        """
        total = total_bytes()
        count = self.count if need >= total else max(1, ceil(need * self.count / total))
        if not self._take(count):
            yield 0
            return
        try:
            mine = _Mine(total_bytes() / self.count * count, again, self.count) if count < self.count else None
            token = _mine.set(mine)
            try:
                yield count
            finally:
                _mine.reset(token)
        finally:
            self._give(count)

    def close(self) -> None:
        """Nobody waits any longer."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def _take(self, count: int) -> bool:
        ticket = object()
        with self.changed:
            self.turn.append(ticket)
            self.changed.wait_for(lambda: self.closed or (self.turn[0] is ticket and self.free >= count))
            self.turn.remove(ticket)
            self.changed.notify_all()  # the next one's turn
            if self.closed:
                return False
            self.free -= count
            return True

    def _give(self, count: int) -> None:
        with self.changed:
            self.free += count
            self.changed.notify_all()


class _Mine(NamedTuple):
    """What a thread may have: bytes, whether it can begin again with more, and how many have as much."""

    bytes: float
    again: bool
    owners: int


_mine: ContextVar[_Mine | None] = ContextVar("mine", default=None)
"""What this thread, and those that help it, may have; None for all that there is."""


@cache
def _address_space() -> float:
    """The limit of this process's address space; infinite where there is none."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        return inf if limit == resource.RLIM_INFINITY else limit
    return inf


def _allowed() -> float:
    """What Linux allows the control group of this process; infinite where there is no limit."""
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError), open(path, encoding="ascii") as stream:
            return int(stream.read())
    return inf
