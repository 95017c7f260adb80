"""Banks: several kernels on the channels of an image, and how their results are joined."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.errors import KernelError
from convcli.geometry import Pair
from convcli.kernels import Bank, Filter, Kernel, parse
from convcli.pointwise.finish import Finish
from support.kernels import Matrix, message
from support.operations import convolve, transpose_convolve


def bank(*specs: str, rule: str | None = None) -> Bank:
    return Bank(tuple(parse(spec) for spec in specs), rule)


def test_smaller_kernels_are_centred_in_a_bank() -> None:
    both = bank("box:7,11", "1,2,3;4,5,6;7,8,9").values
    assert both.shape == (2, 7, 11)
    np.testing.assert_array_equal(both[1, 2:5, 4:7], [[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    assert both[1].sum() == 45


@pytest.mark.parametrize("specs", [["box:3", "box:2"], ["1,2", "sobel-x"], ["box:5", "box:3", "box:2"]], ids=str)
def test_even_and_odd_kernels_share_no_bank(specs: list[str]) -> None:
    """The message names two that exclude each other."""
    text = message(lambda: bank(*specs).values)
    named = [spec for spec in specs if f"'{spec}'" in text]
    assert len(named) == 2
    with pytest.raises(KernelError):
        _ = bank(*named).values
    assert "one at a time" in text


@pytest.mark.parametrize(
    ("specs", "rule", "expected"),
    [
        (["sobel"], None, ((2, "magnitude"),)),
        (["sobel", "box"], None, ((2, "magnitude"), (1, "none"))),
        (["box", "kirsch"], None, ((1, "none"), (8, "max"))),
        (["sobel", "box"], "sum", ((3, "sum"),)),
        (["sobel"], "none", ((2, "none"),)),
    ],
)
def test_parts(specs: list[str], rule: str | None, expected: tuple[tuple[int, str], ...]) -> None:
    assert bank(*specs, rule=rule).parts == expected


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        (["gaussian"], True),
        (["sharpen"], True),
        (["laplacian"], False),
        (["log"], False),
        (["sobel"], False),
        (["box", "box"], False),
    ],
)
def test_averages(specs: list[str], expected: bool) -> None:
    assert bank(*specs).averages is expected


THREE = bank("1,2,3;4,5,6;7,8,9", "sobel-x", "0,0,0;0,0,0;0,0,1")


def test_each_is_a_depthwise_layer_of_torch() -> None:
    """Every kernel on every channel, in the order of Conv2d(C, C·K, groups=C): channel by channel."""
    image = np.random.default_rng(0).standard_normal((4, 7, 8))
    weight, groups = THREE.weight(4, "each", 1, False)
    assert (weight.shape, groups) == ((12, 1, 3, 3), 4)
    ours = convolve(image, weight, ConvSpec(groups=groups), Compute("reference")).array
    depthwise = torch.nn.Conv2d(4, 12, 3, groups=4, bias=False, dtype=torch.float64)
    depthwise.weight.data = torch.from_numpy(THREE.values)[:, None].repeat(4, 1, 1, 1)
    with torch.no_grad():
        np.testing.assert_allclose(ours, depthwise(torch.from_numpy(image)[None])[0].numpy(), rtol=0, atol=1e-12)
    for c in range(4):
        for k in range(3):
            np.testing.assert_allclose(ours[3 * c + k], plane(image[c], THREE.values[k]), rtol=0, atol=1e-12)


def plane(image: Matrix, kernel: Matrix) -> Matrix:
    """One valid correlation of one plane, by torch."""
    return F.conv2d(torch.from_numpy(image)[None, None], torch.from_numpy(kernel)[None, None])[0, 0].numpy()


def painted(image: Matrix, kernel: Matrix, stride: int) -> Matrix:
    """One transposed convolution of one plane, by torch."""
    tensors = torch.from_numpy(image)[None, None], torch.from_numpy(kernel)[None, None]
    return F.conv_transpose2d(*tensors, stride=stride)[0, 0].numpy()


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("how", ["sum", "gray"])
def test_sum_adds_the_channels_of_a_group(how: str, groups: int) -> None:
    image = np.random.default_rng(0).standard_normal((6, 7, 8))
    weight, used = THREE.weight(6, how, groups, False)
    assert (weight.shape, used) == ((3, 6 // groups, 3, 3), groups)
    ours = convolve(image, weight, ConvSpec(groups=groups), Compute("reference")).array
    for k in range(3):
        mine = range(6) if groups == 1 else range(2 * k, 2 * k + 2)
        expected = sum(plane(image[c], THREE.values[k]) for c in mine)
        np.testing.assert_allclose(ours[k], expected, rtol=0, atol=1e-12)


def test_each_transposed() -> None:
    image = np.random.default_rng(0).standard_normal((4, 5, 6))
    weight, groups = THREE.weight(4, "each", 1, True)
    assert (weight.shape, groups) == ((4, 3, 3, 3), 4)
    ours = transpose_convolve(image, weight, ConvSpec(stride=Pair(2, 2), groups=groups), Compute("reference")).array
    for c in range(4):
        for k in range(3):
            np.testing.assert_allclose(ours[3 * c + k], painted(image[c], THREE.values[k], 2), rtol=0, atol=1e-12)


@pytest.mark.parametrize("groups", [1, 3])
def test_sum_transposed(groups: int) -> None:
    image = np.random.default_rng(0).standard_normal((6, 5, 6))
    weight, used = THREE.weight(6, "sum", groups, True)
    assert (weight.shape, used) == ((6, 3 // groups, 3, 3), groups)
    ours = transpose_convolve(image, weight, ConvSpec(stride=Pair(2, 2), groups=groups), Compute("reference")).array
    for k in range(3):
        mine = range(6) if groups == 1 else range(2 * k, 2 * k + 2)
        expected = sum(painted(image[c], THREE.values[k], 2) for c in mine)
        np.testing.assert_allclose(ours[k], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("transpose", [False, True])
def test_groups_that_do_not_fit_a_bank(transpose: bool) -> None:
    text = message(lambda: THREE.weight(6, "each", 2, transpose))
    assert "groups 2 does not go with --channels each" in text
    assert "--channels sum" in text
    assert "does not divide the 3 kernels" in message(lambda: THREE.weight(6, "sum", 2, transpose))
    assert "does not divide the 4 channels" in message(lambda: THREE.weight(4, "sum", 3, transpose))
    assert THREE.weight(6, "each", 6, transpose)[1] == 6


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("magnitude", lambda block: np.sqrt((block**2).sum(axis=0))),
        ("sum", lambda block: block.sum(axis=0)),
        ("max", lambda block: block.max(axis=0)),
    ],
)
@pytest.mark.parametrize("batch", [(), (2,)])
def test_combine_rules(rule: str, expected: Callable[[Matrix], Matrix], batch: tuple[int, ...]) -> None:
    """Four channels with three results each become four channels."""
    array = np.random.default_rng(0).standard_normal((*batch, 12, 3, 5))
    out = Finish(((3, rule),)).join(array)
    assert out.shape == (*batch, 4, 3, 5)
    for index in np.ndindex(*batch):
        for c in range(4):
            np.testing.assert_allclose(out[index][c], expected(array[index][3 * c : 3 * c + 3]), rtol=1e-12)


def test_combine_joins_each_part_by_its_own_rule() -> None:
    array = np.arange(10.0).reshape(10, 1, 1)  # two channels of magnitude(0, 1), 2, max(3, 4)
    out = Finish(((2, "magnitude"), (1, "none"), (2, "max"))).join(array).ravel()
    np.testing.assert_allclose(out, [1, 2, 4, np.hypot(5, 6), 7, 9])
    np.testing.assert_array_equal(Finish(((2, "none"), (3, "max"))).join(array).ravel(), [0, 1, 4, 5, 6, 9])


def test_combine_of_nothing_to_combine_is_the_array_itself() -> None:
    array = np.random.default_rng(0).standard_normal((6, 3, 5))
    assert Finish(((3, "none"),)).join(array) is array
    assert Finish(((1, "sum"),)).join(array) is array
    np.testing.assert_array_equal(Finish(((1, "magnitude"),)).join(array), np.abs(array))


def test_a_filter_is_a_plain_value() -> None:
    one = Filter("a", (Kernel("a", np.ones((1, 1))),))
    assert one.combine == "none"
    assert Bank((one, one)).values.shape == (2, 1, 1)
