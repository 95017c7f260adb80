"""A layer knows its channels, its flip and its largest sum; what does not fit is refused in one line."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given

from convcli import engine
from convcli.convspec import ConvSpec
from convcli.errors import GeometryError, KernelError
from convcli.geometry import Size
from convcli.layer import Layer
from support.layers import Layer as Drawn
from support.layers import layers

DIRECT, TRANSPOSED = ConvSpec(groups=2), ConvSpec(groups=2, transpose=True)


def test_channels_of_the_direct_and_of_the_transposed() -> None:
    weight = np.zeros((6, 2, 3, 5))
    direct, transposed = Layer.of(weight, DIRECT), Layer.of(weight, TRANSPOSED)
    assert (direct.inputs, direct.outputs, direct.terms) == (4, 6, 2 * 15)
    assert (transposed.inputs, transposed.outputs, transposed.terms) == (6, 4, 3 * 15)
    assert direct.kernel == transposed.kernel == Size(3, 5)


def test_a_convolution_is_flipped_once() -> None:
    weight = np.arange(6.0).reshape(1, 1, 2, 3)
    assert Layer.of(weight, ConvSpec()).weight.tolist() == weight.tolist()
    assert Layer.of(weight, ConvSpec(op="conv")).weight.tolist() == [[[[5, 4, 3], [2, 1, 0]]]]


def test_the_largest_sum_is_of_the_output_for_which_it_is() -> None:
    weight = np.array([[-1.0, 2.0], [3.0, -4.0]]).reshape(2, 2, 1, 1)
    assert Layer.of(weight, ConvSpec()).largest_sum == 7  # of output 1: |3| + |-4|
    assert Layer.of(weight, ConvSpec(transpose=True)).largest_sum == 6  # of output 1: |2| + |-4|


@given(layer=layers())
def test_what_it_says_is_what_torch_makes_of_it(layer: Drawn) -> None:
    """Σ|w| of an output is the result for ones of the weights' sign, where no border cuts a window."""
    made = layer.layer
    assert (made.inputs, made.outputs) == (layer.channels, layer.filters)
    sizes = torch.from_numpy(np.abs(np.ascontiguousarray(made.weight), dtype=np.float64))
    ones = torch.ones(1, layer.channels, *layer.kernel, dtype=torch.float64)
    if layer.spec.transpose:
        sums = torch.nn.functional.conv_transpose2d(ones[..., :1, :1], sizes, groups=made.groups).sum((2, 3))
    else:
        sums = torch.nn.functional.conv2d(ones, sizes, groups=made.groups)
    assert made.largest_sum == pytest.approx(float(sums.max()))


@pytest.mark.parametrize(
    ("shape", "spec", "channels", "said"),
    [
        (
            (4, 3, 3, 3),
            ConvSpec(),
            4,
            "weights of shape (4, 3, 3, 3) with groups 1 expect 3 input channels, the image has 4",
        ),
        ((4, 1, 3, 3), ConvSpec(), 4, "use groups 4"),
        ((4, 1, 3, 3), ConvSpec(), 3, "use channels gray"),
        ((5, 2, 3, 3), DIRECT, 4, "groups 2 does not divide the 5 output channels: use an image of 4 channels"),
        ((4, 2, 3, 3), DIRECT, 3, "groups 2 does not divide the 3 input channels"),
        ((4, 2, 3, 3), ConvSpec(groups=3, transpose=True), 4, "the 4 input channels: use groups 1 or 2 or 4"),
        ((4, 2, 3, 3), TRANSPOSED, 6, "weights of shape (4, 2, 3, 3) expect 4 input channels, the image has 6"),
    ],
)
def test_channels_that_do_not_fit(shape: tuple[int, ...], spec: ConvSpec, channels: int, said: str) -> None:
    with pytest.raises(GeometryError) as caught:
        Layer.of(np.zeros(shape), spec).check(channels)
    assert said in str(caught.value)


def test_what_is_no_layer() -> None:
    with pytest.raises(GeometryError, match=r"weights of shape \(3, 3\) are not 4-D"):
        Layer.of(np.zeros((3, 3)), ConvSpec())
    with pytest.raises(KernelError, match="weights of dtype complex128 cannot be convolved"):
        Layer.of(np.zeros((1, 1, 3, 3), complex), ConvSpec())
    with pytest.raises(GeometryError, match="bias has 2 values for 3 output channels"):
        Layer.of(np.zeros((3, 1, 3, 3)), ConvSpec(), np.zeros(2)).check(1)


@pytest.mark.parametrize("other", [ConvSpec(transpose=True), ConvSpec(groups=3)])
def test_a_specification_that_contradicts_the_layer_is_refused(other: ConvSpec) -> None:
    layer = Layer.of(np.zeros((3, 3, 3, 3)), ConvSpec())
    with pytest.raises(GeometryError, match="a layer that is direct with groups 1 contradicts a specification that is"):
        engine.run(np.zeros((3, 8, 8)), layer, other)


def test_a_convolution_s_layer_is_no_correlation_s() -> None:
    flipped = Layer.of(np.ones((1, 1, 2, 2)), ConvSpec(op="conv"))
    with pytest.raises(GeometryError, match="a layer that is direct with groups 1, flipped contradicts"):
        engine.run(np.zeros((1, 8, 8)), flipped, ConvSpec())
