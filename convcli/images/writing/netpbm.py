"""PGM and PPM files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from convcli.errors import param
from convcli.images.writing import Frame, Job


def write(frames: Iterator[Frame], job: Job) -> None:
    """Write a picture: a line of sizes, and the pixels as they are, their high bytes first."""
    frame = next(frames)
    pixels = frame.pixels
    height, width, channels = pixels.shape
    if channels > 1 and Path(job.target).suffix.lower() == ".pgm":
        gray = param("channels", "gray")
        job.notes.append(f"it holds colours, and .pgm is for gray: name it .ppm, or use {gray}")
    head = f"P{6 if channels == 3 else 5}\n{width} {height}\n{frame.storage.full_scale:.0f}\n".encode()
    job.write([head, np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">")).data.cast("B")])
