"""Single pixels worked out: windows, taps, products and sums, against literals, the definition and torch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from convcli.convspec import ConvSpec
from convcli.explanation.touched import touches
from convcli.explanation.trace import Trace, combine, readings, trace
from convcli.geometry import Geometry, Pads, Pair
from convcli.layer import Layer as Applied
from support.layers import EPSILON, Layer, layers


def geometry_of(layer: Layer) -> Geometry:
    return layer.spec.resolve(layer.size, layer.kernel)


def applied(layer: Layer) -> Applied:
    """The weights as they are laid on the image."""
    return Applied.of(layer.weight.astype(np.float64), layer.spec, layer.bias)


def traced(layer: Layer, filter_: int, at: tuple[int, int]) -> Trace:
    image = layer.image if layer.batch is None else layer.image[0]
    return trace(image, applied(layer), geometry_of(layer), filter_, at)


def one(array: np.ndarray, layer: Layer) -> np.ndarray:
    """The result for the first image."""
    return array if layer.batch is None else array[0]


# By hand


RAMP = np.arange(1, 10).reshape(1, 3, 3)  # 1 2 3 / 4 5 6 / 7 8 9
KERNEL = np.array([[[[1, 2], [3, 4]]]])


def plain(spec: ConvSpec, image: np.ndarray, kernel: np.ndarray, at: tuple[int, int], bias: float = 0) -> Trace:
    geometry = spec.resolve(image.shape[1:], kernel.shape[2:])
    return trace(image, Applied.of(kernel, spec, np.array([bias])), geometry, 0, at)


def test_a_direct_sum_by_hand() -> None:
    result = plain(ConvSpec(), RAMP, KERNEL, (1, 0), 100)
    assert result.values.tolist() == [[[4, 5], [7, 8]]]
    assert result.products.tolist() == [[[4, 10], [21, 32]]]
    assert result.sum == 167
    assert result.sources == [[(1, 0), (1, 1)], [(2, 0), (2, 1)]]


def test_a_corner_of_zeros_by_hand() -> None:
    result = plain(ConvSpec(padding=Pads(1, 0, 1, 0)), RAMP, KERNEL, (0, 0))
    assert result.values.tolist() == [[[0, 0], [0, 1]]]
    assert result.marks == [["zero", "zero"], ["zero", "pixel"]]
    assert result.terms == [(0, (0, 0), (1, 1), 1, 4)]
    assert result.sum == 4


def test_a_reflected_corner_by_hand() -> None:
    result = plain(ConvSpec(padding=Pads(1, 0, 1, 0), padding_mode="reflect"), RAMP, KERNEL, (0, 0))
    assert result.values.tolist() == [[[5, 4], [2, 1]]]
    assert result.marks == [["copy", "copy"], ["copy", "pixel"]]
    assert result.sources[0][1] == (1, 0)
    assert result.rows[0].position == -1
    assert result.sum == 5 + 8 + 6 + 4


def test_stride_and_dilation_by_hand() -> None:
    image = np.arange(25).reshape(1, 5, 5)
    result = plain(ConvSpec(stride=Pair(2, 1), dilation=Pair(2, 3)), image, KERNEL, (1, 1))
    assert [row.position for row in result.rows] == [2, 4]
    assert [column.position for column in result.columns] == [1, 4]
    assert result.values.tolist() == [[[11, 14], [21, 24]]]


def test_a_transposed_sum_by_hand() -> None:
    """Stride 2: the 3 of the input lies under the kernel's right column, what lies between is a zero."""
    image = np.array([[[1, 3], [5, 7]]])
    kernel = np.arange(1, 10).reshape(1, 1, 3, 3)
    result = plain(ConvSpec(transpose=True, stride=Pair(2, 2)), image, kernel, (2, 2), 0.5)
    assert result.values.tolist() == [[[1, 0, 3], [0, 0, 0], [5, 0, 7]]]
    assert result.kernel.tolist() == [[[9, 8, 7], [6, 5, 4], [3, 2, 1]]]
    assert result.sum == 1 * 9 + 3 * 7 + 5 * 3 + 7 * 1 + 0.5
    assert result.marks == [
        ["pixel", "between", "pixel"], ["between"] * 3, ["pixel", "between", "pixel"],
    ]  # fmt: skip
    assert result.rows[0].tap == 2
    assert [(term.pixel, term.tap, term.product) for term in result.terms] == [
        ((0, 0), (2, 2), 9), ((0, 1), (2, 0), 21), ((1, 0), (0, 2), 15), ((1, 1), (0, 0), 7),
    ]  # fmt: skip


def test_nothing_reaches_output_padding() -> None:
    spec = ConvSpec(transpose=True, stride=Pair(2, 2), output_padding=Pair(1, 1))
    image = np.array([[[1, 3], [5, 7]]])
    result = plain(spec, image, np.ones((1, 1, 3, 3)), (5, 5), 9)
    assert result.terms == []
    assert result.sum == 9


