"""All named kernels: they build, sum to what is said, and have the values of their documentation."""

from __future__ import annotations

import re
from importlib import import_module

import numpy as np
import pytest

from convcli.kernels import named, parse
from convcli.kernels.named import REGISTRY
from support.kernels import outcome, values

ARGUMENTS = {"shift": "shift:1,-2"}
"""A SPEC for the named kernels that have parameters without a default."""


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


@pytest.mark.parametrize("sigma", [0.5, 1, 1.4, 3])
def test_default_sizes_reach_three_sigma(sigma: float) -> None:
    side = 2 * int(np.ceil(3 * sigma)) + 1
    assert values(f"gaussian:{sigma}").shape == values(f"unsharp:{sigma}").shape == (side, side)
    assert values(f"dog:{sigma / 2},{sigma}").shape == (side, side)


def test_no_two_kernels_share_a_name() -> None:
    every = named.names()
    assert len(set(every)) == len(every)


@pytest.mark.parametrize("family", named.FAMILIES)
def test_the_index_has_the_kernels_of_every_module(family: str) -> None:
    """In the order in which the module defines them: nothing else says where a kernel is found."""
    module = import_module(f"convcli.kernels.{family}")
    defined = [name for name, recipe in REGISTRY.defined.items() if recipe.build.__module__ == module.__name__]
    assert defined == named.FAMILIES[family].split()


def test_every_alias_has_its_kernel() -> None:
    assert set(named.ALIASES.values()) <= set(REGISTRY)
    for alias, name in named.ALIASES.items():
        assert np.array_equal(values(alias), values(name))


def test_unit_scales() -> None:
    for spec in ("log-unit", "log-unit:2", "dog-unit", "dog-unit:2,1"):
        kernel = values(spec)
        assert kernel.clip(min=0).sum() == pytest.approx(1)
        assert kernel.clip(max=0).sum() == pytest.approx(-1)


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
