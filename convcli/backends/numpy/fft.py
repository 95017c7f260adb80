"""Large kernels: overlapping tiles in the frequency domain (overlap-save).

A tile of the padded input is transformed, multiplied by the kernel's transform and transformed back; the outputs that no
wrap-around has touched are kept. Dilation spreads the kernel's taps; strides are taken from the dense result.
Oppenheim and Schafer, "Discrete-Time Signal Processing", section on block convolution.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.backends.numpy.job import Buffers, Compute, Job
from convcli.backends.numpy.taps import add_bias
from convcli.geometry import Size, extent

SIDES = (
    32,
    48,
    64,
    96,
    128,
    144,
    160,
    192,
    240,
    256,
    288,
    320,
    384,
    432,
    480,
    512,
    576,
    640,
    768,
    1024,
    1536,
    2048,
    3072,
    4096,
)
"""Tile sides with small prime factors only."""


def reach(job: Job) -> tuple[int, int]:
    """Rows and columns that the dilated kernel spans."""
    return extent(job.kernel.height, job.dilation.rows), extent(job.kernel.width, job.dilation.columns)


def sides(job: Job) -> tuple[int, int]:
    """Rows and columns of the transforms: what costs least for each output, and no more than the image asks for."""
    chosen = []
    for span, size, stride in zip(reach(job), job.output, job.stride, strict=True):
        need = stride * (size - 1) + span
        fitting = [side for side in SIDES if side >= span] or [2 ** int(np.ceil(np.log2(2 * span)))]
        limit = next((side for side in fitting if side >= need), fitting[-1])
        chosen.append(min((side for side in fitting if side <= limit), key=lambda side: work(side, span)))
    return chosen[0], chosen[1]


def work(side: int, span: int) -> float:
    """Relative work for each output along one axis; beyond the second-level cache a value costs more."""
    return float(side * np.log2(side) / (side - span + 1) * (1 + 0.15 * max(0.0, np.log2(side / 256))))


def tile(job: Job, itemsize: int) -> Size:
    """Output tiles that one transform fills."""
    return Size(
        *(
            max(1, (side - span) // stride + 1)
            for side, span, stride in zip(sides(job), reach(job), job.stride, strict=True)
        )
    )


def prepare(job: Job, dtype: str) -> Compute:
    """Transform the kernels once; what is returned fills a tile."""
    usual, (span_y, span_x), (s, t) = sides(job), reach(job), job.stride

    @cache
    def spectra(height: int, width: int) -> NDArray[Any]:
        spread = np.zeros((*job.kernels.shape[:2], height, width), dtype)
        spread[..., : span_y : job.dilation.rows, : span_x : job.dilation.columns] = job.kernels
        return np.conj(np.fft.rfft2(spread))  # the conjugate correlates

    def compute(part: Job, scratch: NDArray[Any], out: NDArray[Any], buffers: Buffers) -> None:
        _, rows, width = out.shape
        height, side = max(usual[0], scratch.shape[1]), max(usual[1], scratch.shape[2])
        kernels = spectra(height, side)
        kind = kernels.dtype.name
        transforms = buffers.get("transforms", (len(scratch), height, side // 2 + 1), kind)
        np.fft.rfft(scratch, side, out=transforms[:, : scratch.shape[1]])
        transforms[:, scratch.shape[1] :] = 0
        np.fft.fft(transforms, axis=1, out=transforms)
        product = buffers.get("product", transforms.shape[1:], kind)
        further = buffers.get("further", transforms.shape[1:], kind)
        needed = s * (rows - 1) + 1
        dense = buffers.get("dense", (needed, side), dtype)
        for o in range(job.outputs):
            np.multiply(transforms[job.sources[o]], kernels[o, 0], out=product)
            for c in range(1, kernels.shape[1]):
                product += np.multiply(transforms[job.sources[o] + c], kernels[o, c], out=further)
            np.fft.ifft(product, axis=0, out=product)
            np.fft.irfft(product[:needed], side, out=dense)
            out[o] = dense[::s, : t * (width - 1) + 1 : t]
        add_bias(job, out)

    return compute
