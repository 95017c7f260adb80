"""The short texts of an explanation: labels of rows, what the border copies, why nothing reaches an output, sums."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from convcli.convspec import ConvSpec
from convcli.explanation import phrases
from convcli.explanation.trace import Trace, readings
from convcli.geometry import Geometry, Pads, Pair


def geometry_of(mode: str = "zeros", **more: Any) -> Geometry:
    """Three rows of taps on four rows of pixels."""
    return ConvSpec(padding=Pads(2, 2, 1, 1), padding_mode=mode, **more).resolve((4, 4), (3, 3))


def labels(geometry: Geometry, at: int, **more: str) -> list[str]:
    return [phrases.label(one, geometry.transpose, **more) for one in readings(geometry, 0, at)]


def marks(geometry: Geometry, at: tuple[int, int]) -> list[str]:
    nothing = np.zeros((1, 3, 3))
    one = Trace(0, (0,), readings(geometry, 0, at[0]), readings(geometry, 1, at[1]), nothing, nothing, 0.0)
    subject: Any = SimpleNamespace(geometry=geometry)
    return phrases.marks(subject, (one,))


@pytest.mark.parametrize(
    ("mode", "first", "last"),
    [
        ("zeros", ["-2", "-1", "0"], ["3", "4", "5"]),
        ("reflect", ["-2→2", "-1→1", "0"], ["3", "4→2", "5→1"]),
        ("symmetric", ["-2→1", "-1→0", "0"], ["3", "4→3", "5→2"]),
        ("replicate", ["-2→0", "-1→0", "0"], ["3", "4→3", "5→3"]),
        ("circular", ["-2→2", "-1→3", "0"], ["3", "4→0", "5→1"]),
    ],
)
def test_rows_beyond_the_border_have_the_row_that_they_copy(mode: str, first: list[str], last: list[str]) -> None:
    geometry = geometry_of(mode)
    assert labels(geometry, 0) == first
    assert labels(geometry, 2) == ["0", "1", "2"]
    assert labels(geometry, 5) == last
    assert labels(geometry, 0, arrow="") == ["-2", "-1", "0"]
    assert labels(geometry, 5, arrow=" is ") == [label.replace("→", " is ") for label in last]


def test_rows_of_the_transposed_operation_are_the_inputs() -> None:
    """Stride 2: between rows 0 and 1 lies a zero; above row 0 there is nothing."""
    geometry = ConvSpec(transpose=True, stride=Pair(2, 2)).resolve((4, 4), (3, 3))
    assert labels(geometry, 0) == ["–", "–", "0"]
    assert labels(geometry, 1) == ["–", "0", "·"]
    assert labels(geometry, 2) == ["0", "·", "1"]
    assert labels(geometry, 8) == ["3", "–", "–"]


@pytest.mark.parametrize(
    ("mode", "at", "said"),
    [
        ("zeros", (2, 1), []),
        ("zeros", (0, 1), ["(0): beyond the border, padding of zeros"]),
        ("reflect", (0, 1), ["(…): beyond the border, padding of mode reflect: rows -2 to -1 are 2 to 1"]),
        ("symmetric", (0, 0), ["(…): beyond the border, padding of mode symmetric: rows -2 to -1 are 1 to 0; column -1 is 0"]),
        ("replicate", (5, 1), ["(…): beyond the border, padding of mode replicate: rows 4 to 5 are 3"]),
        ("circular", (0, 3), ["(…): beyond the border, padding of mode circular: rows -2 to -1 are 2 to 3; column 4 is 0"]),
    ],
)  # fmt: skip
def test_what_the_border_copies_is_said(mode: str, at: tuple[int, int], said: list[str]) -> None:
    assert marks(geometry_of(mode), at) == said


def test_what_lies_between_pixels_and_beyond_them_is_said() -> None:
    geometry = ConvSpec(transpose=True, stride=Pair(2, 2)).resolve((4, 4), (3, 3))
    between = "·: a zero between two input pixels, which the stride puts there"
    assert marks(geometry, (2, 2)) == [between]
    assert marks(geometry, (0, 0)) == ["(0): beyond the border, zero"]
    assert marks(geometry, (0, 2)) == [between, "(0): beyond the border, zero"]


def test_why_nothing_reaches_an_output() -> None:
    """Two rows, 5 apart, and two taps: rows 0, 1, 5 and 6 are reached; 7 and 8 are output_padding."""
    geometry = ConvSpec(transpose=True, stride=Pair(5, 5), output_padding=Pair(2, 0)).resolve((2, 2), (2, 2))
    subject: Any = SimpleNamespace(geometry=geometry)
    assert phrases.unreached(subject, (3, 0)) == [
        "no input pixel reaches it",
        "it is between the taps of their kernels",
    ]
    said = "row 7 is output_padding: the kernels end at row 6"
    assert phrases.unreached(subject, (7, 6)) == ["no input pixel reaches it", said]


@pytest.mark.parametrize(
    ("rule", "sums", "result", "said"),
    [
        ("magnitude", [3.0, -4.0], 5.0, "√(3² + (-4)²) = 5"),
        ("sum", [3.0, -4.0, 2.5], 1.5, "3 + (-4) + 2.5 = 1.5"),
        ("max", [3.0, -4.0], 3.0, "max(3, -4) = 3"),
    ],
)
def test_how_sums_become_one(rule: str, sums: list[float], result: float, said: str) -> None:
    assert phrases.joined(rule, sums, result) == said


@pytest.mark.parametrize(
    ("transpose", "op", "said"),
    [
        (False, "corr", "corr: the kernel as it is, not flipped"),
        (False, "conv", "conv: the kernel flipped in both axes"),
        (True, "corr", "transpose: every input pixel adds the kernel as it is; an output sees it turned by 180°"),
        (True, "conv", "transpose: every input pixel adds the kernel flipped; an output sees it as it is"),
    ],
)
def test_how_the_kernel_lies(transpose: bool, op: str, said: str) -> None:
    spec = ConvSpec(op=op, transpose=transpose)
    subject: Any = SimpleNamespace(geometry=spec.resolve((4, 4), (3, 3)), operation=SimpleNamespace(spec=spec))
    assert phrases.flip(subject) == said


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([[1, -2], [30, 0]], [["1", "-2"], ["30", "0"]]),
        ([[1.5, -22.25]], [["1.50", "-22.25"]]),  # four digits of the largest
        ([[0.125, 0]], [["0.1250", "0"]]),
        ([[1234.5, 1]], [["1234.5", "1.0"]]),
        ([[99999.5, 1]], [["99999.5", "1.0"]]),  # one decimal at least
        ([[1.5, 0.0001]], [["1.500", "~0"]]),
        ([[1e9, 0.5]], [["1e+09", "0.5"]]),
        ([[0.5, np.inf, np.nan]], [["0.5000", "inf", "nan"]]),
    ],
)
def test_numbers_of_a_matrix_have_as_many_decimals(numbers: list[list[float]], said: list[list[str]]) -> None:
    assert phrases.texts(np.array(numbers, float)) == said


def trace_of(products: Any, bias: float) -> Trace:
    """A trace with these products, whose kernel is 1."""
    values = np.array(products, float)
    return Trace(0, tuple(range(len(values))), (), (), values, np.ones_like(values), bias)


@pytest.mark.parametrize(
    ("products", "bias", "expected"),
    [
        ([[[1, 2]]], 0, "3"),
        ([[[1, 2]]], -1.5, "3 - 1.5 (bias) = 1.5"),
        ([[[-0.0424]], [[-0.0424]], [[0.0848]]], 0, "-0.0424 - 0.0424 + 0.0848 = 0"),
        ([[[1]], [[2]], [[3]], [[4]]], 1, "1 + 2 + 3 + 4 + 1 (bias) = 11"),
        ([[[1]], [[2]], [[3]], [[4]], [[5]]], 1, "15 + 1 (bias) = 16"),
    ],
)
def test_sums_of_windows_and_the_bias_if_there_is_one(products: Any, bias: float, expected: str) -> None:
    assert phrases.summed(trace_of(products, bias)) == expected


@pytest.mark.parametrize(
    ("products", "rounded"),
    [([[[1, 2, -3000]]], False), ([[[0.5, 143.4]]], False), ([[[0.25, 143.4]]], True), ([[[np.nan, 2]]], False)],
)
def test_rounded_products_are_said(products: Any, rounded: bool) -> None:
    """143.4375 and 47.8125 are shown with one decimal, so that they do not add up to the sum."""
    said = phrases.rounding((trace_of([[[1]]], 0), trace_of(products, 0)))
    assert said == ["the numbers in the cells are rounded, the sums are not"] * rounded
