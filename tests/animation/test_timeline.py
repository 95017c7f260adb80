"""The steps of an animation are the convolution's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convcli.animation import captions
from convcli.animation.timeline import Kind, Timeline, Values, timeline_of
from convcli.convspec import ConvSpec
from convcli.errors import GeometryError
from convcli.geometry import Geometry, Pads, Pair
from convcli.presenters.filmed import document
from support.animations import direct, random, summed, transposed


@given(direct())
@settings(deadline=None)
def test_the_steps_of_a_direct_convolution_are_its_definition(case: tuple[Geometry, str]) -> None:
    shape, op = case
    image, kernel = random(shape.input), random(shape.kernel)
    names = {"zeros": "constant", "replicate": "edge", "circular": "wrap"}
    top, bottom, left, right = shape.pads
    padded = np.pad(image, ((top, bottom), (left, right)), names.get(shape.padding_mode, shape.padding_mode))  # type: ignore[call-overload]
    turned = kernel[::-1, ::-1] if op == "conv" else kernel
    (s, t), (d, e) = shape.stride, shape.dilation
    expected = [
        [
            sum(turned[i, j] * padded[s * y + d * i, t * x + e * j] for i, j in np.ndindex(kernel.shape))
            for x in range(shape.output.width)
        ]
        for y in range(shape.output.height)
    ]
    np.testing.assert_array_equal(summed(timeline_of(shape, op), image, kernel), expected)


@given(transposed())
@settings(deadline=None)
def test_the_steps_of_a_transposed_convolution_are_its_definition(case: tuple[Geometry, str]) -> None:
    """Every input pixel adds the kernel to the outputs, which padding crops."""
    shape, op = case
    image, kernel = random(shape.input), random(shape.kernel)
    turned = kernel[::-1, ::-1] if op == "conv" else kernel
    (s, t), (d, e), (top, _, left, _) = shape.stride, shape.dilation, shape.pads
    expected = np.zeros(shape.output)
    for y, x in np.ndindex(image.shape):
        for i, j in np.ndindex(kernel.shape):
            row, column = s * y + d * i - top, t * x + e * j - left
            if 0 <= row < shape.output.height and 0 <= column < shape.output.width:
                expected[row, column] += image[y, x] * turned[i, j]
    np.testing.assert_array_equal(summed(timeline_of(shape, op), image, kernel), expected)


@given(st.one_of(direct(), transposed()))
@settings(deadline=None)
def test_every_step_has_its_window_on_the_grid(case: tuple[Geometry, str]) -> None:
    timeline = timeline_of(*case)
    height, width = timeline.geometry.extent
    assert [step.output for step in timeline.steps] == [*np.ndindex(*timeline.geometry.output)]
    inputs = [field.source for row in timeline.grid for field in row if field.kind is Kind.INPUT]
    assert inputs == [*np.ndindex(*timeline.geometry.input)]
    for step in timeline.steps:
        assert 0 <= step.top <= timeline.size.height - height
        assert 0 <= step.left <= timeline.size.width - width
        rows = {tap.row for tap in step.taps}
        assert (min(rows), max(rows)) == (step.top, step.top + height - 1)
        assert (
            len(step.taps)
            == len({tap.kernel for tap in step.taps})
            == timeline.geometry.kernel[0] * timeline.geometry.kernel[1]
        )


def rows_of(timeline: Timeline) -> list[str]:
    """The grid in letters: input, 0 inserted, padding, output padding."""
    signs = {Kind.INPUT: "i", Kind.INSERTED: "0", Kind.PADDING: "p", Kind.OUTPUT_PADDING: "o"}
    return ["".join(signs[field.kind] for field in row) for row in timeline.grid]


def test_the_papers_transposed_example() -> None:
    """Dumoulin and Visin, figure 4.7: i' = 3, k = 3, s = 2, p = 1, a = 1: one row and column more at the bottom and right."""
    spec = ConvSpec(transpose=True, stride=Pair(2, 2), padding=Pads(1, 1, 1, 1), output_padding=Pair(1, 1))
    timeline = timeline_of(spec.resolve((3, 3), (3, 3)))
    assert rows_of(timeline) == [
        "pppppppo",
        "pi0i0ipo",
        "p00000po",
        "pi0i0ipo",
        "p00000po",
        "pi0i0ipo",
        "pppppppo",
        "oooooooo",
    ]
    assert timeline.flipped
    assert len(timeline.steps) == 36


