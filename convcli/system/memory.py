"""How much memory there is, so that work that does not fit is refused early. Standard library only."""

import gc
import os
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from math import ceil, inf
from threading import Condition

from convcli.errors import param
from convcli.records import NamedTuple
from convcli.system.context import current


def total_bytes() -> float:
    """Bytes of memory that this process may use: the least limit of machine, container and ``ulimit -v``; or infinity.

    A run asks the system only once.
    """
    return current().kept(total_bytes, lambda: min(_installed(), _allowed(), _address_space()))


LEAST_BYTES, MOST_BYTES = 64 << 20, 1 << 50
"""The least and the most memory that blocks may get, as a text says it."""


def amount(text: str) -> int:
    """The bytes of ``512M`` or ``2G``: a number followed by k, M, G or T, which are powers of 1024; also KiB or KB.

    Raises a ValueError for any other text, and for less than `LEAST_BYTES`.
    """
    found = re.fullmatch(r"\s*([1-9]\d*|[1-9]\d*\.\d+|0\.\d+)\s*([kmgt])(i?b)?\s*", text.lower())
    if not found:
        raise ValueError(f"'{text}' is not an amount of memory: use 512M or 2G")
    number = float(found[1]) * 1024 ** ("kmgt".index(found[2]) + 1)
    if not LEAST_BYTES <= number <= MOST_BYTES:
        raise ValueError(f"'{text}' is not an amount of memory from {LEAST_BYTES >> 20}M up: use 512M or 2G")
    return int(number)


def _installed() -> float:
    """The machine's memory, in bytes; infinite if it is not known."""
    with suppress(AttributeError, ValueError, OSError):  # not on every platform
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return inf


PROGRAM_BYTES, THREAD_BYTES = 300 << 20, 160 << 20
"""Address space of the program with NumPy and Pillow, and of one thread: stack, heap, and buffers in BLAS."""


def most_threads() -> int:
    """How many threads fit into the limit of this process's address space (``ulimit -v``).

    If there is no room for its buffers, BLAS ends the process without a message. A run asks the system only once.
    """
    return current().kept(most_threads, _most_threads)


def _most_threads() -> int:
    space = _address_space()
    return 1 << 16 if space == inf else max(1, int((space - PROGRAM_BYTES) // THREAD_BYTES))


ARRAY_BYTES, SPARE_BYTES = 4 << 20, 64 << 20
"""Arrays of at least the first go back to the system when they are freed. Of smaller ones, the second is kept for the next."""


def settle() -> None:
    """Prepare for much work, as long as this process runs: only in one of our own. See `keep_arrays`.

    Python searches for garbage as usual: while the program starts, it does not.
    """
    gc.set_threshold(700, 10, 10)
    keep_arrays()


def keep_arrays() -> None:
    """Let memory of large arrays go back to the system at once, and keep that of others, in a process of our own.

    By default, glibc learns from the first large array to keep the next ones: blocks, one after another, then take up to
    half as much again (measured), and no less time. Smaller arrays it gives back and asks for anew, which takes a quarter of
    the time of a batch, and touches a third of the pages of a single PNG (measured). Dask's own setting
    (``MALLOC_TRIM_THRESHOLD_``) makes it ask the system for every array of more than 128 KiB, which doubles the time. Other C
    libraries are left as they are.
    """
    import ctypes

    with suppress(OSError, AttributeError, TypeError):
        change = ctypes.CDLL(None).mallopt
        change(_M_MMAP_THRESHOLD, ARRAY_BYTES)
        change(_M_TRIM_THRESHOLD, SPARE_BYTES)


def trim() -> None:
    """Give the memory of smaller arrays back to the system, too, in a process of our own: it is half of the peak (measured)."""
    import ctypes

    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's ``mallopt``."""


def give_up() -> None:
    """Call this after a MemoryError. Raises `Wait` if other threads hold memory, and the work can begin again later."""
    mine = _mine.get()
    if mine is not None and mine.again:
        raise Wait(total_bytes())


def refuses(need: float) -> bool:
    """Whether `need` bytes are more than this thread can ever have.

    Raises `Wait` if they are more than its share now, but it can have more when other threads are done.
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
    """How much memory this thread may have, in GiB, as a part of an error."""
    mine = _mine.get()
    if mine is None or mine.again:
        return f"this machine has {total_bytes() / 2**30:.1f}"
    if not mine.owners:
        return f"a task of this worker may have {mine.bytes / 2**30:.1f}"
    return f"each of {mine.owners} images at once (see {param('threads')}) may have {mine.bytes / 2**30:.1f}"


class Wait(BaseException):
    """Work needs more memory than its share: `need` bytes. It has to stop, and to begin again when there is enough.

    It is not an `Exception`, so that it is not mistaken for an error of a decoder or an encoder.
    """

    def __init__(self, need: float) -> None:
        super().__init__(need)
        self.need = need


class Shares:
    """The memory, divided into `count` equal shares for as many threads. A thread that needs more waits for several shares.

    A thread that holds shares never waits: if it needs more, it gives back all it has and begins again. So no two threads can
    wait for each other. Threads are served in the order in which they ask.
    """

    def __init__(self, count: int) -> None:
        self.count = self.free = count
        self.turn: deque[object] = deque()
        self.changed = Condition()
        self.closed = False

    @contextmanager
    def of(self, need: float, again: bool) -> Iterator[int]:
        """Hold enough shares for `need` bytes, at least one, until the block ends.

        Yields their number; 0 if `close` was called before the turn came. `again` says whether the work in the block can begin
        again, so that it may raise `Wait`.
        """
        total = total_bytes()
        count = self.count if need >= total else max(1, ceil(need * self.count / total))
        if not self._take(count):
            yield 0
            return
        token = _mine.set(_Mine(total / self.count * count, again, self.count) if count < self.count else None)
        try:
            yield count
        finally:
            _mine.reset(token)
            with self.changed:
                self.free += count
                self.changed.notify_all()

    def close(self) -> None:
        """End all waiting: the run is over."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def _take(self, count: int) -> bool:
        ticket = object()
        with self.changed:
            self.turn.append(ticket)
            self.changed.wait_for(lambda: self.closed or (self.turn[0] is ticket and self.free >= count))
            self.turn.remove(ticket)
            self.changed.notify_all()  # now it is the next one's turn
            if self.closed:
                return False
            self.free -= count
            return True


@contextmanager
def limited(most: float) -> Iterator[None]:
    """Let this thread have no more than so many bytes, as a worker on a cluster, until the block ends."""
    token = _mine.set(_Mine(most, False, 0))
    try:
        yield
    finally:
        _mine.reset(token)


class _Mine(NamedTuple):
    """What a thread may have: bytes, whether it can begin again with more, and how many threads have the same share."""

    bytes: float
    again: bool
    owners: int  # 0: a worker on a cluster


_mine: ContextVar[_Mine | None] = ContextVar("mine", default=None)
"""What this thread and its helpers may have; None: all the memory."""


def _address_space() -> float:
    """The limit of this process's address space (``ulimit -v``), in bytes; infinite if there is none."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        return inf if limit == resource.RLIM_INFINITY else limit
    return inf


def _allowed() -> float:
    """The limit of this process's control group in Linux (its container), in bytes; infinite if there is none."""
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError), open(path, encoding="ascii") as stream:
            return int(stream.read())
    return inf
