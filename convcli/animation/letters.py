"""A step as lines of characters, for terminals. Standard library only.

Every cell has a sign, not only a colour: ``[ ]`` is under the kernel, ``■`` is input, ``·`` padding, ``0`` an inserted zero,
``+`` output padding. In the output, ``·`` is not computed yet.
"""

from __future__ import annotations

from collections.abc import Sequence

from convcli.animation import captions
from convcli.animation.timeline import Kind, Timeline, Values, read
from convcli.drawing.grid import number

GAP = "    "
_SIGNS = {Kind.INPUT: "■", Kind.INSERTED: "0", Kind.PADDING: "·", Kind.OUTPUT_PADDING: "+"}
_ROOM = 76
"""The most characters in a line of text."""


def lines(timeline: Timeline, values: Values, frame: int) -> list[str]:
    """One step: the grid and the output side by side, and what happens."""
    step = timeline.steps[frame]
    under = {(tap.row, tap.column) for tap in step.taps}
    grid = [
        [(_SIGNS[field.kind] if values.input is None else number(read(field, values.input)), (row, column) in under)
         for column, field in enumerate(fields)]
        for row, fields in enumerate(timeline.grid)
    ]  # fmt: skip
    height, width = timeline.geometry.output
    output = [
        [(_output(timeline, values, frame, y, x), (y, x) == step.output) for x in range(width)] for y in range(height)
    ]
    left, right = _table(grid), _table(output)
    rows = max(len(left), len(right))
    sides = zip(_middle(left, rows), _middle(right, rows), strict=True)
    status = captions.status(timeline, step, values, _ROOM)
    head = f"{captions.title(timeline, values)}, frame {frame} of 0 to {len(timeline.steps) - 1}"
    return [head, "", *(f"{one}{GAP}{other}".rstrip() for one, other in sides), "", *status]


def _output(timeline: Timeline, values: Values, frame: int, y: int, x: int) -> str:
    if y * timeline.geometry.output.width + x > frame:
        return "·"
    return "■" if values.output is None else number(values.output[y][x])


def _table(rows: Sequence[Sequence[tuple[str, bool]]]) -> list[str]:
    """Cells of the same width. Marked ones are in brackets."""
    width = max(len(text) for row in rows for text, _ in row)
    return ["".join(f"[{text:>{width}}]" if marked else f" {text:>{width}} " for text, marked in row) for row in rows]


def _middle(lines: list[str], count: int) -> list[str]:
    above, blank = (count - len(lines)) // 2, [" " * len(lines[0])]
    return blank * above + lines + blank * (count - len(lines) - above)
