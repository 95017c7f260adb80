"""What a running command changes in its process: prepared when the command line is entered, given back when it is left.

`convcli.system.context.Context` has what all of convcli may change. Here are the streams, warnings and signals of a program.
Standard library only.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn, TextIO

from convcli.system.context import Context, current

ERRORS = "backslashreplace"
"""How standard streams write signs that their encoding lacks: in formulas, in file names."""


@contextmanager
def entered(signals: bool = False) -> Iterator[None]:
    """Prepare this process for a command, and leave it as it was before.

    Within another `entered`, nothing more is changed.

    Parameters
    ----------
    signals : bool
        Whether SIGTERM and SIGHUP end the program by way of every ``finally``, so that no temporary file stays. It then exits
        with the code by which a shell reports a signal. For the main thread only.
    """
    if current().owns_process:
        yield
        return
    with Context(owns_process=True) as context:
        received = _handle_signals(context) if signals else []
        _prepare_streams(context)
        _quiet_warnings(context)
        try:
            yield
        finally:
            # An exception that is raised while C calls back into Python is lost. The exit code must not be.
            if received:
                sys.exit(128 + received[0])


def give_up(stream: TextIO) -> None:
    """Drop what a stream did not take, and what else is written to it until the command line is left.

    Python would try again when it ends, complain, and change the exit code.
    """
    current().at_end(_sink(stream))


def _sink(stream: TextIO) -> Callable[[], None]:
    """Let a stream write to nowhere. The function that is returned lets it write to its old place again."""
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


def _handle_signals(context: Context) -> list[int]:
    """Have signals end the program. The list that is returned gets their numbers."""
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
    """Open the standard streams that the caller closed, and let all of them write every sign."""
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
    """Give a stream its own way with signs back. This writes what the stream holds."""
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
    warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's, of values that overflow: they become infinite
    warnings.filterwarnings("ignore", "Reading `.npy`", UserWarning)  # NumPy's, of files that are old but good
