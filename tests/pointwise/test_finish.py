"""The finish of results: what need not be clipped, and how many outputs are left."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.pointwise.finish import Finish
from convcli.pointwise.lift import Restore


@pytest.mark.parametrize(
    ("finish", "span", "kept"),
    [
        (Finish(dtype="uint8"), (0.0, 255.0), True),
        (Finish(dtype="uint8"), (-0.2, 255.2), True),  # which is rounded to the range
        (Finish(dtype="uint8"), (-0.3, 255.0), False),
        (Finish(dtype="uint8"), (0.0, 255.3), False),
        (Finish(dtype="uint16", full_scale=65535.0, scale=257.0), (0.0, 255.0), True),
        (Finish(dtype="uint16", full_scale=65535.0, scale=257.0), (-0.01, 255.0), False),
        (Finish(dtype="uint8", policy="offset"), (0.0, 255.0), False),
        (Finish(dtype="uint8", policy="minmax"), (0.0, 255.0), False),
        (Finish(((2, "sum"),), "uint8"), (0.0, 255.0), False),
        (Finish(((2, "none"),), "uint8"), (0.0, 255.0), True),
        (Finish(dtype="uint8", restore=Restore(255.0, True)), (0.0, 255.0), False),
    ],
)
def test_which_results_need_no_clipping(finish: Finish, span: tuple[float, float], kept: bool) -> None:
    assert finish.keeps(span) == kept


@pytest.mark.parametrize(
    ("parts", "joins", "outputs"),
    [
        ((), False, 12),
        (((2, "none"),), False, 12),
        (((1, "sum"),), False, 12),  # a sum of one is that one
        (((1, "magnitude"),), True, 12),
        (((2, "magnitude"),), True, 6),
        (((2, "magnitude"), (1, "none"), (1, "max")), True, 9),
        (((2, "none"), (2, "sum")), True, 9),
    ],
)
def test_how_many_outputs_are_left(parts: tuple[tuple[int, str], ...], joins: bool, outputs: int) -> None:
    finish = Finish(parts)
    assert finish.joins == joins
    assert finish.outputs(12) == outputs


@pytest.mark.parametrize("rule", ["magnitude", "sum"])
def test_exact_integers_are_joined_in_the_dtype_that_was_asked_for(rule: str) -> None:
    """300² + 399² has no root that float32 can hold; the sum of the same is whole."""
    block = np.array([300, 399], np.int16).reshape(2, 1, 1)
    want = float(np.hypot(300.0, 399.0)) if rule == "magnitude" else 699.0
    found = Finish(((2, rule),), real="float64").join(block)
    assert found.dtype == np.float64
    assert found.item() == pytest.approx(want, rel=1e-15)
    assert Finish(((2, rule),)).join(block).dtype == np.float32
