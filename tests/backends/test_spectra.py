"""When torch takes an operation through transforms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcli.backends import spectra
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.geometry import Pair
from support.operations import convolve


def by_fft(filters: int, inputs: int, side: int, groups: int = 1, stride: tuple[int, int] = (1, 1)) -> bool:
    spec = ConvSpec(groups=groups, stride=Pair(*stride))
    return spectra.suits((filters, inputs, side, side), groups, spec.resolve((99, 99), (side, side)))


@pytest.mark.parametrize(
    ("filters", "inputs", "side", "groups", "stride", "expected"),
    [
        (3, 1, 15, 3, (1, 1), True),
        (3, 1, 14, 3, (1, 1), False),
        (1, 4, 15, 1, (1, 1), True),
        (1, 5, 15, 1, (1, 1), False),
        (3, 3, 15, 1, (1, 1), True),
        (9, 1, 15, 3, (1, 1), True),
        (4, 3, 15, 1, (1, 1), False),  # torch makes four in the time of one
        (4, 3, 18, 1, (1, 1), True),
        (16, 3, 34, 1, (1, 1), False),
        (16, 3, 35, 1, (1, 1), True),
        (768, 3, 35, 1, (1, 1), True),
        (1, 1, 21, 1, (2, 1), False),  # 441 taps, on half of the rows
        (1, 1, 22, 1, (2, 1), True),
        (1, 1, 29, 1, (2, 2), False),
        (1, 1, 30, 1, (2, 2), True),
        (768, 3, 16, 1, (16, 16), False),  # a patch embedding: one tap for each pixel
    ],
)
def test_when(filters: int, inputs: int, side: int, groups: int, stride: tuple[int, int], expected: bool) -> None:
    assert by_fft(filters, inputs, side, groups, stride) == expected


@pytest.mark.parametrize("stride", [1, 16])
def test_a_layer_goes_where_its_sizes_say(stride: int) -> None:
    image = np.random.default_rng(0).random((3, 40, 40), np.float32)
    weight = np.random.default_rng(1).random((3, 3, 16, 16), np.float32)
    spec = ConvSpec(stride=Pair(stride, stride))
    result = convolve(image, weight, spec, Compute("torch"))
    assert result.plan.startswith("conv2d by fft") == (stride == 1)
    truth = convolve(image, weight, spec, Compute("reference"))
    np.testing.assert_allclose(result.array, truth.array, rtol=1e-4)


@given(st.integers(1, 3000))
def test_sides_are_the_next_good_ones(side: int) -> None:
    (fast, _) = spectra.sides_for((side, 2))
    good = [2**a * 3**b * 5**c for a in range(1, 13) for b in range(8) for c in range(6)]
    assert fast == min(each for each in good if each >= side)


@pytest.mark.parametrize(("kernel", "expected"), [((2, 200), True), ((1, 400), False), ((400, 1), False)])
def test_a_single_line_of_taps_is_not_transformed(kernel: tuple[int, int], expected: bool) -> None:
    assert spectra.suits((1, 1, *kernel), 1, ConvSpec().resolve((999, 999), kernel)) == expected


def test_a_transposed_operation_is_not_transformed() -> None:
    assert not spectra.suits((1, 1, 40, 40), 1, ConvSpec(transpose=True).resolve((99, 99), (40, 40)))
