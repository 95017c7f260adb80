"""Sums of two pixels that a kernel weighs alike in several places, and that are therefore added up once.

``[-1 0 1; -2 0 2; -1 0 1]`` takes the same difference of two pixels in three rows: made once for every pixel, it is one tap in each
of them. What that replaces are passes over memory.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import NamedTuple

MOST_TAPS = 16
"""Taps of an output plane up to which pairs are looked for: more are not for plain taps, and would take long to compare."""


WORTH = 3
"""Pairs that a sum must stand for: it takes a pass itself, and one more for the memory that is worked on (measured)."""


class Tap(NamedTuple):
    """A tap: the plane it reads, the row and column of its shift, and its weight."""

    plane: int
    row: int
    column: int
    weight: float


class Sum(NamedTuple):
    """A plane of sums: each value of `plane` and, times `sign`, the one so many rows and columns further on."""

    plane: int
    rows: int
    columns: int
    sign: int


def shared(outputs: list[list[Tap]], planes: int, steps: int) -> tuple[list[Sum], list[list[Tap]]]:
    """The sums that save passes, and the taps of each output plane that are left with them.

    The sum that stands for most pairs comes first, of several such the one that is met first.

    Parameters
    ----------
    outputs : list of list of Tap
        The taps of each output plane, none of weight 0.
    planes : int
        How many planes there are. The first sum is the plane of that number, and so on: a sum may be of sums.
    steps : int
        Taps and sums to look at, at most: beyond, what is found so far stands.
    """
    sums: list[Sum] = []
    if any(len(taps) > MOST_TAPS for taps in outputs):
        return sums, outputs
    outputs = [sorted(taps) for taps in outputs]
    found, totals = [], Counter[Sum]()
    for taps in outputs:
        steps -= len(taps) ** 2
        if steps < 0:
            return sums, outputs
        found.append(_pairs(taps))
        totals.update(found[-1])
        steps -= len(taps) * len(found[-1])
    while True:
        steps -= sum(len(pairs) + 1 for pairs in found)
        most = max(totals.values(), default=0)
        if steps < 0 or most < WORTH:
            return sums, outputs
        best = next(sum_ for pairs in found for sum_ in pairs if totals[sum_] == most)
        for number, pairs in enumerate(found):
            if best not in pairs:
                continue
            steps -= len(pairs) * len(outputs[number])
            outputs[number] = _replaced(outputs[number], best, planes + len(sums))
            totals.subtract(pairs)
            found[number] = _pairs(outputs[number])
            totals.update(found[number])
        sums.append(best)


def _pairs(taps: list[Tap]) -> dict[Sum, int]:
    """The sum of every two taps of one plane whose weights differ in sign only, and for how many pairs of sorted taps it stands."""
    possible = dict.fromkeys(
        Sum(a.plane, b.row - a.row, b.column - a.column, 1 if a.weight == b.weight else -1)
        for a, b in combinations(taps, 2)
        if a.plane == b.plane and abs(a.weight) == abs(b.weight)
    )
    return {sum_: len(_found(taps, sum_)) for sum_ in possible}


def _found(taps: list[Tap], wanted: Sum) -> list[tuple[Tap, Tap]]:
    """The pairs of sorted taps that a sum stands for, no tap in two of them."""
    left, pairs = set(taps), []
    for tap in taps:
        other = Tap(tap.plane, tap.row + wanted.rows, tap.column + wanted.columns, wanted.sign * tap.weight)
        if tap.plane == wanted.plane and tap in left and other in left:
            left -= {tap, other}
            pairs.append((tap, other))
    return pairs


def _replaced(taps: list[Tap], by: Sum, plane: int) -> list[Tap]:
    """Sorted taps with one of `plane` in the place of each pair."""
    pairs = _found(taps, by)
    gone = {tap for pair in pairs for tap in pair}
    return sorted([tap for tap in taps if tap not in gone] + [tap._replace(plane=plane) for tap, _ in pairs])
