"""An operation as the strategies see it: planes of rows, a kernel for each output plane, index maps, integers.

A *plane* is a 2-D array of lines. Channels that share their kernels and are interleaved in memory (``R G B R G B …``)
form one plane, whose horizontal neighbours are `step` values apart. A tap is then a shift by a multiple of `step`, and
nothing has to be rearranged. Every other channel is a plane of its own, with step 1.

A strategy never sees a horizontal stride. The columns that a strided operation reads form classes, one for each tap
modulo the stride. Each class is gathered as a plane of its own, in which neighbours are next to each other again. Or all
columns are computed, and those that the stride leaves out are dropped afterwards: that is more work, but on values that
are next to each other. A strategy does not see a transposed operation either: it is a direct one with more outputs. Only those
that can are given widened jobs, in which a column of the input is as many columns of the output as the stride says: see
`convcli.backends.numpy.phases`.
"""

from itertools import pairwise
from math import gcd
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.borders import PaddedAxis, padded_axis, sources
from convcli.geometry import ZERO, Geometry, Pair, Size, extent
from convcli.records import NamedTuple
from convcli.windows import Array

if TYPE_CHECKING:
    from numpy.typing import NDArray


class FilterJob(NamedTuple):
    """One operation on one image."""

    # ``(O, I, kh, widen·kw)`` float64: for each output plane, one kernel for each of the I gathered planes that it reads
    kernels: "NDArray[np.float64]"
    # of the same shape: which entries are taps of the kernel, even if they are zero. The others are gaps, which read
    # nothing.
    taps: "NDArray[np.bool_]"
    # for each output plane, the number of the first gathered plane that it reads. The others follow this one.
    sources: tuple[int, ...]
    # ``(O, step)`` float64: the values that are added to each output plane, one for each interleaved channel
    bias: "NDArray[np.float64]"
    source: np.dtype[Any]  # of the pixels
    # number of planes of the image, and of values from a pixel to its right neighbour
    planes: int
    step: int
    rows: PaddedAxis  # border index map: the source row of each padded row, or `ZERO`
    # ``(T, L)``: the same for the columns of each of the T classes. Gathered plane ``p·T + i`` holds the columns of
    # class i of plane p.
    columns: "NDArray[np.intp]"
    stride: int  # padded rows from the window of one output row to that of the next
    dilation: Pair  # distance of neighbouring taps, in padded rows and in gathered columns
    output: Size  # rows and columns of an output plane
    # the output planes of a filter interleave to an image that is this many times as high and as wide
    upsample: Pair = Pair(1, 1)
    # where in that image each output plane of a filter begins. O is the number of filters times the number of phases.
    phases: tuple[Pair, ...] = (Pair(0, 0),)
    thin: int = 1  # only every `thin`-th of the output's columns is kept
    # how many values of a line of the output come from each column: the horizontal phases of a transposed operation.
    # Each has its own kw columns of the kernels. `upsample` and `phases` are then about rows alone.
    widen: int = 1

    @property
    def kept(self) -> Size:
        """Rows and columns that are kept of an output plane."""
        return Size(self.output.height, -(-self.output.width // self.thin))

    @property
    def outputs(self) -> int:
        """Number of output planes."""
        return int(self.kernels.shape[0])

    @property
    def inputs(self) -> int:
        """Number of gathered planes that an output plane reads."""
        return int(self.kernels.shape[1])

    @property
    def gathered(self) -> int:
        """Number of gathered planes."""
        return self.planes * len(self.columns)

    @property
    def kernel(self) -> Size:
        """Rows and columns of a kernel."""
        shape = self.kernels.shape
        return Size(shape[2], shape[3] // self.widen)

    @property
    def reach(self) -> Size:
        """Rows and columns of a window, with the dilation."""
        (height, width), (down, along) = self.kernel, self.dilation
        return Size(extent(height, down), extent(width, along))

    @property
    def line(self) -> int:
        """Number of values in a gathered line."""
        return int(self.columns.shape[1]) * self.step

    @property
    def apart(self) -> int:
        """Values of a gathered line from one tap to the next."""
        return self.dilation.columns * self.step

    @property
    def span(self) -> tuple[float, float]:
        """The smallest and the largest possible result for pixels of an unsigned type; infinite for other types."""
        if self.source.kind != "u" or not self.outputs:
            return -np.inf, np.inf
        largest = float(np.iinfo(self.source).max)
        kernels = self.kernels.reshape(*self.kernels.shape[:3], self.widen, -1)
        low, high = (bound(kernels, 0).sum(axis=(1, 2, 4)) * largest for bound in (np.minimum, np.maximum))
        least, most = (edge(self.bias, axis=1, keepdims=True) for edge in (np.min, np.max))
        return float((low + least).min()), float((high + most).max())

    @property
    def bounded(self) -> bool:
        """Whether pixels have a narrow integer type: then they are finite, and their range is never too wide."""
        return self.source.kind in "uib" and self.source.itemsize <= 2

    @property
    def banks(self) -> list[range]:
        """Ranges of output planes that read the same gathered planes."""
        edges = [o for o in range(self.outputs) if not o or self.sources[o] != self.sources[o - 1]]
        return [range(*pair) for pair in pairwise([*edges, self.outputs])]

    def input_rows(self, strip: range) -> slice:
        """The padded input rows that the output rows of `strip` read."""
        return slice(strip.start * self.stride, (strip.stop - 1) * self.stride + self.reach.height)

    def reads(self, columns: range) -> "NDArray[np.intp]":
        """The part of `columns` that a range of the output columns that are kept reads."""
        start, width = columns.start * self.thin, (len(columns) - 1) * self.thin + 1
        return self.columns[:, start : start + width - 1 + self.reach.width]

    def planar(self) -> "FilterJob":
        """The same job with a plane of its own for every interleaved channel. Output planes are ordered by channel."""
        if self.step == 1:
            return self
        channels, outputs, classes = self.step, self.outputs, len(self.columns)
        return self._replace(
            kernels=np.tile(self.kernels, (channels, 1, 1, 1)),
            taps=np.tile(self.taps, (channels, 1, 1, 1)),
            sources=tuple(channel * classes for channel in range(channels) for _ in range(outputs)),
            bias=self.bias.T.reshape(-1, 1),
            planes=channels,
            step=1,
        )


def lines(picture: Array, step: int) -> Array:
    """A picture ``(C, H, W)`` as planes.

    With step 1 it stays as it is. With step C, for a picture that is interleaved in memory, it becomes one plane
    ``(1, H, W·C)``.
    """
    if step == 1:
        return picture
    channels, height, width = picture.shape
    assert channels == step
    return picture.transpose(1, 2, 0).reshape(1, height, width * step)


def direct(
    weight: Array,
    bias: Array | None,
    geometry: Geometry,
    groups: int,
    source: np.dtype[Any],
    interleaved: bool,
    all_columns: bool = False,
) -> FilterJob:
    """The job of a direct operation with ``weight (C_out, C_in/groups, kh, kw)`` and ``bias (C_out,)``.

    Tap j of output column x reads padded column ``t·x + e·j``. With g, the greatest common divisor of t and e, the taps
    ``i, i + t/g, …`` form a class: they read every t-th column from ``e·i`` on, and among these they are ``e/g`` apart.

    Columns between the stretches of distant taps are left out, so that a large dilation costs no more than its
    taps.

    The pixels have the dtype `source`, and `interleaved` says that the image's channels are interleaved in memory.
    `all_columns` says that all columns are computed, and those that the stride leaves out are dropped.
    """
    (s, t), (d, e), (height, width) = geometry.stride, geometry.dilation, geometry.output
    filters, channels, kh, kw = weight.shape
    thin = t if all_columns else 1
    width, t = thin * (width - 1) + 1, t // thin
    apart = t // gcd(t, e)
    classes, length, spread = min(kw, apart), -(-kw // apart), e // gcd(t, e)
    kernels = np.full((filters, 1, channels, classes, kh, length), np.nan)
    for i in range(classes):
        part = weight[..., i::apart]
        kernels[:, 0, :, i, :, : part.shape[-1]] = part
    rows, across = padded_axis(geometry, 0), padded_axis(geometry, 1)
    rows, d = rows.near(kh, s * (height - 1) + 1, d)
    far = min(spread, width)
    stretch, ahead = np.divmod(np.arange(far * (length - 1) + width), far)
    reads = e * np.arange(classes)[:, np.newaxis] + t * (spread * stretch + ahead)
    columns = np.where(reads < len(across), sources(reads - across.before, across.size, across.mode), ZERO)
    kernels = kernels.reshape(filters, 1, channels * classes, kh, length)
    return laid_out(
        kernels, bias, groups, interleaved and t == 1, source=source, rows=rows,
        columns=columns, stride=s, dilation=Pair(d, far), output=Size(height, width), thin=thin,
    )  # fmt: skip


def laid_out(
    kernels: "NDArray[np.float64]", bias: Array | None, groups: int, interleaved: bool, **fields: Any
) -> FilterJob:
    """The job for ``kernels (C_out, phases, I, kh, kw)``, in which gaps are NaN.

    `interleaved` says that the image's channels are interleaved in memory. They become one plane if all groups have the
    same kernels. `fields` are further fields of `FilterJob`.
    """
    filters, phases, inputs, kh, kw = kernels.shape
    block, classes = filters // groups, len(fields["columns"])
    planes, step = groups * inputs // classes, 1
    offsets = np.zeros(filters) if bias is None else bias.astype(np.float64)
    sources = [filter_ // block * inputs for filter_ in range(filters)]
    if interleaved and inputs == classes and groups > 1:
        banks = kernels.reshape(groups, block, phases, inputs, kh, kw)
        if np.array_equal(banks, np.broadcast_to(banks[:1], banks.shape), equal_nan=True):
            kernels, offsets, sources = banks[0], offsets.reshape(groups, block).T, [0] * block
            planes, step = 1, groups
    kernels = kernels.reshape(-1, inputs, kh, kw)
    return FilterJob(
        kernels=np.nan_to_num(kernels, nan=0.0),
        taps=~np.isnan(kernels),
        sources=tuple(first for first in sources for _ in range(phases)),
        bias=np.repeat(offsets.reshape(len(sources), step), phases, axis=0),
        planes=planes,
        step=step,
        **fields,
    )
