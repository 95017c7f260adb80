"""Colours that colour-blind readers can tell apart, for light and dark pages. Standard library only.

The hues are those of Okabe and Ito, "Color Universal Design" (2008). Hue is never the only difference: roles also differ in
lightness, in their outline or in their text.
"""

from convcli.records import NamedTuple
from convcli.vocabulary import THEMES


class Palette(NamedTuple):
    """The colours of a figure by their role."""

    background: str  # the page, as ``#rrggbb``, like all others
    # text and lines; secondary text and grid lines
    ink: str
    faint: str
    # fills of cells: in the input, beyond its border, under the kernel, in the kernel, in the output, the output that
    # is being computed, and a negative number
    input: str
    padding: str
    window: str
    kernel: str
    output: str
    current: str
    negative: str


LIGHT = Palette(
    "#ffffff", "#1a1a1a", "#6f6f6f", "#cfe3f4", "#ffffff", "#56b4e9", "#f7d794", "#c9ecdf", "#2db892", "#d55e00"
)
DARK = Palette(
    "#16191d", "#f2f2f2", "#9aa0a6", "#21435c", "#16191d", "#0072b2", "#7a5b12", "#17493b", "#00b386", "#ff8c42"
)
PALETTES = dict(zip(THEMES, (LIGHT, DARK), strict=True))


def channels(color: str) -> tuple[int, int, int]:
    """Red, green and blue, from 0 to 255, of a colour ``#rrggbb``."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def hexadecimal(red: float, green: float, blue: float) -> str:
    """The colour ``#rrggbb`` of red, green and blue from 0 to 255. Values outside are clipped."""
    return "#" + "".join(f"{min(255, max(0, round(value))):02x}" for value in (red, green, blue))


def gray(value: float) -> str:
    """The gray of a value from 0 (black) to 1 (white)."""
    return hexadecimal(255 * value, 255 * value, 255 * value)


def mix(one: str, other: str, share: float) -> str:
    """A mixture of two colours. `share` is that of `other`, from 0 to 1."""
    pairs = zip(channels(one), channels(other), strict=True)
    return hexadecimal(*(a + (b - a) * share for a, b in pairs))


def readable_on(fill: str) -> str:
    """Black or white, whichever is easier to read on `fill` (by the relative luminance of WCAG 2)."""
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in channels(fill))]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if luminance > 0.179 else "#ffffff"


def diverging(value: float, palette: Palette = LIGHT) -> str:
    """The colour of a value from -1 to 1: from the palette's `negative` through its `background` to its `window`."""
    value = min(1.0, max(-1.0, value))
    return mix(palette.background, palette.negative if value < 0 else palette.window, abs(value))
