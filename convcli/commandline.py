"""What a running command changes in its process. It is changed when the command line is entered, and restored when it is left.

`convcli.system.context.Context` has what all of convcli may change. Here are the streams, warnings and signals of a program.
Standard library only.
"""

import io
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn, TextIO

from convcli.records import NamedTuple
from convcli.system.context import Batch, Context, current, torch_was_imported

ERRORS = "backslashreplace"
"""How standard streams write characters that their encoding does not have."""


@contextmanager
def entered(program: bool = False) -> Iterator[None]:
    """Prepare this process for a command, and restore it afterwards. Within another `entered`, nothing is changed.

    `program` says that the process ends with it; it is for the main thread only. SIGTERM and SIGHUP then end it by an exception,
    so that no temporary file stays, and the exit code is the one that a shell has for the signal.
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
    """Let signals end the program. The list that is returned gets their numbers."""
    received: list[int] = []

    def end(number: int, _frame: object) -> NoReturn:
        received.append(number)
        sys.exit(128 + number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # not every platform has SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores it
            signal.signal(number, end)
            context.at_end(signal.signal, number, signal.SIG_DFL)
    return received


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
