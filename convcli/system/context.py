"""The things of a run that outlive a call, or that belong to the whole process: one object holds them. Standard library only.

The command line enters a `Context` that owns the process. It may then redirect file descriptor 2, move threads to
processors and set environment variables, and puts all of it back when it is left. Without that nothing of the process
is changed, and nothing is kept between two calls.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar, Token
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from convcli.system import process
from convcli.system.unfinished import Unfinished

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

T = TypeVar("T")


class Context:
    """What a run keeps and changes. Enter it with ``with``; threads see it if they run in a copy of the caller's context.

    Parameters
    ----------
    owns_process : bool
        Whether it may change what belongs to the whole process. True for the command line alone.

    Attributes
    ----------
    unfinished : Unfinished
        Temporary files of outputs that are being written.
    hushed : bool
        Whether `convcli.system.silence.hushed` is in force.
    ended : bool
        Whether it was left: threads that nobody waited for stop as soon as they can.
    """

    def __init__(self, owns_process: bool = False) -> None:
        self.owns_process = owns_process
        self.unfinished = Unfinished()
        self.hushed = self.ended = False
        self._kept: dict[Hashable, Any] = {}
        self._lock = RLock()
        self._ending = ExitStack()
        self._token: Token[Context | None] | None = None

    def __enter__(self) -> Self:
        self._token = _entered.set(self)
        if self.owns_process:
            self.at_end(sys.setswitchinterval, sys.getswitchinterval())
            sys.setswitchinterval(process.SWITCH_SECONDS)
            for name, value in (process.BLAS_THREADS, process.PILLOW_BLOCKS):
                if name not in os.environ:
                    os.environ[name] = value
                    self.at_end(os.environ.pop, name, None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._token is not None, "it was not entered"
        _entered.reset(self._token)
        self._token, self.ended = None, True
        self._ending.close()
        self._kept.clear()

    def at_end(self, call: Callable[..., object], *args: Any) -> None:
        """Call something when this context is left, the last added first: what puts back what was changed."""
        self._ending.callback(call, *args)

    def kept(self, key: Hashable, make: Callable[[], T]) -> T:
        """An object that lasts as long as this context, such as a cache. `make` makes it when it is first asked for."""
        with self._lock:
            if key not in self._kept:
                self._kept[key] = make()
            return cast("T", self._kept[key])

    @contextmanager
    def pool(self, count: int) -> Iterator[ThreadPoolExecutor]:
        """A pool with room for `count` threads more.

        The threads of an entered context stay until it is left, as a new thread begins without its buffers, and fresh memory
        takes time. Else they end with the block.
        """
        from concurrent.futures import ThreadPoolExecutor

        if self._token is None:
            with ThreadPoolExecutor(count) as pool:
                yield pool
            return

        def lasting() -> ThreadPoolExecutor:
            pool = ThreadPoolExecutor(MOST_THREADS)
            self.at_end(lambda: pool.shutdown(wait=False, cancel_futures=True))
            return pool

        yield self.kept(("pool", os.getpid()), lasting)  # a child process has none of its parent's threads


MOST_THREADS = 1 << 12
"""Of a pool that lasts. It makes a thread only where none is idle."""

_entered: ContextVar[Context | None] = ContextVar("convcli", default=None)


def current() -> Context:
    """The context that was entered, or a new one that keeps nothing."""
    return _entered.get() or Context()


@contextmanager
def entered() -> Iterator[Context]:
    """The context that was entered, or a new one for as long as the block lasts: for a call that does many things."""
    found = _entered.get()
    if found is not None:
        yield found
    else:
        with Context() as found:
            yield found
