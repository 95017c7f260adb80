"""An operation as the strategies see it: planes of rows, kernels for each output plane, index maps, integers.

A *plane* is a 2-D array of lines. Channels that share their kernels and lie interleaved in memory (``R G B R G B …``)
form one plane whose horizontal neighbours are `step` values apart: a tap is then a shift by `step`, and nothing has to be
rearranged. Every other channel is a plane of its own with step 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from threading import local
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.geometry import Geometry, Pair, Size, extent


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One direct operation on one image.

    Attributes
    ----------
    kernels : ndarray
        ``(O, I, kh, kw)``: for each output plane, a kernel for each of its I input planes.
    sources : tuple of int
        For each output plane, its first input plane (the others follow).
    bias : ndarray
        ``(O, step)`` float64: what is added to output plane o; one value for each interleaved channel.
    planes, step : int
        Input planes, and values between horizontal neighbours.
    rows, columns : ndarray of int
        Border index maps: source row and column of each padded coordinate, or `ZERO`.
    stride, dilation : Pair
    output : Size
    """

    kernels: NDArray[np.float64]
    sources: tuple[int, ...]
    bias: NDArray[np.float64]
    planes: int
    step: int
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    stride: Pair
    dilation: Pair
    output: Size

    @property
    def outputs(self) -> int:
        """Output planes."""
        return int(self.kernels.shape[0])

    @property
    def kernel(self) -> Size:
        """Kernel size."""
        return Size(*self.kernels.shape[2:])

    @property
    def line(self) -> int:
        """Values in a padded input line."""
        return len(self.columns) * self.step

    def input_rows(self, strip: range) -> slice:
        """The padded input rows under the output rows of `strip`."""
        reach = extent(self.kernel.height, self.dilation.rows)
        return slice(strip.start * self.stride.rows, (strip.stop - 1) * self.stride.rows + reach)

    def shifted(self, lines: NDArray[Any], tap: int) -> NDArray[Any]:
        """The view of padded `lines` ``(…, line)`` that tap column `tap` reads: ``(…, W_out·step)``, or ``(…, W_out, step)``."""
        offset, width = tap * self.dilation.columns, self.output.width
        if self.stride.columns == 1:
            return lines[..., offset * self.step : (offset + width) * self.step]
        pixels = lines.reshape(*lines.shape[:-1], -1, self.step)
        last = offset + self.stride.columns * (width - 1)
        return pixels[..., offset : last + 1 : self.stride.columns, :]

    def as_outputs(self, lines: NDArray[Any]) -> NDArray[Any]:
        """Output `lines` ``(…, W_out·step)`` in the shape that `shifted` returns."""
        if self.stride.columns == 1:
            return lines
        return lines.reshape(*lines.shape[:-1], self.output.width, self.step)

    def part(self, columns: range) -> Job:
        """The same job for a run of output columns only."""
        first = columns.start * self.stride.columns
        last = (columns.stop - 1) * self.stride.columns + extent(self.kernel.width, self.dilation.columns)
        return replace(self, columns=self.columns[first:last], output=Size(self.output.height, len(columns)))

    def planar(self) -> Job:
        """The same job with every interleaved channel as a plane of its own: planes channel by channel."""
        if self.step == 1:
            return self
        channels, outputs = self.step, self.outputs
        return replace(
            self,
            kernels=np.tile(self.kernels, (channels, 1, 1, 1)),
            sources=tuple(channel for channel in range(channels) for _ in range(outputs)),
            bias=self.bias.T.reshape(-1, 1),
            planes=channels,
            step=1,
        )


class Buffers:
    """Uninitialised arrays that a thread uses again for tile after tile: fresh memory costs more than many a computation."""

    def __init__(self) -> None:
        self._threads = local()

    def get(self, name: str, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """The array of this name, thread, shape and dtype; what it held before is lost."""
        kept = self._threads.__dict__
        size = prod(shape)
        if name not in kept or kept[name].size < size or kept[name].dtype != dtype:
            kept[name] = np.empty(size, dtype)
        array: NDArray[Any] = kept[name][:size].reshape(shape)
        return array


Compute = Callable[[Job, NDArray[Any], NDArray[Any], Buffers], None]
"""``compute(part, scratch, out, buffers)``: fill ``out (O, rows, W_out·step)`` from the padded ``scratch (planes, input rows,
line)``, both of the plan's dtype, for the columns of `part`."""

CACHE_BYTES = 768 << 10
"""Scratch and output of a tile: most of a core's second-level cache, which has 1 to 2 MiB today."""


ENOUGH_ROWS = 24
"""Output rows of a tile below which lines are cut shorter instead: tall kernels read many rows for each."""


def tile_within(job: Job, itemsize: int, values: int = 6000, planes: int | None = None) -> Size:
    """Output rows and columns of a tile of at most `values` values in a line, within `CACHE_BYTES`.

    Long lines come first, because every NumPy call then does more. `planes` is how many input planes are worked on at a
    time (by default all).
    """
    planes = planes or job.planes
    reach = extent(job.kernel.height, job.dilation.rows)
    enough = min(ENOUGH_ROWS, job.output.height)
    width = min(job.output.width, max(1, values // (job.step * job.stride.columns)))
    while True:
        line = (width * job.stride.columns + extent(job.kernel.width, job.dilation.columns)) * job.step * itemsize
        each = planes * line * job.stride.rows + width * job.step * itemsize * (
            job.outputs if planes == job.planes else 1
        )
        rows = (CACHE_BYTES - planes * line * reach) // each
        if rows >= enough or width * job.step < 1024:
            return Size(max(1, min(job.output.height, rows)), width)
        width //= 2


def lines(picture: NDArray[Any], step: int) -> NDArray[Any]:
    """``(C, H, W)`` as planes: as it is for step 1; for step C, interleaved in memory, as one plane ``(1, H, W·C)``."""
    if step == 1:
        return picture
    channels, height, width = picture.shape
    assert channels == step
    return picture.transpose(1, 2, 0).reshape(1, height, width * step)


def direct_job(
    weight: NDArray[Any],
    bias: NDArray[Any] | None,
    groups: int,
    interleaved: bool,
    rows: list[int],
    columns: list[int],
    stride: Pair,
    dilation: Pair,
    output: Size,
) -> Job:
    """The job for ``weight (C_out, C_in/groups, kh, kw)``; `interleaved` says that the image's channels lie so in memory."""
    filters, per_group = weight.shape[:2]
    kernels = weight.astype(np.float64)
    offsets = np.zeros(filters) if bias is None else bias.astype(np.float64)
    planes, step = groups * per_group, 1
    block = filters // groups
    sources = tuple(filter_ // block * per_group for filter_ in range(filters))
    if interleaved and per_group == 1 and groups > 1:
        banks = kernels.reshape(groups, block, *kernels.shape[1:])
        if (banks == banks[0]).all():
            kernels, offsets, planes, step = banks[0], offsets.reshape(groups, block).T, 1, groups
            sources = (0,) * block
    return Job(
        kernels, sources, offsets.reshape(len(sources), step), planes, step, np.array(rows), np.array(columns), stride,
        dilation, output,
    )  # fmt: skip


def of_geometry(
    weight: NDArray[Any], bias: NDArray[Any] | None, geometry: Geometry, groups: int, interleaved: bool
) -> Job:
    """The job of a direct geometry."""
    return direct_job(
        weight, bias, groups, interleaved, geometry.row_indices, geometry.column_indices, geometry.stride,
        geometry.dilation, geometry.output,
    )  # fmt: skip
