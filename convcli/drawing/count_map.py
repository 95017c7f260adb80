"""Heat maps of counts. Small maps have numbers in their cells, large ones only colours. Standard library only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convcli.drawing.colors import Palette, mix
from convcli.drawing.grid import Cell, cells, pixels
from convcli.drawing.scene import Rect, Scene, Shape, Text, fitting_size, text_width, wrapped

MOST = 256
"""The most rows and columns that are drawn."""

_NUMBERED = 40
"""Up to this many rows and columns, cells have numbers."""

_SIDE, _AREA, _MARGIN, _TEXT = 28.0, 512.0, 20.0, 13.0
_SWATCHES = 12


def scene(counts: Sequence[Sequence[int]], size: tuple[int, int], title: str, text: str, palette: Palette) -> Scene:
    """A map of counts (integers from 0) with a heading and a legend.

    `size` is that of the whole map; `counts` may be only its upper left part. Higher counts are darker. A count of 0 has the
    palette's `negative` colour.
    """
    rows, columns = len(counts), len(counts[0])
    most = max(map(max, counts))
    numbered = max(rows, columns) <= _NUMBERED
    side = _SIDE if numbered else max(2.0, _AREA // max(rows, columns))
    inner = max(columns * side, 360.0)
    width, left = inner + 2 * _MARGIN, _MARGIN + (inner - columns * side) / 2
    bold = wrapped(title, inner, _TEXT)
    heading = bold + [line for part in text.split("; ") for line in wrapped(part, inner, _TEXT)]
    if (rows, columns) != size:
        heading.append(f"the first {rows}×{columns} of {size[0]}×{size[1]}")
    top = _MARGIN + 1.5 * _TEXT * len(heading) + _TEXT / 2
    shapes: list[Shape] = [
        Text(_MARGIN, _MARGIN + _TEXT * (0.5 + 1.5 * line), words, _TEXT, palette.ink, bold=line < len(bold))
        for line, words in enumerate(heading)
    ]
    if numbered:
        drawn = [[Cell(_color(count, most, palette), str(count), palette.faint) for count in row] for row in counts]
        shapes += cells(left, top, side, drawn, palette.ink)
    else:
        colors = tuple(tuple(_color(count, most, palette) for count in row) for row in counts)
        shapes += pixels(left, top, side, colors, palette.faint)
    bottom = top + rows * side + _MARGIN
    shapes += _legend(sorted({count for row in counts for count in row}), most, inner, bottom, palette)
    return Scene(width, bottom + _SIDE + _MARGIN, palette.background, tuple(shapes), f"{title}: {text}")


def _legend(values: Sequence[int], most: int, width: float, top: float, palette: Palette) -> Iterator[Shape]:
    """A small rectangle of colour for every number of taps, or for twelve of them if there are more."""
    width -= text_width("taps", _TEXT) + 8
    if len(values) > _SWATCHES:
        values = [values[round(place * (len(values) - 1) / (_SWATCHES - 1))] for place in range(_SWATCHES)]
    each = min(56.0, width / len(values))
    size = min(fitting_size(str(value), each * 0.8, _TEXT) for value in values)
    for number, value in enumerate(values):
        left = _MARGIN + number * each
        yield Rect(left, top, each, _SIDE / 2, _color(value, most, palette), palette.faint)
        yield Text(left + each / 2, top + _SIDE / 2 + size, str(value), size, palette.ink, "middle")
    yield Text(_MARGIN + len(values) * each + 8, top + _SIDE / 4, "taps", _TEXT, palette.faint)


def _color(count: int, most: int, palette: Palette) -> str:
    if not count:
        return palette.negative
    return mix(palette.background, palette.window, count / most)
