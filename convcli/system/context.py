"""What a run keeps between its calls, and what it changes in its process: one object holds it. Standard library only.

The command line enters a `Context` that owns the process. Only then are file descriptor 2 redirected, threads moved to
processors and environment variables set. Leaving the context undoes all of it. Without a context, convcli changes nothing in
the process and keeps nothing between two calls.
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
    """What a run keeps and changes. Enter it with ``with``.

    Threads see it if they are started with ``contextvars.copy_context().run``.

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
        Whether it was left. Threads that are still at work then stop as soon as they can.
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
        """Have something called when this context is left, such as what undoes a change. The last added is called first."""
        self._ending.callback(call, *args)

    def kept(self, key: Hashable, make: Callable[[], T]) -> T:
        """An object that lasts as long as this context, such as a cache. `make` makes it when it is asked for first."""
        with self._lock:
            if key not in self._kept:
                self._kept[key] = make()
            return cast("T", self._kept[key])

    @contextmanager
    def pool(self, count: int) -> Iterator[ThreadPoolExecutor]:
        """A pool that can run `count` more tasks at once.

        The threads of an entered context stay until it is left: a new thread would have to fill its buffers again, and fresh
        memory is slow. Otherwise the threads end with the block.
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
"""The limit of a pool that stays. It starts a thread only if none is idle."""

_entered: ContextVar[Context | None] = ContextVar("convcli", default=None)


def current() -> Context:
    """The context that was entered, or a new one that keeps nothing."""
    return _entered.get() or Context()


@contextmanager
def entered() -> Iterator[Context]:
    """The context that was entered, or a new one until the block ends: for a call that does many things."""
    found = _entered.get()
    if found is not None:
        yield found
    else:
        with Context() as found:
            yield found
