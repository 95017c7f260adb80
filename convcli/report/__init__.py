"""How results are shown: as JSON, lines for scripts, notes and tables. Rich is imported only to draw on a terminal."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from math import isfinite
from typing import Any, TextIO

from convcli import commandline
from convcli.errors import as_options
from convcli.records import NamedTuple


class Table(NamedTuple):
    """A table of texts with a title. Without a header, the first column has the names of the values.

    The row `strong` is emphasised, and the columns `right`, which have numbers, are aligned on the right. `pictures` are lines
    with colour escapes for every row. They are shown before the row if the terminal shows colours.
    """

    title: str
    rows: Sequence[Sequence[str]]
    header: Sequence[str] = ()
    strong: int | None = None
    right: frozenset[int] = frozenset()
    pictures: Sequence[Sequence[str]] = ()


Piece = tuple[str, str]
"""A text and its style: strong, faint, name, or "" for plain. Styles are shown on a terminal only."""


Lines = Sequence[Sequence[Piece]]
"""Lines with a fixed layout."""

Block = Table | Lines

color: ContextVar[str] = ContextVar("color", default="auto")
"""The value of ``--color``, one of `convcli.vocabulary.COLORS`: tables have colours always, never, or (auto) on a terminal
unless ``NO_COLOR`` is set. The command line runs each command in a copy of its context, so that the choice ends with it.
"""

above: ContextVar[Callable[[str], None] | None] = ContextVar("above", default=None)
"""A function that prints a line above the progress bar, or None if there is no bar."""


class Encoded:
    """A part of a JSON document that already is JSON, in pieces: for values that are too large for one text."""

    def __init__(self, parts: Iterable[str]) -> None:
        self.parts = parts


_PLACE = "\ufdd2"
"""A Unicode noncharacter that stands for an `Encoded` part."""

SCHEMA = 1
"""The first value in every JSON document. It grows when a key goes or changes its meaning; keys may be added meanwhile."""


def json(document: dict[str, Any] | list[dict[str, Any]], stream: TextIO | None = None) -> None:
    """Write a JSON document, or a list of them, to `stream` (standard output).

    Each begins with its `SCHEMA`. NaN and infinity are null; parameters are spelled as options.
    """
    import json as json_module

    numbered = [{"schema": SCHEMA, **one} for one in (document if isinstance(document, list) else [document])]
    stream = stream or sys.stdout
    unicode = "utf" in (getattr(stream, "encoding", None) or "").lower()  # else some signs would become escapes
    encoded: list[Encoded] = []
    told = _told(numbered if isinstance(document, list) else numbered[0], encoded)
    text, place = (json_module.dumps(value, ensure_ascii=not unicode) for value in (told, _PLACE))
    first, *others = text.split(place)
    stream.write(first)
    for part, other in zip(encoded, others, strict=True):
        stream.writelines(part.parts)
        stream.write(other)
    print(file=stream, flush=True)


def _told(value: Any, encoded: list[Encoded]) -> Any:
    """A value that JSON can hold. `Encoded` parts are added to a list and replaced by `_PLACE`."""
    if isinstance(value, str):
        return as_options(value)
    if isinstance(value, float) and not isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _told(item, encoded) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_told(item, encoded) for item in value]
    if isinstance(value, Encoded):
        encoded.append(value)
        return _PLACE
    return value


def lines(*texts: str) -> None:
    """Write plain lines to standard output, for scripts. File names keep their bytes."""
    for text in texts:
        sys.stdout.buffer.write(os.fsencode(f"{text}\n"))
        sys.stdout.flush()


def pieces(parts: Iterable[str]) -> None:
    """Write one line to standard output, in pieces. Each is written before the next is made."""
    for part in parts:
        sys.stdout.buffer.write(part.encode())
    lines("")


def shown(text: str) -> str:
    """`text` for people: on one line, with options instead of parameters, and harmless for a terminal.

    File names may contain newlines, escapes and bytes that are not text.
    """
    return "".join(sign if sign.isprintable() else _escaped(sign) for sign in as_options(text))


def _escaped(sign: str) -> str:
    r"""``\n``, ``\x1b``; and ``\xff`` for a byte that is not text, which is the surrogate U+DCFF in Python."""
    if "\udc80" <= sign <= "\udcff":
        return f"\\x{ord(sign) - 0xDC00:02x}"
    return sign.encode("unicode_escape").decode()


def note(text: str) -> None:
    """Write a note to standard error, above the progress bar if there is one. If that fails, the note is dropped."""
    line = f"convcli: {shown(text)}"
    try:
        if (write := above.get()) is not None:
            write(line)
        else:
            print(line, file=sys.stderr, flush=True)
    except OSError:
        commandline.give_up(sys.stderr)


def table(content: Table, stream: TextIO | None = None) -> None:
    """Draw a table on `stream` (standard output): with Rich on a terminal, as aligned text elsewhere."""
    stream = stream or sys.stdout
    content = content._replace(rows=[[shown(cell) for cell in row] for row in content.rows])
    if _drawn(stream):
        from convcli.report import terminal

        terminal.table(content, stream)
    else:
        _plain(content, stream)


def block(content: Block, stream: TextIO | None = None) -> None:
    """Draw a table, or lines with a fixed layout."""
    if isinstance(content, Table):
        table(content, stream)
        return
    stream = stream or sys.stdout
    if not _drawn(stream):
        for line in content:
            print(shown("".join(text for text, _ in line)).rstrip(), file=stream)
        stream.flush()
        return
    from convcli.report import terminal

    terminal.lines(content, stream)


def _plain(content: Table, stream: TextIO) -> None:
    room = widths(content)
    if content.title:
        print(content.title, file=stream)
    for row in (content.header, *content.rows) if content.header else content.rows:
        cells = [
            cell.rjust(width) if column in content.right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, room, strict=True))
        ]
        print("  " + "  ".join(cells).rstrip(), file=stream)
    stream.flush()


def widths(content: Table) -> list[int]:
    """The width of every column, in characters."""
    rows = [*([content.header] if content.header else []), *content.rows]
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _drawn(stream: TextIO) -> bool:
    """Whether Rich draws on a stream."""
    return stream.isatty() or color.get() == "always"


def colourful(stream: TextIO | None = None) -> bool:
    """Whether `stream` (standard output) shows colours: as ``--color`` says, or a terminal unless ``NO_COLOR`` is set."""
    if color.get() != "auto":
        return color.get() == "always"
    return (stream or sys.stdout).isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width(elsewhere: int = 100) -> int:
    """The width of the terminal, in characters; if standard output is not a terminal, ``COLUMNS`` or `elsewhere`."""
    if sys.stdout.isatty():
        from convcli.report import terminal

        return terminal.width()
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isdecimal() and int(columns) else elsewhere


def picture(rows: Sequence[str]) -> None:
    """Show a picture made of characters, if standard output is a terminal with colours."""
    if colourful():
        from convcli.report import terminal

        terminal.picture(rows)


def play(frames: Sequence[Sequence[str]], fps: float) -> None:
    """Show texts one after another: in the same place on a terminal, else below each other.

    Raises `ConvError` if the terminal is too small for them.
    """
    if not sys.stdout.isatty() or os.environ.get("TERM") in ("dumb", "unknown"):  # the latter cannot go back
        for frame in frames:
            print("\n".join(frame), end="\n\n")
        sys.stdout.flush()
        return
    from convcli.report import terminal

    terminal.play(frames, fps)


@contextmanager
def progress(total: int | None, shown: bool = True, begun: int = 0) -> Iterator[Callable[..., None]]:
    """A progress bar on standard error: how many of `total` are done, how fast, and how long the rest takes.

    Call the function that it yields once for each, with the total if it has become known since; `begun` of them were done
    before. The bar disappears when the block ends. If it is not `shown`, nothing is imported either.
    """
    if not shown:
        yield lambda total=None: None
        return
    from convcli.report import terminal

    with terminal.bar(total, begun) as (advance, write):
        token = above.set(write)
        try:
            yield advance
        finally:
            above.reset(token)


def seconds(value: float) -> str:
    """A duration with three digits and a unit."""
    units = (("s", 1.0), ("ms", 1e3), ("µs", 1e6))
    unit, number = next(((unit, value * factor) for unit, factor in units if value * factor >= 1), ("µs", value * 1e6))
    return f"{number:.3g} {unit}" if number < 999.5 else f"{number:.0f} {unit}"


def pair(values: Sequence[object]) -> str:
    """``2`` if all values are the same, else ``2,1``."""
    return str(values[0]) if len(set(values)) == 1 else ",".join(map(str, values))


def order(pads: Sequence[int]) -> str:
    """The order of four paddings, if they are not all the same."""
    return " (top, bottom, left, right)" if len(set(pads)) > 1 else ""


def padding(pads: Sequence[int], rule: str | None = None) -> str:
    """``1``, or ``same = 0,1,0,1 (top, bottom, left, right)``."""
    return (f"{rule} = " if rule else "") + pair(pads) + order(pads)


def shape(values: Sequence[int]) -> str:
    """``3×400×600``."""
    return "×".join(map(str, values))
