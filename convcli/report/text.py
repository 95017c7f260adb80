"""What is said in plain text: JSON, lines for scripts, remarks, and numbers with their units. Standard library only."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TextIO

from convcli.spelling import as_options


class Encoded:
    """A value in a JSON document that is JSON already, in parts: what is too large to be held as one text."""

    def __init__(self, parts: Iterable[str]) -> None:
        self.parts = parts


def json(document: Any, stream: TextIO | None = None) -> None:
    """One JSON document on `stream` (standard output); NaN and infinity become null."""
    stream = stream or sys.stdout
    unicode = "utf" in (getattr(stream, "encoding", None) or "").lower()  # else signs would become Python's escapes
    import json as json_module

    for part in _parts(document, lambda value: json_module.dumps(_finite(value), ensure_ascii=not unicode)):
        stream.write(part)
    print(file=stream, flush=True)


def _parts(value: Any, dumps: Callable[[Any], str]) -> Iterator[str]:
    """A document in parts: one, but for what is `Encoded` within."""
    if isinstance(value, Encoded):
        yield from value.parts
    elif not _holds(value):
        yield dumps(value)
    elif isinstance(value, dict):
        for number, (key, item) in enumerate(value.items()):
            yield f"{', ' if number else '{'}{dumps(key)}: "
            yield from _parts(item, dumps)
        yield "}"
    else:
        for number, item in enumerate(value):
            yield ", " if number else "["
            yield from _parts(item, dumps)
        yield "]"


def _holds(value: Any) -> bool:
    """Whether something in it is `Encoded`; of lists the tables in them are looked at, not the numbers."""
    if isinstance(value, dict):
        return any(map(_holds, value.values()))
    return isinstance(value, Encoded) or (
        isinstance(value, list) and any(isinstance(i, dict) and _holds(i) for i in value)
    )


def _finite(value: Any) -> Any:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return as_options(value) if isinstance(value, str) else value


def lines(*texts: str) -> None:
    """Plain lines on standard output, for scripts: file names are the bytes that they are."""
    for text in texts:
        sys.stdout.buffer.write(os.fsencode(f"{text}\n"))
        sys.stdout.flush()


def pieces(parts: Iterable[str]) -> None:
    """One line on standard output that comes in parts, each written before the next is made."""
    for part in parts:
        sys.stdout.buffer.write(part.encode())
    lines("")


def shown(text: str) -> str:
    """`text` on one line and harmless to a terminal: file names may hold newlines, escapes and bytes that are no text."""
    return "".join(sign if sign.isprintable() else _escaped(sign) for sign in text)


def _escaped(sign: str) -> str:
    r"""``\n``, ``\x1b``; and ``\xff`` for a byte that is no text, which Python has as the surrogate U+DCFF."""
    if "\udc80" <= sign <= "\udcff":
        return f"\\x{ord(sign) - 0xDC00:02x}"
    return sign.encode("unicode_escape").decode()


def give_up(stream: TextIO) -> None:
    """Drop what a stream did not take. Python would try again when it ends, complain, and change the exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def note(text: str) -> None:
    """A remark on standard error, above the bar if there is one; dropped where that cannot be written."""
    line = f"convcli: {shown(as_options(text))}"
    try:
        if above:
            above[-1](line)
        else:
            print(line, file=sys.stderr, flush=True)
    except OSError:
        give_up(sys.stderr)


above: list[Callable[[str], None]] = []
"""How to print a line above the bar that is being drawn."""


def seconds(value: float) -> str:
    """A duration with three digits and its unit."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if value * factor >= 1 or unit == "µs":
            return f"{value * factor:.3g} {unit}" if value * factor < 999.5 else f"{value * factor:.0f} {unit}"
    raise AssertionError


def pair(values: Sequence[int]) -> str:
    """``2`` when all values are alike, else ``2,1``."""
    return str(values[0]) if len(set(values)) == 1 else ",".join(map(str, values))


def shape(values: Sequence[int]) -> str:
    """``3×400×600``."""
    return "×".join(map(str, values))
