"""Tensors as .npy files."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from convcli.images.writing import Frame, Job
from convcli.images.writing.storage import narrowed, tensor_of
from convcli.system import npy


def write(frames: Iterator[Frame], job: Job) -> None:
    """Write a tensor with its real values."""
    frame = next(frames)
    if job.strips is not None:  # which take real values as they are
        job.strips.finish(np.moveaxis(frame.picture.colour, 0, -1), job.threads)
        return
    array, clipped = tensor_of(frame.picture, frame.storage.policy)
    array, lost = narrowed(array, frame.storage.dtype)
    job.clipped.append(clipped)
    job.notes += lost
    with job.sink() as stream:
        npy.write(stream, array)
