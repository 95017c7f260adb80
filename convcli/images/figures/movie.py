"""A `Reel` as GIF, APNG or WebP, with a small palette. Only what changes is written from frame to frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convcli.drawing.reel import Reel
from convcli.drawing.scene import Scene
from convcli.errors import ImageError, param
from convcli.images.figures import raster
from convcli.images.formats import row_of
from convcli.images.writing.gif import unpacked

COLORS = 32
"""The number of colours in the palette: enough for all fills exactly, and for smooth letters."""

MAX_PIXELS = 400_000_000
"""The most pixels of all frames together. Pillow keeps a byte of each until it writes them."""


def write(reel: Reel, stream: BinaryIO, container: str, scale: float = 1.0) -> None:
    """Encode all frames.

    Parameters
    ----------
    container : {"GIF", "PNG", "WEBP"}
        The format; a PNG of several frames is an APNG.
    scale : float
        How many pixels of the output are a pixel of the reel.

    Raises
    ------
    ImageError
        There are more than `MAX_PIXELS`.
    """
    count = len(reel.frames)
    _check(reel.base, scale, count)
    palette = _Palette(reel, scale)
    frames = (palette.image(pixels) for pixels in _paint(reel, scale))
    first, *rest = frames
    each = round(100 / reel.fps) * 10  # GIF counts time in hundredths of a second
    durations = [each] * (count - 1) + [each + round(100 * reel.hold) * 10]
    options: dict[str, Any] = {"append_images": rest, "duration": durations if count > 1 else durations[0], "loop": 0}
    # each encoder uses the options that it knows; in a GIF, only what changes is written
    options |= {"optimize": True, "interlace": 0, "lossless": True, "disposal": 1 if row_of(container).palette else 0}
    first.save(stream, container, save_all=True, **options)


def _paint(reel: Reel, scale: float) -> Iterator[NDArray[np.uint8]]:
    """Every frame ``(H, W, 3)``. Shapes that stay are painted once."""
    page = reel.base.background
    kept = Image.fromarray(raster.paint(reel.base, scale))
    for frame in reel.frames:
        raster.draw_on(kept, frame.lasting, scale, page)
        image = kept.copy()
        raster.draw_on(image, frame.moving, scale, page)
        yield np.asarray(image)


class _Palette:
    """The most frequent colours of the first, the middle and the last frame. Other colours become the nearest of them.

    Pillow's own mapping to a palette is coarse: white becomes a light gray.
    """

    def __init__(self, reel: Reel, scale: float) -> None:
        counts: Counter[int] = Counter()
        count = len(reel.frames)
        for number in {0, count // 2, count - 1}:
            colors, times = np.unique(_packed(raster.paint(reel.still(number), scale)), return_counts=True)
            counts.update(dict(zip(colors.tolist(), times.tolist(), strict=True)))
        chosen = np.array([color for color, _ in counts.most_common(COLORS)])
        self.colors = unpacked(chosen)
        self.index = np.full(
            1 << 24, COLORS, np.uint8
        )  # for every colour that was met its index; COLORS for all others
        self.index[chosen] = np.arange(len(chosen))

    def image(self, pixels: NDArray[np.uint8]) -> Image.Image:
        """A frame ``(H, W, 3)`` as an image with this palette."""
        packed = _packed(pixels)
        missing = np.unique(packed[self.index[packed] == COLORS])
        if missing.size:
            far = ((unpacked(missing)[:, np.newaxis].astype(np.int64) - self.colors) ** 2).sum(axis=2)
            self.index[missing] = far.argmin(axis=1)
        out = Image.fromarray(self.index[packed])
        out.putpalette(self.colors.tobytes())
        return out


def _packed(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Colours as whole numbers ``0xRRGGBB``."""
    red, green, blue = np.moveaxis(pixels.astype(np.int64), -1, 0)
    return np.asarray(red << 16 | green << 8 | blue)


def write_still(scene: Scene, stream: BinaryIO, scale: float) -> None:
    """Encode one page as PNG. The errors are those of `write`."""
    _check(scene, scale, 1)
    raster.encode(scene, stream, scale)


def _check(page: Scene, scale: float, count: int) -> None:
    """Refuse too many pixels."""
    width, height = round(page.width * scale), round(page.height * scale)
    if width * height * count > MAX_PIXELS:
        raise ImageError(
            f"{count} {'frames' if count > 1 else 'frame'} of {width}×{height} pixels",
            remedy=f"use a smaller {param('scale')} or {param('cell')}, or write .svg",
            why=f"at most {MAX_PIXELS // 1_000_000} million pixels are written",
        )
