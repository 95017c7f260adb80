"""Solving for parameters: every answer is checked by counting, and every one within the bounds is found."""

from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convcli.arithmetic import solve
from convcli.arithmetic.solve import NAMES, Query, Solution
from convcli.geometry import Size
from convcli.presenters.solved import options_of, resolved
from support.sizes import direct, transposed

PLAIN = {"stride": 1, "padding": (0, 0), "dilation": 1, "output_padding": 0}


def query(out: int | tuple[int, int], transpose: bool = False, **given: Any) -> Query:
    """A query with numbers for both axes, pairs of them as lists; None is an unknown that the axes share."""
    pairs = {
        name: tuple(value) if isinstance(value, list) else (value, value)
        for name, value in ({name: {**PLAIN, **given}[name] for name in NAMES}).items()
    }
    shared = {name for name, value in given.items() if value is None}
    return Query(transpose, Size(*(out if isinstance(out, tuple) else (out, out))), pairs, frozenset(shared))


def first(asked: Query) -> str:
    """The most usual solution."""
    return options_of(asked, solve.solve(asked).solutions[0])


def output(transpose: bool, values: solve.AxisParameters) -> int:
    """By counting the places where the kernel fits."""
    h, k, s, d, p2 = values.input, values.kernel_size, values.stride, values.dilation, values.output_padding
    assert not isinstance(values.padding, str)
    before, after = values.padding
    assert before == after
    return transposed(h, k, s, before, d, p2) if transpose else direct(h, k, s, before, d)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        # a ResNet's stem, VGG's layers, a patch embedding of ViT-B/16, the pools of 2×2, halving by 3×3
        (query(112, input=224, kernel_size=7, stride=2, padding=None), "--p 3"),
        (query(224, input=224, kernel_size=None, padding=None), "--k 3 --p 1"),
        (query(112, input=224, kernel_size=None, stride=None, padding=None), "--k 3 --s 2 --p 1"),
        (query(14, input=224, kernel_size=None, stride=None), "--k 16 --s 16"),
        (query(16, input=32, kernel_size=None, stride=None), "--k 2 --s 2"),
        (query(30, input=32, kernel_size=None, stride=None, padding=None), "--k 3 --s 1 --p 0"),
        (query(112, input=None, kernel_size=3, stride=2, padding=(1, 1)), "--hin 224"),
        # a spatial pyramid's dilations, which keep the size
        (query(28, input=28, kernel_size=3, dilation=6, padding=None), "--p 6"),
        (query(28, input=28, kernel_size=3, dilation=None, padding=(12, 12)), "--d 12"),
        # DCGAN's doubling, and the other ways to it
        (query(64, True, input=32, kernel_size=None, stride=None, padding=None, output_padding=None),
         "--k 4 --s 2 --p 1 --op2 0"),
        (query(64, True, input=32, kernel_size=3, stride=None, padding=None, output_padding=None), "--s 2 --p 1 --op2 1"),
        (query(64, True, input=32, kernel_size=2, stride=None), "--s 2"),
        (query(4, True, input=1, kernel_size=None), "--k 4"),
        # rectangular: one number for both axes, or one each
        (query((60, 80), input=[120, 160], kernel_size=None, stride=None, padding=None), "--k 3 --s 2 --p 1"),
        (query((60, 160), input=[120, 160], kernel_size=3, stride=[None, 1], padding=(1, 1)), "--s 2,1"),
        (query((10, 20), input=[None, None], kernel_size=1, stride=2), "--hin 20 --win 40"),
        # by a rule
        (query(16, input=32, kernel_size=3, stride=None, padding="same-upper"), "--s 2"),
        (query(16, input=None, kernel_size=3, stride=2, padding="same-lower"), "--hin 32"),
        (query(40, input=32, kernel_size=None, padding="full"), "--k 9"),
    ],
)  # fmt: skip
def test_the_most_usual(asked: Query, expected: str) -> None:
    assert first(asked) == expected


