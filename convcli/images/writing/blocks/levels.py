"""Levels of a pyramid: each has half the height and width of the one before, and means of 2×2 of its pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from convcli.geometry import Size
from convcli.pointwise import Array

LEAST = 512
"""The last level is not larger than this."""


def sizes(size: Size, pyramid: bool = True) -> list[Size]:
    """The picture's own size and those of its levels. Halves are rounded up, so that no pixel is lost."""
    found = [size]
    while pyramid and max(found[-1]) > LEAST:
        found.append(Size(-(-found[-1].height // 2), -(-found[-1].width // 2)))
    return found


def held(rows: range, columns: range, size: Size, step: int, most: int) -> int:
    """How many levels a block holds whole tiles of: at most `most`, with tiles of `step` pixels."""
    count = 0
    while count < most and all(
        part.start % (step << count + 1) == 0 and (part.stop % (step << count + 1) == 0 or part.stop == end)
        for part, end in zip((rows, columns), size, strict=True)
    ):
        count += 1
    return count


def halved(pixels: Array) -> Array:
    """Means of 2×2 pixels ``(H, W, C)``; at odd ends, of those that there are.

    Integers are rounded to the nearest, and halves to even ones. Real numbers are added with 64 bits.
    """
    height, width, _ = pixels.shape
    if height % 2 or width % 2:
        pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
    wide = np.dtype(np.float64) if pixels.dtype.kind == "f" else _wider(pixels.dtype)
    with np.errstate(all="ignore"):
        total = np.add(pixels[::2, ::2], pixels[1::2, ::2], dtype=wide)
        total += np.add(pixels[::2, 1::2], pixels[1::2, 1::2], dtype=wide)
        if wide.kind == "f":
            return (total / 4).astype(pixels.dtype)
    total += 1 + (total >> 2 & 1)  # of what is left over, 3 is rounded up, and 2 if the quotient is odd
    total >>= 2
    return total.astype(pixels.dtype)


def _wider(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Integers that hold the sum of four."""
    return np.dtype(f"{dtype.kind}{min(8, 2 * dtype.itemsize)}")
