"""Passes along the rows: lines of taps that are folded give what their sum is, literally."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from convcli.backends.numpy.strategies import passes
from convcli.backends.numpy.strategies.passes import Fold, cheapest, folded
from convcli.backends.numpy.tiles import run


def test_a_symmetric_line() -> None:
    assert folded(np.array([0.25, 0.5, 0.25])) == Fold(1, [[(0, 1), (2, 1)]], [0.5, 0.25])


def test_an_antisymmetric_line() -> None:
    assert folded(np.array([-0.5, 0.0, 0.5])) == Fold(0, [[(0, 1), (2, -1)]], [0.0, -0.5])


def test_a_line_without_like_weights() -> None:
    assert folded(np.array([1.0, 2.0, 3.0])) == Fold(0, [[(1, 1)], [(2, 1)]], [1.0, 2.0, 3.0])


def test_about_another_lines_centre() -> None:
    assert folded(np.array([1.0, 2.0, 3.0]), 1) == Fold(1, [[(0, 1)], [(2, 1)]], [2.0, 1.0, 3.0])


def lines_of(size: int) -> st.SearchStrategy[list[list[float]]]:
    line = st.lists(st.sampled_from((0.0, 1.0, -1.0, 0.5, 3.0)), min_size=size, max_size=size)
    return st.lists(line, min_size=1, max_size=3)


@pytest.mark.parametrize(
    ("line", "runs"),
    [
        ([1.0, 6, 15, 20, 15, 6, 1], 1),
        ([-1.0, -6, -15, 0, 15, 6, 1], 1),
        ([1.0, 6, 15, 20, 15, -6, -1], 2),  # other signs
        ([1.0, 1, 3, 0, 3, 0.5, 0.5], 2),  # pairs that do not move on evenly
        ([2.0, 3, 7, 3, 2, 2], 2),  # three of one weight
    ],
)
def test_sums_in_one_call(line: list[float], runs: int) -> None:
    fold = folded(np.array(line))
    assert len(fold.runs()) == runs
    assert [taps for run in fold.runs() for taps in run] == fold.sums
    pixels = np.random.default_rng(0).integers(-50, 50, (4, 30)).astype(np.float32)
    room = np.zeros((4, len(fold.weights), 30), np.float32)
    room[:, 0] = pixels
    out = np.empty((4, 20), np.float32)
    run(passes.by_fold([fold], room, 1, out))
    truth = sum(tap * pixels[:, place : place + 20] for place, tap in enumerate(line))
    np.testing.assert_array_equal(out, truth)


@given(lines=st.integers(1, 9).flatmap(lines_of), rows=st.integers(1, 5), apart=st.sampled_from((1, 3, 12)))
def test_the_sum_of_several_lines(lines: list[list[float]], rows: int, apart: int) -> None:
    """Each over pixels of its own; whole numbers, so that no order of the sums rounds."""
    width, reach = 17, (len(lines[0]) - 1) * apart
    generator = np.random.default_rng(rows)
    pixels = [generator.integers(-50, 50, (rows, width + reach)).astype(np.float32) for _ in lines]
    first = folded(np.array(lines[0]))
    folds = [first, *(folded(np.array(line), first.centre) for line in lines[1:])]
    room = np.full((rows, sum(len(fold.weights) for fold in folds), width + reach), np.nan, np.float32)
    slot = 0
    for fold, values in zip(folds, pixels, strict=True):
        room[:, slot] = values
        slot += len(fold.weights)
    room[np.isnan(room)] = 0  # as the arrays of a thread begin
    out = np.full((rows, width + 4), np.nan, np.float32)[:, :width]  # whose lines do not touch
    run(passes.by_fold(folds, room, apart, out))
    truth = np.zeros((rows, width))
    for line, values in zip(lines, pixels, strict=True):
        for place, tap in enumerate(line):
            truth += tap * values[:, place * apart : place * apart + width].astype(np.float64)
    np.testing.assert_array_equal(out, truth)


@pytest.mark.parametrize(
    ("taps", "apart", "width", "folds"),
    [
        (np.array([1.0, 6, 15, 20, 15, 6, 1]), 3, 12000, True),  # three sums in the place of a band of 50 columns
        (np.array([1.0, 6, 15, 20, 15, 6, 1]), 1, 300, False),  # short lines
        (np.exp(-(np.linspace(-3, 3, 31) ** 2)), 3, 12000, False),  # fifteen sums
    ],
)
def test_what_is_cheaper(taps: NDArray[np.float64], apart: int, width: int, folds: bool) -> None:
    assert bool(cheapest([taps], apart, width)[1]) == folds


def test_many_lines_are_not_folded() -> None:
    assert cheapest([np.ones(3)] * (passes.FEW_LINES + 1), 3, 12000)[1] == []
