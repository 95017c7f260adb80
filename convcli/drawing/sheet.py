"""Contact sheets: small pictures with labels in a grid. Standard library only."""

from collections.abc import Iterator, Sequence
from math import ceil, sqrt

from convcli.drawing.colors import LIGHT, Palette
from convcli.drawing.scene import Colors, Pixels, Rect, Scene, Shape, Text, fitting_size, text_width, wrapped
from convcli.records import NamedTuple

MARGIN, GAP, STRIP, SECOND = 16, 8, 18, 13
"""In pixels: the margin of a sheet, the gap between tiles, and the heights of the two lines of text above a tile."""

TITLE, TEXT, SMALL, LEAST = 16.0, 12.0, 11.0, 5.0
"""Font sizes of the title, of labels, and of details. Texts that would be smaller than `LEAST` are left out."""

PLAIN = 640
"""On wider sheets, texts grow with the width: such a sheet is looked at from further away, or made smaller."""


class Thumbnail(NamedTuple):
    """A picture with its label."""

    label: str
    rows: Colors | None = None  # the picture. None: its place is left free, and something else is drawn there.
    detail: str = ""  # a text at the right of the label, or below it if one of the tiles has no room for that
    icon: Colors | None = None  # a small picture before the label


class Sheet(NamedTuple):
    """A contact sheet: the page, and the top left corner ``(x, y)`` of each picture, for those that are still to be drawn."""

    scene: Scene
    places: tuple[tuple[int, int], ...]


def columns_of(count: int) -> int:
    """A number of columns for `count` tiles: the sheet has about the shape of a tile and, if possible, a full last row."""
    least = max(1, ceil(sqrt(count)))
    return next((columns for columns in range(least, int(2 * sqrt(count)) + 1) if count % columns == 0), least)


def lay_out(
    tiles: Sequence[Thumbnail], size: tuple[int, int], title: str, caption: str, columns: int, palette: Palette = LIGHT
) -> Sheet:
    """A grid of tiles below a title and above a caption. `size` is the height and width of a tile. All places are whole pixels."""
    height, width = size
    across = min(columns, len(tiles))
    inner = max(across * width + (across - 1) * GAP, 240)
    scale = max(1.0, inner / PLAIN)
    head, text, small = TITLE * scale, TEXT * scale, SMALL * scale
    first, further = round(STRIP * scale), round(SECOND * scale)
    shapes: list[Shape] = []
    y = MARGIN
    for line in wrapped(title, inner, head):
        size_ = fitting_size(line, inner, head)
        shapes.append(Text(MARGIN, y + head / 2, line, size_, palette.ink, bold=True))
        y += round(head * 1.4)
    y += 4
    places = []
    beside = all(  # for all tiles, or for none
        _icon_width(tile, width, first) + text_width(tile.label, text) + 10 * scale + text_width(tile.detail, small)
        <= width
        for tile in tiles
    )
    smallest = min((fitting_size(tile.detail, width, small) for tile in tiles if tile.detail), default=0.0)
    second = 0.0 if beside or smallest < LEAST else smallest
    strip = first + further if second else first
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        left, top = MARGIN + column * (width + GAP), y + row * (strip + height + GAP)
        shapes += _strip(tile, left, top, (first, width), text, palette)
        if tile.detail and beside:
            shapes.append(Text(left + width, top + first / 2 - 1, tile.detail, small, palette.faint, "end"))
        elif tile.detail and second:
            shapes.append(Text(left, top + first + further / 2 - 3 * scale, tile.detail, second, palette.faint))
        top += strip
        places.append((left, top))
        shapes.append(Rect(left - 1, top - 1, width + 2, height + 2, fill=palette.faint))  # its frame
        if tile.rows is not None:
            shapes.append(Pixels(left, top, width, height, tile.rows))
    y += ceil(len(tiles) / columns) * (strip + height + GAP) + 4
    for line in wrapped(caption, inner, text):
        shapes.append(Text(MARGIN, y + text / 2, line, fitting_size(line, inner, text), palette.faint))
        y += round(text * 1.5)
    return Sheet(Scene(inner + 2 * MARGIN, y + MARGIN - 4, palette.background, tuple(shapes), title), tuple(places))


def _strip(
    tile: Thumbnail, left: int, top: int, size: tuple[int, int], largest: float, palette: Palette
) -> Iterator[Shape]:
    """The first line above a tile, of this height and width: its icon and its label."""
    strip, width = size
    start, (high, wide) = left + _icon_width(tile, width, strip), _icon_size(tile, strip)
    if tile.icon is not None and start > left:
        yield Pixels(left, top + (strip - high) // 2 - 1, wide, high, tile.icon)
    font = fitting_size(tile.label, left + width - start, largest)
    if font >= LEAST:
        yield Text(start, top + strip / 2 - 1, tile.label, font, palette.ink)


def _icon_size(tile: Thumbnail, strip: int) -> tuple[int, int]:
    """The height and width of an icon in a line of this height, in pixels."""
    if tile.icon is None:
        return 0, 0
    high, wide = len(tile.icon), len(tile.icon[0])
    factor = (strip - 3) // max(high, wide)
    return factor * high, factor * wide


def _icon_width(tile: Thumbnail, width: int, strip: int) -> int:
    """The width that an icon takes above a tile; 0 if it is too large and left out."""
    _, wide = _icon_size(tile, strip)
    return wide + 5 * strip // STRIP if 0 < wide < width / 3 else 0
