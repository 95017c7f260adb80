"""Colours of values: from the page through the window's colour to the ink."""

import pytest

from convcli.drawing.colors import LIGHT, mix
from convcli.drawing.heatmap import shades


@pytest.mark.parametrize(
    ("value", "color"),
    [
        (0, LIGHT.background), (-3, LIGHT.background), (2, LIGHT.window), (4, LIGHT.ink), (9, LIGHT.ink),
        (1, mix(LIGHT.background, LIGHT.window, 0.5)), (2.2, mix(LIGHT.window, LIGHT.ink, 0.1)),
        (3, mix(LIGHT.window, LIGHT.ink, 0.5)),
    ],
)  # fmt: skip
def test_shades(value: float, color: str) -> None:
    assert shades([[value]], 4)[0][0].lower() == color.lower()
