"""PGM and PPM files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from convcli.errors import param
from convcli.images.picture import Metadata
from convcli.images.writing import Frame, Job
from convcli.images.writing.storage import Storage
from convcli.images.writing.strips import Strips
from convcli.pointwise import Array
from convcli.pointwise.lift import LUMA, to_gray
from convcli.system.files import telling
from convcli.system.shared_file import File


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


STRIP_BYTES = 1 << 20
"""About how much is written at a time."""


def begin(job: Job, storage: Storage, shape: tuple[int, ...], _: Metadata) -> Strips | None:
    """What writes pixels ``(H, W, C)`` to their places; None if the target is no file, or if they are few."""
    height, width, channels = shape
    pixel = channels * np.dtype(storage.dtype).itemsize
    rows = max(1, STRIP_BYTES // (width * pixel))
    stream = job.file() if rows < height else None
    return None if stream is None else _Strips(job, stream, storage, shape, rows)


class _Strips(Strips):
    """Strips that are written to their places in a file."""

    def __init__(self, job: Job, stream: BinaryIO, storage: Storage, shape: tuple[int, ...], rows: int) -> None:
        height, width, channels = shape
        super().__init__(height, rows)
        self._gray = channels > 1 and job.ending == ".pgm"
        channels = 1 if self._gray else channels
        start = head((height, width, channels), storage.full_scale)
        self._target, self._stream, self._file = job.target, stream, File(stream.fileno())
        self._start, self._row = len(start), width * channels * np.dtype(storage.dtype).itemsize
        with telling(job.target):
            self._file.write(start, 0)

    def put(self, number: int, pixels: Array) -> None:
        """Write a strip."""
        data = stored(gray(pixels) if self._gray else pixels).data
        with telling(self._target):
            self._file.write(data, self._start + self.strips[number].start * self._row)


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
