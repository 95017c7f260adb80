"""Kernels: the named ones against their documentation and SciPy, every notation of a SPEC, banks, files and weights."""

from __future__ import annotations

import io
import json
import pickle
import re
import warnings
from collections.abc import Callable
from math import pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from cli import run
from conftest import convolve, transpose_convolve
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_tensors
from scipy import ndimage, special
from scipy.signal import windows

from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.errors import ConvError, GeometryError, KernelError
from convcli.geometry import Pads, Pair
from convcli.kernels import Bank, Filter, Kernel, kernel_files, named, parse, weights
from convcli.kernels.named import REGISTRY
from convcli.pointwise.finish import Finish
from convcli.spelling import as_options

Matrix = NDArray[np.float64]

ARGUMENTS = {"shift": "shift:1,-2"}
"""A SPEC for the named kernels that have parameters without a default."""


def values(spec: str) -> Matrix:
    """The one kernel of a SPEC."""
    [kernel] = parse(spec).kernels
    return kernel.values


def message(call: Callable[[], Any], kind: type[ConvError] = KernelError) -> str:
    """The one line that a call is refused with."""
    with pytest.raises(kind) as caught:
        call()
    text = as_options(caught.value.text)
    assert "\n" not in text
    assert not text.endswith(".")
    assert ": " in text  # what is wrong: what to do
    return text


def outcome(call: Callable[[], Any]) -> tuple[Any, str]:
    """What a call returns, or the line that it is refused with."""
    try:
        return call(), ""
    except KernelError as error:
        return None, str(error)


def correlated(image: Any, kernel: Matrix) -> Matrix:
    """A kernel on a 2-D image, in its own size."""
    spec = ConvSpec(padding="same", padding_mode="replicate")
    return convolve(np.array([image], float), kernel[np.newaxis, np.newaxis], spec, Compute("reference")).array[0]


# --- every named kernel ---


@pytest.mark.parametrize("name", REGISTRY)
def test_every_named_kernel_builds(name: str) -> None:
    built = parse(ARGUMENTS.get(name, name))
    assert built.kernels
    for kernel in built.kernels:
        assert kernel.values.ndim == 2
        assert kernel.values.dtype == np.float64
        assert np.isfinite(kernel.values).all()
        assert np.abs(kernel.values).sum() > 0
    recipe = REGISTRY[name]
    assert recipe.about.endswith(".")
    assert recipe.usage.startswith(name)
    assert recipe.source
    assert not recipe.source.endswith(".")
    assert [kernel.name for kernel in built.kernels] == (list(recipe.members) or [ARGUMENTS.get(name, name)])
    assert built.combine == recipe.combine
    assert (built.combine == "none") == (len(built.kernels) == 1)