def test_cropping_more_than_the_kernel_reaches() -> None:
    """p' = d(k-1) - p = 1 - 2: the first window stands inside of the zero-stuffed input."""
    spec = ConvSpec(transpose=True, stride=Pair(2, 2), padding=Pads(2, 2, 0, 0))
    timeline = timeline_of(spec.resolve((3, 1), (2, 1)))
    assert rows_of(timeline) == ["i", "0", "i", "0", "i"]
    assert [step.top for step in timeline.steps] == [1, 2]
    assert "padding d(k−1) − p = −1,−1,0,0 (below 0: cropped)" in " ".join(captions.facts(timeline, None))


@pytest.mark.parametrize(
    ("output_padding", "more"),
    [
        (Pair(0, 0), ""),
        (Pair(1, 1), " and 1 more at the bottom and right (output_padding)"),
        (Pair(1, 0), " and 1 more at the bottom (output_padding)"),
        (Pair(1, 2), " and 1 more at the bottom and 2 more at the right (output_padding)"),
    ],
)
def test_the_direct_convolution_has_the_output_padding(output_padding: Pair, more: str) -> None:
    """Or else it would not give the same size: 3 pixels, 2 zeros between, 1 around make 7, not 7 + output_padding."""
    spec = ConvSpec(transpose=True, stride=Pair(3, 3), padding=Pads(1, 1, 1, 1), output_padding=output_padding)
    timeline = timeline_of(spec.resolve((3, 3), (3, 3)))
    [line] = [line for line in captions.facts(timeline, None) if line.startswith("= direct")]
    assert line == (
        f"= direct convolution with stride 1, 2 zeros between pixels, padding d(k−1) − p = 1{more}, kernel flipped"
    )
    grid = document(timeline, Values())["grid"]
    assert grid["padding"] == {"top": 1, "bottom": 1, "left": 1, "right": 1}
    assert grid["output_padding"] == list(output_padding)
    across = 2 * 3 + 1 + grid["padding"]["top"] + grid["padding"]["bottom"] + grid["output_padding"][0]
    assert grid["height"] == across == timeline.geometry.output.height + 3 - 1


@pytest.mark.parametrize(
    ("size", "kernel", "padding", "says"),
    [
        ((40, 40), (3, 3), 0, "an output of 38×38 takes 1444 frames: an animation has at most 1024"),
        ((1, 1), (65, 65), 32, "65×65 cells: an animation shows at most 4096"),
        ((60, 60), (59, 59), 0, None),
        ((32, 32), (9, 9), 4, "82944 taps: an animation shows at most 65536"),
        ((10**9, 10**9), (10**9, 10**9), 0, "cells"),
    ],
)
def test_what_is_too_large_is_refused(
    size: tuple[int, int], kernel: tuple[int, int], padding: int, says: str | None
) -> None:
    shape = ConvSpec(padding=Pads(padding, padding, padding, padding)).resolve(size, kernel)
    if says is None:
        assert len(timeline_of(shape).steps) == 4
        return
    with pytest.raises(GeometryError, match=says):
        timeline_of(shape)


def test_what_a_stride_leaves_over_is_said() -> None:
    """(6 + 2 - 3) mod 2 = 1 row; (7 + 2 - 3) mod 2 = 0; with stride 4, 3 columns of 10."""
    timeline = timeline_of(ConvSpec(stride=Pair(2, 2), padding=Pads(1, 1, 1, 1)).resolve((6, 7), (3, 3)))
    assert "never read: 1 row (bottom)" in captions.facts(timeline, None)
    timeline = timeline_of(ConvSpec(stride=Pair(1, 4)).resolve((3, 10), (3, 3)))
    assert "never read: 3 columns (right)" in captions.facts(timeline, None)
    timeline = timeline_of(ConvSpec().resolve((6, 7), (3, 3)))
    assert "never read" not in " ".join(captions.facts(timeline, None))
