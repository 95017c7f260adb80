"""The texts in the cells of an animation, and how large the cells have to be. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence

from convcli.animation.timeline import GridCell, Kind, Timeline, Values, read
from convcli.drawing.grid import number
from convcli.drawing.scene import ADVANCE, fitting_size
from convcli.errors import ConvError, param

SMALLEST = 6.0
"""The smallest font size of a number."""

WEIGHT = 0.24
"""The font size of a weight under the kernel, as a share of the side of its cell."""

_VALUE = 0.36
_SHARE = 0.84
"""The share of a cell's width that its text may take."""

_WIDEST, _NARROWER, _MANY = 1000, 640, 256
"""The width of all cells side by side, if their texts are short enough: usually, and for more than `_MANY` frames."""


def labels(timeline: Timeline, values: Values) -> list[list[str]]:
    """The texts in the cells of the grid: values, or else inserted zeros, or the pixels that a border copies."""
    copies = any(cell.kind is Kind.PADDING and cell.source is not None for row in timeline.grid for cell in row)

    def label(cell: GridCell) -> str:
        if values.input is not None:
            return number(read(cell, values.input))
        if copies and cell.source is not None:
            return f"{cell.source[0]},{cell.source[1]}"
        return "0" if cell.kind is Kind.INSERTED else ""

    return [[label(cell) for cell in row] for row in timeline.grid]


def weights(values: Values) -> list[str]:
    """The texts below the values under the kernel."""
    return [f"×{text}" for text in _flat(values.kernel)]


def numbers(labels: Sequence[Sequence[str]], values: Values) -> list[str]:
    """The texts in the middle of all cells: of the grid, the kernel and the output."""
    return [*(text for row in labels for text in row), *_flat(values.kernel), *_flat(values.output)]


def _flat(rows: Sequence[Sequence[float]] | None) -> list[str]:
    return [] if rows is None else [number(value) for row in rows for value in row]


def fitting(texts: Sequence[str], cell: float, share: float = _VALUE) -> float:
    """The font size at which the longest of `texts` fits a cell; at most `share` of its side."""
    return fitting_size(max(texts, key=len, default=""), cell * _SHARE, cell * share)


def side(timeline: Timeline, labels: Sequence[Sequence[str]], values: Values, wanted: int | None) -> float:
    """The side of a cell: the wanted one, or one that fits its texts and the page.

    Raises
    ------
    ConvError
        The wanted side leaves no room for the texts.
    """
    below = weights(values)
    longest = max([*numbers(labels, values), *below], key=len, default="")

    def enough(size: float) -> float:
        """The side at which every text has a font of `size`."""
        if not longest:
            return 0.0
        return max(size / (WEIGHT if below else _VALUE), len(longest) * ADVANCE * size / _SHARE)

    least = enough(SMALLEST)
    if wanted is not None:
        if wanted < least:
            remedy = f"use {param('cell', f'{-(-least // 1):.0f}')} or more"
            raise ConvError(param("cell", wanted), f"is too small for '{longest}' to be read", remedy)
        return float(wanted)
    comfortable = max(enough(10.0), 44.0 if below else 30.0)
    columns = timeline.size.width + timeline.geometry.output.width
    widest = _WIDEST if len(timeline.steps) <= _MANY else _NARROWER
    return -(-max(least, 10.0, min(comfortable, widest / columns)) // 1)
