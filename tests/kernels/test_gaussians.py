"""Gaussians of other definitions and forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage, special

from convcli.kernels import parse
from support.kernels import correlated, values


def test_the_discrete_gaussian_is_the_heat_equation_on_pixels() -> None:
    """Its variance is σ² and two in a row are one of the summed variance, without a sampling error; SciPy has its values."""
    side = 61
    row = values(f"gaussian-discrete:2,{side}").sum(axis=0)
    x = np.arange(side) - side // 2
    assert (row * x**2).sum() == pytest.approx(4, abs=1e-12)
    np.testing.assert_allclose(row, special.ive(np.abs(x), 4), rtol=0, atol=1e-15)
    small = values(f"gaussian-discrete:1,{side}").sum(axis=0)
    assert np.convolve(small, small, "same") == pytest.approx(
        values(f"gaussian-discrete:{2**0.5},{side}").sum(axis=0), abs=1e-15
    )


def test_gaussian_gradient_is_that_of_scipy() -> None:
    impulse = np.zeros((13, 13))
    impulse[6, 6] = 1
    x, y = (kernel.values for kernel in parse("gaussian-gradient:1.5").kernels)
    np.testing.assert_allclose(
        x[::-1, ::-1], ndimage.gaussian_filter(impulse, 1.5, order=(0, 1), truncate=4), atol=1e-15
    )
    np.testing.assert_allclose(
        y[::-1, ::-1], ndimage.gaussian_filter(impulse, 1.5, order=(1, 0), truncate=4), atol=1e-15
    )
    ramp = np.tile(np.arange(13.0), (13, 1))
    assert correlated(ramp, x)[6, 6] == pytest.approx(1, rel=0.02)


def test_an_ellipse_turns_counter_clockwise() -> None:
    np.testing.assert_allclose(values("gaussian-ellipse:1,3,90"), values("gaussian-ellipse:3,1"), rtol=0, atol=1e-15)
    np.testing.assert_allclose(values("gaussian-ellipse:1.5,1.5,size=9"), values("gaussian:1.5,9"), rtol=0, atol=1e-15)
    slanted = values("gaussian-ellipse:1,3,45")
    middle = slanted.shape[0] // 2
    assert slanted[middle - 2, middle + 2] > 2 * slanted[middle + 2, middle + 2]  # up to the right


def test_motion_lines() -> None:
    row = np.zeros((5, 5))
    row[2] = 0.2
    np.testing.assert_allclose(values("motion:5"), row, rtol=0, atol=1e-15)
    np.testing.assert_allclose(values("motion:5,180"), row, rtol=0, atol=1e-15)
    np.testing.assert_allclose(values("motion:5,90"), row.T, rtol=0, atol=1e-15)
    diagonal = values("motion:5,45")  # counter-clockwise: from the lower left to the upper right
    assert diagonal[1, 3] == pytest.approx(diagonal[3, 1], abs=0.01) == pytest.approx(diagonal[2, 2], abs=0.01)
    assert diagonal[1, 1] == diagonal[3, 3] == 0


def test_motion_direction_weighs_one_end() -> None:
    ahead = values("motion:7,0,1")[3]
    assert (np.diff(ahead) > 0).all()
    np.testing.assert_allclose(values("motion:7,0,-1")[3], ahead[::-1], rtol=0, atol=1e-15)


@given(half=st.integers(0, 8), angle=st.floats(-360, 360), direction=st.floats(-1, 1))
def test_motion_at_any_angle(half: int, angle: float, direction: float) -> None:
    spec = f"motion:{2 * half + 1},{angle},{direction}"
    kernel = values(spec)
    assert kernel.sum() == pytest.approx(1)
    assert kernel.min() >= 0
    turned = values(f"motion:{2 * half + 1},{angle},{-direction}")
    np.testing.assert_allclose(turned, kernel[::-1, ::-1], rtol=0, atol=0.02)


@pytest.mark.parametrize(("angle", "step"), [(0, (0, 1)), (90, (-1, 0)), (180, (0, -1)), (-90, (1, 0)), (360, (0, 1))])
def test_a_comet_draws_its_tail_to_its_angle(angle: int, step: tuple[int, int]) -> None:
    image = np.zeros((9, 9))
    image[4, 4] = 1
    answer = correlated(image, values(f"comet:1.5,3,{angle}"))
    tail = [answer[4 + far * step[0], 4 + far * step[1]] for far in (-1, 0, 1, 2, 3)]
    assert tail[0] == tail[4] == 0
    assert tail[1] > tail[2] > tail[3] > 0
    assert answer.sum() == pytest.approx(1)
