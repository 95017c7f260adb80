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
    if pixels.shape[2] > 1 and job.ending == ".pgm":
        gray = param("channels", "gray")
        job.notes.append(
            f"its colours became gray, as .pgm holds nothing else: name it .ppm to keep them, or use {gray}"
        )
        pixels, job.channels = _gray(pixels), 1
    height, width, channels = pixels.shape
    head = f"P{6 if channels == 3 else 5}\n{width} {height}\n{frame.storage.full_scale:.0f}\n".encode()
    job.write([head, np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">")).data.cast("B")])


def _gray(pixels: Array) -> Array:
    """Luma ``(H, W, 1)`` of integers ``(H, W, 3)``, row by row."""
    out = np.empty((*pixels.shape[:2], 1), pixels.dtype)
    for row, gray in zip(pixels, out[..., 0], strict=True):
        luma = np.empty(len(row))
        to_gray(row.T, LUMA, luma)
        gray[...] = np.rint(luma)
    return out
