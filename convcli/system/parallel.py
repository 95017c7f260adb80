"""Threads: how many there are to be, and work shared among them. NumPy and zlib let others run while they compute."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TypeVar

from convcli.system.memory import most_threads

T = TypeVar("T")


def workers(threads: int | None) -> int:
    """The threads to use: as asked for, else one for each processor that this process may use; no more than have room."""
    if threads is None:
        try:
            threads = len(os.sched_getaffinity(0))
        except (AttributeError, OSError):  # not on every platform
            threads = os.cpu_count() or 1
    return min(threads, most_threads())


def run_all(work: Callable[[T], None], jobs: list[T], threads: int) -> None:
    """Do every job on at most `threads` threads, this one among them; NumPy releases the interpreter while it computes."""
    count = max(1, min(threads, len(jobs)))
    if count == 1:
        for job in jobs:
            work(job)
        return
    runs = [deque(jobs[i * len(jobs) // count : (i + 1) * len(jobs) // count]) for i in range(count)]
    failures: list[BaseException] = []

    def worker(number: int) -> None:
        try:
            for job in _taken(runs, number):
                work(job)
                if failures:
                    return
        except BaseException as error:  # raised again by the caller's thread
            failures.append(error)

    waiting: list[Lock] = []
    try:
        with _spread(count) as places:
            with suppress(RuntimeError):  # no further thread can be had: those that there are do the work
                for number, place in enumerate(places, 1):
                    # As this thread has it, NumPy's ways with errors among it: each needs a copy of its own.
                    waiting.append(_helpers.start(partial(copy_context().run, _at, place, partial(worker, number))))
            worker(0)
    except BaseException as error:  # an interruption, between two steps
        failures.append(error)
    for done in waiting:
        done.acquire()
    if failures:
        raise failures[0]


def _taken(runs: list[deque[T]], own: int) -> Iterator[T]:
    """The jobs of a thread: its own run from the front, then what is left of the others from behind."""
    for number in range(own, own + len(runs)):
        run = runs[number % len(runs)]
        take = run.popleft if number == own else run.pop
        with suppress(IndexError):  # whoever comes first has it
            while True:
                yield take()


@contextmanager
def _spread(count: int) -> Iterator[list[set[int]]]:
    """Processors for `count` threads: this one keeps to the first, the others are returned.

    A thread that wakes another for Python's lock has it run on its own processor, where it waits for its turn: threads that
    are to work side by side are told apart, if all processors are theirs. Where another program works on one of them, the
    jobs go to the rest.
    """
    every = set(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else set()
    if count < 2 or len(every) != count:
        yield [every] * (count - 1)
        return
    first, *others = sorted(every)
    try:
        _move({first})
        yield [{place} for place in others]
    finally:
        _move(every)


def _at(place: set[int], work: Callable[[], None]) -> None:
    _move(place)
    work()


def _move(place: set[int]) -> None:
    """Let this thread run on these processors only, where that can be said."""
    if place:
        with suppress(OSError):
            os.sched_setaffinity(0, place)


class _Helpers:
    """Threads that stay: a new one would begin without its buffers, and fresh memory is dear."""

    def __init__(self) -> None:
        self.idle = 0
        self.lock = Lock()
        self.tasks: SimpleQueue[tuple[Callable[[], None], Lock]] = SimpleQueue()

    def start(self, task: Callable[[], None]) -> Lock:
        """Have a thread do `task`; the lock is released when it is done."""
        done = Lock()
        done.acquire()
        with self.lock:
            if self.idle:
                self.idle -= 1
            else:
                Thread(target=self._serve, daemon=True).start()  # RuntimeError: there can be no more
        self.tasks.put((task, done))
        return done

    def _serve(self) -> None:
        while True:
            task, done = self.tasks.get()
            task()
            del task  # and what it refers to
            with self.lock:
                self.idle += 1
            done.release()


_helpers = _Helpers()


def _after_fork() -> None:
    global _helpers
    _helpers = _Helpers()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)  # a child has none of these threads
