"""Heat maps of kernels and of their frequency responses: as rows of colours, and as a figure. Standard library only."""

from collections.abc import Iterator, Sequence

from convcli.drawing.colors import LIGHT, Palette, diverging, mix
from convcli.drawing.grid import Cell, cells, number, pixels
from convcli.drawing.scene import Colors as Colors
from convcli.drawing.scene import Pixels, Rect, Scene, Shape, Text, fitting_size
from convcli.records import NamedTuple

Numbers = Sequence[Sequence[float]]

NUMBERED = 15
"""Up to this many cells to a side, numbers are written in the cells."""

MARGIN, SIDE, TICKS, BAR, BAR_TEXT = 24.0, 340.0, 30.0, 12.0, 64.0
HEAD, FOOT, TEXT = 58.0, 66.0, 13.0
WIDTH = MARGIN + 2 * (TICKS + SIDE + 14 + BAR + BAR_TEXT) + MARGIN


class Panel(NamedTuple):
    """One kernel in a figure."""

    # above the pictures
    title: str
    caption: str
    kernel: Numbers  # the values, at most a few hundred to a side
    response: Numbers  # ``|H|``, with frequency 0 in the middle
    gain: float  # the largest ``|H|``
    texts: Sequence[Sequence[str]] | None = None  # the texts in the cells. By default the values, shortened.
    scale: str = ""  # a factor for all texts, for example ``× 1/16``


def signed(rows: Numbers, palette: Palette = LIGHT) -> Colors:
    """Values as colours: one hue for positive and one for negative values. 0 is the page's colour, the largest the strongest."""
    peak = max((abs(value) for row in rows for value in row), default=0.0) or 1.0
    return tuple(tuple(diverging(value / peak, palette) for value in row) for row in rows)


def shades(rows: Numbers, most: float, palette: Palette = LIGHT) -> Colors:
    """Values from 0 to `most` as colours, from the page's colour to the ink's."""
    return tuple(tuple(_shade(value / (most or 1.0), palette) for value in row) for row in rows)


def _shade(share: float, palette: Palette) -> str:
    share = min(1.0, max(0.0, share))
    if share < 0.5:
        return mix(palette.background, palette.window, 2 * share)
    return mix(palette.window, palette.ink, 2 * share - 1)


def enlarged(rows: Colors, factor: int) -> Colors:
    """Every pixel becomes a square of `factor` × `factor` pixels."""
    return tuple(tuple(color for color in row for _ in range(factor)) for row in rows for _ in range(factor))


def figure(panels: Sequence[Panel], palette: Palette = LIGHT) -> Scene:
    """A figure with kernels below each other, and the frequency response next to each."""
    step = HEAD + SIDE + FOOT
    shapes = [shape for place, panel in enumerate(panels) for shape in _panel(panel, MARGIN + place * step, palette)]
    title = "; ".join(panel.title for panel in panels)
    return Scene(WIDTH, MARGIN + len(panels) * step, palette.background, tuple(shapes), title)


def _panel(panel: Panel, y: float, palette: Palette) -> Iterator[Shape]:
    left, right = MARGIN + TICKS, WIDTH / 2 + TICKS
    wide = WIDTH - 2 * MARGIN
    yield Text(MARGIN, y + 8, panel.title, fitting_size(panel.title, wide, 18), palette.ink, bold=True)
    yield Text(MARGIN, y + 33, panel.caption, fitting_size(panel.caption, wide, TEXT), palette.faint)
    top = y + HEAD
    yield from _kernel(panel, left, top, palette)
    yield Pixels(right, top, SIDE, SIDE, shades(panel.response, panel.gain, palette))
    yield Rect(right, top, SIDE, SIDE, stroke=palette.faint)
    for share, text in ((0.0, "−½"), (0.5, "0"), (1.0, "½")):  # texts at the ends keep away from the corners
        inset = (0.5 - share) * TEXT
        yield Text(right + share * SIDE + inset, top + SIDE + 13, text, TEXT, palette.faint, "middle")
        yield Text(right - 7, top + share * SIDE + inset, text, TEXT, palette.faint, "end")
    label = "|H|: gain of waves, in cycles per pixel"
    yield Text(right + SIDE / 2, top + SIDE + 31, label, TEXT, palette.ink, "middle")
    if panel.gain:  # otherwise every value is 0: there is no scale
        levels = tuple((_shade(1 - step / 63, palette),) for step in range(64))
        yield from _bar(right + SIDE + 14, top, levels, (panel.gain, panel.gain / 2, 0.0), palette)


def _kernel(panel: Panel, left: float, top: float, palette: Palette) -> Iterator[Shape]:
    height, width = len(panel.kernel), len(panel.kernel[0])
    side = SIDE / max(height, width)
    x, y = left + (SIDE - width * side) / 2, top + (SIDE - height * side) / 2
    colors = signed(panel.kernel, palette)
    if max(height, width) <= NUMBERED:
        texts = panel.texts or [[number(value) for value in row] for row in panel.kernel]
        filled = [
            [Cell(color, text, palette.faint) for color, text in zip(line, words, strict=True)]
            for line, words in zip(colors, texts, strict=True)
        ]
        yield from cells(x, y, side, filled, palette.ink)
    else:
        yield from pixels(x, y, side, colors, palette.faint)
    label = f"kernel {panel.scale}".strip()
    yield Text(left + SIDE / 2, top + SIDE + 31, label, TEXT, palette.ink, "middle")
    values = [value for row in panel.kernel for value in row]
    peak = max(map(abs, values))
    if peak:
        low, high = (-peak if min(values) < 0 else 0.0), (peak if max(values) > 0 else 0.0)
        bar = tuple((diverging((high + (low - high) * step / 63) / peak, palette),) for step in range(64))
        yield from _bar(left + SIDE + 14, top, bar, (high, (low + high) / 2, low), palette)


def _bar(x: float, y: float, colors: Colors, ticks: tuple[float, float, float], palette: Palette) -> Iterator[Shape]:
    yield Pixels(x, y, BAR, SIDE, colors)
    yield Rect(x, y, BAR, SIDE, stroke=palette.faint)
    for share, value in zip((0.0, 0.5, 1.0), ticks, strict=True):
        place = y + share * SIDE + (0.5 - share) * TEXT
        yield Text(x + BAR + 6, place, number(value), TEXT, palette.faint)
