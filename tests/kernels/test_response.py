"""Frequency responses against closed forms, SciPy and NumPy's FFT."""

from math import pi

import numpy as np
import pytest
from hypothesis import given
from scipy import optimize, signal

from convcli.drawing.scene import Text
from convcli.kernels import Kernel, parse
from convcli.kernels.analysis import analyse
from convcli.kernels.kernel_figure import draw
from convcli.kernels.response import magnitude
from support.kernels import found, real

ONE = np.array([0.0])


def test_the_response_of_a_box_is_its_closed_form() -> None:
    """A row of n taps of 1/n: |sin(πnf) / (n sin(πf))|, Dirichlet's kernel."""
    f = np.linspace(0.01, 0.5, 23)
    for n in (2, 3, 7):
        expected = np.abs(np.sin(pi * n * f) / (n * np.sin(pi * f)))
        assert magnitude(np.full((1, n), 1 / n), ONE, f)[0] == pytest.approx(expected, abs=1e-14)


def test_the_response_of_sobel_is_its_closed_form() -> None:
    """(1, 2, 1) answers 4 cos²(πf), (-1, 0, 1) answers 2 |sin(2πf)|."""
    f, g = np.linspace(-0.5, 0.5, 17), np.linspace(-0.5, 0.5, 12)
    expected = np.outer(4 * np.cos(pi * f) ** 2, 2 * np.abs(np.sin(2 * pi * g)))
    assert magnitude(found("sobel-x").values, f, g) == pytest.approx(expected, abs=1e-13)


def test_the_response_of_a_gaussian_is_a_gaussian() -> None:
    f = np.linspace(0, 0.3, 9)
    sigma = 2.0
    expected = np.exp(-2 * (pi * sigma * f) ** 2)
    assert magnitude(found("gaussian:2,33").values, ONE, f)[0] == pytest.approx(expected, abs=1e-5)


def test_the_response_is_scipys_of_the_factors() -> None:
    one = found("farid-x")
    (factor,) = one.factors
    f = np.linspace(0, 0.49, 20)
    _, down = signal.freqz(factor.column, worN=2 * pi * f)
    _, along = signal.freqz(factor.row, worN=2 * pi * f)
    expected = abs(factor.scale) * np.outer(np.abs(down), np.abs(along))
    assert magnitude(one.values, f, f) == pytest.approx(expected, abs=1e-12)


@given(real)
def test_the_response_is_the_fourier_transform(values: np.ndarray) -> None:
    f = np.fft.fftfreq(8)
    expected = np.abs(np.fft.fft2(values, (8, 8)))
    assert magnitude(values, f, f) == pytest.approx(expected, abs=1e-9 * (1 + np.abs(values).sum()))


def test_about_zero_is_not_zero() -> None:
    texts = {shape.text for shape in draw([found("gaussian:1.5")], [""]).shapes if isinstance(shape, Text)}
    assert "~0" in texts
    assert "0" in {shape.text for shape in draw([found("sobel-x")], [""]).shapes if isinstance(shape, Text)}


@pytest.mark.parametrize(
    ("spec", "gain", "where"),
    [
        ("sobel-x", 8, (0, 0.25)),
        ("sobel-y", 8, (0.25, 0)),
        ("laplacian", 8, (0.5, 0.5)),
        ("box:5", 1, (0, 0)),
        ("sharpen", 9, (0.5, 0.5)),
        ("0.25,-0.5,0.25;", 1, (0, 0.5)),
        ("-1,-2,-1;", 4, (0, 0)),
        ("0,0;0,0", 0, (0, 0)),
        ("1,-1,0,0,0,-1,1;", 4, (0, 0.5)),  # all four terms agree
    ],
)
def test_gains_of_closed_forms(spec: str, gain: float, where: tuple[float, float]) -> None:
    one = found(spec)
    assert one.gain == pytest.approx(gain, abs=1e-12)
    assert one.gain_at == pytest.approx(where, abs=1e-4)


@given(real)
def test_the_gain_is_the_largest_response(values: np.ndarray) -> None:
    """No frequency of a fine grid is amplified more; nothing is more than Σ|k|."""
    one = analyse(Kernel("k", values))
    grid = np.fft.fft2(values, (256, 256))
    assert np.abs(grid).max() <= one.gain * (1 + 1e-9) + 1e-12
    assert one.gain <= one.abs_sum * (1 + 1e-12)
    at = magnitude(values, np.array([one.gain_at[0]]), np.array([one.gain_at[1]]))[0, 0]
    assert at == pytest.approx(one.gain, rel=1e-3, abs=1e-9)


@pytest.mark.parametrize(
    "spec", ["dog:1.5,3", "log:1.6", "log:2", "log-unit:2", "dog:1,1.6", "logmat:2,0.01", "dog:2,3"]
)
def test_the_gain_of_a_ring(spec: str) -> None:
    """A rotationally symmetric kernel has a ridge for its maximum, which a search of a few points leaves too early."""
    values = parse(spec).kernels[0].values
    one = analyse(Kernel("k", values))
    side = 1536
    row, column = np.unravel_index(np.abs(np.fft.fft2(values, (side, side))).argmax(), (side, side))
    down, along = (np.arange(count) for count in values.shape)

    def less(at: np.ndarray) -> float:
        waves = np.exp(-2j * pi * at[0] * down), np.exp(-2j * pi * at[1] * along)
        return -float(np.abs(waves[0] @ values @ waves[1]))

    closely = {"xatol": 1e-10, "fatol": 1e-15}
    best = optimize.minimize(less, (row / side, column / side), method="Nelder-Mead", options=closely)
    assert one.gain == pytest.approx(-best.fun, rel=1e-10)
    assert -less(np.array(one.gain_at)) == pytest.approx(one.gain, rel=1e-6)
