"""Threads: how many there are to be, and work shared among them. NumPy and zlib let others run while they compute."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def workers(threads: int | None) -> int:
    """The threads to use: as asked for, else one for each processor that this process may use."""
    if threads is not None:
        return threads
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # not on every platform
        return os.cpu_count() or 1


def run_all(work: Callable[[T], None], jobs: list[T], threads: int) -> None:
    """Do every job on at most `threads` threads, this one among them; NumPy releases the interpreter while it computes."""
    queue = iter(jobs)  # next() is atomic: whoever is idle takes the next job
    failures: list[BaseException] = []

    def worker() -> None:
        try:
            for job in queue:
                work(job)
                if failures:
                    return
        except BaseException as error:  # raised again by the caller's thread
            failures.append(error)

    helpers = [Thread(target=worker, daemon=True) for _ in range(min(threads, len(jobs)) - 1)]
    for helper in helpers:
        helper.start()
    worker()
    for helper in helpers:
        helper.join()
    if failures:
        raise failures[0]
