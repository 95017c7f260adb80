"""What GIF makes of a picture: at most 256 colours, exactly where there are no more; and of durations."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convcli.images.picture import Timing
from convcli.pointwise import Array

COLOURS = 256


def image(pixels: Array, notes: list[str]) -> Image.Image:
    """Pillow's image of ``(H, W, C)`` uint8, alpha last; `notes` gets what is lost."""
    if pixels.shape[2] in (2, 4) and ((pixels[..., -1] > 0) & (pixels[..., -1] < 255)).any():
        notes.append(
            "GIF pixels are opaque or transparent: those in between become one or the other; png and webp keep them"
        )
    made, exact = paletted(pixels)
    if not exact:
        notes.append("GIF holds 256 colours: the others become the nearest of these; png and webp keep them")
    return made


def paletted(pixels: Array) -> tuple[Image.Image, bool]:
    """Pillow's image of mode P of ``(H, W, C)`` uint8, and whether it has each colour exactly.

    Pixels whose alpha is less than half become transparent, which is colour 0 then; the others opaque.
    """
    height, width, channels = pixels.shape
    clear = pixels[..., -1] < 128 if channels in (2, 4) else np.zeros((height, width), bool)
    first = int(clear.any())
    if channels < 3:
        pixels = np.broadcast_to(pixels[..., :1], (height, width, 3))
    packed = np.zeros((height, width), np.int32)
    for band in range(3):
        packed <<= 8
        packed |= pixels[..., band]
    seen = np.zeros(1 << 24, bool)
    seen[packed[~clear] if first else packed] = True
    colours = np.flatnonzero(seen)
    exact = len(colours) <= COLOURS - first
    if exact:
        numbers = np.zeros(1 << 24, np.uint8)
        numbers[colours] = np.arange(first, first + len(colours))
        indices = numbers[packed]
        table = unpacked(colours)
    else:
        reduced = Image.fromarray(np.ascontiguousarray(pixels[..., :3])).quantize(
            COLOURS - first, Image.Quantize.MEDIANCUT
        )
        indices = np.asarray(reduced) + np.uint8(first)
        table = np.array(reduced.getpalette() or [], np.uint8).reshape(-1, 3)[: COLOURS - first]
    indices[clear] = 0
    image = Image.frombytes("P", (width, height), np.ascontiguousarray(indices).tobytes())
    image.putpalette(bytes(3 * first) + table.tobytes())
    if first:
        image.info["transparency"] = 0
    return image, exact


def unpacked(colours: Array) -> NDArray[np.uint8]:
    """Red, green and blue ``(N, 3)`` of whole numbers ``0xRRGGBB``."""
    return np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=-1).astype(np.uint8)


def timed(timing: Timing, durations: list[float], notes: list[str]) -> dict[str, Any]:
    """What Pillow is told of an animation, beside what other formats are told; `notes` gets what is lost.

    GIF counts durations by 10 milliseconds: the shortest is 10, and 0 stays. What is rounded off one frame is added to the
    next, so that the whole keeps its time. What becomes transparent must be cleared first, else only what changes is written.
    """
    rounded, behind = [], 0.0
    for duration in durations:
        behind += duration
        kept = max(10.0, 10.0 * round(behind / 10)) if duration > 0 else 0.0
        behind -= kept
        rounded.append(kept)
    if rounded != durations:
        notes.append("GIF counts hundredths of a second: the times of its frames are rounded; png and webp keep them")
    return {"duration": rounded, "disposal": 2 if timing.alpha else 1, "loop": timing.loop}
