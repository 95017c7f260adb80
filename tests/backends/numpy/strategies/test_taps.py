"""The plan taps: in which integers it is exact."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.backends.numpy.job import direct
from convcli.backends.numpy.strategies import taps
from convcli.convspec import ConvSpec


@pytest.mark.parametrize(
    ("kind", "values", "bias", "type_"),
    [
        ("uint8", [1.0] * 128, 0, "int16"),  # 128 · 255 = 32640
        ("uint8", [1.0] * 129, 0, "int32"),
        ("uint8", [-1.0] * 129, 0, "int32"),
        ("uint8", [1.0] * 128, 127, "int16"),  # 32767
        ("uint8", [1.0] * 128, 128, "int32"),
        ("uint8", [1.0] * 128, -128, "int32"),
        ("uint8", [1.0, -0.5], 0, None),
        ("uint8", [1.0, -1.0], 0.5, None),
        ("uint16", [1.0], 0, "int32"),
        ("uint16", [16384.0, 16384], 0, "int32"),  # 2147450880
        ("uint16", [16384.0, 16385], 0, None),
        ("uint32", [1.0], 0, None),
        ("int8", [1.0], 0, None),
        ("float32", [1.0], 0, None),
    ],
)
def test_the_narrowest_integers_that_hold_every_sum(
    kind: str, values: list[float], bias: float, type_: str | None
) -> None:
    geometry = ConvSpec().resolve((1, 200), (1, len(values)))
    weight = np.array([[[values]]])
    job = direct(weight, np.array([float(bias)]), geometry, 1, np.dtype(kind), interleaved=False)
    assert taps.exact_type(job) == type_
