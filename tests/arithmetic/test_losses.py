"""Unused rows, outputs that saw padding, overlapping taps: against loops over every pixel and tap, and torch."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convcli.arithmetic import losses
from convcli.convspec import ConvSpec
from convcli.errors import GeometryError
from convcli.geometry import Geometry, Pads, Pair


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    """Small geometries of both directions, rows and columns apart."""
    pair = lambda low, high: Pair(draw(st.integers(low, high)), draw(st.integers(low, high)))
    transpose, stride, dilation = draw(st.booleans()), pair(1, 5), pair(1, 4)
    extra = Pair(*(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)))
    pads = Pads(*(draw(st.integers(0, 4)) for _ in range(4)))
    spec = ConvSpec(
        transpose=transpose, stride=stride, dilation=dilation, padding=pads,
        output_padding=extra if transpose else Pair(0, 0),
    )  # fmt: skip
    size, kernel = pair(1, 14), pair(1, 5)
    try:
        return spec.resolve(size, kernel)
    except GeometryError:
        return ConvSpec(transpose=transpose, stride=stride, padding=Pads(4, 4, 4, 4)).resolve((9, 12), (3, 2))


def reads(geometry: Geometry, axis: int) -> list[list[int]]:
    """For every pixel of the smaller side, where its taps lie on the larger one; outside of it: padding, or cropped."""
    small = (geometry.input if geometry.transpose else geometry.output)[axis]
    k, s, d = geometry.kernel[axis], geometry.stride[axis], geometry.dilation[axis]
    return [[o * s + m * d - geometry.pads[2 * axis] for m in range(k)] for o in range(small)]


@given(geometries())
def test_overlap_is_counted(geometry: Geometry) -> None:
    height, width = geometry.output if geometry.transpose else geometry.input
    down, across = ([at for taps in reads(geometry, axis) for at in taps] for axis in (0, 1))
    expected = [[down.count(y) * across.count(x) for x in range(width)] for y in range(height)]
    assert losses.overlap_map(geometry, height, width) == expected
    found = losses.overlap(geometry)
    assert found is not None
    assert found.least == min(map(min, expected))
    assert found.most == max(map(max, expected))


@given(geometries())
def test_outputs_that_saw_padding(geometry: Geometry) -> None:
    if geometry.transpose:
        return
    clean = 1
    for axis in (0, 1):
        inside = range(geometry.input[axis])
        clean *= sum(1 for taps in reads(geometry, axis) if all(at in inside for at in taps))
    total = geometry.output.height * geometry.output.width
    assert losses.saw_padding(geometry) == pytest.approx(1 - clean / total)


@given(geometries())
def test_unused_rows_and_columns(geometry: Geometry) -> None:
    """Everything beyond the last tap of the last output, padding counted or not."""
    if geometry.transpose:
        return
    unused, pixels = losses.unused(geometry), losses.unused_pixels(geometry)
    for axis in (0, 1):
        last = reads(geometry, axis)[-1][-1]
        assert unused[axis] == geometry.input[axis] + geometry.pads[2 * axis + 1] - 1 - last
        assert pixels[axis] == sum(1 for at in range(geometry.input[axis]) if at > last)


@pytest.mark.parametrize(
    ("k", "s", "interior", "checkerboard"),
    [(3, 2, (1, 4), True), (4, 2, (4, 4), False), (2, 2, (1, 1), False), (5, 2, (4, 9), True), (1, 2, (0, 1), True)],
)
def test_checkerboards(k: int, s: int, interior: tuple[int, int], checkerboard: bool) -> None:
    """Odena, Dumoulin and Olah, "Deconvolution and Checkerboard Artifacts" (2016): a kernel divisible by the stride has none."""
    found = losses.overlap(ConvSpec(transpose=True, stride=Pair(s, s)).resolve((20, 20), (k, k)))
    assert found is not None
    assert (found.interior, found.checkerboard) == (interior, checkerboard)


@given(st.integers(1, 9), st.integers(1, 7), st.integers(1, 7), st.booleans())
def test_kernel_stride_and_dilation_decide(k: int, s: int, d: int, transpose: bool) -> None:
    """The verdict is that of a large image, whose taps are counted; a small one does not change it."""
    spec = ConvSpec(transpose=transpose, stride=Pair(s, s), dilation=Pair(d, d), padding=Pads(1, 1, 1, 1))
    large = losses.overlap(spec.resolve((200, 200), (k, k)))
    assert large is not None
    assert large.checkerboard == (len(large.inner) > 1)
    for size in range(3, 12):
        try:
            small = losses.overlap(spec.resolve((size, size), (k, k)))
        except GeometryError:
            continue
        assert small is not None
        assert small.checkerboard == large.checkerboard
        assert not small.inner or small.inner == large.inner


def test_the_interior_of_a_small_image() -> None:
    """Two pixels, four taps, stride 1: 1 2 2 2 1, of which the last tap of the first to the first of the last is none."""
    found = losses.overlap(ConvSpec(transpose=True).resolve((2, 2), (4, 4)))
    assert found is not None
    assert (found.least, found.most, found.interior) == (1, 4, None)


def test_as_torch_sums_ones() -> None:
    """The overlap map is the transposed convolution of ones with ones."""
    spec = ConvSpec(
        transpose=True, stride=Pair(3, 2), padding=Pads(1, 1, 2, 2), dilation=Pair(1, 3), output_padding=Pair(2, 1)
    )
    geometry = spec.resolve((5, 7), (4, 3))
    ones = torch.ones(1, 1, 4, 3, dtype=torch.float64)
    expected = torch.nn.functional.conv_transpose2d(
        torch.ones(1, 1, 5, 7, dtype=torch.float64),
        ones,
        stride=(3, 2),
        padding=(1, 2),
        dilation=(1, 3),
        output_padding=(2, 1),
    )
    assert losses.overlap_map(geometry, *geometry.output) == expected[0, 0].int().tolist()


def test_large_sizes_cost_nothing() -> None:
    geometry = ConvSpec(stride=Pair(2, 2)).resolve((2**31 - 1, 2**31 - 1), (3, 3))
    found = losses.overlap(geometry)
    assert found is not None
    assert (found.least, found.most, found.interior) == (1, 4, (1, 4))
    assert losses.overlap(ConvSpec(stride=Pair(10**9, 1)).resolve((2**31 - 1, 9), (3, 3))) is None
