"""PGM and PPM files."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from convcli.errors import param
from convcli.images.writing import Frame, Job
from convcli.pointwise import Array
from convcli.pointwise.lift import LUMA, to_gray


def write(frames: Iterator[Frame], job: Job) -> None:
    """Write a picture: a line of sizes, and the pixels as they are, their high bytes first. Under ``.pgm`` colours become gray."""
    frame = next(frames)
    pixels = frame.pixels
    becomes_gray = pixels.shape[2] > 1 and job.ending == ".pgm"
    if becomes_gray:
        job.notes.append(BECAME_GRAY)
        job.channels = 1
    if job.strips is not None:
        job.strips.finish(pixels, job.threads)
        return
    pixels = gray(pixels) if becomes_gray else pixels
    job.write([head(pixels.shape, frame.storage.full_scale), stored(pixels).data.cast("B")])


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
