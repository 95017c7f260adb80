"""What a running command changes in its process. It is changed when the command line is entered, and restored when it is left.

`convcli.system.context.Context` has what all of convcli may change. Here are the streams, warnings and signals of a program.
Standard library only.
"""

import io
import os
import signal
import sys
import warnings
from _thread import interrupt_main, start_new_thread
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import get_ident
from time import sleep
from types import FrameType
from typing import TextIO

from convcli.records import NamedTuple
from convcli.system.context import Batch, Context, current, torch_was_imported

ERRORS = "backslashreplace"
"""How standard streams write characters that their encoding does not have."""

PUT_OFF_SECONDS = 1e-3
"""How long a signal waits that arrives at a bad moment."""


@contextmanager
def entered(program: bool = False) -> Iterator[None]:
    """Prepare this process for a command, and restore it afterwards. Within another `entered`, nothing is changed.

    `program` says that the process ends with it; it is for the main thread only. SIGTERM and SIGHUP then end it by an exception,
    so that no temporary file stays, and the exit code is the one that a shell has for the signal. None of them, nor Ctrl-C,
    interrupts Python's own code for imports.
    """
    if current().owns_process:
        yield
        return
    with Context(owns_process=True, program=program) as context:
        received = _handle_signals(context) if program else []
        _prepare_streams(context)
        _quiet_warnings(context)
        try:
            yield
        finally:
            # An exception that is raised while C calls back into Python is lost. The exit code must not be.
            if received:
                sys.exit(128 + received[0])


class Answer(NamedTuple):
    """How one command of several ended: its exit code, and its error on one line, or "".

    `bug` is an exception that no command should raise. `closed` says whether it found that nobody reads standard output.
    """

    code: int
    error: str = ""
    bug: Exception | None = None
    closed: bool = False


@contextmanager
def nested(batch: Batch) -> Iterator[Context]:
    """A context for one command of several, within `entered`: what it changes and keeps ends with it."""
    known = torch_was_imported()  # by an earlier command does not count: a single one would not find it
    with Context(owns_process=True, batch=batch, program=current().program, outer=current()) as context:
        context.kept(torch_was_imported, lambda: known)
        _prepare_streams(context)
        _quiet_warnings(context)
        yield context


def give_up(stream: TextIO) -> None:
    """Drop what a stream did not take, and everything that is written to it until the command line is left.

    Otherwise Python would try again when it ends, print an error, and change the exit code.
    """
    context = current()
    context.closed |= stream is sys.stdout
    context.at_end(_sink(stream))


def _sink(stream: TextIO) -> Callable[[], None]:
    """Let a stream write to the null device. Returns a function that restores it."""
    number = stream.fileno()
    kept = os.dup(number)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)

    def reopen() -> None:
        with suppress(OSError, ValueError):
            stream.flush()  # what it still holds is dropped
        os.dup2(kept, number)
        os.close(kept)

    return reopen


def _handle_signals(context: Context) -> list[int]:
    """Let signals end the program. The list that is returned gets the numbers of those that have an exit code of their own."""
    received: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        if _importing(frame) and _put_off(number):
            return
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        received.append(number)
        sys.exit(128 + number)

    for name in ("SIGTERM", "SIGHUP", "SIGINT"):
        number = getattr(signal, name, None)  # not every platform has SIGHUP
        before = None if number is None else signal.getsignal(number)
        if number is not None and before in (signal.SIG_DFL, signal.default_int_handler):  # nohup ignores it
            signal.signal(number, end)
            context.at_end(signal.signal, number, before)
    return received


def _importing(frame: FrameType | None) -> bool:
    """Whether Python's own code for imports is interrupted. It may hold a lock that it would not release after an exception.

    A thread that decodes an image and imports meanwhile would wait for it for ever, and this one for the thread.
    """
    return frame is not None and frame.f_code.co_filename.startswith("<frozen importlib")


def _put_off(number: int) -> bool:
    """Send a signal to this thread once more in a moment. Whether a thread could be started that does it."""
    thread = get_ident()

    def send() -> None:
        sleep(PUT_OFF_SECONDS)
        if hasattr(signal, "pthread_kill"):  # it also interrupts a system call
            signal.pthread_kill(thread, number)
        else:
            interrupt_main(signal.Signals(number))

    try:
        start_new_thread(send, ())
    except RuntimeError:
        return False
    return True


def _prepare_streams(context: Context) -> None:
    """Open the standard streams that the caller closed, and let all of them write every character."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode)  # noqa: SIM115
            setattr(sys, name, stream)
            context.at_end(setattr, sys, name, None)
            context.at_end(stream.close)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors != ERRORS:
            context.at_end(_reconfigure, stream, stream.errors)
            stream.reconfigure(errors=ERRORS)


def _reconfigure(stream: io.TextIOWrapper, errors: str | None) -> None:
    """Restore how a stream writes characters. This writes what the stream holds."""
    try:
        stream.reconfigure(errors=errors)
    except ValueError:  # it was closed
        return
    except OSError:  # nobody reads it
        reopen = _sink(stream)
        stream.reconfigure(errors=errors)
        reopen()


def _quiet_warnings(context: Context) -> None:
    caught = warnings.catch_warnings()
    caught.__enter__()
    context.at_end(caught.__exit__, None, None, None)
    warnings.simplefilter("ignore", RuntimeWarning)  # of NumPy, about values that overflow: they become infinite
    warnings.filterwarnings("ignore", "Reading `.npy`", UserWarning)  # of NumPy, about files that are old but good
