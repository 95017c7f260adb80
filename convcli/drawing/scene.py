"""A figure as data: shapes and texts on a page. Standard library only.

Lengths are in pixels of the figure. x goes to the right and y downwards from the top left corner. Colours are ``#rrggbb``.
Texts are monospaced, so that their width is known without a font: see `text_width`.
"""

from collections.abc import Iterable

from convcli.records import NamedTuple

ADVANCE = 0.602
"""Width of a character of DejaVu Sans Mono, as a share of the font's size."""

CAP = 0.729
"""Height of a capital letter or a digit of DejaVu Sans Mono, as a share of the font's size."""


class Rect(NamedTuple):
    """A rectangle. `fill` and `stroke` may be None: not filled, no outline. `dash` is the length of dashes, 0: a solid line."""

    x: float
    y: float
    width: float
    height: float
    fill: str | None = None
    stroke: str | None = None
    stroke_width: float = 1.0
    dash: float = 0.0
    opacity: float = 1.0


class Text(NamedTuple):
    """A line of text. `x` is its start, middle or end, as `anchor` says; `y` is the middle of its capital letters."""

    x: float
    y: float
    text: str
    size: float
    color: str
    anchor: str = "start"
    bold: bool = False

    @property
    def left(self) -> float:
        """The x of its left edge."""
        return self.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor] * text_width(self.text, self.size)


class Line(NamedTuple):
    """A line through two or more points, which may have an arrow head at its end."""

    points: tuple[tuple[float, float], ...]
    stroke: str
    width: float = 1.0
    dash: float = 0.0
    arrow: bool = False
    opacity: float = 1.0


Colors = tuple[tuple[str, ...], ...]
"""Rows of colours ``#rrggbb``."""


class Pixels(NamedTuple):
    """A picture drawn into a rectangle, with every pixel as a sharp block."""

    x: float
    y: float
    width: float
    height: float
    rows: Colors


Shape = Rect | Text | Line | Pixels


class Scene(NamedTuple):
    """A page: its size, its background, its shapes from back to front, and a title that says what it shows."""

    width: float
    height: float
    background: str
    shapes: tuple[Shape, ...]
    title: str = ""

    def plus(self, shapes: Iterable[Shape]) -> "Scene":
        """The same page with more shapes on top."""
        return self._replace(shapes=(*self.shapes, *shapes))


def text_width(text: str, size: float) -> float:
    """The width of a line of text, in pixels. `size` is the font's."""
    return len(text) * ADVANCE * size


def wrap(text: str, room: int) -> list[str]:
    """`text` on lines of at most `room` characters, broken at spaces if possible."""
    lines = [""]
    for word in text.split():
        while len(word) > room:
            lines += [word[:room]] if lines[-1] else []
            lines[-1], word = word[:room], word[room:]
            lines.append("")
        if lines[-1] and len(lines[-1]) + 1 + len(word) > room:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return [line for line in lines if line]


def wrapped(text: str, width: float, size: float) -> list[str]:
    """`text` on lines no wider than `width` pixels; see `wrap`."""
    return wrap(text, max(1, int(width / (ADVANCE * size))))


def fitting_size(text: str, width: float, largest: float) -> float:
    """The largest font size, up to `largest`, at which `text` is no wider than `width` pixels."""
    return min(largest, width / (ADVANCE * len(text))) if text else largest
