"""PGM and PPM files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from convcli.errors import param
from convcli.images.writing import Frame, Job


def write(frames: Iterator[Frame], job: Job) -> None:
    """Write a picture: a header, then the samples, high bytes first."""
    pixels = next(frames).pixels
    height, width, channels = pixels.shape
    if channels > 1 and Path(job.target).suffix.lower() == ".pgm":
        gray = param("channels", "gray")
        job.notes.append(f"it has colours, and .pgm is for gray: name it .ppm, or use {gray}")
    head = f"P{6 if channels == 3 else 5}\n{width} {height}\n{np.iinfo(pixels.dtype).max}\n".encode()
    job.write([head, np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">")).data.cast("B")])
