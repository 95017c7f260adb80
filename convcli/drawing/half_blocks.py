"""Pictures made of characters, for terminals: half blocks that show two pixels each. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence

from convcli.drawing.colors import channels

RESET = "\x1b[0m"


def half_blocks(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of text that show `rows` of colours ``#rrggbb``, two rows in a line, with 24-bit colour escapes.

    If the number of rows is odd, the lower half of the last line has the terminal's own background.
    """
    lines = []
    for upper in range(0, len(rows), 2):
        line = ""
        lower = rows[upper + 1] if upper + 1 < len(rows) else None
        for column, color in enumerate(rows[upper]):
            line += "\x1b[38;2;{};{};{}m".format(*channels(color))
            if lower is not None:
                line += "\x1b[48;2;{};{};{}m".format(*channels(lower[column]))
            line += "▀"
        lines.append(line + RESET)
    return lines
