"""Tensors as .npy files."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from convcli.images.picture import Picture
from convcli.images.writing import Frame, Job, stored
from convcli.images.writing.storage import narrowed, tensor_of
from convcli.system import npy
from convcli.system.names import is_stream, is_url


def write(frames: Iterator[Frame], job: Job) -> None:
    """Write a tensor with its real values."""
    frame = next(frames)
    if _is_kept(frame) and not (is_stream(job.target) or is_url(job.target)):
        with job.sink() as stream:
            _strip_by_strip(frame.picture, job, stream.fileno())
        return
    array, clipped = tensor_of(frame.picture, frame.storage.policy)
    array, lost = narrowed(array, frame.storage.dtype)
    job.clipped.append(clipped)
    job.notes += lost
    with job.sink() as stream:
        npy.write(stream, array)


def _is_kept(frame: Frame) -> bool:
    """Whether the file of a large picture holds its values without a change, and alone."""
    picture, storage = frame.picture, frame.storage
    kept = storage.policy == "raw" and picture.alpha is None and picture.colour.dtype == storage.dtype
    return kept and picture.colour.ndim == 3 and picture.colour.nbytes > stored.STRIP_BYTES


def _strip_by_strip(picture: Picture, job: Job, descriptor: int) -> None:
    """Write a picture on all cores, without a copy of the whole."""
    channels, height, width = picture.colour.shape
    rank = 2 if picture.rank == 2 and channels == 1 else 3
    order = stored.order_of("NPY", job.ending, (channels, height, width), picture.colour.dtype, 0.0, rank)
    places = stored.Places(job.target, descriptor, order, width)
    places.finish(np.moveaxis(picture.colour, 0, -1), job.threads)
