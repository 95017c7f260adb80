"""Parameters that lead to a wanted output size: all solutions in small integers, the usual ones first. Standard library only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from heapq import nsmallest
from itertools import product
from typing import Any

from convcli.convspec import ConvSpec
from convcli.errors import ConvError
from convcli.geometry import Pair, Size, direct_size, extent, transposed_size

NAMES = ("input", "kernel_size", "stride", "padding", "dilation", "output_padding")
"""What can be solved for, in the order in which solutions are shown."""

KEPT = 1000
"""How many solutions are kept, the most usual ones. All are counted."""

NEAREST = 6
_LIMITS = (64, 64, 32, 16, 8)
"""The largest kernel size, stride and dilation that are tried, by how many of them are unknown."""


@dataclass(frozen=True, slots=True)
class Values:
    """The parameters of one axis. `padding` is a pair, before and after, or the name of a rule."""

    input: int
    kernel_size: int
    stride: int
    padding: tuple[int, int] | str
    dilation: int
    output_padding: int


@dataclass(frozen=True, slots=True)
class Query:
    """A question: which parameters lead to an output of this size, in pixels?

    `given` has for each of `NAMES` the values for rows and columns; None is unknown. `shared` are the unknowns that must be the
    same for both.
    """

    transpose: bool
    output: Size
    given: Mapping[str, tuple[Any, Any]]
    shared: frozenset[str]

    @property
    def unknown(self) -> tuple[str, ...]:
        """What is to be solved for, on one axis or on both."""
        return tuple(name for name in NAMES if None in self.given[name])

    def limit(self, axis: int) -> int:
        """The largest kernel size, stride and dilation that are tried on an axis. It is larger if fewer of them are unknown."""
        unknown = {name for name in NAMES if self.given[name][axis] is None}
        count = len(unknown & {"kernel_size", "stride", "dilation"}) + ({"input", "padding"} <= unknown)
        return _LIMITS[count]


@dataclass(frozen=True, slots=True)
class Solution:
    """Values for rows and columns, the output size that they give, and a score: 0 is the most usual (see `unusual`)."""

    rows: Values
    columns: Values
    output: Size
    score: int

    def pair(self, name: str) -> tuple[Any, Any]:
        """The values of a parameter for rows and columns."""
        return getattr(self.rows, name), getattr(self.columns, name)


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The most usual solutions, how many there are in all, and, if there are none, what comes nearest."""

    solutions: tuple[Solution, ...]
    count: int
    nearest: tuple[Solution, ...]


def solve(query: Query) -> Answer:
    """Solve for the unknown parameters.

    Kernel sizes, strides and dilations are tried from 1 to `Query.limit`; paddings, the same at both ends, from 0 to
    ``d(k-1)``; output paddings below the stride or the dilation. Input sizes have no limit.

    Raises
    ------
    ConvError
        The stride is so large that too many input sizes give the same output.
    """
    same = [query.output, *query.given.values()]
    alike = all(down == across for down, across in same) and query.shared >= {*query.unknown}
    rows = _axis(query, 0)
    columns = rows if alike else _axis(query, 1)

    def combined(few: Callable[[list[_Found]], list[_Found]]) -> list[Solution]:
        return _joined(query, few(rows), few(columns), alike)

    def distance(found: Solution) -> int:
        return abs(found.output.height - query.output.height) + abs(found.output.width - query.output.width)

    if exact := combined(lambda found: [one for one in found if one[1] == 0]):
        return Answer(tuple(nsmallest(KEPT, exact, key=_order)), len(exact), ())
    near = combined(lambda found: nsmallest(_CLOSEST, found, key=lambda one: abs(one[1])))
    return Answer((), 0, tuple(nsmallest(NEAREST, near, key=lambda found: (distance(found), _order(found)))))


MOST_SIZES = 100_000
"""The most input sizes with the same output that are listed."""

_CLOSEST = 2000
"""If nothing fits, how many of the nearest values of an axis are combined with the other axis."""

_EACH = 30
"""If some unknowns are not shared, how many of the most usual rows are combined with as many columns."""

