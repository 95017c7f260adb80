"""Pictures and durations as a GIF stores them: at most 256 colours, and hundredths of a second."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convcli.images.picture import Timing
from convcli.pointwise import Array

COLOURS = 256


def image(pixels: Array, notes: list[str]) -> Image.Image:
    """Pixels ``(H, W, C)`` uint8, alpha last, as an image of Pillow. Remarks about what is lost are added to `notes`."""
    if pixels.shape[2] in (2, 4) and ((pixels[..., -1] > 0) & (pixels[..., -1] < 255)).any():
        notes.append(
            "a GIF pixel is either opaque or transparent: partly transparent ones become one or the other; png and webp keep them"
        )
    made, exact = paletted(pixels)
    if not exact:
        notes.append("a GIF has at most 256 colours: others become the nearest of them; png and webp keep all")
    return made


def paletted(pixels: Array) -> tuple[Image.Image, bool]:
    """Pixels ``(H, W, C)`` uint8 as an image of mode P, and whether all colours are exact.

    Pixels with an alpha of less than half become transparent, which is then colour 0; the others become opaque.
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
    """Pillow's options for an animation that differ from those of other formats. Remarks are added to `notes`.

    GIF counts time in units of 10 milliseconds: the shortest duration is 10, and 0 stays 0. The rounding error of a frame is
    added to the next, so that the total time is kept. Pixels that become transparent have to be cleared first.
    """
    rounded, behind = [], 0.0
    for duration in durations:
        behind += duration
        kept = max(10.0, 10.0 * round(behind / 10)) if duration > 0 else 0.0
        behind -= kept
        rounded.append(kept)
    if rounded != durations:
        notes.append(
            "GIF counts time in hundredths of a second: the times of its frames are rounded; png and webp keep them"
        )
    return {"duration": rounded, "disposal": 2 if timing.alpha else 1, "loop": timing.loop}
