"""Averages, shifts and random kernels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import windows

from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.kernels.named import FAMILIES, REGISTRY
from support.kernels import values
from support.operations import convolve


@given(dy=st.integers(-4, 4), dx=st.integers(-4, 4), seed=st.integers(0, 2**32 - 1))
def test_shift_moves_the_picture_down_and_to_the_right(dy: int, dx: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(1, 255, (6, 5))
    weight = values(f"shift:{dy},{dx}")[np.newaxis, np.newaxis]
    moved = convolve(image[np.newaxis], weight, ConvSpec(padding="same"), Compute("reference")).array[0]
    for y in range(6):
        for x in range(5):
            inside = 0 <= y - dy < 6 and 0 <= x - dx < 5
            assert moved[y, x] == (image[y - dy, x - dx] if inside else 0)


@given(sigma=st.floats(0.3, 20), size=st.integers(1, 40))
def test_gaussian_is_that_of_scipy(sigma: float, size: int) -> None:
    row = windows.gaussian(size, sigma)
    expected = np.outer(row, row) / row.sum() ** 2
    np.testing.assert_allclose(values(f"gaussian:{sigma!r},{size}"), expected, rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize("family", ["gaussians", "shapes"])
def test_averages_weigh_nothing_negatively(family: str) -> None:
    averages = [recipe for name in FAMILIES[family].split() if (recipe := REGISTRY[name]).scale == "sum 1"]
    assert len(averages) >= 3
    for recipe in averages:
        assert values(recipe.name).min() >= 0


def test_random_is_seeded() -> None:
    np.testing.assert_array_equal(values("random:4,7"), values("random:size=4,seed=7"))
    assert values("random:4,7").shape == (4, 4)
    assert not np.array_equal(values("random:4,7"), values("random:4,8"))
