"""The filters of a layer as pictures, for a contact sheet or a terminal."""

import numpy as np
from numpy.typing import NDArray

from convcli.drawing import heatmap
from convcli.drawing.colors import LIGHT, Palette, hexadecimal
from convcli.drawing.heatmap import Colors
from convcli.drawing.scene import Scene
from convcli.drawing.sheet import Thumbnail, columns_of, lay_out
from convcli.kernels.analysis import reduced
from convcli.records import NamedTuple

MOST_TILES = 1024
"""The most tiles of a contact sheet. More would be too small to see, and take too long to draw."""

MOST_INPUTS = 16
"""The most input channels of a filter that are drawn."""

TILE = 64
"""Small tiles are enlarged by a whole number, up to this many pixels to a side."""

ALONE = 512
"""The same for a sheet of one tile."""


class Drawn(NamedTuple):
    """Filters as pictures, with a colour for each tap."""

    tiles: tuple[tuple[str, Colors], ...]  # labels and pictures; the input channels of a filter are neighbours
    columns: int  # number of tiles in a row of a contact sheet
    caption: str  # what the colours mean, and what was left out


def draw(weight: NDArray[np.floating], palette: Palette = LIGHT, most: int = MOST_TILES) -> Drawn:
    """The filters of a layer as at most `most` pictures.

    Three input channels are shown as red, green and blue, and 0 is gray. Otherwise each input channel has a tile, with one hue
    for positive and one for negative values. The colours of a filter range from minus to plus its own largest magnitude. 1×1
    filters are drawn as one matrix with a row for each output channel. `weight` is ``(C_out, C_in/groups, kh, kw)``.
    """
    outputs, inputs, height, width = weight.shape
    if height == width == 1 and (inputs > 1 or outputs > 1):
        matrix = weight[:, :, 0, 0].astype(np.float64)
        tile = heatmap.signed(reduced(matrix, 256).tolist(), palette)
        return Drawn((("", tile),), 1, f"1×1 filters: {outputs} output channels down, {inputs} input channels across")
    if inputs == 3:
        shown = weight[:most]
        tiles = tuple((str(number), _rgb(one)) for number, one in enumerate(shown))
        caption = "red, green and blue are the input channels, gray is 0; each filter spans its own values"
        return Drawn(tiles, columns_of(len(tiles)), caption + _left_out(len(shown), outputs, "filters"))
    across = min(inputs, MOST_INPUTS)
    shown = weight[: max(1, most // across), :across].astype(np.float64)
    tiles = tuple(
        (str(number) if inputs == 1 else f"{number}←{channel}", plane)
        for number, one in enumerate(shown)
        for channel, plane in enumerate(_planes(one, palette))
    )
    columns = columns_of(len(tiles)) if inputs == 1 else across
    caption = "blue is positive, orange is negative; each filter spans its own values"
    if inputs > 1:
        caption += "; a row for each filter, 0←1 is the part of filter 0 for input channel 1"
    caption += _left_out(len(shown), outputs, "filters") + _left_out(across, inputs, "input channels")
    return Drawn(tiles, columns, caption)


def sheet(drawn: Drawn, title: str, palette: Palette = LIGHT) -> Scene:
    """Filters as a labelled contact sheet."""
    rows = drawn.tiles[0][1]
    side = TILE if len(drawn.tiles) > 1 else ALONE
    factor = max(1, side // max(len(rows), len(rows[0])))
    size = len(rows) * factor, len(rows[0]) * factor
    tiles = [Thumbnail(label, picture) for label, picture in drawn.tiles]
    return lay_out(tiles, size, title, drawn.caption, drawn.columns, palette).scene


def _left_out(shown: int, of: int, what: str) -> str:
    return f"; the first {shown} of {of} {what}" if shown < of else ""


def _rgb(one: NDArray[np.floating]) -> Colors:
    """A filter ``(3, kh, kw)`` in colours. 0 is mid-gray."""
    values = one.astype(np.float64)
    scaled = 127.5 + 127.5 * values / (np.abs(values).max() or 1.0)
    return tuple(tuple(hexadecimal(*pixel) for pixel in row) for row in np.moveaxis(scaled, 0, -1).tolist())


def _planes(one: NDArray[np.float64], palette: Palette) -> list[Colors]:
    """The channels of a filter ``(C, kh, kw)`` in colours, all on the same scale."""
    stacked = heatmap.signed(one.reshape(-1, one.shape[2]).tolist(), palette)
    return [stacked[start : start + one.shape[1]] for start in range(0, len(stacked), one.shape[1])]
