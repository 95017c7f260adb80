"""When torch uses transforms for an operation, and how much memory they take. Computed from integers, without torch.

For large kernels on few channels, torch's own convolution is many times slower: it takes a minute and a half to filter
each plane of a photograph by 31×31 taps. All figures were measured on the CPU.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convcli.geometry import Geometry, Size

TAPS, CHANNELS = 225, 4
"""Transforms are worth it from this number of taps of a kernel for each output pixel, and up to this number of channels
in a group."""

DTYPES = ("float32", "float64")
"""Dtypes of the computation for which there are transforms."""

TAPS_EACH, SIDE_BY_SIDE = 75, 16
"""The same number of taps, for each filter of a group: torch computes up to 16 filters in the time of one, but each
filter needs transforms of its own."""

HELD = 1 << 27
"""The most bytes that the spectra of kernels may take at a time, and the same for those of results; a single plane may
take more. The spectra of the image are not counted."""

COPIES = 4
"""Arrays as large as a plane that a transform holds while it works: the padded values, the spectra after each of its
two axes, and the result."""


def suits(weight: Sequence[int], groups: int, geometry: Geometry) -> bool:
    """Whether kernels ``(C_out, C_in/groups, kh, kw)`` are large enough for transforms to be faster, judged by sizes alone.

    A stride saves direct work, but no work of the transforms.
    """
    filters, inputs, kh, kw = weight
    if geometry.transpose or inputs > CHANNELS or min(kh, kw) == 1:
        return False
    together = min(filters // groups, SIDE_BY_SIDE)
    return kh * kw >= max(TAPS, TAPS_EACH * together) * geometry.stride.rows * geometry.stride.columns


def sides_for(size: Sequence[int]) -> Size:
    """The sides of the transforms for a number of rows and columns: even, with no prime factors but 2, 3 and 5."""
    return Size(*(_fast_side(side) for side in size))


def plane_bytes(sides: Size, itemsize: int) -> int:
    """Bytes of the spectrum of one real plane: about as many as the plane itself has."""
    return sides.height * (sides.width // 2 + 1) * 2 * itemsize


def blocks(count: int, each: int) -> Iterator[slice]:
    """Slices of `count` things that take `each` bytes: as many things in a slice as `HELD` allows, but at least one."""
    step = max(1, HELD // each)
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def working_bytes(batch: Sequence[int], weight: Sequence[int], geometry: Geometry, itemsize: int) -> int:
    """The most bytes that the transforms of an operation take, in addition to its padded input and its output.

    ``batch (N, C_in, H, W)`` and ``weight (C_out, C_in/groups, kh, kw)`` are shapes. `itemsize` is that of the dtype of
    the transforms: of the computation, or of float64 if the values have a wide range.
    """
    count, channels, height, width = batch
    filters, inputs, *_ = weight
    top, bottom, left, right = geometry.pads
    plane = plane_bytes(sides_for((height + top + bottom, width + left + right)), itemsize)
    kernels = min(filters * inputs * COPIES * plane, max(HELD, inputs * COPIES * plane))
    results = min(count * filters * COPIES * plane, max(HELD, COPIES * plane))
    return count * channels * plane + max(kernels, kernels // COPIES + results)


def _fast_side(side: int) -> int:
    while True:
        rest = side
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1 and side % 2 == 0:
            return side
        side += 1
