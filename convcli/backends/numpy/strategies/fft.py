"""Large kernels: overlapping tiles in the frequency domain (overlap-save).

A tile of the padded input is transformed, multiplied by the kernel's transform and transformed back. The outputs that
are free of wrap-around are kept. Dilation spreads the kernel's taps; a stride keeps only some rows of the dense result.
Oppenheim and Schafer, "Discrete-Time Signal Processing", section on block convolution.

The rounding errors of a transform are relative to the largest value of the tile: one very large value would hide small
ones. Tiles of real pixels and of wide integers are therefore looked at first, block by block. A tile with a wide range
is done in float64, and one with an even wider range is not transformed at all.
"""

from __future__ import annotations

from functools import lru_cache
from math import log2, sqrt
from threading import Lock
from typing import Final

import numpy as np

from convcli.backends import TOO_WIDE, WIDE, block, scale_of
from convcli.backends.numpy.job import FilterJob
from convcli.backends.numpy.strategies.common import (
    CACHED_BYTES,
    MANY_KERNELS,
    PASS,
    Estimate,
    Estimates,
    Work,
    is_small,
    like,
    spread,
)
from convcli.backends.numpy.tiles import Buffers
from convcli.geometry import Size
from convcli.windows import Array

TRANSFORM = {"float32": 0.16e-9, "float64": 0.3e-9}
"""Seconds of a real transform, for each value and each doubling of its size."""

SPECTRA_BYTES = 256 << 20
"""If the transforms of the kernels take more bytes than this, the strategy is not used."""

SIDES = (
    *(30, 36, 48, 60, 72, 80, 96, 120, 144, 160, 180, 200, 240, 288, 320, 360, 400, 480),
    *(576, 640, 720, 800, 960, 1152, 1440, 1920, 2400, 2880, 3600, 4800),
)
"""Sides of the transforms: they have only small prime factors. Powers of two are left out, because their columns
would share a few lines of the cache."""

NORM: Final = "ortho"
"""Scale of the transforms of pixels. Without a scale, NumPy (2.0 to 2.4) works in a wider type and takes up to eight
times as long, because it multiplies float32 by the integer 1."""

ROOM = 1.5
"""How many times larger than a kernel a side must be, if the image is large enough: otherwise a tile has hardly any
outputs."""

WORTH_LESS = 0.75
"""A smaller side must be less than this share of the usual one to be worth another transform of the kernel, if there
is only one kernel."""


