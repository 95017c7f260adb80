"""When torch takes an operation through transforms, and the memory that they take: integers, without torch.

Of large kernels of few channels torch's own convolution takes many times longer: of a photograph under 31×31 taps plane by plane,
a minute and a half. All figures were found on the CPU.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convcli.geometry import Geometry, Size

TAPS, CHANNELS = 225, 4
"""Taps of a kernel for each output pixel from which, and channels in a group up to which, transforms are worth it."""

DTYPES = ("float32", "float64")
"""Of the computation, that there are transforms in."""

TAPS_EACH, SIDE_BY_SIDE = 75, 16
"""The same taps, divided among the filters of a group: torch computes up to 16 filters in the time of one, while each has
transforms of its own."""

HELD = 1 << 27
"""Bytes of the spectra of kernels, and of those of results, that are held at a time, beyond the image's own (or one plane's)."""

COPIES = 4
"""Planes that a transform takes while it works: the padded values, the spectra after each of its two axes, and the result."""


def suits(weight: Sequence[int], groups: int, geometry: Geometry) -> bool:
    """Whether kernels ``(C_out, C_in/groups, kh, kw)`` are large enough, for what each filter takes: a look at sizes.

    A stride thins the direct work, but not the transforms.
    """
    filters, inputs, kh, kw = weight
    if geometry.transpose or inputs > CHANNELS or min(kh, kw) == 1:
        return False
    together = min(filters // groups, SIDE_BY_SIDE)
    return kh * kw >= max(TAPS, TAPS_EACH * together) * geometry.stride.rows * geometry.stride.columns


def sides_for(size: Sequence[int]) -> Size:
    """The sides of the transforms of so many rows and columns: even, with no prime factors but 2, 3 and 5."""
    return Size(*(_fast_side(side) for side in size))


def plane_bytes(sides: Size, itemsize: int) -> int:
    """What the spectrum of one real plane takes: about as much as the plane."""
    return sides.height * (sides.width // 2 + 1) * 2 * itemsize


def blocks(count: int, each: int) -> Iterator[slice]:
    """Slices of `count` things, for each of which a transform takes so many bytes: as many as may be held at a time."""
    step = max(1, HELD // each)
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def working_bytes(batch: Sequence[int], weight: Sequence[int], geometry: Geometry, itemsize: int) -> int:
    """What the transforms of an operation take beside its padded input and its output, at most.

    Parameters
    ----------
    batch : sequence of int
        ``(N, C_in, H, W)``.
    weight : sequence of int
        ``(C_out, C_in/groups, kh, kw)``.
    geometry : Geometry
    itemsize : int
        Of the dtype of the transforms: that of the computation, or float64's where values turn out to be of a wide range.
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
