"""``convcli batch``: a command a line, in one process."""

from __future__ import annotations

import io
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from itertools import count
from typing import BinaryIO, Protocol, cast

import click

from convcli import options, report
from convcli.commandline import ERRORS, Answer
from convcli.commands.help import Documented, Section
from convcli.errors import ConvError
from convcli.folding import folded
from convcli.parameters.names import FileType
from convcli.records import NamedTuple
from convcli.system import memory
from convcli.system.context import Batch, current
from convcli.system.names import STDIO

MOST_BYTES = 1 << 20
"""The most bytes of a line. A file with a longer one is probably not a list of commands."""


class BatchOptions(NamedTuple):
    """What `batch` is asked for."""

    commands: str
    keep_going: bool
    json_lines: bool


class Program(Protocol):
    """The command line, as far as a batch needs it."""

    def answer(self, words: Sequence[str], batch: Batch) -> Answer:
        """Run one command line."""


class Line(NamedTuple):
    """A line of the list, with its number from 1."""

    number: int
    text: str


LINES = Section(
    "Lines",
    "A line has the words that follow 'convcli', quoted as in a POSIX shell. No shell reads them: *, ~, $NAME, | and > have no "
    "meaning. Empty lines and lines that begin with # are left out. A command does what it does in a process of its own: results, "
    "files, notes and exit code are the same, and nothing of it stays for the next one. Its error has the number of the line.\n\n"
    "A command runs as soon as its line is there, and its results are written before the next line is read. So another program "
    "can write a line and wait for the answer, which is one line of 'shape -q', and with --json-lines one line of any command. "
    "Images of -o - follow each other on standard output. With --json-lines they are refused. If the list is standard input, no "
    "command can read - as an image. If it is a file, one command can.",
)


@click.command(
    cls=Documented,
    sections=(LINES,),
    examples=(
        "convcli batch list.txt --keep-going",
        "echo 'shape --hin 32 --k 3 -q' | convcli batch",
        "printf 'shape --hin %s --k 3 -q\\n' 32 64 128 | convcli batch --json-lines",
    ),
)
@options.argument(
    "Input", "commands", type=FileType("FILE|-"), metavar="[FILE|-]", default=STDIO, required=False,
    brief="The list; default: standard input",
    help="A file with a command on every line, or - for standard input, which is the default.",
)  # fmt: skip
@options.option(
    "Report", "--keep-going", is_flag=True, brief="Go on after errors; then the exit code is 1",
    help="Go on after a command that fails. If one or more did, the exit code is 1. Without it the batch ends there, with the exit "
    "code of that command.",
)  # fmt: skip
@options.option(
    "Report", "--json-lines", is_flag=True, brief="Print one JSON document per command",
    help="Print one JSON document per command, with its exit code, what it printed, its notes and its error. With --json in the "
    "line, it has the JSON of the command.",
)  # fmt: skip
@folded
def batch(asked: BatchOptions) -> None:
    """Run a command on every line of a list, all in one process.

    The program is loaded once, and not for every command, which makes short commands many times as fast. Results come in order.
    An error ends the batch, unless --keep-going is given.
    """
    if current().batch is not None:
        raise ConvError("'batch'", "cannot be in a batch", "write the lines of its list in its place")
    program = cast(Program, click.get_current_context().find_root().command)
    shared = Batch(
        stdin="has the commands of this batch" if asked.commands == STDIO else "",
        stdout="would stand among the documents of --json-lines" if asked.json_lines else "",
    )
    if asked.commands == STDIO and sys.stdin.isatty():
        report.note("write a command on each line, as in 'shape --hin 32 --k 3'; Ctrl-D ends")
    if current().program:
        memory.settle()
    seen = failed = 0
    bug: Exception | None = None
    for line in _lines(asked.commands):
        answer = (_document if asked.json_lines else _tell)(program, line, shared)
        seen += 1
        failed += answer.code != 0
        bug = bug or answer.bug
        if answer.closed:
            raise BrokenPipeError
        if answer.code and not asked.keep_going:
            break
    if not seen:
        report.note(f"list '{asked.commands}' is empty: nothing to do")
    if failed and asked.keep_going:
        report.note(f"{failed} of {seen} commands failed")
    if bug is not None:
        raise bug
    if failed:
        click.get_current_context().exit(1 if asked.keep_going else answer.code)


