"""Finite differences: their signs, and what they make of ramps and parabolas."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.kernels import parse
from support.kernels import correlated, values


@pytest.mark.parametrize(
    "name",
    ["sobel", "sobel:5", "prewitt", "scharr", "farid", "isotropic", "diff", "gaussian-gradient",
     *(f"gradient:{scheme}" for scheme in (-1, 0, 1, 2, 3))],
)  # fmt: skip
def test_signs_are_those_of_the_derivative(name: str) -> None:
    """x answers with + where brightness grows to the right, y where it grows downwards; neither sees the other's ramp."""
    x, y = (kernel.values for kernel in parse(name).kernels)
    right = np.tile(np.arange(9.0), (9, 1))
    np.testing.assert_array_equal(y, x.T)
    for kernel, ramp in ((x, right), (y, right.T)):
        assert correlated(ramp, kernel)[4, 4] > 0
        assert correlated(ramp.T, kernel)[4, 4] == pytest.approx(0, abs=1e-12)
        assert correlated(-ramp, kernel)[4, 4] < 0


@pytest.mark.parametrize(
    ("spec", "slope"),
    [("gradient-x:-1", 1), ("gradient-x", 1), ("gradient-x:1", 1), ("gradient-x:2", 8), ("gradient-x:3", 1)],
)
def test_gradients_of_a_ramp(spec: str, slope: float) -> None:
    assert correlated(np.tile(np.arange(9.0), (9, 1)), values(spec))[4, 4] == pytest.approx(slope)


def test_second_derivatives_of_parabolas() -> None:
    y, x = np.mgrid[-4.0:5, -4.0:5]
    for name, scales in (("hessian", (1, 1, 1)), ("diff2", (1, 4, 1)), ("sobel2", (64, 64, 64))):
        for kernel, image, scale in zip(parse(name).kernels, (x * x / 2, x * y, y * y / 2), scales, strict=True):
            assert correlated(image, kernel.values)[4, 4] == pytest.approx(scale), kernel.name
