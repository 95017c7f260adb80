"""Keep C libraries from writing to standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from convcli.system.context import current


@contextmanager
def silent() -> Iterator[None]:
    """Keep C libraries from writing to standard error. libtiff and libjpeg do so before they fail, without asking Python.

    File descriptor 2 belongs to the whole process. So this does nothing unless the context owns the process
    (see `convcli.system.context`), and is for short calls of the main thread. While other threads work, use `hushed`.
    """
    context = current()
    if context.hushed or not context.owns_process:
        yield
        return
    try:
        kept = os.dup(2)
    except OSError:  # closed: nothing can be written to it
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
    """The same as `silent`, but while threads work: Python itself goes on writing, to a copy of the descriptor."""
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