def test_nothing_reaches_what_lies_between_small_kernels() -> None:
    result = plain(ConvSpec(transpose=True, stride=Pair(3, 3)), RAMP, np.ones((1, 1, 2, 2)), (2, 0))
    assert result.terms == []
    assert {row.mark for row in result.rows} == {"between"}


def test_positions_of_a_dilated_transposed_axis() -> None:
    geometry = ConvSpec(transpose=True, stride=Pair(2, 2), dilation=Pair(3, 3), padding=Pads(1, 1, 1, 1)).resolve(
        (3, 3), (2, 2)
    )
    assert [(r.tap, r.position, r.source) for r in readings(geometry, 0, 3)] == [(1, 1, None), (0, 4, 2)]


@pytest.mark.parametrize(
    ("rule", "sums", "result"),
    [
        ("none", [3.0], 3), ("sum", [3.0, -4.0], -1), ("max", [-3.0, -4.0], -3),
        ("magnitude", [3.0, -4.0], 5), ("magnitude", [-2.0], 2),
    ],
)  # fmt: skip
def test_combining(rule: str, sums: list[float], result: float) -> None:
    assert combine(rule, sums) == result


# Against the definition and torch


@settings(max_examples=50)
@given(layer=layers(), data=st.data())
def test_any_pixel_is_the_references(layer: Layer, data: st.DataObject) -> None:
    truth, magnitude = one(layer.truth, layer), one(layer.magnitude, layer)
    for _ in range(5):
        place = tuple(data.draw(st.integers(0, count - 1)) for count in truth.shape)
        result = traced(layer, place[0], place[1:])
        allowed = EPSILON["float64"] * (layer.terms + 4) * magnitude[place]
        assert abs(result.sum - truth[place]) <= allowed
        assert result.values.shape == result.kernel.shape == (layer.channels // layer.spec.groups, *layer.kernel)


@settings(max_examples=30)
@given(layer=layers(modes=("zeros",), explicit=True), data=st.data())
def test_any_pixel_is_torchs(layer: Layer, data: st.DataObject) -> None:
    image = torch.from_numpy(np.array(one(layer.image, layer), np.float64))[None]
    weight, spec = torch.from_numpy(applied(layer).weight.copy()), layer.spec
    bias = None if layer.bias is None else torch.from_numpy(layer.bias)
    top, bottom, left, right = geometry_of(layer).pads
    if spec.transpose:
        full = torch.nn.functional.conv_transpose2d(
            image, weight, bias, (*spec.stride,), groups=spec.groups, dilation=(*spec.dilation,)
        )
        expected = full[0, :, top : full.shape[2] - bottom, left : full.shape[3] - right]
    else:
        padded = torch.nn.functional.pad(image, (left, right, top, bottom))
        expected = torch.nn.functional.conv2d(
            padded, weight, bias, (*spec.stride,), groups=spec.groups, dilation=(*spec.dilation,)
        )[0]
    place = tuple(data.draw(st.integers(0, count - 1)) for count in expected.shape)
    scale = float(one(layer.magnitude, layer)[place])
    assert traced(layer, place[0], place[1:]).sum == pytest.approx(float(expected[place]), abs=1e-12 * scale + 1e-300)


@settings(max_examples=15)
@given(layer=layers())
def test_what_all_inputs_touch_makes_the_whole_output(layer: Layer) -> None:
    """The ways from every input pixel, each times the pixel, add up to the operation itself."""
    geometry, image = geometry_of(layer), one(layer.image, layer).astype(np.float64)
    out = np.zeros(one(layer.truth, layer).shape)
    for channel, y, x in zip(*np.nonzero(image), strict=True):
        for way in touches(applied(layer), geometry, int(channel), (int(y), int(x))):
            out[(way.filter, *way.at)] += way.weight * image[channel, y, x]
    offset = 0 if layer.bias is None else layer.bias[:, None, None]
    np.testing.assert_allclose(
        out + offset, one(layer.truth, layer), atol=1e-10 * (1 + one(layer.magnitude, layer).max())
    )


def test_a_cell_between_pixels_and_beyond_the_border_is_beyond_it() -> None:
    """Stride 2: in the window of output (0, 1), two columns lie beyond the left border, one between pixels."""
    geometry = ConvSpec(transpose=True, stride=Pair(2, 2)).resolve((2, 2), (3, 3))
    rows, columns = readings(geometry, 0, 0), readings(geometry, 1, 1)
    nothing = np.zeros((1, 3, 3))
    window = Trace(0, (0,), rows, columns, nothing, nothing, 0.0)
    assert window.marks == [
        ["zero", "zero", "zero"],
        ["zero", "zero", "zero"],
        ["zero", "pixel", "between"],
    ]
    copied = ConvSpec(padding=Pads(1, 1, 1, 1), padding_mode="reflect").resolve((4, 4), (3, 3))
    window = Trace(0, (0,), readings(copied, 0, 0), readings(copied, 1, 1), nothing, nothing, 0.0)
    assert [window.marks[0][0], window.marks[1][0], window.marks[2][2]] == ["copy", "pixel", "pixel"]
