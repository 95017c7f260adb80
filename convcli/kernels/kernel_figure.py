"""Pictures of kernels: a `Scene` for figures, lines of half blocks for terminals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from convcli.drawing import heatmap
from convcli.drawing.colors import LIGHT, Palette
from convcli.drawing.half_blocks import half_blocks
from convcli.drawing.heatmap import Colors, Panel
from convcli.drawing.scene import Scene
from convcli.kernels.analysis import Analysis, reduced
from convcli.kernels.bank import Matrix
from convcli.kernels.named import Recipe
from convcli.kernels.response import response

RESPONSE = 65
"""Pixels to a side of the frequency response in a figure. It is odd, so that frequency 0 is in the middle of a pixel."""

DRAWN = 256
"""The most pixels to a side of a kernel in a figure. Larger kernels are reduced."""

GAP = 4
"""Columns between pictures in a terminal."""

LONG = 70
"""The most characters in a title."""


def draw(found: Sequence[Analysis], captions: Sequence[str], palette: Palette = LIGHT) -> Scene:
    """A figure of kernels: heat maps with numbers in the cells, and a frequency response beside each."""
    panels = []
    for one, caption in zip(found, captions, strict=True):
        texts, factor = numbers(one) if max(one.values.shape) <= heatmap.NUMBERED else (None, "")
        title = one.name if len(one.name) <= LONG else f"{one.name[: LONG // 2]}…{one.name[-LONG // 2 :]}"
        rows, shown = reduced(one.values, DRAWN).tolist(), response(one.values, RESPONSE).tolist()
        panels.append(Panel(title, caption, rows, shown, one.gain, texts, factor))
    return heatmap.figure(panels, palette)


def numbers(one: Analysis) -> tuple[list[list[str]], str]:
    """The texts in the cells of a small kernel, and the factor that belongs to all of them; empty if it is 1."""
    rows = zip(matrix(one, 4 if abs(one.values).max() >= 1 else 3), one.values.tolist(), strict=True)
    texts = [[_short(text, value) for text, value in zip(*row, strict=True)] for row in rows]
    return texts, scale(one) if readable(one) else ""


def _short(text: str, value: float) -> str:
    """The text of a number in a cell: ``−.5`` for -0.5. A value that is nearly 0 is shown as ``~0``."""
    text = text.strip()
    if not text.strip("-0."):
        return "~0" if value else "0"
    if text.lstrip("-").startswith("0."):
        text = text.replace("0.", ".", 1)
    return text.replace("-", "−")


def readable(found: Analysis) -> bool:
    """Whether a kernel is easiest to read as whole numbers over a common denominator."""
    whole = found.integers
    return whole is not None and max(abs(number) for row in whole for number in row) < 10**5


def scale(found: Analysis) -> str:
    """The factor of the whole numbers, such as ``× 1/16``; empty if it is 1."""
    return "" if found.denominator in (None, 1) else f"× 1/{found.denominator}"


def matrix(found: Analysis, digits: int = 4) -> list[list[str]]:
    """The values as texts of the same width: whole numbers, to be multiplied by `scale`, or decimals with `digits` digits."""
    whole = found.integers
    if whole is not None and readable(found):
        texts = [[str(number) for number in row] for row in whole]
    else:
        decimals = digits - 1 - int(f"{abs(found.values).max():e}".partition("e")[2])
        form = f"z.{decimals}f" if 0 <= decimals <= digits + 3 else f".{digits - 1}e"  # z: no negative zeros
        texts = [[f"{value:{form}}" for value in row] for row in found.values.tolist()]
    wide = max(len(text) for row in texts for text in row)
    return [[text.rjust(wide) for text in row] for row in texts]


def thumbnail(values: Matrix, side: int) -> Colors:
    """A kernel as a picture of at most `side` pixels to a side. Small kernels are enlarged by a whole number."""
    small = reduced(values, side)
    return heatmap.enlarged(heatmap.signed(small.tolist()), max(1, side // max(small.shape)))


def terminal(found: Analysis, side: int) -> list[str]:
    """A kernel and its frequency response side by side, as lines of half blocks `side` columns wide each."""
    kernel = thumbnail(found.values, side)
    shown = heatmap.shades(response(found.values, side - 1 | 1).tolist(), found.gain)
    first, second = half_blocks(kernel), half_blocks(shown)
    blank = " " * len(kernel[0])
    first += [blank] * (len(second) - len(first))
    titles = "kernel".ljust(len(blank) + GAP) + "|H|, 0 in the middle"
    return [titles, *(f"{left}{' ' * GAP}{right}" for left, right in zip(first, second, strict=True))]


def rows_of_tiles(tiles: Sequence[Colors], columns: int) -> list[str]:
    """Lines with pictures of the same size side by side, as many in a row as fit into `columns`."""
    height, width = len(tiles[0]), len(tiles[0][0])
    each = max(1, (columns + 1) // (width + 1))
    lines: list[str] = []
    for start in range(0, len(tiles), each):
        blocks = [half_blocks(tile) for tile in tiles[start : start + each]]
        lines += [" ".join(parts) for parts in zip(*blocks, strict=True)]
        if height % 2 == 0:  # with an odd height, half a line is free anyway
            lines.append("")
    return lines


def icon(recipe: Recipe, side: int) -> list[str]:
    """The first kernel of a recipe as lines of half blocks. Arguments without a default are set to 1."""
    missing = {name: 1 for name, parameter in recipe.parameters.items() if parameter.default is parameter.empty}
    built = recipe.build(**missing)
    values = next(iter(built.values())) if isinstance(built, Mapping) else built
    return [*half_blocks(thumbnail(values, side)), ""]
