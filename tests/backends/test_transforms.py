"""Large kernels through transforms, in numpy and in torch: what values and weights allow, and what is kept of kernels."""

from __future__ import annotations

from collections.abc import Iterator
from time import sleep
from typing import Any

import numpy as np
import pytest

from convcli.backends.numpy.job import direct
from convcli.backends.numpy.strategies import fft
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.geometry import Pair
from support.operations import convolve


def both(image: np.ndarray[Any, Any], weight: np.ndarray[Any, Any], spec: ConvSpec) -> Iterator[tuple[str, Any]]:
    """The results by transforms: of the numpy backend, and of torch."""
    for compute in (Compute("numpy", plan="fft"), Compute("torch")):
        result = convolve(image, weight, spec, compute)
        assert "fft" in result.plan
        yield result.plan, result.array


@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_weights_may_be_as_large_as_the_results_may(kind: str) -> None:
    image = np.random.default_rng(0).integers(0, 255, (1, 60, 60)).astype(kind)
    weight = np.random.default_rng(1).standard_normal((1, 1, 31, 31)) * 1e33
    truth = convolve(image, weight, ConvSpec(), Compute("reference")).array
    for plan, array in both(image, weight, ConvSpec()):
        assert np.abs(array - truth).max() < 1e-5 * np.abs(truth).max(), plan


@pytest.mark.parametrize(("side", "dilation"), [(15, 1), (16, 1), (21, 1), (31, 1), (15, 8), (15, 16)])
def test_faint_windows_between_bright_pixels_keep_their_digits(side: int, dilation: int) -> None:
    """A bright pixel in every block lifts the mean of each; windows smaller than a block, or with gaps, may miss them all."""
    image = 1 + np.random.default_rng(0).random((1, 300, 310), np.float32)
    image[:, ::16, ::16] = 1e6
    weight = np.random.default_rng(1).random((1, 1, side, side))
    spec = ConvSpec(dilation=Pair(dilation, dilation))
    truth = convolve(image, weight, spec, Compute("reference")).array
    for plan, array in both(image, weight, spec):
        assert (np.abs(array - truth) < 2.0**-16 * truth).all(), plan


def test_an_almost_black_image_is_no_error() -> None:
    image = np.zeros((1, 64, 64), np.float32)
    image[0, 3, 3] = 1e-45
    for _, array in both(image, np.ones((1, 1, 15, 15)), ConvSpec()):
        assert np.isfinite(array).all()


def test_the_plan_says_in_what_type_it_is_transformed() -> None:
    image = np.ones((1, 64, 64), np.float32)
    weight = np.ones((1, 1, 15, 15))
    assert convolve(image, weight, ConvSpec(), Compute("torch")).plan == "conv2d by fft, float32, cpu"
    image[:, 30:, 30:] = 1e6
    assert convolve(image, weight, ConvSpec(), Compute("torch")).plan == "conv2d by fft in float64, float32, cpu"
    narrow = (image > 1).astype(np.uint16) * 65534 + 1  # which need not be looked at
    assert convolve(narrow, weight, ConvSpec(), Compute("torch")).plan == "conv2d by fft, float32, cpu"


def test_like_kernels_are_counted_and_held_once() -> None:
    kernel = np.random.default_rng(0).random((1, 1, 31, 31))
    geometry = ConvSpec(groups=3).resolve((300, 310), (31, 31))

    def bytes_of(weight: np.ndarray[Any, Any], dtype: str) -> int:
        job = direct(weight, None, geometry, 3, np.dtype(np.uint8), interleaved=False)
        (estimate,) = fft.estimates([job], dtype, True)
        work = fft._Transforms(job, dtype)
        assert work._kernels(*fft.sides(job)).nbytes == estimate.held
        return estimate.held

    once = bytes_of(np.repeat(kernel, 3, axis=0), "float32")
    assert bytes_of(np.concatenate([kernel, 2 * kernel, 3 * kernel]), "float32") == 3 * once
    assert bytes_of(np.repeat(kernel, 3, axis=0), "float64") == 2 * once


def test_threads_make_the_transform_of_a_kernel_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    real = fft._Transforms._transformed

    def transformed(self: fft._Transforms, *sides: Any) -> Any:
        made.append(1)
        sleep(0.05)  # the other thread comes meanwhile
        return real(self, *sides)

    monkeypatch.setattr(fft._Transforms, "_transformed", transformed)
    image = np.random.default_rng(0).random((1, 1200, 900), np.float32)
    result = convolve(
        image, np.random.default_rng(1).random((1, 1, 31, 31)), ConvSpec(), Compute("numpy", plan="fft", threads=2)
    )
    assert result.plan.endswith("2 threads")
    assert len(made) == 1
