"""Contact sheets: small pictures in a grid, each with its label. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

from convcli.drawing.colors import LIGHT, Palette
from convcli.drawing.scene import Pixels, Rect, Scene, Shape, Text, fitting_size, text_width, wrapped

MARGIN, GAP, STRIP, SECOND = 16, 8, 18, 13
"""Around a sheet, between its tiles, and the heights of the lines of text above each, in pixels."""

TITLE, TEXT, SMALL, LEAST = 16.0, 12.0, 11.0, 5.0
"""Sizes of the title, of labels and of details; labels that would be smaller than the last are left out."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture of `rows` of colours (None: its place is left free), its label, and what else is said of it.

    `icon` is a little picture that is drawn before the label. Details stand below the labels where one has no room beside.
    """

    label: str
    rows: tuple[tuple[str, ...], ...] | None = None
    detail: str = ""
    icon: tuple[tuple[str, ...], ...] | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """A laid out contact sheet: the page without the pictures that were left out, and where these belong, ``(x, y)``."""

    scene: Scene
    places: tuple[tuple[int, int], ...]


def columns_of(count: int) -> int:
    """So many columns that the sheet has about the shape of its tiles, and no gap at its end where that can be had."""
    least = max(1, ceil(sqrt(count)))
    return next((columns for columns in range(least, int(2 * sqrt(count)) + 1) if count % columns == 0), least)


def lay_out(
    tiles: Sequence[Tile], size: tuple[int, int], title: str, caption: str, columns: int, palette: Palette = LIGHT
) -> Sheet:
    """A grid of tiles of `size` (height, width) pixels under a title, over a caption; all places are whole pixels."""
    height, width = size
    across = min(columns, len(tiles))
    inner = max(across * width + (across - 1) * GAP, 240)
    shapes: list[Shape] = []
    y = MARGIN
    for line in wrapped(title, inner, TITLE):
        size_ = fitting_size(line, inner, TITLE)
        shapes.append(Text(MARGIN, y + TITLE / 2, line, size_, palette.ink, bold=True))
        y += round(TITLE * 1.4)
    y += 4
    places = []
    beside = all(_fits(tile, width) for tile in tiles)  # of all, or of none
    smallest = min((fitting_size(tile.detail, width, SMALL) for tile in tiles if tile.detail), default=0.0)
    second = 0.0 if beside or smallest < LEAST else smallest
    strip = STRIP + SECOND if second else STRIP
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        left, top = MARGIN + column * (width + GAP), y + row * (strip + height + GAP)
        shapes += _strip(tile, left, top, width, palette)
        if tile.detail and beside:
            shapes.append(Text(left + width, top + STRIP / 2 - 1, tile.detail, SMALL, palette.faint, "end"))
        elif tile.detail and second:
            shapes.append(Text(left, top + STRIP + SECOND / 2 - 3, tile.detail, second, palette.faint))
        top += strip
        places.append((left, top))
        shapes.append(Rect(left - 1, top - 1, width + 2, height + 2, fill=palette.faint))  # its frame
        if tile.rows is not None:
            shapes.append(Pixels(left, top, width, height, tile.rows))
    y += ceil(len(tiles) / columns) * (strip + height + GAP) + 4
    for line in wrapped(caption, inner, TEXT):
        shapes.append(Text(MARGIN, y + TEXT / 2, line, fitting_size(line, inner, TEXT), palette.faint))
        y += round(TEXT * 1.5)
    return Sheet(Scene(inner + 2 * MARGIN, y + MARGIN - 4, palette.background, tuple(shapes), title), tuple(places))


def _strip(tile: Tile, left: int, top: int, width: int, palette: Palette) -> list[Shape]:
    """What stands first above a tile: its icon and its label."""
    shapes: list[Shape] = []
    start = left + _icon_width(tile, width)
    if tile.icon is not None and start > left:
        factor = _factor(tile.icon)
        high, wide = factor * len(tile.icon), factor * len(tile.icon[0])
        shapes.append(Pixels(left, top + (STRIP - high) // 2 - 1, wide, high, tile.icon))
    size = fitting_size(tile.label, left + width - start, TEXT)
    if size >= LEAST:
        shapes.append(Text(start, top + STRIP / 2 - 1, tile.label, size, palette.ink))
    return shapes


def _fits(tile: Tile, width: int) -> bool:
    """Whether there is room for a tile's detail beside its icon and label."""
    used = _icon_width(tile, width) + text_width(tile.label, TEXT) + 10
    return used + text_width(tile.detail, SMALL) <= width


def _factor(icon: tuple[tuple[str, ...], ...]) -> int:
    return (STRIP - 3) // max(len(icon), len(icon[0]))


def _icon_width(tile: Tile, width: int) -> int:
    """What an icon takes of the line above a tile; 0 where it is left out, being too large for it."""
    wide = 0 if tile.icon is None else _factor(tile.icon) * len(tile.icon[0])
    return wide + 5 if 0 < wide < width / 3 else 0
