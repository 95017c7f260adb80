"""The range policy: what is stretched, what is clipped, and what is counted."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.geometry import Pair
from convcli.pointwise.finish import Finish
from convcli.pointwise.ranges import Clipped, Known, rule_of, store
from support.operations import BACKENDS, convolve, transpose_convolve


def test_lines_longer_than_those_that_are_kept() -> None:
    """What lies behind them is neither stored nor counted, whatever it is."""
    values = np.array([[-3.0, 2.5, 300, np.nan], [1, 1.5, 255.4, -np.inf]], np.float32)
    out = np.empty((2, 3), np.uint8)
    assert store(values.copy(), 255.0, "clip", out) == Clipped(1, 1, 6, 0)
    np.testing.assert_array_equal(out, [[0, 2, 255], [1, 2, 255]])
    narrow = values[:, :3].copy()
    narrow[0, 1] = np.nan
    assert store(np.hstack([narrow, values[:, 3:]]), 255.0, "clip", out) == Clipped(1, 1, 6, 1)
    assert out[0, 1] == 0


def test_what_is_surely_within_is_not_clipped() -> None:
    """But for `surely` a value beyond the range would wrap around: 256 is 0 in 8 bits."""
    values, out = np.array([[256.0, 255.4, -0.4]], np.float32), np.empty((1, 3), np.uint8)
    store(values.copy(), 255.0, "clip", out, False, Known(within=True, surely=False, finite=True))
    np.testing.assert_array_equal(out, [[255, 255, 0]])
    store(values[:, 1:].copy(), 255.0, "clip", out[:, 1:], False, Known(within=True, surely=True, finite=True))
    np.testing.assert_array_equal(out[:, 1:], [[255, 0]])


def test_given_numbers_are_a_stretch_in_the_units_of_the_file() -> None:
    assert rule_of("-1,0.5", 255.0) == ("minmax", (-255.0, 127.5))
    assert rule_of("0,1e-05") == ("minmax", (0.0, 1e-05))
    assert rule_of("minmax", 255.0) == ("minmax", None)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_beyond_a_given_span_is_clipped(backend: str) -> None:
    image = np.array([[[-1, np.nan, 3, np.inf, 0, -np.inf, 3e38, 2]]], np.float32)
    finish = Finish((), "uint8", 255.0, "minmax", count=True, span=(0.0, 2.5))
    result = convolve(image, np.ones((1, 1, 1, 1)), ConvSpec(), Compute(backend), finish=finish)
    np.testing.assert_array_equal(result.array, [[[0, 0, 255, 255, 0, 0, 255, 204]]])
    assert result.clipped == Clipped(below=2, above=3, total=8, nan=1)


@pytest.mark.parametrize("backend", BACKENDS)
def test_minmax_stretches_what_is_finite(backend: str) -> None:
    image = np.array([[[-1, np.nan, 3, np.inf, 0, -np.inf]]], np.float32)
    finish = Finish((), "uint8", 255.0, "minmax", count=True)
    result = convolve(image, np.ones((1, 1, 1, 1)), ConvSpec(), Compute(backend), finish=finish)
    np.testing.assert_array_equal(result.array, [[[0, 0, 255, 255, 64, 0]]])
    assert result.clipped == Clipped(below=1, above=1, total=6, nan=1)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("values", [[0, 1e-41, 2e-41, 4e-41], [-3e38, -1.5e38, 0, 3e38]])
def test_minmax_stretches_the_smallest_and_the_widest_ranges(backend: str, values: list[float]) -> None:
    """What float32 hardly holds, and a width that it does not hold."""
    image = np.array([[values]], np.float32)
    finish = Finish((), "uint8", 255.0, "minmax", count=True)
    result = convolve(image, np.ones((1, 1, 1, 1)), ConvSpec(), Compute(backend), finish=finish)
    exact = (np.array(values, np.float32).astype(float) - values[0]) / (values[-1] - values[0]) * 255
    np.testing.assert_array_equal(result.array[0, 0], np.rint(exact))
    assert result.clipped == Clipped(total=4)


@pytest.mark.parametrize("kept", [0, 1 << 20])
@pytest.mark.parametrize("backend", BACKENDS)
def test_outputs_that_no_tap_reaches_count_as_extremes(
    backend: str, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They hold the bias, -1, which becomes black; 8 becomes white."""
    monkeypatch.setattr("convcli.backends.numpy.blocks.KEPT_BYTES", kept)
    image = np.array([[[5, 9], [9, 5]]], np.uint8)
    spec = ConvSpec(transpose=True, stride=Pair(2, 2), output_padding=Pair(1, 1))
    finish = Finish((), "uint8", 255.0, "minmax", count=True)
    result = transpose_convolve(image, np.ones((1, 1, 1, 1)), spec, Compute(backend), np.array([-1.0]), finish)
    expected = np.zeros((4, 4))
    expected[::2, ::2] = [[142, 255], [255, 142]]  # 4 is (4 + 1) · 255 / 9 = 141.7
    np.testing.assert_array_equal(result.array[0], expected)
    assert result.clipped.total == 16


def test_where_every_output_is_reached_the_bias_is_no_extreme() -> None:
    """A stride of 2 has four phases; of an image of one pixel, only one of them has outputs."""
    finish = Finish((), "uint8", 255.0, "minmax", count=True)
    image, spec = np.array([[[5]]], np.uint8), ConvSpec(transpose=True, stride=Pair(2, 2))
    result = transpose_convolve(image, np.ones((1, 1, 1, 1)), spec, Compute("numpy"), np.array([-1.0]), finish)
    np.testing.assert_array_equal(result.array, [[[0]]])


def test_what_no_type_holds_is_clipped() -> None:
    """Beyond the largest number of float32 once it is in the units of the file: warnings are errors here."""
    values = np.array([[[3e38, -3e38, 0.5]]], np.float32)
    out = np.empty(values.shape, np.uint8)
    assert Finish(dtype="uint8", count=True, scale=255.0).apply(values, out) == Clipped(1, 1, 3)
    np.testing.assert_array_equal(out, [[[255, 0, 128]]])


def test_what_no_type_holds_is_not_stretched() -> None:
    out = np.empty((1, 1, 2), np.uint8)
    finish = Finish(dtype="uint8", scale=255.0, policy="minmax", span=(1.0, 1.0))
    finish.apply(np.full(out.shape, 3e38, np.float32), out)
    np.testing.assert_array_equal(out, 0)
