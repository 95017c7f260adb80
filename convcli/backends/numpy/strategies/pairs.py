"""Sums of two pixels that a kernel gives the same weight in several places, so that they are added only once.

``[-1 0 1; -2 0 2; -1 0 1]`` takes the same difference of two pixels in three rows. Computed once for every pixel, it is
a single tap in each of these rows. This saves passes over memory.
"""

from collections import Counter
from itertools import combinations

from convcli.records import NamedTuple

MOST_TAPS = 16
"""Pairs are searched for in output planes of at most this many taps: with more taps, other strategies are better, and
comparing them would take long."""


WORTH = 3
"""The least number of pairs that a sum must replace: it takes a pass itself, and its memory costs one more
(measured)."""


class WeightedTap(NamedTuple):
    """A tap: the plane that it reads, the row and column of its shift, and its weight."""

    plane: int
    row: int
    column: int
    weight: float


class Sum(NamedTuple):
    """A plane of sums: each value of `plane` plus `sign` times the value that is this many rows and columns further on."""

    plane: int
    rows: int
    columns: int
    sign: int


def shared(outputs: list[list[WeightedTap]], planes: int, steps: int) -> tuple[list[Sum], list[list[WeightedTap]]]:
    """The sums that save passes, and the taps of each output plane that remain. No tap has the weight 0.

    The sum that replaces most pairs comes first. Among equals it is the one found first. `planes` is the number of
    planes: the first sum becomes the plane with this number, and so on, so that a sum may be of sums. After `steps` taps
    and sums that were looked at, the sums found so far are returned.
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


def _pairs(taps: list[WeightedTap]) -> dict[Sum, int]:
    """The sums of two taps of one plane, and how many pairs each replaces. The weights of a pair differ at most in sign."""
    possible = dict.fromkeys(
        Sum(a.plane, b.row - a.row, b.column - a.column, 1 if a.weight == b.weight else -1)
        for a, b in combinations(taps, 2)
        if a.plane == b.plane and abs(a.weight) == abs(b.weight)
    )
    return {sum_: len(_found(taps, sum_)) for sum_ in possible}


def _found(taps: list[WeightedTap], wanted: Sum) -> list[tuple[WeightedTap, WeightedTap]]:
    """The pairs of sorted taps that a sum replaces. No tap is in two of them."""
    left, pairs = set(taps), []
    for tap in taps:
        other = WeightedTap(tap.plane, tap.row + wanted.rows, tap.column + wanted.columns, wanted.sign * tap.weight)
        if tap.plane == wanted.plane and tap in left and other in left:
            left -= {tap, other}
            pairs.append((tap, other))
    return pairs


def _replaced(taps: list[WeightedTap], by: Sum, plane: int) -> list[WeightedTap]:
    """Sorted taps, with one tap of `plane` in place of each pair."""
    pairs = _found(taps, by)
    gone = {tap for pair in pairs for tap in pair}
    return sorted([tap for tap in taps if tap not in gone] + [tap._replace(plane=plane) for tap, _ in pairs])
