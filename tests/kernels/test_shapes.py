"""Means over shapes."""

from __future__ import annotations

import numpy as np
import pytest

from support.kernels import values


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
