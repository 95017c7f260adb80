"""Tables, laid-out lines, pictures and bars: with Rich on a terminal, which only then is imported, as plain text elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, TextIO

from convcli.errors import ConvError
from convcli.report.text import above, shown

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A titled table of texts. Without a header the first column names what the others say.

    `strong` is the index of a row to stand out; `right` the indices of columns that are numbers. `pictures` has lines
    with colour escapes for every row, which stand before it where the terminal shows colours.
    """

    title: str
    rows: Sequence[Sequence[str]]
    header: Sequence[str] = ()
    strong: int | None = None
    right: frozenset[int] = frozenset()
    pictures: Sequence[Sequence[str]] = ()


Piece = tuple[str, str]
"""A text and its style: plain "", or one of `STYLES`."""

STYLES = {"strong": "bold", "faint": "dim", "name": "cyan"}
"""What Rich makes of a style; elsewhere texts are plain."""


class Lines(NamedTuple):
    """Lines laid out already, each of pieces."""

    lines: Sequence[Sequence[Piece]]


_color = "auto"
"""What ``--color`` says: one of `convcli.vocabulary.COLORS`."""


def choose_color(value: str) -> None:
    """Draw tables with colours always, never, or on a terminal unless ``NO_COLOR`` is set (auto)."""
    global _color
    _color = value


@contextmanager
def progress(total: int, shown: bool) -> Iterator[Callable[[], None]]:
    """A bar on standard error: how many of `total` are done, how fast, and how long the rest takes.

    Call what it yields once for each. The bar is gone when the block ends. Not `shown`, nothing is drawn and nothing imported.
    """
    if not shown:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Images a second."""

        def render(self, task: Task) -> Text:
            return Text("" if task.speed is None else f"{task.speed:.3g}/s", "progress.data.speed")

    console = Console(file=sys.stderr, highlight=False)
    columns = (BarColumn(None), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False, expand=True)
    with bar:
        task = bar.add_task("", total=total)
        above.append(lambda line: console.print(Text(line), soft_wrap=True))
        try:
            yield lambda: bar.advance(task)
        finally:
            above.pop()


def table(content: Table, stream: TextIO | None = None) -> None:
    """Draw a table on `stream` (standard output): with Rich on a terminal, as aligned text elsewhere."""
    stream = stream or sys.stdout
    content = replace(content, rows=[[shown(cell) for cell in row] for row in content.rows])
    if _drawn(stream):
        _rich(content, stream)
    else:
        _plain(content, stream)


def block(content: Table | Lines, stream: TextIO | None = None) -> None:
    """Draw a table, or lines as they are laid out."""
    if isinstance(content, Table):
        table(content, stream)
        return
    stream = stream or sys.stdout
    if not _drawn(stream):
        for line in content.lines:
            print(shown("".join(text for text, _ in line)).rstrip(), file=stream)
        stream.flush()
        return
    from rich.text import Text

    console = _console(stream)
    for line in content.lines:
        pieces = [(shown(text), STYLES.get(style, "")) for text, style in line]
        console.print(Text.assemble(*pieces), soft_wrap=True)


def width(elsewhere: int = 100) -> int:
    """Columns of the terminal that standard output is; elsewhere what ``COLUMNS`` says, or `elsewhere`."""
    if sys.stdout.isatty():
        return _console(sys.stdout).width
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isdecimal() and int(columns) else elsewhere


def _drawn(stream: TextIO) -> bool:
    """Whether Rich draws on a stream."""
    return stream.isatty() or _color == "always"


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    return Console(
        file=stream,
        highlight=False,
        force_terminal=True if _color == "always" else None,
        no_color={"always": False, "never": True}.get(_color),
    )


def colourful(stream: TextIO | None = None) -> bool:
    """Whether `stream` (standard output) shows colours: as ``--color`` says, or a terminal unless ``NO_COLOR`` is set."""
    if _color != "auto":
        return _color == "always"
    return (stream or sys.stdout).isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def picture(rows: Sequence[str]) -> None:
    """A picture made of characters on standard output, if it is a terminal that shows colours."""
    if colourful():
        from rich.text import Text  # which knows how many colours the terminal has

        _console(sys.stdout).print(Text.from_ansi("\n".join(rows)), no_wrap=True, crop=True, overflow="crop")


def _widths(content: Table) -> list[int]:
    """Characters of the widest cell of every column."""
    rows = [*([content.header] if content.header else []), *content.rows]
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _plain(content: Table, stream: TextIO) -> None:
    rows = [tuple(content.header), *content.rows] if content.header else list(content.rows)
    widths = _widths(content)
    if content.title:
        print(content.title, file=stream)
    for row in rows:
        cells = [
            cell.rjust(width) if column in content.right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  " + "  ".join(cells).rstrip(), file=stream)
    stream.flush()


def _rich(content: Table, stream: TextIO) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable
    from rich.text import Text

    console = _console(stream)
    pictures = content.pictures if colourful(stream) else ()
    tight = sum(_widths(content)) + 2 * len(content.rows[0]) > console.width
    drawn = RichTable(
        box=SIMPLE_HEAD,
        padding=(0, 0 if tight and content.header else 1, 0, 0),
        pad_edge=False,
        show_header=bool(content.header),
    )
    if pictures:
        drawn.add_column("", no_wrap=True)
    for column in range(len(content.rows[0])):
        name = content.header[column] if content.header else ""
        drawn.add_column(
            name,
            justify="right" if column in content.right else "left",
            style="cyan" if column == 0 else None,
            overflow="fold",
        )
    for number, row in enumerate(content.rows):
        first = [Text.from_ansi("\n".join(pictures[number]))] if pictures else []
        drawn.add_row(*first, *(_escape(cell) for cell in row), style="bold" if number == content.strong else None)
    if content.title:  # Rich would break it at the width of the table
        console.print(Text(content.title, "bold"))
    console.print(drawn)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def play(frames: Sequence[Sequence[str]], fps: float) -> None:
    """Show texts one after another: in place on a terminal, below each other elsewhere.

    Raises
    ------
    ConvError
        Frames that the terminal has no room for.
    """
    if not sys.stdout.isatty() or os.environ.get("TERM") in ("dumb", "unknown"):  # the latter cannot go back
        for frame in frames:
            print("\n".join(frame), end="\n\n")
        sys.stdout.flush()
        return
    from time import sleep

    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(highlight=False)
    width, height = max(len(line) for frame in frames for line in frame), max(map(len, frames))
    if width > console.width or height > console.height - 1:
        raise ConvError(
            f"the terminal of {console.width}×{console.height} characters has no room for {width}×{height}: enlarge it, "
            "or write a file with -o"
        )

    def drawn(frame: Sequence[str]) -> Text:
        text = Text("\n".join(frame), no_wrap=True)
        text.highlight_regex(r"\[[^\]]*\]", "bold reverse")
        return text

    with Live(drawn(frames[0]), console=console, auto_refresh=False) as live:
        for frame in frames:
            live.update(drawn(frame), refresh=True)
            sleep(1 / fps)
