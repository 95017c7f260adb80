"""PGM and PPM files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from convcli.errors import param
from convcli.images.writing import Frame, Job
from convcli.pointwise import Array


def write(frames: Iterator[Frame], job: Job) -> None:
    """Write a picture."""
    pixels = next(frames).pixels
    if pixels.shape[2] > 1 and Path(job.target).suffix.lower() == ".pgm":
        gray = param("channels", "gray")
        job.notes.append(f"it holds colours, and .pgm is for gray: name it .ppm, or use {gray}")
    job.write(_file(pixels))


def _file(pixels: Array) -> Iterator[bytes | memoryview]:
    """A line of sizes, and the pixels ``(H, W, C)`` as they are, their high bytes first."""
    height, width, channels = pixels.shape
    yield f"P{6 if channels == 3 else 5}\n{width} {height}\n{np.iinfo(pixels.dtype).max}\n".encode()
    yield np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">")).data.cast("B")
