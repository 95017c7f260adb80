"""Kernels as sums of terms, each a column times a row. If the values are fractions, the terms are exact."""

from fractions import Fraction
from math import fsum, gcd, lcm
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.kernels.bank import Matrix
from convcli.records import NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

DENOMINATOR = 10**6
"""The largest common denominator. Values with a larger one are probably not meant as fractions."""

EXACT_SIDE = 64
"""Up to this side all factors are computed, with exact fractions. For larger kernels only the first few are."""

FEW = 8
"""How many factors of a larger kernel are computed. With more of them, 1-D filters are not faster than the kernel."""

RANKED_SIDE = 1024
"""Up to this side the rank is computed from singular values, if there are too many factors."""

ALIKE = 1e-12
"""Values that differ by less than this share of the largest count as equal: only the order of computation differed."""


class Factor(NamedTuple):
    """One term ``scale · column ⊗ row`` of a kernel: a filter down the columns, then one along the rows."""

    scale: float
    column: tuple[float, ...]
    row: tuple[float, ...]


def common_denominator(values: Matrix) -> int | None:
    """The least common denominator of the values, or None if it is beyond `DENOMINATOR`.

    A value counts as a fraction if it is the float64 nearest to the fraction, or differs from it by a few roundings.
    """
    common = 1
    for value in sorted({*np.abs(values).ravel().tolist()}):
        fraction = Fraction(value).limit_denominator(DENOMINATOR)
        common = lcm(common, fraction.denominator)
        if common > DENOMINATOR or abs(fraction - Fraction(value)) > Fraction(value) / 2**49:
            return None
    return common


def factorise(values: Matrix, denominator: int | None) -> tuple[int | None, tuple[Factor, ...]]:
    """Rank and factors of a matrix ``(kh, kw)``, by Gaussian elimination with complete pivoting.

    With a `denominator`, small matrices are eliminated in exact fractions. The rank is None, and the factors are empty, if
    that would take too long; see the constants of this module.
    """
    height, width = values.shape
    small = max(height, width) <= EXACT_SIDE
    most = min(height, width) if small else min(FEW, height, width)
    if denominator is not None and small:
        exact = np.array([[Fraction(round(v * denominator), denominator) for v in row] for row in values.tolist()])
        terms, left = _eliminate(exact, Fraction(0), most)
        return len(terms), tuple(_whole(*term) for term in terms)
    tolerance = 4 * max(height, width) * np.finfo(np.float64).eps * float(np.abs(values).max())
    terms, left = _eliminate(values.copy(), tolerance, most)
    if left and most < min(height, width):
        return (int(np.linalg.matrix_rank(values)) if max(height, width) <= RANKED_SIDE else None), ()
    return len(terms), tuple(_balanced(*term) for term in terms)


def _eliminate(rest: "NDArray[Any]", tolerance: Any, most: int) -> tuple[list[tuple[Any, Any, Any]], bool]:
    """Terms ``column ⊗ row / pivot`` that sum to a matrix, at most `most`, and whether something is left. Overwrites `rest`."""
    terms: list[tuple[Any, Any, Any]] = []
    for _ in range(most):
        y, x = np.unravel_index(np.argmax(np.abs(rest)), rest.shape)
        pivot = rest[y, x]
        if abs(pivot) <= tolerance:
            return terms, False
        column, row = rest[:, x].copy(), rest[y].copy()
        terms.append((column, row, pivot))
        rest -= np.outer(column, row / pivot)
    return terms, bool(np.abs(rest).max() > tolerance)


def _whole(column: Any, row: Any, pivot: Fraction) -> Factor:
    """A term with the smallest whole numbers, and a scale."""

    def whole(values: Any) -> tuple[list[int], Fraction]:
        common = lcm(*(value.denominator for value in values))
        numbers = [int(value * common) for value in values]
        shared = gcd(*numbers) * _sign(numbers)
        return [number // shared for number in numbers], Fraction(shared, common)

    (down, first), (along, second) = whole(column), whole(row)
    return Factor(float(first * second / pivot), tuple(map(float, down)), tuple(map(float, along)))


def _balanced(column: Matrix, row: Matrix, pivot: float) -> Factor:
    """A term with scale 1 or -1 whose column and row have the same length (as vectors)."""
    lengths = float(np.linalg.norm(column)), float(np.linalg.norm(row))
    signs = _sign(column.tolist()), _sign(row.tolist())
    size = (lengths[0] * lengths[1] / abs(pivot)) ** 0.5
    down, along = (
        values * (sign * size / length) for values, sign, length in zip((column, row), signs, lengths, strict=True)
    )
    scale = signs[0] * signs[1] * (1.0 if pivot > 0 else -1.0)
    return Factor(scale, tuple((down + 0.0).tolist()), tuple((along + 0.0).tolist()))


def _sign(values: list[Any]) -> int:
    """The sign, 1 or -1, that makes the sum of the values positive. If they sum to 0, it makes the last value positive."""
    total = fsum(values)
    if abs(total) > ALIKE * fsum(map(abs, values)):
        return 1 if total > 0 else -1
    last = next((value for value in reversed(values) if value), 1)
    return 1 if last > 0 else -1
