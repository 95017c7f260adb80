"""What C libraries write to standard error, past Python: kept from it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from convcli.system.context import current


@contextmanager
def silent() -> Iterator[None]:
    """Keep C libraries from writing to standard error, past Python: libtiff and libjpeg do it before they fail.

    File descriptor 2 belongs to the whole process. So this does nothing unless the context owns the process
    (see `convcli.system.context`), and is for short calls of the main thread. Where other threads are at work, `hushed`
    does it once for all of them.
    """
    context = current()
    if context.hushed or not context.owns_process:
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


@contextmanager
def hushed() -> Iterator[None]:
    """`silent`, for as long as threads are at work: Python itself writes to a copy of the descriptor that C cannot use."""
    context = current()
    if not context.owns_process:
        yield
        return
    own, past = sys.stderr, None
    with suppress(OSError, ValueError, AttributeError):  # no descriptor, or closed
        if own.fileno() == 2:
            own.flush()
            past = open(os.dup(2), "w", 1, own.encoding, own.errors)  # noqa: SIM115
    with silent():
        context.hushed = True
        if past is not None:
            sys.stderr = past
        try:
            yield
        finally:
            context.hushed = False
            if past is not None:
                sys.stderr = own
                past.close()
