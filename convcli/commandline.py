"""What a running command changes in its process, in one context: taken on when the command line is entered, given back at its end.

Standard library only.
"""

from __future__ import annotations

import atexit
import io
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from typing import NoReturn, TextIO

ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "PILLOW_BLOCKS_MAX": "3"}
"""Environment variables, set where they are not set already.

NumPy's BLAS reads the first when it is loaded: the engine has threads of its own, and each of them wants BLAS for itself.
Pillow reads the second when it is imported: so many blocks of 16 MiB of an image that is no longer needed are kept for the
next one. Fresh memory would take as long as half of encoding a photograph as JPEG.
"""

SWITCH_SECONDS = 1e-4
"""For `sys.setswitchinterval`. Threads that compute in NumPy want Python's lock for a moment only, but often: asked for it
sooner than after the usual 5 ms, they wait for each other a fifth as often (measured)."""

ERRORS = "backslashreplace"
"""How standard streams write signs that their encoding lacks: in formulas, in file names."""

_leaving: ContextVar[ExitStack | None] = ContextVar("leaving", default=None)
"""What is to be undone at the end; None outside of `entered`."""


@contextmanager
def entered(signals: bool = False) -> Iterator[None]:
    """Prepare this process for a command, and leave it as it was before.

    The environment, standard streams, warnings and the switching of threads are prepared. Within another `entered` nothing
    more is changed.

    Parameters
    ----------
    signals : bool
        Whether SIGTERM and SIGHUP end the program by way of every ``finally``, so that no temporary file stays. It then exits
        as the shell reports a signal. For the main thread only.
    """
    if _leaving.get() is not None:
        yield
        return
    with ExitStack() as undo:
        undo.callback(_leaving.reset, _leaving.set(undo))
        received = _handle_signals(undo) if signals else []
        _set_environment(undo)
        undo.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(SWITCH_SECONDS)
        _prepare_streams(undo)
        _quiet_warnings(undo)
        try:
            yield
        finally:
            # An exception raised while C calls back into Python is lost: the exit code must not be.
            if received:
                sys.exit(128 + received[0])


def at_leaving(undo: Callable[[], object]) -> None:
    """Have something called when the command line is left; outside of `entered`, never."""
    stack = _leaving.get()
    if stack is not None:
        stack.callback(undo)


def give_up(stream: TextIO) -> None:
    """Drop what a stream did not take, and what else is written to it until the command line is left.

    Else Python would try again when it ends, complain, and change the exit code.
    """
    at_leaving(_sink(stream))


def _sink(stream: TextIO) -> Callable[[], None]:
    """Let a stream write to nowhere; what is returned lets it write to where it wrote before."""
    number = stream.fileno()
    kept = os.dup(number)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)

    def reopen() -> None:
        with suppress(OSError, ValueError):
            stream.flush()  # what it still holds goes nowhere
        os.dup2(kept, number)
        os.close(kept)

    return reopen


def _handle_signals(undo: ExitStack) -> list[int]:
    """Have signals end the program; the list that is returned gets their numbers."""
    received: list[int] = []

    def end(number: int, _frame: object) -> NoReturn:
        received.append(number)
        sys.exit(128 + number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # not every platform has SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores it
            signal.signal(number, end)
            undo.callback(signal.signal, number, signal.SIG_DFL)
    return received


def _set_environment(undo: ExitStack) -> None:
    for name, value in ENVIRONMENT.items():
        if name not in os.environ:
            os.environ[name] = value
            undo.callback(os.environ.pop, name, None)


def _prepare_streams(undo: ExitStack) -> None:
    """Standard streams that are there, and that can write every sign."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the caller
            undo.callback(setattr, sys, name, None)
            setattr(sys, name, undo.enter_context(open(os.devnull, mode)))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors != ERRORS:
            undo.callback(_reconfigure, stream, stream.errors)
            stream.reconfigure(errors=ERRORS)


def _reconfigure(stream: io.TextIOWrapper, errors: str | None) -> None:
    """Give a stream its own way with signs back, which writes what it holds."""
    try:
        stream.reconfigure(errors=errors)
    except ValueError:  # it was closed
        return
    except OSError:  # nobody reads it
        reopen = _sink(stream)
        stream.reconfigure(errors=errors)
        reopen()


def _quiet_warnings(undo: ExitStack) -> None:
    undo.enter_context(warnings.catch_warnings())
    warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's, of values that overflow: they become infinite
    warnings.filterwarnings("ignore", "Reading `.npy`", UserWarning)  # NumPy's, of files that are old but good


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
