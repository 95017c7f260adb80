"""Laplacians and differences of Gaussians."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from support.kernels import correlated, values


@pytest.mark.parametrize(
    "name", ["laplacian", "laplacian:8", "log", "log:0.8", "log-unit", "laplacian-box:5", "laplacian-type:15"]
)
def test_laplacians_have_a_negative_centre(name: str) -> None:
    kernel = values(name)
    middle = kernel.shape[0] // 2
    assert kernel[middle, middle] == kernel.min() < 0
    y, x = np.mgrid[-9.0:10, -9.0:10]
    assert correlated(x * x + y * y, kernel)[9, 9] > 0  # a valley
    assert correlated(3 * x - 2 * y + 7, kernel)[9, 9] == pytest.approx(0, abs=1e-9)  # a slope


def test_laplacian_of_a_parabola_is_its_second_derivative() -> None:
    y, x = np.mgrid[-9.0:10, -9.0:10]
    assert correlated(x * x, values("laplacian"))[9, 9] == 2
    assert correlated(x * x + y * y, values("log:1.5"))[9, 9] == pytest.approx(4, rel=0.02)


def test_log_is_the_gaussian_laplace_of_scipy() -> None:
    """But for a constant that makes the sum 0."""
    impulse = np.zeros((13, 13))
    impulse[6, 6] = 1
    theirs = ndimage.gaussian_laplace(impulse, 1.5, truncate=4)
    ours = values("log:1.5")
    np.testing.assert_allclose(ours, theirs - theirs.mean(), rtol=0, atol=1e-12)


def test_dog_and_unsharp_are_made_of_gaussians() -> None:
    np.testing.assert_allclose(values("dog:1,2,9"), values("gaussian:1,9") - values("gaussian:2,9"), atol=1e-15)
    assert values("dog")[5, 5] > 0 > values("dog")[5, 8]
    expected = 3 * values("identity:7") - 2 * values("gaussian:1.2,7")
    np.testing.assert_allclose(values("unsharp:1.2,2,7"), expected, rtol=0, atol=1e-15)
