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


def shared(outputs: list[list[Tap]], planes: int) -> tuple[list[Sum], list[list[Tap]]]:
    """The sums that save passes, and the taps of each output plane that are left with them.

    Parameters
    ----------
    outputs : list of list of Tap
        The taps of each output plane, none of weight 0.
    planes : int
        How many planes there are. The first sum is the plane of that number, and so on: a sum may be of sums.
    """
    sums: list[Sum] = []
    if any(len(taps) > MOST_TAPS for taps in outputs):
        return sums, outputs
    outputs = [sorted(taps) for taps in outputs]
    while True:
        counts = Counter(sum_ for taps in outputs for sum_ in _possible(taps))
        often = {sum_: sum(len(_found(taps, sum_)) for taps in outputs) for sum_, n in counts.items() if n > 1}
        best = max(often, key=lambda sum_: often[sum_], default=None)
        if best is None or often[best] < WORTH:
            return sums, outputs
        outputs = [_replaced(taps, best, planes + len(sums)) for taps in outputs]
        sums.append(best)


def _possible(taps: list[Tap]) -> list[Sum]:
    """The sum of every two taps of one plane whose weights differ in sign only."""
    return [
        Sum(a.plane, b.row - a.row, b.column - a.column, 1 if a.weight == b.weight else -1)
        for a, b in combinations(taps, 2)
        if a.plane == b.plane and abs(a.weight) == abs(b.weight)
    ]


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
