"""Large kernels: overlapping tiles in the frequency domain (overlap-save).

A tile of the padded input is transformed, multiplied by the kernel's transform and transformed back; the outputs that no
wrap-around has touched are kept. Dilation spreads the kernel's taps; a stride of rows is taken from the dense result.
Oppenheim and Schafer, "Discrete-Time Signal Processing", section on block convolution.

The rounding of a transform is relative to the largest value of the tile, so that one value far above the rest would drown
it. Tiles of real pixels and of wide integers are looked at first, block by block: one of a wide range is done in float64, one of
a wider range not at all.
"""

from __future__ import annotations

from functools import cache, lru_cache
from math import log2, sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from convcli.backends.numpy.job import Job, Work
from convcli.backends.numpy.steps import Buffers, Steps
from convcli.backends.numpy.taps import bias_steps
from convcli.backends.numpy.taps import suits as plain_suits
from convcli.geometry import Size

SIDES = (
    *(30, 36, 48, 60, 72, 80, 96, 120, 144, 160, 180, 200, 240, 288, 320, 360, 400, 480),
    *(576, 640, 720, 800, 960, 1152, 1440, 1920, 2400, 2880, 3600, 4800),
)
"""Tile sides with small prime factors only; no powers of two, whose columns fall into few lines of the cache."""

NORM: Final = "ortho"
"""Of the transforms of pixels. Told not to scale one, NumPy (2.0 to 2.4) does it in a wider type, which takes up to eight times as
long: it multiplies float32 by the integer 1."""

ROOM = 1.5
"""How much larger than a kernel a side must be, where the image is: else a tile has hardly an output."""

BLOCK = 16
"""Rows and columns over which faint values are averaged."""

WORTH_LESS = 0.75
"""The share of a tile's side up to which another one is worth a transform of the kernel, if there is one only."""

WIDE, TOO_WIDE = 2.0**8, 2.0**32
"""Ranges of a tile (see `value_range`) above which it is done in float64, and not at all."""


def sides(job: Job) -> tuple[int, int]:
    """Rows and columns of the transforms: what costs least for each output, and no more than the image asks for."""
    (height, width), (rows, columns) = job.output, job.reach
    return side_for(rows, job.stride * (height - 1) + 1), side_for(columns, width)


@lru_cache(maxsize=256)
def side_for(span: int, outputs: int) -> int:
    """The side along one axis, for so many outputs of windows of `span`; a planner asks for the same one again and again."""
    need = outputs + span - 1
    fitting = [side for side in SIDES if side >= min(need, ROOM * span)] or [2 ** int(np.ceil(np.log2(2 * span)))]
    limit = next((side for side in fitting if side >= need), fitting[-1])
    few = [side for side in fitting if side <= limit]
    return min(few, key=lambda side: -(-outputs // (side - span + 1)) * effort(side))


def effort(side: int) -> float:
    """Relative work of a tile along one axis: small ones cost calls, large ones leave the cache (measured)."""
    calls, far = sqrt(1 + (190 / side) ** 2), 1 + 0.12 * max(0.0, log2(side / 480))
    return side * log2(side) * calls * far


def fitted(most: int, need: int) -> int:
    """The side for a tile that reads so many rows or columns: `most`, but where far less will do.

    That is so at the edge, and where tiles are cut lower so that every thread has one.
    """
    less = min((side for side in SIDES if side >= need), default=most)
    return less if less < WORTH_LESS * most else max(most, need)


def tile(job: Job, itemsize: int) -> Size:
    """Output tiles that one transform fills."""
    height, width = (side - span + 1 for side, span in zip(sides(job), job.reach, strict=True))
    return Size(max(1, (height - 1) // job.stride + 1), max(1, width))


def value_range(scratch: NDArray[Any], block: int) -> float:
    """How far the largest value of a tile lies above the mean of its faintest block that is not all zeros."""
    sizes = np.abs(scratch, dtype=np.float64)
    _, rows, columns = sizes.shape
    sums = np.add.reduceat(np.add.reduceat(sizes, range(0, rows, block), 1), range(0, columns, block), 2)
    faintest = float(sums.min(where=sums > 0, initial=np.inf)) / block**2
    return float(sizes.max(initial=0)) / faintest


def suits(scratch: NDArray[Any]) -> bool:
    """Whether a tile's values are finite, of one range, and far from the end of the type."""
    return plain_suits(scratch) and value_range(scratch, BLOCK) <= TOO_WIDE


def spectra_bytes(job: Job) -> int:
    """What the transforms of the job's kernels take in memory, in float32."""
    height, width = sides(job)
    return job.outputs * job.inputs * height * (width // 2 + 1) * 8


def distinct(job: Job) -> dict[bytes, NDArray[Any]]:
    """The kernels ``(I, kh, kw)`` of a job's outputs, like ones once, by their bytes."""
    return {kernels.tobytes(): kernels for kernels in job.kernels}


def prepare(job: Job, dtype: str) -> Work:
    """Transform the kernels once, like ones once for all; what is returned says how a tile is filled."""
    usual, (span_y, span_x), s = sides(job), job.reach, job.stride
    different = distinct(job)
    place = {data: number for number, data in enumerate(different)}
    single = len(different) * job.inputs == 1
    groups = [
        (first, [(o, place[job.kernels[o].tobytes()]) for o in range(job.outputs) if job.sources[o] == first])
        for first in dict.fromkeys(job.sources)
    ]

    @cache
    def spectra(height: int, width: int, dtype: str) -> NDArray[Any]:
        found = np.empty((len(different), job.inputs, height, width // 2 + 1), np.result_type(dtype, np.complex64))
        for kernels, spectrum in zip(different.values(), found, strict=True):
            spread = np.zeros((job.inputs, height, width))
            spread[:, : span_y : job.dilation.rows, : span_x : job.dilation.columns] = kernels
            np.conjugate(np.fft.rfft2(spread), out=spectrum, casting="same_kind")  # the conjugate correlates
        return found

    def transform(part: Job, scratch: NDArray[Any], out: NDArray[Any], buffers: Buffers) -> None:
        kind = dtype
        if not job.bounded and value_range(scratch, BLOCK) > WIDE:
            kind = "float64"
            scratch = scratch.astype(kind)
        rows, width = out.shape[1], part.output.width
        height, side = (
            fitted(most, need) if single else max(most, need)
            for most, need in zip(usual, scratch.shape[1:], strict=True)
        )
        kernels = spectra(height, side, kind)
        complex_kind = kernels.dtype.name
        transforms = buffers.get("transforms", (job.inputs, height, side // 2 + 1), complex_kind)
        beside = buffers.get("product", transforms.shape[1:], complex_kind)
        further = buffers.get("further", transforms.shape[1:], complex_kind)
        needed = s * (rows - 1) + 1
        at_once = s == 1 and out.shape[2] == side and out.dtype == kind  # what is transformed back is the output
        dense = None if at_once else buffers.get("dense", (needed, side), kind)
        for first, members in groups:
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
                    out[o, :, :width] = dense[::s, :width]

    def work(part: Job, scratch: NDArray[Any], out: NDArray[Any], buffers: Buffers) -> Steps:
        width = part.output.width
        return [(transform, (part, scratch, out, buffers)), *bias_steps(job, out[..., :width])]

    return work
