"""Grids of cells with numbers in them."""

import pytest

from convcli.drawing.grid import Cell, cells, number
from convcli.drawing.scene import Text, text_width


def test_texts_of_a_grid_fit_their_cells() -> None:
    rows = [[Cell("#ffffff", "-123.456", "#000000"), None], [Cell(), Cell(text="7")]]
    shapes = [*cells(0, 0, 40, rows, "#000000")]
    texts = [shape for shape in shapes if isinstance(shape, Text)]
    assert {text.text for text in texts} == {"-123.456", "7"}
    assert len({text.size for text in texts}) == 1
    assert all(text.left >= 0 and text_width(text.text, text.size) <= 40 for text in texts)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (-3.0, "−3"), (255, "255"), (0.125, ".125"), (-0.5, "−.5"), (1 / 3, ".333"), (1e-7, "1e−7"),
        (1000.5, "1000.5"), (2298.7, "2298.7"), (-999999.4, "−999999.4"), (12.04, "12.0"), (2.001, "2.0"), (99.96, "100.0"),
        (3.0000000000000004, "3"), (0.0005, ".0005"), (-0.0, "0"), (1234567.0, "1.23e6"),
        (1e9, "1e9"), (float("nan"), "nan"), (float("-inf"), "−inf"),
    ],
)  # fmt: skip
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text
