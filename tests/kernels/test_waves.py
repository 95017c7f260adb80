"""Gabor kernels."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest

from convcli.kernels import parse
from support.kernels import values


def test_gabor() -> None:
    """σ of one octave at f = 1/8: √(ln 2 / 2) / π · 3 / f = 4.4975; the centre is 1 / 2πσ²."""
    kernel = values("gabor")
    middle = kernel.shape[0] // 2
    assert kernel.shape == (29, 29)
    assert kernel[middle, middle] == pytest.approx(1 / (2 * pi * 4.4975**2), rel=1e-4)
    assert kernel[middle, middle + 4] < 0 < kernel[middle + 4, middle]  # half a wave along x, none along y
    np.testing.assert_allclose(values("gabor:theta=90"), kernel.T, rtol=0, atol=1e-15)
    sine = values("gabor:phase=90")
    np.testing.assert_allclose(sine[:, ::-1], -sine, rtol=0, atol=1e-15)


def test_gabor_energy_is_blind_to_the_phase() -> None:
    real, imag = (kernel.values for kernel in parse("gabor-energy:0.125").kernels)
    np.testing.assert_array_equal(real, values("gabor:0.125"))
    x = np.tile(np.arange(29.0), (29, 1))
    energies = []
    for phase in np.linspace(0, 6, 9):
        wave = np.cos(2 * pi * 0.125 * x + phase)
        energies.append(np.hypot((real * wave).sum(), (imag * wave).sum()))
    np.testing.assert_allclose(energies, 0.5, rtol=0.01)
