"""The finish of results: what need not be clipped, and how many outputs are left."""

from __future__ import annotations

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
