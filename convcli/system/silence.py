"""What C libraries write to standard error, past Python: kept from it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock

_lock = Lock()
_kept: list[int] = []
"""A copy of standard error, while somebody is inside of `silent`."""
_depth = 0


@contextmanager
def silent() -> Iterator[None]:
    """Keep C libraries from writing to standard error, past Python: libtiff and libjpeg do it before they fail.

    The stream is the whole process's: whoever comes in first closes it to C, and whoever leaves last opens it again.
    """
    global _depth
    with _lock:
        _depth += 1
    try:
        with _lock, suppress(OSError):  # closed: there is nothing to keep quiet
            if not _kept:
                _kept.append(os.dup(2))
                sink = os.open(os.devnull, os.O_WRONLY)
                os.dup2(sink, 2)
                os.close(sink)
        yield
    finally:
        with _lock:
            _depth -= 1
            if not _depth and _kept:
                kept = _kept.pop()
                os.dup2(kept, 2)
                os.close(kept)


@contextmanager
def hushed() -> Iterator[None]:
    """`silent`, for as long as threads are at work: what Python itself says goes past the descriptor that is closed to C."""
    own, past = sys.stderr, None
    with suppress(OSError, ValueError, AttributeError):  # no descriptor, or closed
        if own.fileno() == 2:
            own.flush()
            past = open(os.dup(2), "w", 1, own.encoding, own.errors)  # noqa: SIM115
    with silent():
        if past is not None:
            sys.stderr = past
        try:
            yield
        finally:
            if past is not None:
                sys.stderr = own
                past.close()
