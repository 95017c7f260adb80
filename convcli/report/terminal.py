"""Drawing on a terminal with Rich: tables, lines, pictures, progress bars, animations."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.text import Text

from convcli.errors import ConvError, param
from convcli.report import Lines, Table, color, colourful, shown, widths

STYLES = {"strong": "bold", "faint": "dim", "name": "cyan"}
"""Rich's names for the styles of pieces."""


class _Console(Console):
    """A console that leaves broken pipes to the command line."""

    def on_broken_pipe(self) -> None:
        """Raise the error again. Rich would close standard output and exit."""
        raise


def _console(stream: TextIO) -> Console:
    return _Console(
        file=stream,
        highlight=False,
        force_terminal=True if color.get() == "always" else None,
        no_color={"always": False, "never": True}.get(color.get()),
    )


def width() -> int:
    """The width of the terminal, in characters."""
    return _console(sys.stdout).width


def table(content: Table, stream: TextIO) -> None:
    """Draw a table."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table as RichTable

    console = _console(stream)
    pictures = content.pictures if colourful(stream) else ()
    tight = sum(widths(content)) + 2 * len(content.rows[0]) > console.width
    padding, header = (0, 0 if tight and content.header else 1, 0, 0), bool(content.header)
    drawn = RichTable(box=SIMPLE_HEAD, padding=padding, pad_edge=False, show_header=header)
    if pictures:
        drawn.add_column("", no_wrap=True)
    for column in range(len(content.rows[0])):
        name, style = content.header[column] if content.header else "", "cyan" if column == 0 else None
        drawn.add_column(name, justify="right" if column in content.right else "left", style=style, overflow="fold")
    for number, row in enumerate(content.rows):
        first = [Text.from_ansi("\n".join(pictures[number]))] if pictures else []
        drawn.add_row(*first, *(escape(cell) for cell in row), style="bold" if number == content.strong else None)
    if content.title:  # Rich would break it at the width of the table
        console.print(Text(content.title, "bold"))
    console.print(drawn)


def lines(content: Lines, stream: TextIO) -> None:
    """Draw lines with a fixed layout."""
    console = _console(stream)
    for line in content:
        pieces = [(shown(text), STYLES.get(style, "")) for text, style in line]
        console.print(Text.assemble(*pieces), soft_wrap=True)


def picture(rows: Sequence[str]) -> None:
    """Show a picture made of characters, in as many colours as the terminal has."""
    _console(sys.stdout).print(Text.from_ansi("\n".join(rows)), no_wrap=True, crop=True, overflow="crop")


@contextmanager
def bar(total: int | None, begun: int = 0) -> Iterator[tuple[Callable[..., None], Callable[[str], None]]]:
    """A progress bar on standard error. Yields two functions: one advances it by one, and takes the total if it has become known;
    one prints a line above it.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn

    class Rate(ProgressColumn):
        """Images a second."""

        def render(self, task: Task) -> Text:
            return Text("" if task.speed is None else f"{task.speed:.3g}/s", "progress.data.speed")

    console = Console(file=sys.stderr, highlight=False)
    columns = (BarColumn(None), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    drawn = Progress(
        *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False, expand=True
    )
    with drawn:
        task = drawn.add_task("", total=total, completed=begun)
        yield (
            lambda total=None: drawn.update(task, advance=1, total=total),
            lambda line: console.print(Text(line), soft_wrap=True),
        )


def play(frames: Sequence[Sequence[str]], fps: float) -> None:
    """Show texts one after another in the same place. Raises `ConvError` if the terminal is too small for them."""
    from time import sleep

    from rich.live import Live

    console = _Console(highlight=False)
    width, height = max(len(line) for frame in frames for line in frame), max(map(len, frames))
    if width > console.width or height > console.height - 1:
        remedy, room = f"enlarge it, or write a file with {param('output')}", f"{console.width}×{console.height}"
        raise ConvError(f"the terminal of {room} characters", f"has no room for {width}×{height}", remedy)

    def drawn(frame: Sequence[str]) -> Text:
        text = Text("\n".join(frame), no_wrap=True)
        text.highlight_regex(r"\[[^\]]*\]", "bold reverse")
        return text

    with Live(drawn(frames[0]), console=console, auto_refresh=False) as live:
        for frame in frames:
            live.update(drawn(frame), refresh=True)
            sleep(1 / fps)
