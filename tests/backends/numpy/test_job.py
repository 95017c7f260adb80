"""Jobs: what is known of their values beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.backends.numpy.job import direct
from convcli.convspec import ConvSpec


@pytest.mark.parametrize(
    ("kind", "bounded"),
    [
        ("bool", True), ("uint8", True), ("int8", True), ("uint16", True), ("int16", True),
        ("uint32", False), ("int32", False), ("uint64", False), ("float16", False), ("float32", False),
    ],
)  # fmt: skip
def test_pixels_of_few_bits_are_bounded(kind: str, bounded: bool) -> None:
    geometry = ConvSpec().resolve((6, 7), (1, 1))
    job = direct(np.ones((1, 1, 1, 1)), None, geometry, 1, np.dtype(kind), interleaved=False)
    assert job.bounded == bounded


@pytest.mark.parametrize(
    ("kind", "span"),
    [
        ("uint8", (-2 * 255 - 1, 4 * 255 - 1)),
        ("uint16", (-2 * 65535 - 1, 4 * 65535 - 1)),
        ("float32", (-np.inf, np.inf)),
    ],
)
def test_results_lie_between_the_sums_of_negative_and_of_positive_weights(kind: str, span: tuple[float, float]) -> None:
    geometry = ConvSpec().resolve((6, 7), (1, 3))
    job = direct(np.array([[[[3.0, -2, 1]]]]), np.array([-1.0]), geometry, 1, np.dtype(kind), interleaved=False)
    assert job.span == span
