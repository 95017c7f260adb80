"""PGM and PPM files."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import numpy as np

from convcli.errors import param
from convcli.images.writing import Frame, Job
from convcli.pointwise import Array
from convcli.pointwise.lift import LUMA, to_gray


def write(frames: Iterator[Frame], job: Job) -> None:
    """Write a picture: a line of sizes, and the pixels as they are, their high bytes first. Under ``.pgm`` colours become gray."""
    frame = next(frames)
    pixels = frame.pixels
    if pixels.shape[2] > 1 and job.ending == ".pgm":
        job.notes.append(BECAME_GRAY)
        pixels, job.channels = gray(pixels), 1
    rows = max(1, PIECE_BYTES // pixels[0].nbytes)
    pieces = (stored(pixels[start : start + rows]).data.cast("B") for start in range(0, len(pixels), rows))
    job.write(chain([head(pixels.shape, frame.storage.full_scale)], pieces))


PIECE_BYTES = 1 << 20
"""About how many bytes are written at a time. Linux takes several times as long for pieces of 8 MiB (measured)."""


BECAME_GRAY = f"its colours became gray, as .pgm holds nothing else: name it .ppm to keep them, or use {param('channels', 'gray')}"


def head(shape: tuple[int, ...], full_scale: float) -> bytes:
    """The line of sizes of pixels ``(H, W, C)``."""
    height, width, channels = shape
    return f"P{6 if channels == 3 else 5}\n{width} {height}\n{full_scale:.0f}\n".encode()


def stored(pixels: Array) -> Array:
    """Pixels as they are in the file."""
    return np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">"))


def gray(pixels: Array) -> Array:
    """Luma ``(H, W, 1)`` of integers ``(H, W, 3)``, row by row."""
    out = np.empty((*pixels.shape[:2], 1), pixels.dtype)
    for row, values in zip(pixels, out[..., 0], strict=True):
        luma = np.empty(len(row))
        to_gray(row.T, LUMA, luma)
        values[...] = np.rint(luma)
    return out
