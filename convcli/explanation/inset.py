"""Where in the picture the explained pixels are: a small picture with a mark."""

from __future__ import annotations

from collections.abc import Sequence

from convcli.drawing.colors import Palette
from convcli.drawing.scene import Pixels, Rect, Shape, Text, text_width
from convcli.explanation.matrices import BODY
from convcli.explanation.pixel import Pixel
from convcli.explanation.touched import Touched
from convcli.explanation.trace import PIXEL, Reading
from convcli.images.figures import screen

SIDE = 150
"""The most pixels to a side."""

LEAST = 10.0
"""The least side of the mark. It is drawn larger than what it marks, if that would be too small to be seen."""

_MARK = (("#ffffff", 4.0), ("#000000", 2.0))
"""The lines of the mark, seen on every picture."""


def inset(answer: Pixel | Touched, x: float, y: float, palette: Palette) -> tuple[list[Shape], float, float]:
    """The picture with a mark and a title, with its top left corner at (x, y). Returns the shapes, their right edge and bottom.

    There is none if the picture is neither gray nor RGB, or if no pixel of it is read, or all of it.
    """
    subject = answer.subject
    height, width = subject.picture.size
    spans = _spans(answer)
    shown = subject.picture.space in ("gray", "rgb") and subject.picture.colour.ndim == 3
    if not shown or spans is None or [len(span) for span in spans] == [height, width]:
        return [], x, y
    rows = screen.thumbnail(subject.picture, 2 * SIDE, palette.background)  # twice as fine: a .png is enlarged by 2
    scale = SIDE / max(height, width)
    scale = float(int(scale)) if scale >= 1 else scale
    across, down = max(2.0, width * scale), max(2.0, height * scale)
    title, top = f"where the {'window' if isinstance(answer, Pixel) else 'pixel'} is", y + 26
    shapes: list[Shape] = [
        Text(x, y + 8, title, BODY, palette.ink, bold=True),
        Pixels(x, top, across, down, rows),
        Rect(x, top, across, down, stroke=palette.faint),
    ]
    (above, high), (left, wide) = (_marked(span, scale) for span in spans)
    mark = Rect(x + left, top + above, wide, high)
    shapes += [mark._replace(stroke=color, stroke_width=line) for color, line in _MARK]
    return shapes, x + max(across, text_width(title, BODY)), top + down


def _marked(span: range, scale: float) -> tuple[float, float]:
    """Where the mark of rows or columns begins, and its length."""
    length = max(len(span) * scale, LEAST)
    return (span.start + span.stop) / 2 * scale - length / 2, length


def _spans(answer: Pixel | Touched) -> tuple[range, range] | None:
    """The rows and columns of the picture that are read, from the first to the last; None if none is."""
    if isinstance(answer, Touched):
        y, x = answer.at
        return range(y, y + 1), range(x, x + 1)
    first = answer.traces[0]
    rows, columns = _read(first.rows), _read(first.columns)
    return (range(rows[0], rows[-1] + 1), range(columns[0], columns[-1] + 1)) if rows and columns else None


def _read(readings: Sequence[Reading]) -> list[int]:
    """The rows or columns that are read and not copied, in order."""
    return sorted(reading.source for reading in readings if reading.mark == PIXEL and reading.source is not None)