def _tell(program: Program, line: Line, shared: Batch) -> Answer:
    """Run a command whose results are its own, and tell its error with the number of its line."""
    answer = _answer(program, line, shared)
    sys.stdout.flush()
    if answer.error:
        report.note(f"error: line {line.number}: {answer.error}")
    elif answer.code:
        report.note(f"line {line.number} ended with exit code {answer.code}")
    return answer


def _document(program: Program, line: Line, shared: Batch) -> Answer:
    """Run a command, and print a document with its results."""
    from convcli.presenters import answered

    out, err, whole = _memory(), _memory(), _memory()
    try:
        with redirect_stdout(out), redirect_stderr(err):
            answer = _answer(program, line, shared)
    except BaseException:
        sys.stderr.write(_text(err))  # as far as an interrupted command came
        raise
    report.json(answered.document(line.number, line.text, answer, _text(out), _text(err)), whole)
    sys.stdout.buffer.write(_bytes(whole))  # at once: an interruption leaves no half of it
    sys.stdout.flush()
    return answer


def _memory() -> io.TextIOWrapper:
    """A stream in memory that writes as standard output does."""
    return io.TextIOWrapper(io.BytesIO(), sys.stdout.encoding, ERRORS, "\n", write_through=True)


def _bytes(stream: io.TextIOWrapper) -> bytes:
    return cast(io.BytesIO, stream.buffer).getvalue()


def _text(stream: io.TextIOWrapper) -> str:
    return _bytes(stream).decode(stream.encoding, "surrogateescape")


def _answer(program: Program, line: Line, shared: Batch) -> Answer:
    """Run the command of a line."""
    try:
        words = shlex.split(line.text)
    except ValueError:
        if line.text.endswith("\\"):
            return Answer(2, "a backslash is at the end: write the whole command on one line")
        return Answer(2, "a quote is not closed: close it, or write \\' or \\\" for the sign alone")
    if words[0] == "convcli":
        return Answer(2, "'convcli' is the name of the program: leave it out, and begin with the command")
    return program.answer(words, shared)


def _lines(path: str) -> Iterator[Line]:
    """The lines of a list that have a command, each as soon as it is there."""
    from convcli.system.files import reason

    what = f"list '{path}'"
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(_opened(path))
            if hasattr(os, "get_blocking") and not os.get_blocking(stream.fileno()):
                raise ConvError(what, "cannot be read", "put 'cat |' before", "the pipe does not wait for its writer")
        except io.UnsupportedOperation:  # it is in memory
            pass
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            raise ConvError(what, "cannot be read", **reason(error)._asdict()) from None
        for number in count(1):
            try:
                data = stream.readline(MOST_BYTES + 1)
            except OSError as error:
                raise ConvError(what, "cannot be read", **reason(error)._asdict()) from None
            if not data:
                return
            if len(data) > MOST_BYTES:
                rule = f"has more than {MOST_BYTES >> 20} MiB in line {number}"
                raise ConvError(what, rule, "is it a list of commands?")
            if b"\0" in data:
                raise ConvError(what, f"has a NUL byte in line {number}", "is it a list of commands?")
            text = os.fsdecode(data.removeprefix(b"\xef\xbb\xbf") if number == 1 else data).rstrip("\r\n")
            if text.strip() and not text.lstrip().startswith("#"):
                yield Line(number, text)


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    """The list. While it is standard input, the descriptor 0 is an empty file: nothing else may take its lines."""
    if path != STDIO:
        with open(path, "rb") as stream:
            yield stream
        return
    number = -1
    with suppress(OSError, ValueError):  # it is in memory
        number = sys.stdin.fileno()
    if number != 0:
        yield sys.stdin.buffer
        return
    own, nowhere = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)
    try:
        with open(own, "rb", closefd=False) as stream:
            yield stream
    finally:
        os.dup2(own, 0)
        os.close(own)