@pytest.mark.parametrize("name", REGISTRY)
def test_the_documented_scale(name: str) -> None:
    """What `scale` says the values sum to is what they sum to."""
    scale = REGISTRY[name].scale
    kernels = [kernel.values for kernel in parse(ARGUMENTS.get(name, name)).kernels]
    said = 0
    if match := re.match(r"sum (\d)", scale):
        said += 1
        for kernel in kernels:
            assert kernel.sum() == pytest.approx(int(match[1]), abs=1e-12)
    if match := re.search(r"Σ\|k\| = ([\d.]+)", scale):
        said += 1
        for kernel in kernels:
            assert np.abs(kernel).sum() == pytest.approx(float(match[1]), rel=5e-3)
    if scale == "sum factor²":
        said += 1
        for factor in (1, 2, 3, 4, 7):
            assert values(f"{name}:{factor}").sum() == pytest.approx(factor**2)
    if scale == "envelope sums to about 1":  # cosine and sine together are the envelope
        said += 1
        sine = values("gabor:phase=90") if name == "gabor" else kernels[1]
        assert np.hypot(kernels[0], sine).sum() == pytest.approx(1, abs=0.02)
    if "Σk² = 1" in scale:
        said += 1
        for kernel in kernels:
            assert (kernel**2).sum() == pytest.approx(1)
    if scale == "centre 1":
        said += 1
        assert kernels[0][kernels[0].shape[0] // 2, kernels[0].shape[1] // 2] == kernels[0].max() == 1
    assert said, f"no test knows what '{scale}' means"


@pytest.mark.parametrize("spec", [member for recipe in REGISTRY.values() for member in recipe.members])
def test_members_are_the_kernels_of_their_bank(spec: str) -> None:
    built = parse(spec)
    assert (built.label, built.combine) == (spec, "none")
    [kernel] = built.kernels
    whole = {kernel.name: kernel.values for kernel in parse(spec.rpartition("-")[0]).kernels}
    np.testing.assert_array_equal(kernel.values, whole[spec])


@pytest.mark.parametrize(
    "spec",
    ["identity:5", "box:5", "gaussian:1.3", "gaussian:2,7", "binomial:7", "disk:2.5", "sharpen:0.7", "unsharp", "laplacian",
     "laplacian:8", "log", "log:2", "dog", "bilinear:3", "laplacian-box:5", "log-unit", "dog-unit", "logmat", "gaussian-discrete",
     "gaussian-erf", "gaussmat:2", "hanning", "square", "diamond:3", "octagon:4", "plus", "cross:3", "ring", "pillow-blur",
     "pillow-smooth-more", "pillow-sharpen", "bicubic:3", "lanczos:5", "frei-chen-mean",
     *(f"laplacian-type:{type}" for type in (0, 1, 2, 3, 5, 7, 15, 19))],
)  # fmt: skip
def test_round_kernels_are_odd_and_symmetric(spec: str) -> None:
    kernel = values(spec)
    assert kernel.shape[0] == kernel.shape[1]
    assert kernel.shape[0] % 2 == 1
    for turned in (kernel[::-1], kernel[:, ::-1], kernel.T):
        np.testing.assert_allclose(turned, kernel, rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("identity", [[1]]),
        ("identity:3", [[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
        ("box:2", [[0.25, 0.25], [0.25, 0.25]]),
        ("box:1,4", [[0.25] * 4]),
        ("binomial", [[1 / 16, 2 / 16, 1 / 16], [2 / 16, 4 / 16, 2 / 16], [1 / 16, 2 / 16, 1 / 16]]),
        ("disk:0", [[1]]),
        ("disk:1", [[0, 0.2, 0], [0.2, 0.2, 0.2], [0, 0.2, 0]]),
        ("disk:1.5", [[1 / 9] * 3] * 3),
        ("sharpen", [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        ("sharpen:2", [[0, -2, 0], [-2, 9, -2], [0, -2, 0]]),
        ("emboss", [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]),
        ("laplacian", [[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
        ("laplacian:8", [[1, 1, 1], [1, -8, 1], [1, 1, 1]]),
        ("sobel-x", [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
        ("sobel-y", [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]),
        # OpenCV's getDerivKernels(1, 0, 5): smoothing 1,4,6,4,1, derivative -1,-2,0,2,1
        ("sobel-x:5", [[-a, -2 * a, 0, 2 * a, a] for a in (1, 4, 6, 4, 1)]),
        ("sobel-x:7", [[-a, -4 * a, -5 * a, 0, 5 * a, 4 * a, a] for a in (1, 6, 15, 20, 15, 6, 1)]),
        ("prewitt-x", [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]]),
        ("prewitt-y", [[-1, -1, -1], [0, 0, 0], [1, 1, 1]]),
        ("scharr-x", [[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]]),
        ("scharr-y", [[-3, -10, -3], [0, 0, 0], [3, 10, 3]]),
        ("roberts-x", [[1, 0], [0, -1]]),
        ("pillow-blur", [[1 / 16] * 5, *[[1 / 16, 0, 0, 0, 1 / 16]] * 3, [1 / 16] * 5]),
        ("contour", [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]),
        ("pillow-emboss", [[0, 0, 0], [0, 1, 0], [-1, 0, 0]]),
        ("square:1", [[1 / 9] * 3] * 3),
        ("rectangle:1,2", [[0.5, 0.5]]),
        ("rectangle:height=2,width=1", [[0.5], [0.5]]),
        ("diamond", [[0, 0.2, 0], [0.2, 0.2, 0.2], [0, 0.2, 0]]),
        ("octagon:1", [[0, 0.2, 0], [0.2, 0.2, 0.2], [0, 0.2, 0]]),
        ("plus:1", [[0, 0.2, 0], [0.2, 0.2, 0.2], [0, 0.2, 0]]),
        ("cross:1", [[0.2, 0, 0.2], [0, 0.2, 0], [0.2, 0, 0.2]]),
        ("ring:0,1", [[0, 0.25, 0], [0.25, 0, 0.25], [0, 0.25, 0]]),
        ("laplacian-box", [[1, 1, 1], [1, -8, 1], [1, 1, 1]]),
        ("laplacian-type:2", [[2, -1, 2], [-1, -4, -1], [2, -1, 2]]),
        ("hanning:3", [[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
        ("hann:4", [[0, 0, 0, 0], [0, 0.25, 0.25, 0], [0, 0.25, 0.25, 0], [0, 0, 0, 0]]),
        ("gaussmat:0.5,0.2", [[1]]),
        ("comet:1,1", [[1]]),
        ("isotropic-y", [[-1, -(2**0.5), -1], [0, 0, 0], [1, 2**0.5, 1]]),
        ("isotropic-diagonal", [[-1, -(2**0.5), 0], [-(2**0.5), 0, 2**0.5], [0, 2**0.5, 1]]),
        ("gradient-x:-1", [[0, 0, 0], [-1, 1, 0], [0, 0, 0]]),
        ("gradient-y:1", [[0, 0, 0], [0, -1, 0], [0, 1, 0]]),
        ("hessian-xy", [[0.25, 0, -0.25], [0, 0, 0], [-0.25, 0, 0.25]]),
        ("diff2-yy", [[0, 1, 0], [0, -2, 0], [0, 1, 0]]),
        ("haar-x", [[-0.5, 0.5], [-0.5, 0.5]]),
        ("haar-y", [[-0.5, -0.5], [0.5, 0.5]]),
        ("haar-xy", [[0.5, -0.5], [-0.5, 0.5]]),
        ("nearest:2", [[1, 1], [1, 1]]),
        ("motion-nearest:3,45", [[0, 0, 1 / 3], [0, 1 / 3, 0], [1 / 3, 0, 0]]),
        ("roberts-y", [[0, 1], [-1, 0]]),
        ("bilinear", [[a * b for b in (0.25, 0.75, 0.75, 0.25)] for a in (0.25, 0.75, 0.75, 0.25)]),
        ("bilinear:1", [[1]]),
        ("bilinear:3", [[a * b / 9 for b in (1, 2, 3, 2, 1)] for a in (1, 2, 3, 2, 1)]),
        ("shift:0,0", [[1]]),
        ("shift:1,0", [[1], [0], [0]]),
        ("shift:0,-1", [[0, 0, 1]]),
    ],
)
def test_literal_matrices(spec: str, expected: list[list[float]]) -> None:
    np.testing.assert_allclose(values(spec), expected, rtol=0, atol=1e-15)


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


def test_farid_values() -> None:
    """Farid and Simoncelli (2004), table of the 5-tap pair: a prefilter of sum 1; a ramp is answered with 0.99."""
    x = values("farid-x")
    prefilter = [0.037659, 0.249153, 0.426375, 0.249153, 0.037659]
    derivative = [-0.109604, -0.276691, 0, 0.276691, 0.109604]
    np.testing.assert_allclose(x, np.outer(prefilter, derivative), rtol=0, atol=1e-6)
    assert correlated(np.tile(np.arange(9.0), (9, 1)), x)[4, 4] == pytest.approx(0.9918, abs=1e-4)


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


@given(dy=st.integers(-4, 4), dx=st.integers(-4, 4), seed=st.integers(0, 2**32 - 1))
def test_shift_moves_the_picture_down_and_to_the_right(dy: int, dx: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(1, 255, (6, 5))
    weight = values(f"shift:{dy},{dx}")[np.newaxis, np.newaxis]
    moved = convolve(image[np.newaxis], weight, ConvSpec(padding="same"), Compute("reference")).array[0]
    for y in range(6):
        for x in range(5):
            inside = 0 <= y - dy < 6 and 0 <= x - dx < 5
            assert moved[y, x] == (image[y - dy, x - dx] if inside else 0)


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


@given(sigma=st.floats(0.3, 20), size=st.integers(1, 40))
def test_gaussian_is_that_of_scipy(sigma: float, size: int) -> None:
    row = windows.gaussian(size, sigma)
    expected = np.outer(row, row) / row.sum() ** 2
    np.testing.assert_allclose(values(f"gaussian:{sigma!r},{size}"), expected, rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize("sigma", [0.5, 1, 1.4, 3])
def test_default_sizes_reach_three_sigma(sigma: float) -> None:
    side = 2 * int(np.ceil(3 * sigma)) + 1
    assert values(f"gaussian:{sigma}").shape == values(f"unsharp:{sigma}").shape == (side, side)
    assert values(f"dog:{sigma / 2},{sigma}").shape == (side, side)


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


def test_an_ellipse_turns_counter_clockwise() -> None:
    np.testing.assert_allclose(values("gaussian-ellipse:1,3,90"), values("gaussian-ellipse:3,1"), rtol=0, atol=1e-15)
    np.testing.assert_allclose(values("gaussian-ellipse:1.5,1.5,size=9"), values("gaussian:1.5,9"), rtol=0, atol=1e-15)
    slanted = values("gaussian-ellipse:1,3,45")
    middle = slanted.shape[0] // 2
    assert slanted[middle - 2, middle + 2] > 2 * slanted[middle + 2, middle + 2]  # up to the right


@pytest.mark.parametrize(("angle", "step"), [(0, (0, 1)), (90, (-1, 0)), (180, (0, -1)), (-90, (1, 0)), (360, (0, 1))])
def test_a_comet_draws_its_tail_to_its_angle(angle: int, step: tuple[int, int]) -> None:
    image = np.zeros((9, 9))
    image[4, 4] = 1
    answer = correlated(image, values(f"comet:1.5,3,{angle}"))
    tail = [answer[4 + far * step[0], 4 + far * step[1]] for far in (-1, 0, 1, 2, 3)]
    assert tail[0] == tail[4] == 0
    assert tail[1] > tail[2] > tail[3] > 0
    assert answer.sum() == pytest.approx(1)


@pytest.mark.parametrize("family", ["gaussians", "lines", "shapes"])
def test_averages_weigh_nothing_negatively(family: str) -> None:
    averages = [recipe for recipe in REGISTRY.values() if recipe.family == family and recipe.scale == "sum 1"]
    assert len(averages) >= 3
    for recipe in averages:
        assert values(recipe.name).min() >= 0


def test_no_two_kernels_share_a_name() -> None:
    every = named.names()
    assert len(set(every)) == len(every)
    with pytest.raises(ValueError, match="two kernels are called unity"):
        named.named("unity", scale="sum 1", source="nobody")(lambda: np.ones((1, 1)))


def test_unit_scales() -> None:
    for spec in ("log-unit", "log-unit:2", "dog-unit", "dog-unit:2,1"):
        kernel = values(spec)
        assert kernel.clip(min=0).sum() == pytest.approx(1)
        assert kernel.clip(max=0).sum() == pytest.approx(-1)


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    ("kernel", "mode"), [("nearest:{}", "nearest"), ("bilinear:{}", "bilinear"), ("bicubic:{}", "bicubic"),
                         ("bicubic:{},-0.5", Image.Resampling.BICUBIC), ("lanczos:{}", Image.Resampling.LANCZOS)]
)  # fmt: skip
def test_upsampling_is_that_of_pytorch_and_pillow(kernel: str, mode: Any, factor: int) -> None:
    """Transposed with stride f and padding (side - f)/2, away from the border."""
    weight = values(kernel.format(factor))[np.newaxis, np.newaxis]
    image = np.random.default_rng(2).random((9, 11), np.float32)
    padding, odd = divmod(weight.shape[-1] - factor, 2)
    assert not odd
    spec = ConvSpec(stride=Pair(factor, factor), padding=Pads(*[padding] * 4), transpose=True)
    ours = transpose_convolve(image[np.newaxis], weight, spec, Compute("reference")).array[0]
    if isinstance(mode, str):
        aligned = {} if mode == "nearest" else {"align_corners": False}
        theirs = F.interpolate(torch.tensor(image)[None, None], scale_factor=factor, mode=mode, **aligned)[0, 0].numpy()
    else:
        theirs = np.asarray(Image.fromarray(image).resize((11 * factor, 9 * factor), mode))
    border = 3 * factor
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours[border:-border, border:-border], theirs[border:-border, border:-border], atol=1e-6)


def test_random_is_seeded() -> None:
    np.testing.assert_array_equal(values("random:4,7"), values("random:size=4,seed=7"))
    assert values("random:4,7").shape == (4, 4)
    assert not np.array_equal(values("random:4,7"), values("random:4,8"))


@pytest.mark.parametrize(
    "spec",
    [
        "gaussian:1e-200",
        "gaussian:0.001,4",
        "gaussian:1e-9,8",
        "unsharp:1e-200",
        "log:1e-200",
        "log:1e-100",
        "dog:1e-200,1",
    ],
)
def test_tiny_sigmas_build_or_are_refused(spec: str) -> None:
    """Without a warning on the way (pytest turns them into errors): NumPy's would stand on the user's terminal."""
    kernel, refusal = outcome(lambda: values(spec))
    assert "sigma" in refusal or np.isfinite(kernel).all()


# --- SPEC: names ---


@pytest.mark.parametrize(
    ("spec", "same"),
    [
        ("gaussian:2", "gaussian:sigma=2"),
        ("gaussian:2,13", "gaussian:size=13,sigma=2"),
        ("gaussian: 2 , size = 13 ", "gaussian:2,13"),
        (" GAUSSIAN:2", "gaussian:2"),
        ("gaussian", "gaussian:1,7"),
        ("box:3", "box:3,3"),
        ("box", "box:3"),
        ("shift:dx=2,dy=1", "shift:1,2"),
        ("sobel-x", "sobel-x:3"),
        ("unity:3", "identity:3"),
        ("Pascal:5", "binomial:5"),
        ("find-edges", "pillow-find-edges"),
    ],
)
def test_arguments_by_place_and_by_name(spec: str, same: str) -> None:
    np.testing.assert_array_equal(values(spec), values(same))


def test_labels_are_safe_in_file_names() -> None:
    assert parse("gaussian:sigma=2,size=13").label == "gaussian-sigma-2-size-13"
    assert parse("Sobel").label == "sobel"
    assert parse("0,1,0;1,-4,1;0,1,0").label == "kernel"
    bank = Bank((parse("sobel-x"), parse("gaussian:1.5")))
    assert bank.label == "sobel-x+gaussian-1.5"


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("", ["empty", "give a name"]),
        ("  ", ["empty", "give a name"]),
        ("sobell", ["'sobell'", "did you mean sobel"]),
        ("gausian:2", ["'gausian:2'", "did you mean gaussian"]),
        ("laplace", ["'laplace'", "did you mean laplacian"]),
        ("scharr-z", ["'scharr-z'", "scharr-x", "scharr-y"]),
        ("shar", ["'shar'", "sharpen"]),
        ("zzzzzz", ["'zzzzzz'", "'convcli kernel'"]),
        ("gaussian:", ["colon without arguments", "gaussian[:sigma=1,size]"]),
        ("gaussian:1,2,3", ["too many", "gaussian[:sigma=1,size]"]),
        ("gaussian:sigm=2", ["'sigm'", "did you mean sigma?"]),
        ("gaussian:2,sigma=3", ["sigma twice", "give it once"]),
        ("gaussian:two", ["sigma 'two'", "not a finite number", "gaussian[:"]),
        ("gaussian:nan", ["sigma 'nan'", "not a finite number"]),
        ("gaussian:inf", ["sigma 'inf'", "not a finite number"]),
        ("gaussian:1,3.5", ["size '3.5'", "not a whole number"]),
        ("gaussian:,3", ["sigma ''", "not a finite number"]),
        ("gaussian:0", ["sigma 0 is out of range: use"]),
        ("gaussian:-1", ["sigma -1 is out of range: use"]),
        ("gaussian:1,0", ["size 0", "from 1 to 4095"]),
        ("gaussian:5000", ["sigma 5000", "smaller sigma"]),
        ("gaussian:1,99999", ["size 99999", "from 1 to 4095"]),
        ("identity:4", ["size 4", "odd number from 1"]),
        ("box:-3", ["size -3", "from 1"]),
        ("box:3,0", ["width 0", "from 1"]),
        ("binomial:1000", ["size 1000", "512 or less"]),
        ("disk:-1", ["radius -1", "0 to"]),
        ("disk:1e9", ["radius 1e+09", "0 to"]),
        ("motion:4", ["size 4", "odd number"]),
        ("motion:5,0,2", ["direction 2", "-1 to 1"]),
        ("unsharp:1,1,4", ["size 4", "odd number"]),
        ("bilinear:0", ["factor 0", "1 to"]),
        ("shift", ["lacks dy and dx", "'shift:dy,dx'"]),
        ("shift:1", ["lacks dx", "'shift:dy,dx'"]),
        ("shift:9999,0", ["9999,0", "-2047 to 2047"]),
        ("random:3,-1", ["seed -1", "0 or more"]),
        ("prewitt:3", ["takes none", "write 'prewitt'"]),
        ("prewitt-x:3", ["takes none", "write 'prewitt'"]),
        ("sobel:1", ["size 1", "from 3"]),
        ("sobel:4", ["size 4", "odd number"]),
        ("sobel:33", ["size 33", "3 to 31"]),
        ("laplacian:6", ["neighbours 6", "4 or 8"]),
        ("log:0", ["sigma 0 is out of range: use"]),
        ("dog:1,0", ["sigma 0 is out of range: use"]),
        ("dog:0,1", ["sigma 0 is out of range: use"]),
        ("gabor:0.6", ["frequency 0.6", "0.001 to 0.5"]),
        ("gabor:0", ["frequency 0", "0.001 to 0.5"]),
        ("gabor:0.1,0,99", ["bandwidth 99", "0.01 to 16"]),
        ("gaussian-discrete:1,4", ["size 4", "odd number"]),
        ("gaussian-discrete:1e9,3", ["sigma 1e+09", "4095 or less"]),
        ("gaussian-erf:0", ["sigma 0", "0.01 or more"]),
        ("gaussian-ellipse:1,0", ["sigma 0", "0.01 or more"]),
        ("gaussian-ellipse:900,1", ["sigma 900", "wider than 4095", "smaller sigma"]),
        ("gaussmat:1,0", ["min_ampl 0", "less than 1"]),
        ("gaussmat:1,1", ["min_ampl 1", "less than 1"]),
        ("gaussmat:5000", ["sigma 5000", "wider than 4095"]),
        ("logmat:2000,0.01", ["sigma 2000", "wider than 4095"]),
        ("logmat:0", ["sigma 0", "0.01 or more"]),
        ("logmat:1,7", ["min_ampl 7", "less than 1"]),
        ("hanning:2", ["size 2", "from 3"]),
        ("log-unit:1,1", ["size 1", "one sign"]),
        ("dog-unit:1,1", ["sigmas 1 and 1", "one sign", "another sigma"]),
        ("laplacian-type:4", ["type 4", "0, 1, 2, 3, 5, 7, 15, 19"]),
        ("laplacian-box:4", ["size 4", "odd number"]),
        ("gradient:4", ["scheme 4", "-1, 0, 1, 2, 3"]),
        ("square:-1", ["radius -1", "from 0 to 2047"]),
        ("octagon:0", ["radius 0", "from 1 to 2047"]),
        ("plus:1e3", ["radius '1e3'", "whole number"]),
        ("rectangle:0,3", ["height 0", "from 1"]),
        ("ring:3,2", ["from 3 to 2", "outer above it"]),
        ("ring:3.2,3.3", ["holds no pixel's centre"]),
        ("blur:1,4", ["size 4", "odd number"]),
        ("blur:1,5,45", ["angle 45", "multiple of 90", "motion"]),
        ("comet:1,0", ["length 0", "from 1"]),
        ("comet:1,3,1", ["angle 1", "multiple of 90"]),
        ("motion-nearest:4", ["size 4", "odd number"]),
        ("motion-nearest:5,0,2", ["direction 2", "-1 to 1"]),
        ("nearest:0", ["factor 0", "1 to"]),
        ("bicubic:0", ["factor 0", "1 to"]),
        ("lanczos:2,0", ["lobes 0", "1 to 16"]),
        ("lanczos:2000", ["factor 2000", "1 to 682"]),
        ("contour:3", ["takes none", "pillow-contour"]),
    ],
)
def test_wrong_names_and_arguments(spec: str, parts: list[str]) -> None:
    text = message(lambda: parse(spec))
    for part in parts:
        assert part in text


# --- SPEC: literals ---


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("0,1,0;1,-4,1;0,1,0", [[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
        (" -1 , 0 ,1; ", [[-1, 0, 1]]),
        ("1;2;3", [[1], [2], [3]]),
        ("3", [[3]]),
        ("-.5", [[-0.5]]),
        ("1/9,2/9;-1/3,.5", [[1 / 9, 2 / 9], [-1 / 3, 0.5]]),
        ("1e-3,+2.5E2", [[0.001, 250]]),
        ("1,2,3,4;5,6,7,8", [[1, 2, 3, 4], [5, 6, 7, 8]]),
    ],
)
def test_literals(spec: str, expected: list[list[float]]) -> None:
    built = parse(spec)
    assert built.combine == "none"
    np.testing.assert_array_equal(built.kernels[0].values, expected)


@given(
    st.integers(1, 5).flatmap(
        lambda n: st.lists(st.lists(st.floats(-1e9, 1e9), min_size=n, max_size=n), min_size=1, max_size=5)
    )
)
def test_any_matrix_can_be_written_as_a_literal(rows: list[list[float]]) -> None:
    spec = ";".join(",".join(map(repr, row)) for row in rows)
    np.testing.assert_array_equal(values(spec), rows)


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("1,2;3", ["ragged", "row 2 has 1 value,", "row 1 has 2", "give every row"]),
        ("1,2;;3,4", ["an empty cell", "write rows as"]),
        ("1,x,3", ["'x'", "not a number", "write rows as"]),
        ("1,,3", ["an empty cell", "write rows as"]),
        ("1,2,", ["an empty cell"]),
        ("1/0,1", ["divides by zero", "'1/0'", "finite"]),
        ("1/x,1", ["'1/x'", "not a number"]),
        ("1,nan", ["nan", "finite"]),
        ("1,inf", ["inf", "finite"]),
        ("1e999,1", ["inf", "finite"]),
        (";", ["empty", "at least one number"]),
        (",", ["empty", "at least one number"]),
    ],
)
def test_wrong_literals(spec: str, parts: list[str]) -> None:
    text = message(lambda: parse(spec))
    for part in (f"'{spec}'", *parts):
        assert part in text


def test_a_spec_of_several_lines_is_refused_in_one(capsys: pytest.CaptureFixture[str]) -> None:
    from convcli.cli import main

    with pytest.raises(SystemExit) as caught:
        main(["apply", "samples/tiny.png", "-k", "1,2\n3,4", "-o", "-"])
    assert caught.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


# --- SPEC: ImageMagick ---


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("3x3: 0,-1,0 -1,5,-1 0,-1,0", [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        ("3: 0,-1,0 -1,5,-1 0,-1,0", [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        ("3x3:0,-1,0,-1,5,-1,0,-1,0", [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        ("3x3:\n 1 2 3\n 4 5 6\n 7 8 9\n", [[1, 2, 3], [4, 5, 6], [7, 8, 9]]),
        ("1: 2", [[2]]),
        # width before height
        ("3x1: 1,2,3", [[1, 2, 3]]),
        ("1x3: 1,2,3", [[1], [2], [3]]),
        ("3x2: 1,2,3 4,5,6", [[1, 2, 3], [4, 5, 6]]),
        # holes
        ("3x3: -,1,- nan,2,NaN -,3,-", [[0, 1, 0], [0, 2, 0], [0, 3, 0]]),
        # the default origin of an even side is (W-1)/2, as the anchor of "same" is
        ("2x2: 1,2 3,4", [[1, 2], [3, 4]]),
        ("3x3+1+1: 1,2,3 4,5,6 7,8,9", [[1, 2, 3], [4, 5, 6], [7, 8, 9]]),
        # any other is moved to the centre of a larger matrix
        ("3x1+0+0: 1,2,3", [[0, 0, 1, 2, 3]]),
        ("3x1+2+0: 1,2,3", [[1, 2, 3, 0, 0]]),
        ("1x3+0+2: 1,2,3", [[1], [2], [3], [0], [0]]),
        ("2x2+1+1: 1,2 3,4", [[1, 2, 0], [3, 4, 0], [0, 0, 0]]),
        ("2x2+0+1: 1,2 3,4", [[0, 1, 2], [0, 3, 4], [0, 0, 0]]),
    ],
)
def test_imagemagick_notation(spec: str, expected: list[list[float]]) -> None:
    np.testing.assert_array_equal(values(spec), expected)


def test_imagemagick_origin_is_the_pixel_that_is_replaced() -> None:
    """``3x1+0+0: 1,10,100``: the output's own pixel weighs 1, its right neighbours 10 and 100."""
    image = np.zeros((1, 9))
    image[0, 3:6] = 1, 2, 3
    assert correlated(image, values("3x1+0+0: 1,10,100"))[0, 3] == 321
    assert correlated(image, values("3x1: 1,10,100"))[0, 4] == 321
    assert correlated(image, values("3x1+2+0: 1,10,100"))[0, 5] == 321


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("3x3: 1,2,3", ["3 values", "3x3 (width x height) needs 9"]),
        ("3: 1,2,3", ["3 values", "needs 9"]),
        ("2x1: 1,2,3", ["3 values", "needs 2"]),
        ("0x0:", ["0x0", "at least 1"]),
        ("2x1: 1,x", ["'x'", "not a number"]),
        ("2x1: 1,inf", ["inf", "finite"]),
        ("2x1+2+0: 1,2", ["origin at +2+0", "outside 2x1", "move it inside"]),
        ("2x1+-1+0: 1,2", []),
        ("3x1@: 1,2,3", ["'@'", "a -k of its own"]),
        ("3x1>: 1,2,3", ["'>'", "a -k of its own"]),
    ],
)
def test_wrong_imagemagick_notation(spec: str, parts: list[str]) -> None:
    text = message(lambda: parse(spec))
    for part in parts:
        assert part in text


# --- SPEC: files ---

LAPLACE = [[0.0, 1, 0], [1, -4.5, 1], [0, 1, 0], [2, 0, 0]]
TEXTS = {
    "k.json": json.dumps(LAPLACE),
    "k.csv": "0,1,0\n1,-4.5,1\n0,1,0\n2,0,0\n",
    "k.txt": "# a comment\n0 1 0\n\n1\t-4.5  1\n0 1 0\n2 0 0",
    "semicolons.csv": "0;1;0\n1;-4.5;1\n0;1;0\n2;0;0\n",
    "K.TXT": "0, 1, 0\n1, -4.5, 1\n0, 1, 0\n2, 0, 0\n",
    "k.mat": "3 4\n0 1 0\n1 -4.5 1\n0 1 0\n2 0 0\n",
    "scaled.mat": "3 4 2\n0 2 0\n2 -9 2\n0 2 0\n4 0 0\n",
    "offset0.mat": "3 4 2 0\n0 2 0\n2 -9 2\n0 2 0\n4 0 0\n",
}


@pytest.mark.parametrize("name", TEXTS)
def test_kernels_in_text_files(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(TEXTS[name])
    built = parse(str(path))
    assert built.label == path.stem
    np.testing.assert_array_equal(built.kernels[0].values, LAPLACE)


@pytest.mark.parametrize("kind", ["float64", "float32", "float16", "int8", "uint16", "bool", ">f4", ">i2"])
def test_kernels_in_npy_files(kind: str, tmp_path: Path) -> None:
    array = np.array([[0, 1, 2], [3, 0, 1]]).astype(kind)
    np.save(tmp_path / "k.npy", array)
    kernel = values(str(tmp_path / "k.npy"))
    assert kernel.dtype == np.dtype("float64")
    np.testing.assert_array_equal(kernel, array.astype(float))


def test_a_row_may_be_one_dimensional(tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", np.array([1, 2, 3]))
    (tmp_path / "k.json").write_text("[1, 2, 3]")
    assert values(str(tmp_path / "k.npy")).tolist() == values(str(tmp_path / "k.json")).tolist() == [[1, 2, 3]]


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("k.json", "{", ["not valid JSON", "nested list"]),
        ("k.json", "", ["not valid JSON", "nested list"]),
        ("k.json", "[" * 100_000, ["not valid JSON"]),
        ("k.json", "[[1,2],[3]]", ["not a matrix", "same count"]),
        ("k.json", '{"a": 1}', ["not a matrix"]),
        ("k.json", '[["a"]]', ["not a matrix"]),
        ("k.json", "[[null]]", ["not a matrix"]),
        ("k.json", "[]", ["empty", "at least one"]),
        ("k.json", "5", ["0 dimensions", "2-D"]),
        ("k.json", "[[[1]]]", ["3 dimensions", "--weights"]),
        ("k.json", "[[NaN]]", ["nan", "finite"]),
        ("k.json", f"[[1{'0' * 400}]]", ["k.json"]),
        ("k.csv", "1,2\n3\n", ["not a matrix", "same count"]),
        ("k.csv", "1,two\n", ["'two'", "not a number", "a row on each line"]),
        ("k.csv", "\n\n", ["empty", "at least one"]),
        ("k.csv", "# nothing\n", ["empty", "at least one"]),
        ("k.csv", "1,inf\n", ["inf", "finite"]),
        ("k.csv", b"\xff\xfe1", ["not text", "numbers in rows"]),
        ("k.txt", b"\x89PNG\r\n\x1a\n\x00\xff", ["not text", "numbers in rows"]),
        ("k.mat", "", ["no header", "width height"]),
        ("k.mat", "3\n1 2 3\n", ["no header", "width height"]),
        ("k.mat", "2 3\n1 2 3\n4 5 6\n", ["announces 2×3", "holds 3×2", "first line"]),
        ("k.mat", "2 1 0\n1 2\n", ["scale 0", "first line"]),
        ("k.mat", "2 1 1 128\n1 2\n", ["offset 128", "--bias 128"]),
        ("k.mat", "2 1\n1 x\n", ["'x'", "not a number"]),
        ("k.mat", "2 1\n", ["empty"]),
        ("k.npy", b"", ["not a valid .npy"]),
        ("k.npy", b"\x93NUMPY\x01\x00", ["not a valid .npy", "truncated"]),
        ("k.npy", b"PNG", ["not a valid .npy"]),
    ],
)
def test_wrong_kernel_files(name: str, content: str | bytes, parts: list[str], tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    text = message(lambda: parse(str(path)))
    for part in (str(path), *parts):
        assert part in text


class Pickled:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    ("array", "parts"),
    [
        (np.zeros((2, 2, 2)), ["3 dimensions", "--weights"]),
        (np.zeros((0, 3)), ["empty"]),
        (np.array([[1, np.nan]]), ["nan", "finite"]),
        (np.array([[1j]]), ["complex128", "real numbers"]),
        (np.array([["a"]]), ["real numbers"]),
    ],
)
def test_wrong_npy_kernels(array: NDArray[Any], parts: list[str], tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", array)
    text = message(lambda: parse(str(tmp_path / "k.npy")))
    for part in parts:
        assert part in text


def test_a_kernel_file_is_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", np.array([[Pickled(tmp_path / "ran")]], dtype=object))
    assert "pickled objects" in message(lambda: parse(str(tmp_path / "k.npy")))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("length", [1, 20, 90, 127, 150, 195])
def test_truncated_npy_kernels(length: int, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.ones((3, 3)))
    (tmp_path / "k.npy").write_bytes(buffer.getvalue()[:length])
    assert "not a valid .npy" in message(lambda: parse(str(tmp_path / "k.npy")))


@pytest.mark.parametrize("suffix", kernel_files.SUFFIXES)
def test_absent_kernel_files_and_folders(suffix: str, tmp_path: Path) -> None:
    assert "cannot be read: there is no such file" in message(lambda: parse(str(tmp_path / f"absent{suffix}")))
    (tmp_path / f"folder{suffix}").mkdir()
    assert "cannot be read: it is a folder; name a file" in message(lambda: parse(str(tmp_path / f"folder{suffix}")))


def test_kernel_files_of_other_kinds_and_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kernel.dat"
    path.write_text("a")
    assert "ends in none of .npy, .json" in message(lambda: parse(str(path)))
    monkeypatch.setattr(kernel_files, "MAX_BYTES", 3)
    (tmp_path / "k.csv").write_text("1,2,3")
    assert "is it a kernel?" in message(lambda: parse(str(tmp_path / "k.csv")))


# --- banks ---


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


# --- weights ---

WEIGHT = np.random.default_rng(0).standard_normal((4, 2, 3, 5)).astype(np.float32)
BIAS = np.arange(1, 5, dtype=np.float32)


def save(path: Path, arrays: dict[str, NDArray[Any]]) -> Path:
    """Arrays in the format of the suffix; .npy takes the only one."""
    if path.suffix == ".npy":
        [array] = arrays.values()
        np.save(path, array)
    elif path.suffix == ".npz":
        np.savez(path, **arrays)
    elif path.suffix == ".safetensors":
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)
    else:
        torch.save({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}, path)
    return path


KEYED = (".npz", ".safetensors", ".pt", ".pth")


@pytest.mark.parametrize("suffix", [".npy", *KEYED])
def test_the_only_weights_in_a_file(suffix: str, tmp_path: Path) -> None:
    path = save(tmp_path / f"layer{suffix}", {"conv.weight": WEIGHT})
    array, label = weights.load(str(path))[:2]
    assert (array.dtype, label) == (np.float32, "layer")
    np.testing.assert_array_equal(array, WEIGHT)


@pytest.mark.parametrize("suffix", KEYED)
def test_weights_by_key(suffix: str, tmp_path: Path) -> None:
    arrays = {"conv1.weight": WEIGHT, "conv1.bias": BIAS, "conv2.weight": WEIGHT + 1}
    path = save(tmp_path / f"layers{suffix}", arrays)
    for key in ("conv1.weight", "conv2.weight"):
        array, label = weights.load(f"{path}:{key}")[:2]
        np.testing.assert_array_equal(array, arrays[key])
        assert label == key
    text = message(lambda: weights.load(str(path)))
    assert "hold 2 4-D arrays" in text
    assert "conv1.weight" in text
    assert "conv2.weight" in text
    text = message(lambda: weights.load(f"{path}:conv3.weight"))
    assert "no key 'conv3.weight'" in text
    assert all(key in text for key in arrays)
    assert "not 4-D but (4,)" in message(lambda: weights.load(f"{path}:conv1.bias"))


@pytest.mark.parametrize("suffix", KEYED)
def test_the_only_4d_weights_need_no_key(suffix: str, tmp_path: Path) -> None:
    path = save(tmp_path / f"layer{suffix}", {"a.bias": BIAS, "a.weight": WEIGHT, "b": np.ones((3, 3))})
    np.testing.assert_array_equal(weights.load(str(path))[0], WEIGHT)


@pytest.mark.parametrize("suffix", KEYED)
def test_no_4d_weights_at_all(suffix: str, tmp_path: Path) -> None:
    text = message(lambda: weights.load(str(save(tmp_path / f"w{suffix}", {"a": BIAS, "b": np.ones((3, 3))}))))
    assert "not 4-D" in text
    assert "(4,), (3, 3)" in text
    assert "a 2-D kernel goes with -k" in text


def test_a_2d_npy_is_a_kernel(tmp_path: Path) -> None:
    text = message(lambda: weights.load(str(save(tmp_path / "k.npy", {"": np.ones((3, 3))}))))
    assert "not 4-D but (3, 3)" in text
    assert "goes with -k" in text


@pytest.mark.parametrize("suffix", [".npy", *KEYED])
@pytest.mark.parametrize("kind", ["float64", "float16", "int8", "uint8", "int64"])
def test_dtypes_of_weights(suffix: str, kind: str, tmp_path: Path) -> None:
    """Floats stay what they are, integers become float64."""
    stored = (10 * np.abs(WEIGHT)).astype(kind)
    array = weights.load(str(save(tmp_path / f"w{suffix}", {"w": stored}))).weight
    assert array.dtype == (kind if kind.startswith("float") else "float64")
    np.testing.assert_array_equal(array, stored)


def test_big_endian_weights_become_native(tmp_path: Path) -> None:
    array = weights.load(str(save(tmp_path / "w.npy", {"w": WEIGHT.astype(">f4")}))).weight
    assert array.dtype == np.dtype("=f4")
    assert array.dtype.isnative
    np.testing.assert_array_equal(array, WEIGHT)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_bfloat16_weights_become_float32(suffix: str, tmp_path: Path) -> None:
    tensors = {"w": torch.from_numpy(WEIGHT).to(torch.bfloat16), "b": torch.zeros(4, dtype=torch.bfloat16)}
    path = tmp_path / f"w{suffix}"
    (save_tensors if suffix == ".safetensors" else torch.save)(tensors, path)
    for spec in (str(path), f"{path}:w"):
        array = weights.load(spec).weight
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, tensors["w"].float().numpy())
    assert "(4,)" in message(lambda: weights.load(f"{path}:b"))


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("kind", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_float8_weights_become_float32_or_are_refused(suffix: str, kind: torch.dtype, tmp_path: Path) -> None:
    """NumPy has no such type, as it has no bfloat16."""
    tensor = torch.from_numpy(WEIGHT).to(kind)
    path = tmp_path / f"w{suffix}"
    (save_tensors if suffix == ".safetensors" else torch.save)({"w": tensor}, path)
    loaded, refusal = outcome(lambda: weights.load(str(path)))
    if refusal:
        assert "float8" in refusal.lower()
    else:
        assert loaded[0].dtype == np.float32
        np.testing.assert_array_equal(loaded[0], tensor.float().numpy())


def test_extended_precision_becomes_double(tmp_path: Path) -> None:
    """No backend computes in it, and torch does not take it."""
    array = weights.load(str(save(tmp_path / "w.npy", {"": WEIGHT.astype(np.longdouble)}))).weight
    assert array.dtype == np.float64


@pytest.mark.parametrize(
    "tensor",
    [torch.empty(1, 1, 2, 2, device="meta"), torch._neg_view(torch.ones(1, 1, 2, 2))],
    ids=["no data", "lazily negated"],
)
def test_tensors_that_numpy_cannot_read(tensor: torch.Tensor, tmp_path: Path) -> None:
    torch.save({"w": tensor}, tmp_path / "w.pt")
    loaded, refusal = outcome(lambda: weights.load(str(tmp_path / "w.pt")))
    assert "w.pt" in refusal or (loaded[0] == -1).all()


def test_what_torch_saves(tmp_path: Path) -> None:
    """A tensor, a state_dict, a checkpoint around one; parameters, views and old archives."""
    layer = torch.nn.Sequential(torch.nn.Conv2d(2, 4, (3, 5)), torch.nn.Linear(2, 2))
    expected = layer[0].weight.detach().numpy()
    path = tmp_path / "w.pt"
    for content in (layer[0].weight, layer.state_dict(), {"state_dict": layer.state_dict(), "epoch": 3}):
        torch.save(content, path)
        np.testing.assert_array_equal(weights.load(str(path))[0], expected)
    np.testing.assert_array_equal(weights.load(f"{path}:0.weight")[0], expected)
    torch.save(layer.state_dict(), path, _use_new_zipfile_serialization=False)
    np.testing.assert_array_equal(weights.load(str(path))[0], expected)
    torch.save(torch.from_numpy(WEIGHT).permute(0, 1, 3, 2)[:, :, ::2], path)
    np.testing.assert_array_equal(weights.load(str(path))[0], WEIGHT.transpose(0, 1, 3, 2)[:, :, ::2])
    torch.save([1, 2], path)
    assert "hold a list: a tensor or a state_dict" in message(lambda: weights.load(str(path)))
    torch.save({"epoch": 3}, path)
    assert "hold no tensors, only epoch" in message(lambda: weights.load(str(path)))


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt", ".pth"])
def test_weights_are_never_unpickled(suffix: str, tmp_path: Path) -> None:
    path, ran = tmp_path / f"w{suffix}", tmp_path / "ran"
    evil = np.array([Pickled(ran)], dtype=object)
    if suffix == ".npy":
        np.save(path, evil)
    elif suffix == ".npz":
        np.savez(path, w=evil)
    else:
        torch.save({"w": Pickled(ran)}, path)
    text = message(lambda: weights.load(str(path)))
    assert "pickled objects" in text
    assert "save a plain array" in text
    assert not ran.exists()


def test_a_pickled_module_and_a_bare_pickle_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save(torch.nn.Conv2d(1, 1, 3), path)
    assert "pickled objects" in message(lambda: weights.load(str(path)))
    path.write_bytes(pickle.dumps({"w": Pickled(tmp_path / "ran")}))
    assert str(path) in message(lambda: weights.load(str(path)))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("suffix", [".npy", *KEYED])
@pytest.mark.parametrize("part", [0, 0.01, 0.3, 0.6, 0.99])
def test_truncated_weights(suffix: str, part: float, tmp_path: Path) -> None:
    path = save(tmp_path / f"w{suffix}", {"w": WEIGHT})
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    text = message(lambda: weights.load(str(path)))
    assert str(path) in text
    assert "not a valid" in text
    assert "truncated" in text


@pytest.mark.parametrize("suffix", [".npy", *KEYED])
def test_weights_that_are_something_else(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"w{suffix}"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    assert "not a valid" in message(lambda: weights.load(str(path)))
    path.unlink()
    assert "cannot be read: there is no such file" in message(lambda: weights.load(str(path)))
    path.mkdir()
    assert "cannot be read: it is a folder; name a file" in message(lambda: weights.load(str(path)))


@pytest.mark.parametrize("suffix", [".npy", *KEYED])
@pytest.mark.parametrize(
    ("array", "parts"),
    [
        (np.full((1, 1, 2, 2), np.nan), ["NaN or infinity", "finite"]),
        (np.full((1, 1, 2, 2), np.inf), ["NaN or infinity", "finite"]),
        (np.ones((0, 1, 2, 2)), ["empty", "(0, 1, 2, 2)", "at least 1"]),
        (np.ones((1, 1, 2, 2), np.complex64), ["real numbers"]),
    ],
)
def test_unusable_weights(suffix: str, array: NDArray[Any], parts: list[str], tmp_path: Path) -> None:
    text = message(lambda: weights.load(str(save(tmp_path / f"w{suffix}", {"w": array}))))
    for part in parts:
        assert part in text


def test_specs_of_weights(tmp_path: Path) -> None:
    colon = tmp_path / "a:b.npy"
    np.save(colon, WEIGHT)
    np.testing.assert_array_equal(weights.load(str(colon))[0], WEIGHT)
    plain = save(tmp_path / "w.npy", {"": WEIGHT})
    assert "have no key 'x': write" in message(lambda: weights.load(f"{plain}:x"))
    assert "colon without a key" in message(lambda: weights.load(f"{plain}:"))
    assert "end in none of .npy, .npz, .safetensors" in message(lambda: weights.load(str(tmp_path / "w.onnx")))


def test_weights_must_fit_the_channels(tmp_path: Path) -> None:
    """Their layout is named where it is wrong."""
    weight = weights.load(str(save(tmp_path / "w.npy", {"": WEIGHT}))).weight
    image = np.ones((3, 9, 9))
    text = message(lambda: convolve(image, weight, ConvSpec()), GeometryError)
    assert "take 2 input channels, the image has 3" in text
    assert "(C_out, C_in/groups, kh, kw)" in text
    text = message(lambda: transpose_convolve(image, weight, ConvSpec()), GeometryError)
    assert "take 4 input channels, the image has 3" in text
    assert "(C_in, C_out/groups, kh, kw)" in text
    text = message(lambda: convolve(image, weight, ConvSpec(groups=2)), GeometryError)
    assert "groups 2 does not divide the 3 input channels: use an image of 4 channels" in text
    assert "not 4-D" in message(lambda: convolve(image, np.ones((3, 3)), ConvSpec()), GeometryError)


# The bias beside the weight; checkpoints; byte order marks


def response(path: str, folder: Path, *options: str) -> tuple[float, str]:
    """The first value of what a layer of zeros makes of zeros, which is its bias; and what was said."""
    np.save(folder / "in.npy", np.zeros((2, 8, 8)))
    result = run("apply", folder / "in.npy", "--weights", path, *options, "-o", folder / "out.npy")
    assert result.code == 0, result.err
    return float(np.load(folder / "out.npy")[1, 0, 0]), result.err


@pytest.mark.parametrize("suffix", KEYED)
def test_the_bias_beside_the_weight_is_added(suffix: str, tmp_path: Path) -> None:
    arrays = {"conv1.weight": WEIGHT, "conv1.bias": BIAS, "conv2.weight": WEIGHT, "other.bias": BIAS + 9}
    path = save(tmp_path / f"layers{suffix}", arrays)
    value, said = response(f"{path}:conv1.weight", tmp_path)
    assert value == pytest.approx(float(BIAS[1]))
    assert "'conv1.bias'" in said
    assert "--bias 0" in said
    assert response(f"{path}:conv1.weight", tmp_path, "--bias", "5") == (5, "")
    assert response(f"{path}:conv2.weight", tmp_path) == (0, "")


@pytest.mark.parametrize("suffix", KEYED)
def test_the_bias_of_the_only_weight(suffix: str, tmp_path: Path) -> None:
    path = save(tmp_path / f"layer{suffix}", {"weight": WEIGHT, "bias": BIAS})
    assert response(str(path), tmp_path)[0] == pytest.approx(float(BIAS[1]))


def test_a_bias_of_another_length_is_named_and_left_out(tmp_path: Path) -> None:
    path = save(tmp_path / "layer.npz", {"weight": WEIGHT, "bias": np.ones(3)})
    value, said = response(str(path), tmp_path)
    assert value == 0
    assert "has 3 values for 4 output channels and is not added" in said


def test_the_bias_of_a_transposed_layer(tmp_path: Path) -> None:
    layer = torch.nn.ConvTranspose2d(4, 6, 3, groups=2)
    torch.save(layer.state_dict(), tmp_path / "layer.pt")
    x = np.random.default_rng(0).normal(size=(4, 5, 6)).astype(np.float32)
    np.save(tmp_path / "in.npy", x)
    options = ["--weights", tmp_path / "layer.pt", "--groups", "2", "-o", tmp_path / "out.npy"]
    assert run("transpose", tmp_path / "in.npy", *options).code == 0
    with torch.no_grad():
        expected = layer(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, atol=1e-5)


def test_compare_adds_the_bias_too(tmp_path: Path) -> None:
    path = save(tmp_path / "layer.npz", {"weight": WEIGHT, "bias": BIAS})
    result = run("compare", "--size", "8,8", "--in-channels", "2", "--weights", path, "--repeats", "1")
    assert result.code == 0, result.err
    assert "'bias'" in result.err


def test_checkpoints_of_state_dicts(tmp_path: Path) -> None:
    """Keys of several levels are joined by points; what holds no tensors says what it holds."""
    torch.save({"model": {"conv1.weight": torch.from_numpy(WEIGHT)}, "epoch": 3}, tmp_path / "w.pt")
    for spec in (f"{tmp_path / 'w.pt'}", f"{tmp_path / 'w.pt'}:model.conv1.weight"):
        np.testing.assert_array_equal(weights.load(spec).weight, WEIGHT)
    torch.save({"epoch": 3, "args": {"rate": 0.1}}, tmp_path / "w.pt")
    assert "hold no tensors, only epoch, args.rate" in message(lambda: weights.load(str(tmp_path / "w.pt")))


def test_torchscript_is_named(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(torch.nn.Conv2d(1, 1, 3)).save(tmp_path / "w.pt")
    recwarn.clear()
    text = message(lambda: weights.load(str(tmp_path / "w.pt")))
    assert "TorchScript" in text
    assert "state_dict()" in text
    assert not recwarn.list


def test_empty_name_of_weights() -> None:
    assert "weights '' are empty" in message(lambda: weights.load(""))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    ("name", "text"),
    [("k.csv", "1,2\n3,4\n"), ("k.txt", "1 2\n3 4\n"), ("k.json", "[[1,2],[3,4]]"), ("k.mat", "2 2\n1 2\n3 4\n")],
)
def test_byte_order_marks(encoding: str, name: str, text: str, tmp_path: Path) -> None:
    mark = "\ufeff" if encoding.startswith("utf-16-") else ""  # the others write it themselves
    (tmp_path / name).write_bytes((mark + text).encode(encoding))
    np.testing.assert_array_equal(values(str(tmp_path / name)), [[1, 2], [3, 4]])
