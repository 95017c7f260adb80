"""Parameters that lead to a wanted output size: all solutions in small integers, the usual ones first. Standard library only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import nsmallest
from itertools import product
from typing import Any

from convcli.convspec import ConvSpec
from convcli.errors import ConvError
from convcli.geometry import Pair, Size, direct_size, extent, inputs_sharing, transposed_size
from convcli.records import NamedTuple

NAMES = ("input", "kernel_size", "stride", "padding", "dilation", "output_padding")
"""What can be solved for, in the order in which solutions are shown."""

KEPT = 1000
"""How many solutions are kept, the most usual ones. All are counted."""

NEAREST = 6
_LIMITS = (64, 64, 32, 16, 8)
"""The largest kernel size, stride and dilation that are tried, by how many of them are unknown."""

_FURTHEST = 10_000
"""The largest that is tried if nothing else is unknown: one as large as the input may be the only one, as for a global average."""


class AxisParameters(NamedTuple):
    """The parameters of one axis. `padding` is a pair, before and after, or the name of a rule."""

    input: int
    kernel_size: int
    stride: int
    padding: tuple[int, int] | str
    dilation: int
    output_padding: int


class Query(NamedTuple):
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

    def asking(self, name: str) -> Query:
        """The same question with one more unknown, which is the same for rows and columns."""
        return self._replace(given={**self.given, name: (None, None)}, shared=self.shared | {name})

    def limit(self, axis: int) -> int:
        """The largest kernel size, stride and dilation that are tried on an axis. It is larger if fewer of them are unknown."""
        unknown = {name for name in NAMES if self.given[name][axis] is None}
        count = len(unknown & {"kernel_size", "stride", "dilation"}) + ({"input", "padding"} <= unknown)
        if len(unknown) > 1 or not count:
            return _LIMITS[count]
        pads = self.given["padding"][axis]
        padded: int = self.given["input"][axis] + (0 if isinstance(pads, str) else sum(pads))
        return max(_LIMITS[count], min(_FURTHEST, max(padded, self.output[axis])))


class Solution(NamedTuple):
    """The parameters of rows and columns, the output size that they give, and a score: 0 is the most usual (see `unusual`)."""

    rows: AxisParameters
    columns: AxisParameters
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

    Kernel sizes, strides and dilations are tried from 1 to `Query.limit`; unknown paddings, the same at both ends, from 0 to
    ``d(k-1)``; output paddings below the stride or the dilation. Input sizes have no limit.

    Raises
    ------
    ConvError
        The stride is so large that too many input sizes give the same output.
    """
    rows = _axis(query, 0)
    same = all(down == across for down, across in (query.output, *query.given.values()))
    columns = rows if same else _axis(query, 1)

    def order(found: Solution) -> tuple[Any, ...]:
        both = found.rows, found.columns
        return found.score, [(k, s, d, str(padding), p2, h) for h, k, s, padding, d, p2 in both]

    def distance(found: Solution) -> int:
        return abs(found.output.height - query.output.height) + abs(found.output.width - query.output.width)

    exact = ([one for one in found if one[1] == 0] for found in (rows, columns))
    if solutions := _joined(query, *exact):
        return Answer(tuple(nsmallest(KEPT, solutions, key=order)), len(solutions), ())
    near = _joined(query, *(nsmallest(_CLOSEST, found, key=lambda one: abs(one[1])) for found in (rows, columns)))
    return Answer((), 0, tuple(nsmallest(NEAREST, near, key=lambda found: (distance(found), order(found)))))


def helping(query: Query) -> tuple[str, Solution] | None:
    """A further unknown with which a question that has no solution has one, and its most usual solution.

    Those that change a layer least come first.
    """
    for name in ("output_padding", "padding", "kernel_size", "stride", "input", "dilation"):
        if None in query.given[name] or (name == "output_padding" and not query.transpose):
            continue
        try:
            found = solve(query.asking(name)).solutions
        except ConvError:  # too many to be tried
            continue
        if found:
            return name, found[0]
    return None


def same_fits(query: Query) -> bool:
    """Whether PyTorch's rule ``same`` leads to the wanted output. For an even kernel, no padding equal at both ends does."""
    if query.transpose or "padding" not in query.unknown:
        return False
    return bool(solve(query._replace(given={**query.given, "padding": ("same", "same")})).solutions)


MOST_SIZES = 100_000
"""The most input sizes with the same output that are listed."""

_CLOSEST = 2000
"""If nothing fits, how many of the nearest values of an axis are combined with the other axis."""

_EACH = 30
"""If some unknowns are not shared, how many of the most usual rows are combined with as many columns."""

_Found = tuple[AxisParameters, int]
"""The values of an axis, and the difference of their output from the wanted one."""


def _axis(query: Query, axis: int) -> list[_Found]:
    """All values of an axis that give the wanted output or one near it."""
    sizes = {values: _output(query.transpose, values) for values in _proposals(query, axis)}
    return [(values, size - query.output[axis]) for values, size in sizes.items() if size is not None and size > 0]


def _proposals(query: Query, axis: int) -> Iterator[AxisParameters]:
    """All values within the limits. An unknown padding or input size is worked out from the other values."""
    given = {name: query.given[name][axis] for name in NAMES}
    want, small = query.output[axis], range(1, query.limit(axis) + 1)
    options = [small if given[name] is None else (given[name],) for name in ("kernel_size", "stride", "dilation")]
    for k, s, d in product(*options):
        extra = range(max(s, d)) if given["output_padding"] is None else (given["output_padding"],)
        for p2 in extra:
            draft = AxisParameters(given["input"] or 0, k, s, given["padding"] or (0, 0), d, p2)
            paddings = [draft.padding] if given["padding"] is not None else _paddings(query.transpose, draft, want)
            for values in (draft._replace(padding=padding) for padding in paddings):
                inputs = _inputs(query.transpose, values, want) if given["input"] is None else (given["input"],)
                yield from (values._replace(input=h) for h in inputs)


