"""Numbers and arrays as text."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.translate import literals


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.0, "3"), (-0.0, "0"), (0.1, "0.1"), (1 / 3, "0.3333333333333333"), (999999999999999.0, "999999999999999"),
        (1e15, "1000000000000000.0"), (1e22, "1e+22"), (-1e300, "-1e+300"), (5e-324, "5e-324"),
    ],
)  # fmt: skip
def test_numbers_have_all_their_digits_and_no_more(value: float, text: str) -> None:
    assert literals.number(value) == text
    assert float(text) == value


@pytest.mark.parametrize(
    ("values", "whole", "divisor"),
    [
        ([[1.0, 2.0]], [[1, 2]], 1),
        ([[1 / 9, 2 / 9]], [[1, 2]], 9),
        ([[0.0625, 0.125]], [[1, 2]], 16),
        ([[0.5, 0.75]], [[2, 3]], 4),
        ([[np.pi]], [[np.pi]], 1),
    ],
)
def test_fractions(values: list[list[float]], whole: list[list[float]], divisor: int) -> None:
    found, over = literals.fraction(np.array(values))
    assert (found.tolist(), over) == (whole, divisor)


def test_long_lists_are_broken() -> None:
    short, long = np.arange(6.0).reshape(2, 3), np.arange(60.0).reshape(2, 30) + 100
    assert literals.nested(short) == "[[0, 1, 2], [3, 4, 5]]"
    lines = literals.nested(long).splitlines()
    assert len(lines) > 1
    assert max(map(len, lines)) <= literals.LINE + 20
    assert eval(literals.nested(long)) == long.tolist()


def test_a_matrix_of_rank_1_is_a_column_times_a_row() -> None:
    column, row = np.array([1.0, 2, 4]), np.array([3.0, -1])
    found = literals.outer(np.outer(column, row))
    assert found is not None
    np.testing.assert_array_equal(np.outer(*found), np.outer(column, row))
    assert literals.outer(np.eye(2)) is None
    assert literals.outer(np.zeros((2, 2))) is None
