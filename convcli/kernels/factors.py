"""Kernels as sums of a column times a row, in fractions where the values are fractions."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import fsum, gcd, lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

DENOMINATOR = 10**6
"""The largest common denominator that is looked for; beyond it a value is a measurement rather than a fraction."""

EXACT_SIDE = 64
"""Up to this side fractions are eliminated as fractions, and every factor is found; larger kernels yield the first few."""

FEW = 8
"""Factors of a kernel with a larger side: beyond them a sum of 1-D filters is no shorter than the kernel."""

RANKED_SIDE = 1024
"""Up to this side the singular values are counted where elimination gave up."""

ALIKE = 1e-12
"""Values that differ by less than this share of the largest are the same value, computed in another order."""


@dataclass(frozen=True, slots=True)
class Factor:
    """One term ``scale · column ⊗ row`` of a kernel: a filter down the columns, then one along the rows."""

    scale: float
    column: tuple[float, ...]
    row: tuple[float, ...]


def common_denominator(values: Matrix) -> int | None:
    """The least common denominator of values that are fractions; None if it is beyond `DENOMINATOR`.

    A value is a fraction if it is the nearest float64 to it, or a few roundings away.
    """
    common = 1
    for value in np.unique(np.abs(values)).tolist():
        fraction = Fraction(value).limit_denominator(DENOMINATOR)
        common = lcm(common, fraction.denominator)
        if common > DENOMINATOR or abs(fraction - Fraction(value)) > Fraction(value) / 2**49:
            return None
    return common


def factorise(values: Matrix, denominator: int | None) -> tuple[int | None, tuple[Factor, ...]]:
    """Rank and factors by elimination with complete pivoting: in fractions, without any rounding, where the values are."""
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


def _eliminate(rest: NDArray[Any], tolerance: Any, most: int) -> tuple[list[tuple[Any, Any, Any]], bool]:
    """Terms ``column ⊗ row / pivot`` that sum to a matrix, and whether something is left; `rest` is overwritten."""
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
    """A term in the smallest whole numbers, its scale apart."""

    def whole(values: Any) -> tuple[list[int], Fraction]:
        common = lcm(*(value.denominator for value in values))
        numbers = [int(value * common) for value in values]
        shared = gcd(*numbers) * _sign(numbers)
        return [number // shared for number in numbers], Fraction(shared, common)

    (down, first), (along, second) = whole(column), whole(row)
    return Factor(float(first * second / pivot), tuple(map(float, down)), tuple(map(float, along)))


def _balanced(column: Matrix, row: Matrix, pivot: float) -> Factor:
    """A term of scale 1 or -1 whose column and row are of the same length."""
    lengths = float(np.linalg.norm(column)), float(np.linalg.norm(row))
    signs = _sign(column.tolist()), _sign(row.tolist())
    size = (lengths[0] * lengths[1] / abs(pivot)) ** 0.5
    down, along = (
        values * (sign * size / length) for values, sign, length in zip((column, row), signs, lengths, strict=True)
    )
    scale = signs[0] * signs[1] * (1.0 if pivot > 0 else -1.0)
    return Factor(scale, tuple((down + 0.0).tolist()), tuple((along + 0.0).tolist()))


def _sign(values: list[Any]) -> int:
    """1 or -1, by which values sum to more than zero, or else end in a positive one, as derivatives do."""
    total = fsum(values)
    if abs(total) > ALIKE * fsum(map(abs, values)):
        return 1 if total > 0 else -1
    last = next((value for value in reversed(values) if value), 1)
    return 1 if last > 0 else -1