def _paddings(transpose: bool, values: AxisParameters, want: int) -> list[tuple[int, int]]:
    """The paddings that give an output, or the nearest that are allowed: all of them, if the input size is 0, which is unknown."""
    h, k, s, _, d, p2 = values
    first, last = 0, d * (k - 1)
    if h:
        if transpose:  # 2p = (h-1)s + d(k-1) + 1 + p2 - want
            low = high = (h - 1) * s + extent(k, d) + p2 - want
        else:  # want = ⌊(h + 2p - span) / s⌋ + 1
            low = (want - 1) * s - h + extent(k, d)
            high = low + s - 1
        first, last = (min(max(0, p), last) for p in (-(-low // 2) - 1, high // 2 + 1))
    return [(p, p) for p in range(first, last + 1)]


def _inputs(transpose: bool, values: AxisParameters, want: int) -> Iterable[int]:
    """The input sizes that give an output, or come nearest."""
    _, k, s, rule, d, p2 = values
    if rule in ("same-upper", "same-lower"):
        return {max(1, want // s), -(-want // s)} if transpose else range((want - 1) * s + 1, want * s + 1)
    reach = d * (k - 1)
    rules = {"valid": (0, 0), "same": (reach // 2, reach - reach // 2), "full": (reach, reach)}
    before, after = rules[rule] if isinstance(rule, str) else rule
    if transpose:  # solved for h, rounded down and up
        over = want - transposed_size(1, k, s, d, before, after, p2)
        return {max(1, over // s + 1), max(1, -(-over // s) + 1)}
    if s > MOST_SIZES:
        remedy = f"give the input size, or a stride up to {MOST_SIZES}"
        raise ConvError(f"stride {s}", f"has as many input sizes for an output of {want}, which are too many", remedy)
    return inputs_sharing(want, k, s, d, before, after) or (1,)


def _output(transpose: bool, values: AxisParameters) -> int | None:
    """The output size; None if the operation is not allowed."""
    h, k, s, padding, d, p2 = values
    if isinstance(padding, str):
        try:
            spec = ConvSpec(
                transpose=transpose, stride=Pair(s, s), padding=padding, dilation=Pair(d, d),
                output_padding=Pair(p2, p2),
            )  # fmt: skip
            return spec.resolve((h, h), (k, k)).output.height
        except ConvError:
            return None
    if transpose:
        return transposed_size(h, k, s, d, *padding, p2) if p2 < max(s, d) or not p2 else None
    return direct_size(h, k, s, d, *padding)


def _joined(query: Query, rows: list[_Found], columns: list[_Found]) -> list[Solution]:
    """All pairs of rows and columns with the same shared unknowns. Unknowns that are not shared are limited, see `_EACH`."""
    if rows == columns and query.shared >= {*query.unknown}:
        pairs = [*zip(rows, columns, strict=True)]
    else:
        down, across = _grouped(query, rows), _grouped(query, columns)
        pairs = [(one, other) for shared, group in down.items() for one in group for other in across.get(shared, ())]
    solutions = []
    for (values, off), (beside, beside_off) in pairs:
        score = unusual(query.transpose, values) + (unusual(query.transpose, beside) if beside != values else 0)
        size = Size(query.output.height + off, query.output.width + beside_off)
        solutions.append(Solution(values, beside, size, score))
    return solutions


def _grouped(query: Query, found: list[_Found]) -> dict[tuple[Any, ...], list[_Found]]:
    """What was found for an axis, grouped by the unknowns that both axes share; at most `_EACH` in a group if others differ."""
    groups: dict[tuple[Any, ...], list[_Found]] = defaultdict(list)
    for one in found:
        groups[tuple(getattr(one[0], name) for name in NAMES if name in query.shared)].append(one)
    if query.shared >= {*query.unknown}:
        return groups
    usual = lambda one: (abs(one[1]), unusual(query.transpose, one[0]))
    return {shared: nsmallest(_EACH, group, key=usual) for shared, group in groups.items()}


def unusual(transpose: bool, values: AxisParameters) -> int:
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
    h, k, s, _, d, p2 = values
    kernel = {3: 0, 2: 2, 4: 2, 5: 2, 1: 3, 7: 3, 9: 5, 11: 5}.get(k, 8 + (k % 2 == 0))
    if transpose:
        kernel = 0 if k == 2 * s else min(kernel, 2) if k == s else kernel + 4 * (k % s > 0)
    elif k == s > 1:
        kernel = min(kernel, 4)
    else:
        kernel += 2 * (k % 2 == 0)
    stride = {1: 0, 2: 1, 4: 4, 3: 5}.get(s, 6) + 12 * (s > extent(k, d))
    dilation = 0 if d == 1 else 4 + d + 12 * (k == 1)
    return kernel + stride + dilation + (1 + p2 if p2 else 0) + 2 * (h % s > 0) + _unusual_padding(transpose, values)


def _unusual_padding(transpose: bool, values: AxisParameters) -> int:
    _, k, s, padding, d, p2 = values
    if isinstance(padding, str):
        return 0  # the user has given it
    both, reach = sum(padding), d * (k - 1)
    if transpose:
        return 0 if both == reach + 1 - s + p2 else 2 if not both else 4
    if both == reach:
        return 0
    return 2 if both in (0, reach + 1 - s) else 4 + abs(both - reach) // 2
