"""Settings of the process that the command line runs in, and its quick end. Standard library only."""

from __future__ import annotations

import atexit
import os
import sys

BLAS_THREADS = "OPENBLAS_NUM_THREADS", "1"
"""An environment variable that NumPy's BLAS reads when it is loaded. The engine has threads of its own; BLAS must not add more
to each of them."""

PILLOW_BLOCKS = "PILLOW_BLOCKS_MAX", "3"
"""An environment variable that Pillow reads when it is imported: how many blocks of 16 MiB it keeps for the next image. Fresh
memory would take half as long as encoding a photograph as JPEG."""

SWITCH_SECONDS = 1e-4
"""For `sys.setswitchinterval`. Threads that compute in NumPy need Python's lock often, but only for a moment. If they have to
release it sooner than after the usual 5 ms, they wait for each other a fifth as often (measured)."""


def leave(code: object) -> None:
    """End this process with an exit code at once, if nothing is lost.

    Python's own end frees NumPy, Pillow and itself piece by piece, which takes a tenth of the time of a small image. Here
    the standard streams are flushed and the functions registered with `atexit` are called, and no more; threads are not
    waited for. Nothing is done, so that Python ends as usual, in these cases: a profiler or a debugger watches the process,
    it has to go on (``python -i``), torch is loaded and has threads of its own to end, or a stream cannot be written.

    Parameters
    ----------
    code : object
        As of `sys.exit`; anything but an int or None is left to Python.
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
