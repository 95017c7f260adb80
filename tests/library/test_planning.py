"""plan: what would be computed, without computing it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import convcli
from convcli.backends.numpy import blocks
from convcli.geometry import Size

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)


def test_a_plan_computes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "run", None)
    made = convcli.plan(IMAGE, "gaussian:2", padding="same", channel_axis=-1)
    assert made.input_shape == made.output_shape == (40, 50, 3)
    assert made.geometry.output == Size(40, 50)
    assert (made.backend, made.device, made.dtype) == ("numpy", "cpu", "float32")
    assert made.plan.startswith(made.considered[0].name)
    assert len(made.considered) >= 1


@given(
    st.booleans(), st.integers(1, 3), st.integers(0, 3), st.integers(1, 2), st.sampled_from([(1, 9, 8), (2, 3, 9, 8), (9, 8)])
)  # fmt: skip
def test_predicted_shapes_are_the_real_ones(
    transpose: bool, stride: int, padding: int, dilation: int, shape: tuple[int, ...]
) -> None:
    arguments: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    call = convcli.conv_transpose2d if transpose else convcli.conv2d
    try:
        found = call(np.zeros(shape), "box:3", **arguments).shape
    except ValueError as error:
        with pytest.raises(ValueError, match=re.escape(str(error))):
            convcli.plan(shape, "box:3", transpose=transpose, **arguments)
        return
    made = convcli.plan(shape, "box:3", transpose=transpose, **arguments)
    assert made.output_shape == found
    size = convcli.output_size(shape[-2:], 3, transpose=transpose, **arguments)
    assert size == found[-2:]


def test_plans_of_other_backends_and_of_integers() -> None:
    assert convcli.plan(IMAGE, "box", channel_axis=-1, backend="torch").plan == "torch"
    assert convcli.plan((9, 9), "box", dtype="float64").dtype == "float64"
    out = np.zeros((38, 48, 3), np.uint8)
    assert convcli.plan(IMAGE, "sharpen", channel_axis=-1, out=out, range="clip").backend == "numpy"
    with pytest.raises(ValueError, match="channel_axis"):
        convcli.plan((40, 50, 3), "box")


def test_pictures_of_any_size() -> None:
    made = convcli.plan((100_000, 100_000), "gaussian:2", stride=1000)
    assert made.output_shape == (100, 100)
