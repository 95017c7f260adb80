"""A `Film` as GIF, APNG or WebP: one palette of few colours, and only what changes from frame to frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

from PIL import Image

from convcli.drawing.film import Film
from convcli.drawing.scene import Scene
from convcli.errors import ImageError
from convcli.images import raster

COLORS = 64
"""Colours of the palette: the fills exactly, and enough shades for smooth letters."""

MAX_PIXELS = 400_000_000
"""Pixels of all frames together, of which Pillow keeps a byte each until it writes them."""

_OPTIONS: dict[str, dict[str, Any]] = {
    "GIF": {"loop": 0, "optimize": False, "disposal": 1},
    "PNG": {"loop": 0, "optimize": True, "disposal": 0, "blend": 0},
    "WEBP": {"loop": 0, "lossless": True, "quality": 80, "method": 4},
}


def write(film: Film, stream: BinaryIO, container: str, scale: float = 1.0) -> None:
    """Encode all frames.

    Parameters
    ----------
    film : Film
        What is shown.
    stream : binary stream
        Where it goes.
    container : {"GIF", "PNG", "WEBP"}
        The format, as Pillow names it; a PNG of several frames is an APNG.
    scale : float
        Pixels for each of the film's.

    Raises
    ------
    ImageError
        More pixels than memory should hold.
    """
    count = len(film.frames)
    width, height = round(film.base.width * scale), round(film.base.height * scale)
    if width * height * count > MAX_PIXELS:
        raise ImageError(
            f"{count} frames of {width}×{height} pixels are {width * height * count / 1e6:.0f} million: at most "
            f"{MAX_PIXELS // 1_000_000} million are written; use a smaller --scale or --cell, or write .svg"
        )
    palette = _palette(film, scale)
    frames = (image.quantize(palette=palette, dither=Image.Dither.NONE) for image in _paint(film, scale))
    first = next(frames)
    each = round(100 / film.fps) * 10  # GIF counts hundredths of a second
    durations = [each] * (count - 1) + [each + round(100 * film.hold) * 10]
    options = {**_OPTIONS[container], "save_all": True, "append_images": frames}
    first.save(stream, container, duration=durations if count > 1 else durations[0], **options)


def _paint(film: Film, scale: float) -> Iterator[Image.Image]:
    """Every frame, RGB. What lasts is painted once."""
    page = film.base.background
    kept = Image.fromarray(raster.paint(film.base, scale))
    for frame in film.frames:
        raster.draw_on(kept, frame.lasting, scale, page)
        image = kept.copy()
        raster.draw_on(image, frame.moving, scale, page)
        yield image


def _palette(film: Film, scale: float) -> Image.Image:
    """The most frequent colours of the first, the middle and the last frame, as an image that has them for its palette."""
    counts: Counter[Any] = Counter()
    count = len(film.frames)
    for number in {0, count // 2, count - 1}:
        image = Image.fromarray(raster.paint(film.still(number), scale))
        counts.update({color: n for n, color in image.getcolors(image.width * image.height) or []})
    colors = [color for color, _ in counts.most_common(COLORS)]
    out = Image.new("P", (1, 1))
    out.putpalette([channel for color in colors for channel in color])
    return out


def write_still(scene: Scene, stream: BinaryIO, scale: float) -> None:
    """Encode one page as PNG."""
    Image.fromarray(raster.paint(scene, scale)).save(stream, "PNG", optimize=True)