_Found = tuple[Values, int]
"""The values of an axis, and the difference of their output from the wanted one."""


def _axis(query: Query, axis: int) -> list[_Found]:
    """All values of an axis that give the wanted output or one near it."""
    sizes = {values: _output(query.transpose, values) for values in _proposals(query, axis)}
    return [(values, size - query.output[axis]) for values, size in sizes.items() if size is not None and size > 0]


def _proposals(query: Query, axis: int) -> Iterator[Values]:
    """All values within the limits. An unknown padding or input size is worked out from the other values."""
    given = {name: query.given[name][axis] for name in NAMES}
    want, small = query.output[axis], range(1, query.limit(axis) + 1)
    options = [small if given[name] is None else (given[name],) for name in ("kernel_size", "stride", "dilation")]
    for k, s, d in product(*options):
        extra = range(max(s, d)) if given["output_padding"] is None else (given["output_padding"],)
        for p2 in extra:
            draft = Values(given["input"] or 0, k, s, given["padding"] or (0, 0), d, p2)
            if given["padding"] is not None:
                padded: Iterable[Values] = [draft]
            else:
                most = d * (k - 1)
                sizes = range(most + 1) if given["input"] is None else _paddings(query.transpose, draft, want, most)
                padded = (replace(draft, padding=(p, p)) for p in sizes)
            for values in padded:
                inputs = _inputs(query.transpose, values, want) if given["input"] is None else (given["input"],)
                yield from (replace(values, input=h) for h in inputs)