def estimates(layouts: list[FilterJob], dtype: str, wanted: bool = False) -> Estimates:
    """The cost, with a plane for each channel. The strategy can do every job, if it is wanted."""
    job = layouts[-1]
    different = len(set(like(job)))
    held = spectra_bytes(job, dtype, different)
    if held > SPECTRA_BYTES and not wanted:
        return
    height, width = sides(job)
    tiles = [-(-size // side) for size, side in zip(job.output, tile(job, 4), strict=True)]
    computed = tiles[0] * height * tiles[1] * width / (job.output.height * job.output.width)
    transforms = job.gathered / job.outputs + 1
    each = computed * (transforms * TRANSFORM[dtype] * log2(height * width) + job.inputs * 4 * PASS[dtype])
    if held > CACHED_BYTES:
        kernels = different * job.inputs * height * width * log2(height * width)
        each += kernels * TRANSFORM["float64"] / (job.outputs * job.output.height * job.output.width)
    kh, kw = job.reach
    reason = f"windows of {kh}×{kw} → tiles of {height}×{width} in the frequency domain"
    yield Estimate("fft", job, dtype, each, job.outputs * 6, reason, rounds=True, held=held)


def sides(job: FilterJob) -> tuple[int, int]:
    """Rows and columns of the transforms: the cheapest for each output, but no more than the image needs."""
    (height, width), (rows, columns) = job.output, job.reach
    return side_for(rows, job.stride * (height - 1) + 1), side_for(columns, width)


@lru_cache(maxsize=256)
def side_for(span: int, outputs: int) -> int:
    """The side along one axis, for `outputs` outputs with windows of `span`. Kept, because the planner needs it again and again."""
    need = outputs + span - 1
    fitting = [side for side in SIDES if side >= min(need, ROOM * span)] or [2 ** int(np.ceil(np.log2(2 * span)))]
    limit = next((side for side in fitting if side >= need), fitting[-1])
    few = [side for side in fitting if side <= limit]
    return min(few, key=lambda side: -(-outputs // (side - span + 1)) * effort(side))


def effort(side: int) -> float:
    """Relative cost of a tile along one axis: small tiles need more calls, large ones leave the cache (measured)."""
    calls, far = sqrt(1 + (190 / side) ** 2), 1 + 0.12 * max(0.0, log2(side / 480))
    return side * log2(side) * calls * far


def fitted(most: int, need: int) -> int:
    """The side for a tile that reads `need` rows or columns: `most`, or a far smaller one if it is enough.

    It is enough at the edge of the image, or if tiles are made lower so that every thread has one.
    """
    less = min((side for side in SIDES if side >= need), default=most)
    return less if less < WORTH_LESS * most else max(most, need)


def tile(job: FilterJob, itemsize: int) -> Size:
    """Output rows and columns of a tile: as many as one transform fills."""
    height, width = (side - span + 1 for side, span in zip(sides(job), job.reach, strict=True))
    return Size(max(1, (height - 1) // job.stride + 1), max(1, width))


def precision(job: FilterJob, scratch: Array) -> str | None:
    """The dtype for a tile; None if its values are not finite, near the end of their type's range, or of too wide a range.

    The windows of a dilated kernel may miss the pixels that raise the mean of a block. Such tiles are always done in
    float64.
    """
    largest, ratio = spread(scratch, (block(job.kernel.height), block(job.kernel.width)))
    if ratio > TOO_WIDE or not is_small(largest, scratch.dtype):
        return None
    return "float64" if ratio > WIDE or max(job.dilation) > 1 else scratch.dtype.name


def spectra_bytes(job: FilterJob, dtype: str, different: int) -> int:
    """Bytes of the transforms of the job's kernels, if `different` of them differ. If there are many, all count as different."""
    height, width = sides(job)
    kernels = different if job.outputs <= MANY_KERNELS else job.outputs
    return kernels * job.inputs * height * (width // 2 + 1) * 2 * np.dtype(dtype).itemsize


def prepare(job: FilterJob, dtype: str) -> Work:
    """Find the different kernels. The result gives the steps that fill a tile. Kernels are transformed once for all tiles."""
    transforms = _Transforms(job, dtype)

    return lambda *tile: [(transforms.fill, tile)]


class _Transforms:
    """What all tiles of a job share: the sides of the transforms, and the transforms of the kernels."""

    def __init__(self, job: FilterJob, dtype: str) -> None:
        self.job, self.dtype = job, dtype
        self.usual, self.different = sides(job), {kernels.tobytes(): kernels for kernels in job.kernels}
        place = {data: number for number, data in enumerate(self.different)}
        self.groups = [
            (job.sources[bank.start], [(o, place[job.kernels[o].tobytes()]) for o in bank]) for bank in job.banks
        ]
        totals = [float(np.abs(kernels).sum()) for kernels in self.different.values()]
        self.scales = [scale_of(total) for total in totals]
        self._lock = Lock()
        self._spectra: dict[tuple[int, int], Array] = {}

    def fill(self, width: int, scratch: Array, out: Array, buffers: Buffers) -> None:
        """Fill the first `width` values of each line of ``out (O, rows, line)``."""
        job, kind = self.job, self.dtype
        scratch = scratch.astype(kind, copy=False)
        (height, side), rows = self._sides(scratch), out.shape[1]
        kernels = self._kernels(height, side)
        complex_kind = kernels.dtype.name
        transforms = buffers.get(f"fft transforms {kind}", (job.inputs, height, side // 2 + 1), complex_kind)
        beside = buffers.get(f"fft product {kind}", transforms.shape[1:], complex_kind)
        further = buffers.get(f"fft further {kind}", transforms.shape[1:], complex_kind)
        needed = job.stride * (rows - 1) + 1
        # If the inverse transform gives exactly the output, it is written there directly.
        at_once = job.stride == 1 and out.shape[2] == side and out.dtype == kind
        dense = None if at_once else buffers.get(f"fft dense {kind}", (needed, side), kind)
        for first, members in self.groups:
            np.fft.rfft(scratch[first : first + job.inputs], side, norm=NORM, out=transforms[:, : scratch.shape[1]])
            transforms[:, scratch.shape[1] :] = 0
            np.fft.fft(transforms, axis=1, norm=NORM, out=transforms)
            for o, which in members:
                product = transforms[0] if len(members) == 1 else beside
                np.multiply(transforms[0], kernels[which, 0], out=product)
                for c in range(1, job.inputs):
                    product += np.multiply(transforms[c], kernels[which, c], out=further)
                np.fft.ifft(product, axis=0, norm=NORM, out=product)
                np.fft.irfft(product[:needed], side, norm=NORM, out=out[o] if dense is None else dense)
                if dense is not None:
                    out[o, :, :width] = dense[:: job.stride, :width]
                if self.scales[which] != 1:
                    out[o, :, :width] *= out.dtype.type(self.scales[which])

    def _sides(self, scratch: Array) -> tuple[int, int]:
        """Rows and columns of the transforms of a tile."""
        single = len(self.different) * self.job.inputs == 1  # one more transform of it costs little
        (most_rows, most_columns), (rows, columns) = self.usual, scratch.shape[1:]
        if single:
            return fitted(most_rows, rows), fitted(most_columns, columns)
        return max(most_rows, rows), max(most_columns, columns)

    def _kernels(self, height: int, width: int) -> Array:
        """The transforms ``(different kernels, I, height, width/2 + 1)``, conjugate as in a correlation; made once."""
        key = height, width
        with self._lock:  # otherwise, every thread would make its own
            if key not in self._spectra:
                self._spectra[key] = self._transformed(height, width)
            return self._spectra[key]

    def _transformed(self, height: int, width: int) -> Array:
        job = self.job
        found = np.empty(
            (len(self.different), job.inputs, height, width // 2 + 1), np.result_type(self.dtype, np.complex64)
        )
        for kernels, scale, spectrum in zip(self.different.values(), self.scales, found, strict=True):
            laid = np.zeros((job.inputs, height, width))
            laid[:, : job.reach.height : job.dilation.rows, : job.reach.width : job.dilation.columns] = kernels / scale
            np.conjugate(np.fft.rfft2(laid), out=spectrum, casting="same_kind")
        return found
