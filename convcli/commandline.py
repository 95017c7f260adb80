"""How this process is to work: NumPy's BLAS, and the threads that share Python's lock. Standard library only."""

from __future__ import annotations

import atexit
import os
import sys

BLAS_THREADS = "OPENBLAS_NUM_THREADS", "1"
"""An environment variable that NumPy's BLAS reads when it is loaded: the engine has threads of its own, and each of them wants
BLAS for itself."""

PILLOW_BLOCKS = "PILLOW_BLOCKS_MAX", "3"
"""An environment variable that Pillow reads when it is imported: so many blocks of 16 MiB of an image that is no longer needed
are kept for the next one. Fresh memory would take as long as half of encoding a photograph as JPEG."""

SWITCH_SECONDS = 1e-4
"""For `sys.setswitchinterval`. Threads that compute in NumPy want Python's lock for a moment only, but often: asked for it
sooner than after the usual 5 ms, they wait for each other a fifth as often (measured)."""


def leave(code: object) -> None:
    """End this process with an exit code at once, if nothing is lost by it.

    Python would take NumPy, Pillow and itself apart first, piece by piece: a tenth of the time that a small image takes. What
    waits in standard streams is written, and what was to be called at the end is called. Where somebody watches this process
    (a profiler, a debugger), where it is to go on (``python -i``), where libraries have threads of their own to end (torch), or
    where a stream cannot be written, nothing is done, and Python ends it as ever. Threads that are no daemons are not waited for:
    the program has none.
    """
    monitoring = getattr(sys, "monitoring", None)  # since Python 3.12
    tools = [] if monitoring is None else [monitoring.get_tool(number) for number in range(6)]
    watched = sys.getprofile() is not None or sys.gettrace() is not None or any(tools) or "torch" in sys.modules
    goes_on = sys.flags.interactive or sys.flags.inspect or "PYTHONINSPECT" in os.environ
    if watched or goes_on or not (code is None or isinstance(code, int)) or not hasattr(atexit, "_run_exitfuncs"):
        return
    try:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):  # ValueError: it is closed
        return
    os._exit(0 if code is None else code & 0xFF)
