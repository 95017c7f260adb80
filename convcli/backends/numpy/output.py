"""The result array of a run: its memory layout, and the finished tiles that go into it."""

from __future__ import annotations

from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.backends.numpy.job import Job, lines
from convcli.finish import Finish
from convcli.geometry import Size
from convcli.ranges import Clipped


def is_interleaved(x: NDArray[Any]) -> bool:
    """Whether the channels of ``x (N, C, H, W)`` lie side by side in memory, pixel by pixel."""
    _, channels, _, width = x.shape
    pixel = channels * x.itemsize
    strides = (x.itemsize, width * pixel, pixel)
    return channels > 1 and all(
        s == wanted or n == 1 for s, wanted, n in zip(x.strides[1:], strides, x.shape[1:], strict=True)
    )


class Output:
    """The result of a run, filled tile by tile from several threads.

    Parameters
    ----------
    x : ndarray
        The input ``(N, C, H, W)``: an interleaved picture gives an interleaved one.
    filters : int
        Output channels of the operation, before `finish`.
    size : Size
        Output size.
    dtype : str
        Of the result, where `finish` keeps real values.
    finish : Finish
    """

    def __init__(self, x: NDArray[Any], filters: int, size: Size, dtype: str, finish: Finish) -> None:
        count, channels = x.shape[:2]
        self.finish = finish
        outputs = finish.outputs(filters)
        self.interleaved = outputs == channels and is_interleaved(x)
        kind = finish.dtype or dtype
        if self.interleaved:
            self.array = np.empty((count, *size, outputs), kind).transpose(0, 3, 1, 2)
        else:
            self.array = np.empty((count, outputs, *size), kind)
        self.clipped = Clipped()
        self.lock = Lock()

    def direct(self, image: int, job: Job, rows: range, columns: range, dtype: str) -> NDArray[Any] | None:
        """The place of a tile in the result, if it can be computed there: planes as they are, nothing to finish."""
        if job.step > 1 or self.interleaved or self.finish.dtype or self.finish.joins or self.array.dtype != dtype:
            return None
        return self.array[image, :, rows.start : rows.stop, columns.start : columns.stop]

    def emit(self, image: int, job: Job, values: NDArray[Any], rows: range, columns: range) -> None:
        """Finish ``values (O, rows, W_out·step)`` of a tile and put them in their place."""
        place = self.array[image, :, rows.start : rows.stop, columns.start : columns.stop]
        step = job.step
        if step == 1:
            clipped = self.finish.apply(values, place)
        elif self.interleaved and place.shape[0] == step:
            clipped = self.finish.apply(values, self._picture(image, rows, columns))
        else:  # several outputs of each channel: (outputs, rows, W, step) → channel by channel
            planes = self.finish.outputs(job.outputs)
            finished = np.empty((planes, len(rows), len(columns) * step), self.array.dtype)
            clipped = self.finish.apply(values, finished)
            pixels = finished.reshape(planes, len(rows), len(columns), step)
            np.copyto(place.reshape(step, planes, len(rows), len(columns)), pixels.transpose(3, 0, 1, 2))
        with self.lock:
            self.clipped = Clipped(*map(sum, zip(self.clipped, clipped, strict=True)))

    def _picture(self, image: int, rows: range, columns: range) -> NDArray[Any]:
        """A part of an interleaved result as one plane ``(1, rows, W·step)``."""
        step = self.array.shape[1]
        flat = lines(self.array[image], step)
        return flat[:, rows.start : rows.stop, columns.start * step : columns.stop * step]
