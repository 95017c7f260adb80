"""A `Scene` as SVG 1.1. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from itertools import groupby

from convcli.drawing.scene import CAP, Colors, Line, Pixels, Rect, Scene, Shape, Text, text_width

FONT = "'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace"

RUNS = 5000
"""The most runs of colour in a picture that become rectangles, some 60 bytes each."""


def render(scene: Scene) -> str:
    """A whole SVG document. It has a view box, so that it can be scaled."""
    size = f'width="{_number(scene.width)}" height="{_number(scene.height)}"'
    box = f'viewBox="0 0 {_number(scene.width)} {_number(scene.height)}"'
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    head = f'<svg {spaces} {size} {box} role="img" font-family="{FONT}">'
    title = [f"<title>{escape(scene.title, quote=False)}</title>"] if scene.title else []
    page = f'<rect width="100%" height="100%" fill="{scene.background}"/>'
    return "\n".join([head, *title, page, *(element(shape) for shape in scene.shapes), "</svg>", ""])


def element(shape: Shape) -> str:
    """One shape as an SVG element."""
    if isinstance(shape, Rect):
        return f"<rect{_box(shape)}{_paint(shape.fill, shape.stroke, shape.stroke_width, shape.dash, shape.opacity)}/>"
    if isinstance(shape, Text):
        baseline = shape.y + CAP * shape.size / 2
        bold = ' font-weight="bold"' if shape.bold else ""
        width = _number(text_width(shape.text, shape.size))  # the width stays right with another font
        text = escape(shape.text, quote=False)
        return (
            f'<text x="{_number(shape.left)}" y="{_number(baseline)}" font-size="{_number(shape.size)}" fill="{shape.color}"'
            f'{bold} textLength="{width}" lengthAdjust="spacingAndGlyphs" xml:space="preserve">{text}</text>'
        )
    if isinstance(shape, Pixels):
        return _pixels(shape)
    line = f'<polyline points="{_points(shape.points)}"{_paint(None, shape.stroke, shape.width, shape.dash, shape.opacity)}/>'
    if not shape.arrow:
        return line
    return f'{line}<polygon points="{_points(arrow_head(shape))}" fill="{shape.stroke}"{_opacity(shape.opacity)}/>'


def _points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


def arrow_head(shape: Line) -> list[tuple[float, float]]:
    """The three corners of the triangle at the end of a line."""
    (x0, y0), (x1, y1) = shape.points[-2:]
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5 or 1.0
    dx, dy, size = (x1 - x0) / length, (y1 - y0) / length, 3 + 2.5 * shape.width
    return [
        (x1, y1),
        (x1 - size * dx - size * dy / 2, y1 - size * dy + size * dx / 2),
        (x1 - size * dx + size * dy / 2, y1 - size * dy - size * dx / 2),
    ]


def _pixels(shape: Pixels) -> str:
    """A rectangle for each run of the same colour, which is sharp in every viewer. A photograph has too many: an image."""
    if sum(1 for row in shape.rows for _ in groupby(row)) > RUNS:
        from base64 import b64encode

        data = b64encode(_png(shape.rows)).decode()
        return f'<image{_box(shape)} preserveAspectRatio="none" xlink:href="data:image/png;base64,{data}"/>'
    height, width = shape.height / len(shape.rows), shape.width / len(shape.rows[0])
    out = []
    for number, row in enumerate(shape.rows):
        start = 0
        for color, run in groupby(row):
            end = start + len([*run])
            box = Rect(shape.x + start * width, shape.y + number * height, (end - start) * width, height)
            out.append(f'<rect{_box(box)} fill="{color}"/>')
            start = end
    return f'<g shape-rendering="crispEdges">{"".join(out)}</g>'


def _png(rows: Colors) -> bytes:
    """A picture as a PNG file, 8-bit RGB."""
    import struct
    import zlib

    lines = b"".join(b"\0" + bytes.fromhex("".join(row).replace("#", "")) for row in rows)
    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _box(shape: Rect | Pixels) -> str:
    values = (("x", shape.x), ("y", shape.y), ("width", shape.width), ("height", shape.height))
    return "".join(f' {name}="{_number(value)}"' for name, value in values)


def _paint(fill: str | None, stroke: str | None, width: float, dash: float, opacity: float) -> str:
    out = f' fill="{fill or "none"}"'
    if stroke is not None:
        out += f' stroke="{stroke}" stroke-width="{_number(width)}"'
        out += f' stroke-dasharray="{_number(dash)}"' if dash else ""
    return out + _opacity(opacity)


def _opacity(opacity: float) -> str:
    return f' opacity="{_number(opacity)}"' if opacity < 1 else ""


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
