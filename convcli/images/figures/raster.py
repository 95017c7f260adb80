"""A `Scene` as pixels, and figures as files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from convcli.drawing import svg
from convcli.drawing.colors import channels, mix
from convcli.drawing.scene import ADVANCE, CAP, Line, Pixels, Rect, Scene, Shape, Text
from convcli.errors import ImageError
from convcli.images.figures import SOFTWARE
from convcli.system import files

Point = tuple[float, float]

FONT = Path(__file__).parent.parent.parent / "drawing" / "font" / "DejaVuSansMono-subset.ttf"
FIGURES = (".svg", ".png")


def paint(scene: Scene, scale: float = 1.0) -> NDArray[np.uint8]:
    """A scene as an image ``(H, W, 3)``, uint8 sRGB, enlarged by `scale`."""
    image = Image.new("RGB", (round(scene.width * scale), round(scene.height * scale)), scene.background)
    draw_on(image, scene.shapes, scale, scene.background)
    return np.asarray(image)


def encode(scene: Scene, stream: BinaryIO, scale: float) -> None:
    """A scene as a PNG file, which says that it is a figure."""
    info = PngInfo()
    info.add_text("Software", SOFTWARE)
    Image.fromarray(paint(scene, scale)).save(stream, "PNG", optimize=True, pnginfo=info)


def draw_on(image: Image.Image, shapes: Iterable[Shape], scale: float, page: str) -> None:
    """Paint shapes over an RGB image. `page` is the colour behind shapes that are not opaque."""
    draw = ImageDraw.Draw(image)
    for shape in shapes:
        if isinstance(shape, Rect):
            _rect(draw, shape, scale, page)
        elif isinstance(shape, Text):
            _text(draw, shape, scale)
        elif isinstance(shape, Line):
            _line(draw, shape, scale, page)
        else:
            _pixels(image, shape, scale)


def remarks(shapes: Iterable[Shape], remedy: str = ": write .svg") -> tuple[str, ...]:
    """Remarks about shapes that become pixels: signs that the font lacks are drawn as boxes."""
    lacking = "".join(
        dict.fromkeys(sign for one in shapes if isinstance(one, Text) for sign in one.text if _lacks(sign))
    )
    return (f"the built-in font lacks '{lacking}', drawn as boxes{remedy}",) if lacking else ()


def save(scene: Scene, target: str, scale: float = 2.0, form: str | None = None) -> tuple[str, ...]:
    """Write a scene to a .svg or .png file, completely or not at all. `form` (svg, png) overrides the ending.

    Returns the `remarks` about a .png. Raises `ImageError` if the ending is another one, or if the file cannot be written.
    """
    ending = Path(target).suffix.lower() if form is None else f".{form}"
    if ending not in FIGURES:
        raise ImageError(f"figure '{target}'", f"ends in none of {', '.join(FIGURES)}", "use one of them")
    with files.writing(target) as stream:
        if ending == ".svg":
            stream.write(svg.render(scene).encode())
            return ()
        encode(scene, stream, scale)
    return remarks(scene.shapes)


@cache
def _font(size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONT), max(1.0, size))


@cache
def _lacks(sign: str) -> bool:
    """Whether the font, which has only the signs that figures need, lacks a sign. Its picture is empty then."""
    return not sign.isspace() and _font(16.0).getmask(sign).getbbox() is None


def _text(draw: ImageDraw.ImageDraw, shape: Text, scale: float) -> None:
    """Draw a line of text. A sign that the font lacks becomes a box as high as a capital letter."""
    size, baseline = shape.size * scale, (shape.y + CAP * shape.size / 2) * scale
    stroke = size / 40 if shape.bold else 0
    draw.text((shape.left * scale, baseline), shape.text, shape.color, _font(size), anchor="ls", stroke_width=stroke)
    for place, sign in enumerate(shape.text):
        if _lacks(sign):
            left = shape.left * scale + (place + 0.14) * ADVANCE * size
            corners = (left, baseline - CAP * size, left + 0.72 * ADVANCE * size, baseline)
            draw.rectangle([round(corner) for corner in corners], outline=shape.color, width=max(1, round(size / 14)))


def _rect(draw: ImageDraw.ImageDraw, shape: Rect, scale: float, page: str) -> None:
    left, top = shape.x * scale, shape.y * scale
    right, bottom = left + shape.width * scale, top + shape.height * scale
    if shape.fill is not None:
        color = mix(page, shape.fill, shape.opacity)
        draw.rectangle((round(left), round(top), round(right) - 1, round(bottom) - 1), fill=color)
    if shape.stroke is not None:
        corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
        color = mix(page, shape.stroke, shape.opacity)
        _stroke(draw, corners, color, shape.stroke_width * scale, shape.dash * scale)


def _line(draw: ImageDraw.ImageDraw, shape: Line, scale: float, page: str) -> None:
    color = mix(page, shape.stroke, shape.opacity)
    _stroke(draw, _scaled(shape.points, scale), color, shape.width * scale, shape.dash * scale)
    if shape.arrow:
        draw.polygon(_scaled(svg.arrow_head(shape), scale), fill=color)


def _scaled(points: Iterable[Point], scale: float) -> list[Point]:
    return [(x * scale, y * scale) for x, y in points]


def _stroke(draw: ImageDraw.ImageDraw, points: Sequence[Point], color: str, width: float, dash: float) -> None:
    """Draw a line; `width` and `dash` are in pixels of the image. Pillow cannot draw dashes, so each is a line of its own."""
    for (x0, y0), (x1, y1) in pairwise(points):
        length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
        each, start = dash or length, 0.0
        while start < length:
            along = start, min(length, start + each)
            ends = [(round(x0 + (x1 - x0) * t / length), round(y0 + (y1 - y0) * t / length)) for t in along]
            draw.line(ends, fill=color, width=max(1, round(width)))
            start += 2 * each


def _pixels(image: Image.Image, shape: Pixels, scale: float) -> None:
    block = np.array([[channels(color) for color in row] for row in shape.rows], np.uint8)
    left, top = round(shape.x * scale), round(shape.y * scale)
    size = round((shape.x + shape.width) * scale) - left, round((shape.y + shape.height) * scale) - top
    image.paste(Image.fromarray(block).resize(size, Image.Resampling.NEAREST), (left, top))
