"""Write the samples: ``python samples/make.py [FOLDER]`` (by default into the folder of this script).

Every picture and every weight is computed or drawn here, without randomness and without fonts, so that the same Pillow
always writes the same bytes. The only input is the photograph ``coffee.jpg`` beside this script; ``small.png`` is a
smaller copy of it. ``pictures.py`` makes the pictures of the documents.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageDraw
from safetensors.numpy import save

HERE = Path(__file__).resolve().parent
PHOTOGRAPH = HERE / "coffee.jpg"

SCALE = 8  # drawings are this many times larger at first, then averaged: smooth edges without a filter of Pillow
FRAMES = 8
FRAME_MS = 80

SMILEY = (
    "bbyyyybb",
    "byyyyyyb",
    "yykyykyy",
    "yykyykyy",
    "ypyyyypy",
    "yyrrrryy",
    "gyyrryyg",
    "ggyyyygg",
)
COLOURS = {
    "b": (70, 150, 235),
    "g": (60, 170, 75),
    "k": (40, 30, 60),
    "p": (255, 140, 120),
    "r": (215, 35, 60),
    "y": (255, 215, 60),
}


def impulse() -> Image.Image:
    """Return one white pixel on black: a filter turns it into a picture of its kernel."""
    pixels = np.zeros((31, 31), np.uint8)
    pixels[15, 15] = 255
    return Image.fromarray(pixels)


def checkerboard() -> Image.Image:
    """Return squares of 8 pixels, the first one black."""
    y, x = np.indices((128, 128)) // 8
    return Image.fromarray(((x + y) % 2 * 255).astype(np.uint8))


def zoneplate() -> Image.Image:
    """Return cos(pi r^2 / N): the frequency grows with the radius and reaches Nyquist (pi per pixel) at r = N / 2."""
    size = 256
    axis = np.arange(size) - (size - 1) / 2
    r2 = axis[:, None] ** 2 + axis[None, :] ** 2
    return Image.fromarray(np.rint(127.5 + 127.5 * np.cos(np.pi * r2 / size)).astype(np.uint8))


def ramp() -> Image.Image:
    """Return a horizontal ramp in which column x has the value x."""
    return Image.fromarray(np.tile(np.arange(256, dtype=np.uint8), (64, 1)))


def gradient16() -> Image.Image:
    """Return a 16-bit gradient from 0 at the top left to 65535 at the bottom right."""
    y, x = np.indices((64, 256))
    return Image.fromarray(np.rint(65535 * (x / 255 + y / 63) / 2).astype(np.uint16))


def icon() -> Image.Image:
    """Return a white star on an orange disc; its RGB is zero wherever it is fully transparent."""
    size = 64

    def coverage(draw: Callable[[ImageDraw.ImageDraw], None]) -> np.ndarray:
        """Return the share (0 to 1) of each pixel that the drawn shape covers."""
        mask = Image.new("L", (size * SCALE, size * SCALE))
        draw(ImageDraw.Draw(mask))
        return np.asarray(mask.reduce(SCALE), np.float64)[..., None] / 255

    def points(radius: float) -> list[tuple[float, float]]:
        """Return the corners of a five-pointed star around the centre, the first one pointing up."""
        corners = [(radius if k % 2 == 0 else radius * 0.45, math.pi * (k / 5 - 0.5)) for k in range(10)]
        return [((32 + r * math.cos(a)) * SCALE, (33 + r * math.sin(a)) * SCALE) for r, a in corners]

    disc = coverage(lambda d: d.ellipse((3 * SCALE, 3 * SCALE, 61 * SCALE - 1, 61 * SCALE - 1), fill=255))
    star = coverage(lambda d: d.polygon(points(21), fill=255))
    down = np.linspace(0, 1, size)[:, None, None]
    orange = (1 - down) * np.array([255, 176, 48]) + down * np.array([232, 84, 16])
    rgb = star * 255 + (1 - star) * orange
    alpha = np.rint(disc * 255)
    return Image.fromarray(np.concatenate([np.where(alpha > 0, np.rint(rgb), 0), alpha], axis=2).astype(np.uint8))


def upright() -> Image.Image:
    """Return the upright picture of ``rotated.jpg``: an arrow to the sky over the letters UP, coloured corners."""
    width, height, s = 120, 160, SCALE
    picture = Image.new("RGB", (width * s, height * s), (150, 205, 245))
    draw = ImageDraw.Draw(picture)

    def box(x0: int, y0: int, x1: int, y1: int) -> tuple[int, int, int, int]:
        return x0 * s, y0 * s, x1 * s - 1, y1 * s - 1

    draw.rectangle(box(0, 104, 120, 160), fill=(70, 140, 65))
    for (x, y), colour in {(0, 0): "red", (96, 0): "yellow", (0, 136): "blue", (96, 136): "white"}.items():
        draw.rectangle(box(x, y, x + 24, y + 24), fill=colour)
    arrow = [(60, 12), (92, 52), (72, 52), (72, 92), (48, 92), (48, 52), (28, 52)]
    draw.polygon([(x * s, y * s) for x, y in arrow], fill=(30, 40, 90))
    ink = "white"
    draw.rectangle(box(35, 108, 41, 122), fill=ink)
    draw.rectangle(box(50, 108, 56, 122), fill=ink)
    draw.arc(box(35, 111, 56, 132), 0, 180, fill=ink, width=6 * s)
    draw.rectangle(box(64, 108, 70, 132), fill=ink)
    draw.rectangle(box(70, 108, 77, 113), fill=ink)
    draw.rectangle(box(70, 119, 77, 124), fill=ink)
    draw.arc(box(69, 108, 85, 124), -90, 90, fill=ink, width=5 * s)
    return picture.reduce(s)


def animation() -> list[Image.Image]:
    """Return the frames of a ball that hops to the right and comes in again at the left, with one palette for all frames."""
    size, s = 64, SCALE
    strip = Image.new("RGB", (size * FRAMES, size))
    for i in range(FRAMES):
        frame = Image.new("RGB", (size * s, size * s), (190, 225, 250))
        draw = ImageDraw.Draw(frame)
        draw.ellipse((42 * s, 6 * s, 56 * s, 20 * s), fill=(255, 225, 110))
        draw.polygon([(2 * s, 48 * s), (20 * s, 24 * s), (38 * s, 48 * s)], fill=(135, 150, 185))
        draw.rectangle((0, 48 * s, size * s, size * s), fill=(95, 165, 85))
        x, y = 4 + 8 * i, 44 - 26 * math.sin(math.pi * i / FRAMES)
        for cx in (x - size, x, x + size):
            draw.ellipse(((cx - 8) * s, 51 * s, (cx + 8) * s, 56 * s), fill=(65, 120, 60))
            draw.ellipse(((cx - 9) * s, (y - 9) * s, (cx + 9) * s, (y + 9) * s), fill=(215, 45, 50))
            draw.ellipse(((cx - 5) * s, (y - 6) * s, (cx - 1) * s, (y - 2) * s), fill=(255, 190, 180))
        strip.paste(frame.reduce(s), (i * size, 0))
    indexed = strip.quantize(64, dither=Image.Dither.NONE)
    return [indexed.crop((i * size, 0, (i + 1) * size, size)) for i in range(FRAMES)]


def tiny() -> Image.Image:
    """Return a smiley of 8 by 8 pixels."""
    return Image.fromarray(np.array([[COLOURS[c] for c in row] for row in SMILEY], np.uint8))


def small() -> Image.Image:
    """Return the photograph at a quarter of its size."""
    with Image.open(PHOTOGRAPH) as photo:
        size = (photo.width // 4, photo.height // 4)
        return photo.convert("RGB").resize(size, Image.Resampling.LANCZOS)


def conv1() -> np.ndarray:
    """Return eight filters on RGB, (8, 3, 7, 7): edges in four directions, in brightness and in blue against yellow."""
    y, x = np.indices((7, 7)) - 3
    window = np.exp(-(x**2 + y**2) / 8)
    filters = []
    for colour in ((1, 1, 1), (0.5, 0.5, -1)):
        for k in range(4):
            angle = math.pi * k / 4
            wave = window * np.sin(math.pi / 3 * (x * math.cos(angle) + y * math.sin(angle)))
            filters.append(np.array(colour)[:, None, None] * wave / np.abs(wave).sum() / 3)
    return np.array(filters, np.float32)


def depthwise() -> np.ndarray:
    """Return a binomial blur for each of eight channels, (8, 1, 3, 3)."""
    row = np.array([1, 2, 1]) / 4
    return np.tile(np.outer(row, row), (8, 1, 1, 1)).astype(np.float32)


PNGS: tuple[Callable[[], Image.Image], ...] = (
    impulse, checkerboard, zoneplate, ramp, gradient16, icon, tiny, small,
)  # fmt: skip


def main(folder: Path) -> None:
    """Write every sample into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for make in PNGS:
        make().save(folder / f"{make.__name__}.png", optimize=True)

    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # a viewer turns it a quarter clockwise, so it is stored turned the other way
    upright().transpose(Image.Transpose.ROTATE_90).save(folder / "rotated.jpg", quality=90, optimize=True, exif=exif)

    first, *rest = animation()
    first.save(folder / "animation.gif", save_all=True, append_images=rest, duration=FRAME_MS, loop=0)

    np.save(folder / "conv1.npy", conv1())
    np.savez(folder / "depthwise.npz", w=depthwise())
    bias = np.full(8, 0.5, np.float32)
    (folder / "layer.safetensors").write_bytes(save({"conv1.weight": conv1(), "conv1.bias": bias}))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
