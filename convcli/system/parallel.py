"""Threads: how many to use, and work shared among them. NumPy and zlib let other threads run while they compute."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import TypeVar

from convcli.system.context import current
from convcli.system.memory import most_threads

T = TypeVar("T")


def workers(threads: int | None) -> int:
    """How many threads to use: the given number, or by default one for each processor that this process may use.

    The address space may limit it; see `convcli.system.memory.most_threads`.
    """
    if threads is None:
        try:
            threads = len(os.sched_getaffinity(0))
        except (AttributeError, OSError):  # not on every platform
            threads = os.cpu_count() or 1
    return min(threads, most_threads())


def run_all(work: Callable[[T], None], jobs: list[T], threads: int) -> None:
    """Do every job, on at most `threads` threads including this one. NumPy lets threads run side by side while it computes.

    Neighbours in the list are done by the same thread if possible. After an error of a job, every thread finishes its current
    job and stops, and the error is raised here. Jobs see the context variables of the caller, among them how NumPy treats
    floating-point errors (`numpy.errstate`).
    """
    count = max(1, min(threads, len(jobs)))
    if count == 1:
        for job in jobs:
            work(job)
        return
    from concurrent.futures import Future

    context = current()
    runs = [deque(jobs[i * len(jobs) // count : (i + 1) * len(jobs) // count]) for i in range(count)]
    failures: list[BaseException] = []

    def worker(number: int) -> None:
        try:
            for job in _taken(runs, number):
                work(job)
                if failures:
                    return
                if context.ended:
                    raise RuntimeError("the run has ended")
        except BaseException as error:  # the caller's thread raises it again
            failures.append(error)

    def helper(number: int, place: set[int], done: Future[None]) -> None:
        if done.set_running_or_notify_cancel():
            _move(place)
            worker(number)
            done.set_result(None)

    waiting: list[Future[None]] = []
    with context.pool(count - 1) as pool:
        try:
            with _spread(count, context.owns_process) as places:
                for number, place in enumerate(places, 1):
                    waiting.append(Future())
                    try:
                        pool.submit(copy_context().run, helper, number, place, waiting[-1])
                    except RuntimeError:  # no more threads can be started: the existing ones do the work
                        break
                worker(0)
        except BaseException as error:  # an interruption, between two steps
            failures.append(error)
        try:
            for done in waiting:
                if not done.cancel():  # a helper that has not started is not needed any more
                    done.result()
        except BaseException as error:  # an interruption: the others stop after their current jobs
            failures.append(error)
    if failures:
        raise failures[0]


def _taken(runs: list[deque[T]], own: int) -> Iterator[T]:
    """The jobs of a thread: its own run from the front, then the rest of the other runs from the end."""
    for number in range(own, own + len(runs)):
        run = runs[number % len(runs)]
        take = run.popleft if number == own else run.pop
        with suppress(IndexError):  # the run is empty
            while True:
                yield take()


@contextmanager
def _spread(count: int, allowed: bool) -> Iterator[list[set[int]]]:
    """Give each of `count` threads a processor of its own, if there are exactly as many processors.

    This thread is moved to the first processor until the block ends. The processors of the others are yielded, or empty sets
    if nothing is moved. Without this, Linux often runs a thread that waits for Python's lock on the processor of the thread
    that released it, where it has to wait again. If another program keeps a processor busy, the other threads take over the
    jobs. `allowed` says whether this process may move its threads.
    """
    every = set(os.sched_getaffinity(0)) if allowed and hasattr(os, "sched_setaffinity") else set()
    if len(every) != count:
        yield [every] * (count - 1)
        return
    first, *others = sorted(every)
    try:
        _move({first})
        yield [{place} for place in others]
    finally:
        _move(every)


def _move(place: set[int]) -> None:
    """Let this thread run on these processors only, if the platform can do that. An empty set changes nothing."""
    if place:
        with suppress(OSError):
            os.sched_setaffinity(0, place)
