"""Threads of this process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Event
from time import monotonic
from typing import Any, TypeVar

from convcli.runs.places import PATIENCE, Act
from convcli.system.context import current

T = TypeVar("T")


class Here:
    """Threads of this process; see `convcli.runs.places.Place`.

    Parameters
    ----------
    act : callable
        What is done to an item.
    width : int
        The number of threads.
    """

    def __init__(self, act: Act, width: int) -> None:
        self.act, self._width = act, width
        self.retried, self.notes = 0, tuple[str, ...]()
        self._done: SimpleQueue[tuple[Any, Any]] = SimpleQueue()
        self._stopping = Event()
        self._waiting = 0

    @property
    def width(self) -> int:
        """The number of threads."""
        return self._width

    def results(self, items: Iterable[T]) -> Iterator[tuple[T, Any]]:
        """See `convcli.runs.places.Place.results`."""
        queue = iter(items)
        with current().pool(self.width) as pool:

            def begin() -> None:
                for item in queue:
                    self._waiting += 1
                    pool.submit(copy_context().run, self._do, item)
                    return

            for _ in range(self.width + 1):
                begin()
            while self._waiting:
                found = self._done.get()
                self._waiting -= 1
                begin()
                yield found

    def _do(self, item: Any) -> None:
        if self._stopping.is_set():
            self._done.put((item, InterruptedError()))
            return
        try:
            self._done.put((item, self.act(item)))
        except BaseException as error:  # told by the thread that waits
            error.__traceback__ = None  # it keeps pixels in memory
            self._done.put((item, error))

    def stop(self) -> Iterator[tuple[Any, Any]]:
        """See `convcli.runs.places.Place.stop`."""
        self._stopping.set()
        until = monotonic() + PATIENCE
        while self._waiting:
            try:
                item, result = self._done.get(timeout=max(0.0, until - monotonic()))
            except Empty:
                return
            self._waiting -= 1
            if not isinstance(result, BaseException):
                yield item, result

    def close(self) -> None:
        """Nothing is held."""