def test_the_order_of_what_is_usual() -> None:
    """Odd small kernels first, then patches, then even ones."""
    found = solve.solve(query(112, input=224, kernel_size=None, stride=2, padding=None)).solutions
    assert [one.rows.kernel_size for one in found[:6]] == [3, 5, 7, 2, 9, 11]
    assert all(earlier.score <= later.score for earlier, later in pairwise(found))


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("unknown", [("kernel_size",), ("stride", "padding"), ("kernel_size", "dilation", "padding")])
def test_every_solution_is_found(transpose: bool, unknown: tuple[str, ...]) -> None:
    """Against all combinations within the bounds, by counting."""
    known = {"input": 13, "kernel_size": 3, "stride": 2, "padding": (1, 1), "dilation": 1}
    asked = query(27 if transpose else 7, transpose, **{**known, **dict.fromkeys(unknown)})
    limit = asked.limit(0)
    small = range(1, min(limit, 12) + 1)
    expected = set()
    for k, s, d in product(
        *(small if name in unknown else (known[name],) for name in ("kernel_size", "stride", "dilation"))
    ):
        for p in range(d * (k - 1) + 1) if "padding" in unknown else (1,):
            values = solve.AxisParameters(13, k, s, (p, p), d, 0)
            if (transpose or 13 + 2 * p > d * (k - 1)) and output(transpose, values) == asked.output.height:
                expected.add(values)
    answer = solve.solve(asked)
    found = {one.rows for one in answer.solutions}
    assert expected
    assert {one for one in found if max(one.kernel_size, one.stride, one.dilation) <= 12} == expected
    assert len(found) == len(answer.solutions) == min(answer.count, solve.KEPT)
    assert answer.nearest == ()


@settings(deadline=None, max_examples=60)
@given(st.booleans(), st.integers(1, 40), st.sets(st.sampled_from(NAMES), min_size=1, max_size=4), st.integers(1, 30))
def test_solutions_are_true(transpose: bool, out: int, unknown: set[str], size: int) -> None:
    """And the nearest are no solutions, but true of their own output, and in order of their distance."""
    known = {"input": size, "kernel_size": 3, "stride": 2, "padding": (1, 1), "dilation": 1, "output_padding": 0}
    unknown -= set() if transpose else {"output_padding"}
    asked = query(out, transpose, **{**known, **dict.fromkeys(unknown)})
    answer = solve.solve(asked)
    for one in answer.solutions[:50]:
        assert output(transpose, one.rows) == out
        assert resolved(asked, one).output == asked.output == one.output
    distances = []
    for one in answer.nearest:
        assert output(transpose, one.rows) == one.output.height == resolved(asked, one).output.height
        distances.append(abs(one.output.height - out))
    assert distances == sorted(distances)
    assert 0 not in distances
    assert not (answer.solutions and answer.nearest)


def test_the_nearest() -> None:
    """(32 + 2·p - 3)/2 + 1 is 15 to 17 for the paddings 0 to 2; (32-1)·2 + 3 + op2 is 65 or 66."""
    near = lambda asked: [one.output.height for one in solve.solve(asked).nearest]
    assert near(query(40, input=32, kernel_size=3, stride=2, padding=None))[0] == 17
    assert near(query(9, input=32, kernel_size=3, stride=2, padding=None))[0] == 15
    assert near(query(70, True, input=32, kernel_size=3, stride=2, output_padding=None)) == [66, 65]
    assert near(query(33, input=None, kernel_size=3, padding=(1, 1), stride=1)) == []  # 33 itself


def test_shared_unknowns_are_alike_on_both_axes() -> None:
    for one in solve.solve(query((15, 20), input=[30, 40], kernel_size=None, stride=None, padding=None)).solutions:
        assert isinstance(one, Solution)
        assert one.pair("kernel_size")[0] == one.pair("kernel_size")[1]
        assert one.pair("padding")[0] == one.pair("padding")[1]
    assert solve.solve(query((15, 40), input=[30, 40], kernel_size=3, stride=None, padding=None)).count == 0


def test_all_unknown_is_answered() -> None:
    """The most usual ones; how many there are is told."""
    answer = solve.solve(query(7, **dict.fromkeys(("input", "kernel_size", "stride", "padding", "dilation"))))
    assert len(answer.solutions) == solve.KEPT < answer.count
    assert options_of(query(7, **dict.fromkeys(NAMES[:-1])), answer.solutions[0]) == "--k 3 --s 1 --p 1 --d 1 --hin 7"
