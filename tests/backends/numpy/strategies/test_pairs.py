"""Sums that taps share: they stand for the very taps they replace, save passes, and change no pixel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from convcli.backends.numpy.strategies.pairs import MOST_TAPS, Sum, WeightedTap, _found, _pairs, _replaced, shared
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.geometry import Pair
from convcli.kernels import parse
from support.operations import convolve, transpose_convolve


def taps_of(kernel: NDArray[np.float64]) -> list[WeightedTap]:
    return [WeightedTap(0, int(i), int(j), float(kernel[i, j])) for i, j in np.argwhere(kernel)]


def spelt_out(sums: list[Sum], taps: list[WeightedTap], size: tuple[int, int]) -> NDArray[np.float64]:
    """The kernel that taps come to, whose planes from 1 on are sums."""
    kernel = np.zeros(size)

    def add(plane: int, row: int, column: int, weight: float) -> None:
        if not plane:
            kernel[row, column] += weight
            return
        each = sums[plane - 1]
        add(each.plane, row, column, weight)
        add(each.plane, row + each.rows, column + each.columns, weight * each.sign)

    for tap in taps:
        add(*tap)
    return kernel


def passes(sums: list[Sum], outputs: list[list[WeightedTap]]) -> int:
    return len(sums) + sum(map(len, outputs))


def test_two_pairs_are_not_worth_a_pass() -> None:
    taps = taps_of(parse("sharpen").kernels[0].values)  # above and left, right and below
    assert shared([taps], 1, 10**6) == ([], [sorted(taps)])


def test_a_difference_in_three_rows() -> None:
    sums, (taps,) = shared([taps_of(parse("sobel-x").kernels[0].values)], 1, 10**6)
    assert sums == [Sum(0, 0, 2, -1)]
    assert taps == [WeightedTap(1, 0, 0, -1.0), WeightedTap(1, 1, 0, -2.0), WeightedTap(1, 2, 0, -1.0)]


def test_several_outputs_share() -> None:
    once = [WeightedTap(0, 0, 0, 0.5), WeightedTap(0, 0, 1, 0.5)]
    assert shared([once, once], 1, 10**6) == ([], [once, once])
    assert shared([once] * 3, 1, 10**6) == ([Sum(0, 0, 1, 1)], [[WeightedTap(1, 0, 0, 0.5)]] * 3)


def test_planes_are_not_mixed() -> None:
    taps = [WeightedTap(0, 0, 0, 1.0), WeightedTap(1, 0, 1, 1.0), WeightedTap(0, 1, 0, 1.0), WeightedTap(1, 1, 1, 1.0)]
    sums, (left,) = shared([taps], 2, 10**6)
    assert sums == []
    assert left == taps or sorted(left) == sorted(taps)


def test_sums_of_sums() -> None:
    sums, (taps,) = shared([taps_of(np.ones((4, 4)))], 1, 10**6)
    assert len(sums) > 1
    assert any(each.plane for each in sums)
    assert len(sums) + len(taps) <= 8


def test_many_taps_are_left_alone() -> None:
    assert shared([[WeightedTap(0, 0, i, 1.0) for i in range(MOST_TAPS + 1)]], 1, 10**6)[0] == []


kernels = st.integers(1, 4).flatmap(
    lambda width: st.lists(
        st.lists(st.sampled_from((0.0, 1.0, -1.0, 2.0)), min_size=4 * width, max_size=4 * width).map(
            lambda values: np.array(values).reshape(4, -1)
        ),
        min_size=1,
        max_size=3,
    )
)


def looked_for(outputs: list[list[WeightedTap]], planes: int) -> tuple[list[Sum], list[list[WeightedTap]]]:
    """What `shared` finds, the plain way: every sum is counted anew in every output, for as long as one stands for three pairs."""
    outputs, sums = [sorted(taps) for taps in outputs], list[Sum]()
    while True:
        found: dict[Sum, int] = {}
        for sum_ in (sum_ for taps in outputs for sum_ in _pairs(taps)):
            found[sum_] = found.get(sum_) or sum(len(_found(taps, sum_)) for taps in outputs)
        best = max(found, key=lambda sum_: found[sum_], default=None)
        if best is None or found[best] < 3:
            return sums, outputs
        outputs = [_replaced(taps, best, planes + len(sums)) for taps in outputs]
        sums.append(best)


@given(kernels)
def test_what_is_counted_once_is_what_would_be_counted_again_and_again(kernels: list[NDArray[np.float64]]) -> None:
    outputs = [[tap._replace(plane=number % 2) for tap in taps_of(kernel)] for number, kernel in enumerate(kernels)]
    assert shared(outputs, 2, 10**6) == looked_for(outputs, 2)


@given(kernels, st.one_of(st.just(10**6), st.integers(0, 3000)))
def test_they_stand_for_the_same_kernels(kernels: list[NDArray[np.float64]], steps: int) -> None:
    before = [taps_of(kernel) for kernel in kernels]
    sums, after = shared(before, 1, steps)
    for kernel, taps in zip(kernels, after, strict=True):
        np.testing.assert_array_equal(spelt_out(sums, taps, kernel.shape), kernel)
    assert passes(sums, after) <= passes([], before) - 2 * len(sums)


def test_a_search_ends_when_its_steps_are_used_up() -> None:
    bank = [taps_of(np.random.default_rng(seed).choice([-1.0, 1.0], (4, 4))) for seed in range(60)]
    found = [len(shared(bank, 1, steps)[0]) for steps in (0, 60_000, 10**9)]
    assert found == sorted(found)
    assert found[0] == 0 < found[1] < found[2]


@given(
    kernels=kernels,
    kind=st.sampled_from(("uint8", "uint16", "float32")),
    dilation=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    interleaved=st.booleans(),
    transpose=st.booleans(),
    threads=st.sampled_from((1, 2)),
)
def test_no_pixel_changes(
    kernels: list[NDArray[np.float64]],
    kind: str,
    dilation: tuple[int, int],
    stride: tuple[int, int],
    interleaved: bool,
    transpose: bool,
    threads: int,
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (14, 15, 2)).astype(kind)
    image = pixels.transpose(2, 0, 1) if interleaved else np.ascontiguousarray(pixels.transpose(2, 0, 1))
    bank = np.stack(kernels)[:, np.newaxis]
    if transpose:
        weight, groups = np.concatenate([bank.swapaxes(0, 1)] * 2), 2
    else:
        weight, groups = np.concatenate([bank] * 2), 2
    spec = ConvSpec(stride=Pair(*stride), dilation=Pair(*dilation), groups=groups, transpose=transpose)
    if not transpose:
        spec = replace(spec, padding="same-upper", padding_mode="reflect")
    act = transpose_convolve if transpose else convolve
    truth = act(image, weight, spec, Compute("reference")).array
    found = act(image, weight, spec, Compute("numpy", plan="taps", threads=threads)).array
    np.testing.assert_array_equal(found, truth)


def test_the_plan_says_so() -> None:
    image = np.zeros((1, 8, 8), np.uint8)
    weight = parse("sobel-x").kernels[0].values[np.newaxis, np.newaxis]
    plan = convolve(image, weight, ConvSpec(), Compute("numpy", plan="taps")).plan
    assert plan.startswith("taps: 6 of 9 taps, 1 shared sum, exact, int16")
