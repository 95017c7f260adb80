"""Gradient pairs and compasses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convcli.kernels import parse
from support.kernels import correlated, values


def test_farid_values() -> None:
    """Farid and Simoncelli (2004), table of the 5-tap pair: a prefilter of sum 1; a ramp is answered with 0.99."""
    x = values("farid-x")
    prefilter = [0.037659, 0.249153, 0.426375, 0.249153, 0.037659]
    derivative = [-0.109604, -0.276691, 0, 0.276691, 0.109604]
    np.testing.assert_allclose(x, np.outer(prefilter, derivative), rtol=0, atol=1e-6)
    assert correlated(np.tile(np.arange(9.0), (9, 1)), x)[4, 4] == pytest.approx(0.9918, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "north", "north_east"),
    [
        ("kirsch", [[5, 5, 5], [-3, 0, -3], [-3, -3, -3]], [[-3, 5, 5], [-3, 0, 5], [-3, -3, -3]]),
        ("robinson", [[1, 2, 1], [0, 0, 0], [-1, -2, -1]], [[0, 1, 2], [-1, 0, 1], [-2, -1, 0]]),
        ("compass", [[1, 1, 1], [1, -2, 1], [-1, -1, -1]], [[1, 1, 1], [-1, -2, 1], [-1, -1, 1]]),
    ],
)
def test_compass_kernels_turn_by_45_degrees(name: str, north: Any, north_east: Any) -> None:
    kernels = {kernel.name: kernel.values for kernel in parse(name).kernels}
    assert list(kernels) == [f"{name}-{point}" for point in ("n", "ne", "e", "se", "s", "sw", "w", "nw")]
    for quarter, (straight, diagonal) in enumerate((("n", "ne"), ("e", "se"), ("s", "sw"), ("w", "nw"))):
        np.testing.assert_array_equal(kernels[f"{name}-{straight}"], np.rot90(north, -quarter))  # clockwise
        np.testing.assert_array_equal(kernels[f"{name}-{diagonal}"], np.rot90(north_east, -quarter))
    bright = np.zeros((9, 9))
    bright[:4] = 1
    answers = {point: correlated(bright, kernel)[4, 4] for point, kernel in kernels.items()}
    assert max(answers, key=lambda point: answers[point]) == f"{name}-n"


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
