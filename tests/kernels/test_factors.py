"""Kernels as sums of columns times rows."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from convcli.kernels import Kernel
from convcli.kernels.analysis import Analysis, analyse
from convcli.kernels.factors import common_denominator
from support.kernels import found


def rebuilt(one: Analysis) -> np.ndarray:
    terms = [factor.scale * np.outer(factor.column, factor.row) for factor in one.factors]
    return np.sum(terms, axis=0) if terms else np.zeros(one.values.shape)


whole = arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 5)), elements=st.integers(-9, 9).map(float))


def test_exact_factors() -> None:
    (factor,) = found("sobel-x").factors
    assert (factor.scale, factor.column, factor.row) == (1, (1, 2, 1), (-1, 0, 1))
    (factor,) = found("binomial:3").factors
    assert (factor.scale, factor.column, factor.row) == (1 / 16, (1, 2, 1), (1, 2, 1))
    (factor,) = found("bilinear:2").factors
    assert (factor.scale, factor.column) == (1 / 16, (1, 3, 3, 1))
    first, second = found("laplacian").factors  # -1/4 (1,-4,1)ᵀ(1,-4,1) + 1/4 (1,0,1)ᵀ(1,0,1)
    assert (first.scale, first.column, second.scale, second.row) == (-0.25, (-1, 4, -1), 0.25, (1, 0, 1))


def test_a_gaussian_is_one_column_times_the_same_row() -> None:
    one = found("gaussian:1.5")
    (factor,) = one.factors
    assert one.rank == 1
    assert factor.scale == 1
    assert factor.column == pytest.approx(factor.row)
    assert sum(factor.column) == pytest.approx(1)


@given(whole)
def test_factors_of_whole_numbers(values: np.ndarray) -> None:
    one = analyse(Kernel("k", values))
    assert one.rank == np.linalg.matrix_rank(values) == len(one.factors)
    assert rebuilt(one) == pytest.approx(values, abs=1e-12)
    for factor in one.factors:
        assert all(value == int(value) for value in (*factor.column, *factor.row))


@given(st.integers(0, 2**32), st.integers(1, 3))
def test_factors_of_real_numbers(seed: int, rank: int) -> None:
    generator = np.random.default_rng(seed)
    values = generator.standard_normal((7, rank)) @ generator.standard_normal((rank, 5))
    one = analyse(Kernel("k", values))
    assert one.rank == rank
    assert rebuilt(one) == pytest.approx(values, abs=1e-12)


def test_ranks_of_large_kernels() -> None:
    assert found("gaussian:40").rank == 1
    noise = analyse(Kernel("noise", np.random.default_rng(0).standard_normal((100, 70))))
    assert (noise.rank, noise.factors) == (70, ())


def test_common_denominators() -> None:
    assert common_denominator(np.array([[0.5, 1 / 3], [-0.25, 2]])) == 12
    assert common_denominator(np.array([[1 / 998001]])) == 998001
    assert common_denominator(np.array([[sqrt(2)]])) is None
    assert common_denominator(np.array([[0.0, -7.0]])) == 1