def _paddings(transpose: bool, values: Values, want: int, most: int) -> list[int]:
    """The paddings that give an output, or the nearest that are allowed."""
    h, s, span = values.input, values.stride, extent(values.kernel_size, values.dilation)
    if transpose:  # 2p = (h-1)s + d(k-1) + 1 + p2 - want
        low = high = (h - 1) * s + span + values.output_padding - want
    else:  # want = ⌊(h + 2p - span) / s⌋ + 1
        low = (want - 1) * s - h + span
        high = low + s - 1
    first, last = (min(max(0, p), most) for p in (-(-low // 2) - 1, high // 2 + 1))
    return [*range(first, last + 1)]


def _inputs(transpose: bool, values: Values, want: int) -> Iterable[int]:
    """The input sizes that give an output, or come nearest."""
    s, rule = values.stride, values.padding
    if isinstance(rule, str):
        if rule in ("same-upper", "same-lower"):
            return {max(1, want // s), -(-want // s)} if transpose else range((want - 1) * s + 1, want * s + 1)
        reach = values.dilation * (values.kernel_size - 1)
        before, after = {"valid": (0, 0), "same": (reach // 2, reach - reach // 2), "full": (reach, reach)}[rule]
    else:
        before, after = rule
    k, d = values.kernel_size, values.dilation
    if transpose:  # solved for h, rounded down and up
        over = want - transposed_size(1, k, s, d, before, after, values.output_padding)
        return {max(1, over // s + 1), max(1, -(-over // s) + 1)}
    if s > MOST_SIZES:
        remedy = f"name the input, or use a stride up to {MOST_SIZES}"
        raise ConvError(f"with stride {s}", f"as many input sizes give an output of {want}", remedy)
    smallest = transposed_size(want, k, s, d, before, after, 0)
    return {max(1, h) for h in range(smallest, smallest + s)}


def _output(transpose: bool, values: Values) -> int | None:
    """The output size; None if the operation is not allowed."""
    h, k, s, d, p2 = values.input, values.kernel_size, values.stride, values.dilation, values.output_padding
    if isinstance(values.padding, str):
        try:
            spec = ConvSpec(
                transpose=transpose, stride=Pair(s, s), padding=values.padding, dilation=Pair(d, d),
                output_padding=Pair(p2, p2),
            )  # fmt: skip
            return spec.resolve((h, h), (k, k)).output.height
        except ConvError:
            return None
    if transpose:
        return transposed_size(h, k, s, d, *values.padding, p2) if p2 < max(s, d) or not p2 else None
    return direct_size(h, k, s, d, *values.padding)


def _joined(query: Query, rows: list[_Found], columns: list[_Found], alike: bool) -> list[Solution]:
    """All pairs of rows and columns with the same shared unknowns. Unknowns that are not shared are limited, see `_EACH`."""
    if alike:
        return [_solution(query, values, values, off, off) for values, off in rows]
    down, across = _grouped(query, rows), _grouped(query, columns)
    return [
        _solution(query, values, beside, off, beside_off)
        for shared, group in down.items()
        for values, off in group
        for beside, beside_off in across.get(shared, ())
    ]


def _grouped(query: Query, found: list[_Found]) -> dict[tuple[Any, ...], list[_Found]]:
    """What was found for an axis, grouped by the unknowns that both axes share; at most `_EACH` in a group if others differ."""
    groups: dict[tuple[Any, ...], list[_Found]] = defaultdict(list)
    for one in found:
        groups[tuple(getattr(one[0], name) for name in NAMES if name in query.shared)].append(one)
    if query.shared >= {*query.unknown}:
        return groups
    usual = lambda one: (abs(one[1]), unusual(query.transpose, one[0]))
    return {shared: nsmallest(_EACH, group, key=usual) for shared, group in groups.items()}


def _solution(query: Query, rows: Values, columns: Values, down: int, across: int) -> Solution:
    score = unusual(query.transpose, rows) + (unusual(query.transpose, columns) if columns != rows else 0)
    return Solution(rows, columns, Size(query.output.height + down, query.output.width + across), score)


def _order(found: Solution) -> tuple[Any, ...]:
    both = found.rows, found.columns
    return found.score, [(v.kernel_size, v.stride, v.dilation, str(v.padding), v.output_padding, v.input) for v in both]


def unusual(transpose: bool, values: Values) -> int:
    """How unusual the parameters of an axis are: the sum of points for each parameter. 0 is the most usual.

    ==================  ==============================================================================================
    kernel size         3: 0; 2, 4, 5: 2; 1, 7: 3; 9, 11: 5; larger odd 8; larger even 9. Direct: as large as its
                        stride (patches) no more than 4, other even ones 2 more. Transposed: twice the stride 0, the
                        stride no more than 2, not divisible by it 4 more (the checkerboard).
    stride              1: 0; 2: 1; 4: 4; 3: 5; else 6; larger than the kernel spans (pixels are skipped): 12 more
    padding             direct: d(k-1)/2 0, none 2, (k-s)/2 2, else 4 and the distance from the half;
                        transposed: what makes the output h·s 0, none 2, else 4
    dilation            1: 0; else 4 + d; 12 more for a kernel of 1, which it does not change
    output_padding      0: 0; else 1 + p2
    input               a multiple of the stride (and for stride 1 every size): 0, else 2
    ==================  ==============================================================================================
    """
    h, k, s, d, p2 = values.input, values.kernel_size, values.stride, values.dilation, values.output_padding
    kernel = {3: 0, 2: 2, 4: 2, 5: 2, 1: 3, 7: 3, 9: 5, 11: 5}.get(k, 8 + (k % 2 == 0))
    if transpose:
        kernel = 0 if k == 2 * s else min(kernel, 2) if k == s else kernel + 4 * (k % s > 0)
    elif k == s > 1:
        kernel = min(kernel, 4)
    else:
        kernel += 2 * (k % 2 == 0)
    stride = {1: 0, 2: 1, 4: 4, 3: 5}.get(s, 6) + 12 * (s > extent(k, d))
    dilation = 0 if d == 1 else 4 + d + 12 * (k == 1)
    return kernel + stride + dilation + _unusual_padding(transpose, values) + (1 + p2 if p2 else 0) + 2 * (h % s > 0)


def _unusual_padding(transpose: bool, values: Values) -> int:
    if isinstance(values.padding, str):
        return 0  # the user has given it
    both, span = sum(values.padding), extent(values.kernel_size, values.dilation)
    if transpose:
        return 0 if both == span - values.stride + values.output_padding else 2 if not both else 4
    if both == span - 1:
        return 0
    if both in (0, span - values.stride):
        return 2
    return 4 + abs(both - span + 1) // 2
