"""What C libraries write to standard error, past Python: kept from it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def silent() -> Iterator[None]:
    """Keep C libraries from writing to standard error, past Python: libtiff and libjpeg do it before they fail.

    For short calls of the main thread, as the stream is the whole process's; where other threads are at work, within
    `hushed`, which has done it for all of them.
    """
    if _hushed:
        yield
        return
    try:
        kept = os.dup(2)
    except OSError:  # closed: there is nothing to keep quiet
        yield
        return
    try:
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 2)
        os.close(sink)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


_hushed: list[bool] = []
"""Not empty while `hushed` is in force."""


@contextmanager
def hushed() -> Iterator[None]:
    """`silent`, for as long as threads are at work: what Python itself says goes past the descriptor that is closed to C."""
    own, past = sys.stderr, None
    with suppress(OSError, ValueError, AttributeError):  # no descriptor, or closed
        if own.fileno() == 2:
            own.flush()
            past = open(os.dup(2), "w", 1, own.encoding, own.errors)  # noqa: SIM115
    with silent():
        _hushed.append(True)
        if past is not None:
            sys.stderr = past
        try:
            yield
        finally:
            _hushed.pop()
            if past is not None:
                sys.stderr = own
                past.close()
