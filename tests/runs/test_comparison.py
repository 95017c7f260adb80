"""The comparison of backends: it agrees where they agree, and finds the one that is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcli import backends, engine
from convcli.backends import Computed, Task
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.errors import BackendError, GeometryError
from convcli.geometry import Pads, Pair, Size
from convcli.layer import Layer as Weights
from convcli.presenters import compared_backends
from convcli.runs import comparison
from convcli.runs.comparison import compare, largest_difference, tolerance
from convcli.runs.comparison_input import random_picture, random_weights
from support.layers import Layer, layers
from support.operations import ALWAYS, convolve, transpose_convolve

NAN, INF = float("nan"), float("inf")


@pytest.fixture(autouse=True)
def _no_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rows on a machine with a CUDA device."""
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def random_layer(
    size: tuple[int, int], inner: int, outer: int, kernel: tuple[int, int], spec: ConvSpec, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    return random_picture(size, inner, seed).colour, random_weights(inner, outer, kernel, spec, seed + 1)


# --- the tolerance ---


def test_tolerance_grows_with_the_sum() -> None:
    """Terms·ε for short sums, 8·√terms·ε for long ones: they meet at 62 + 2 terms."""
    epsilon = 2.0**-23
    assert tolerance("float32", 1) == 3 * epsilon
    assert tolerance("float32", 62) == 64 * epsilon
    assert tolerance("float32", 98) == 80 * epsilon
    values = [tolerance("float32", n) for n in range(1, 1000)]
    assert values == sorted(values)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_transform_rounds_although_the_kernel_has_one_term(seed: int) -> None:
    image, weight = random_layer((60, 80), 1, 1, (1, 1), ConvSpec(), seed)
    found = compare(image, Weights(weight), ConvSpec(), Compute("numpy", dtype="float64", plan="fft"), repeats=1)
    assert found.agree


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_tolerance_has_the_epsilon_of_the_dtype(dtype: str) -> None:
    assert tolerance(dtype, 7) == 9 * np.finfo(dtype).eps


def test_tolerance_of_formats_that_numpy_lacks() -> None:
    """TF32 keeps 10 bits behind the point, bfloat16 7."""
    assert tolerance("tf32", 7) == tolerance("float16", 7) == 9 / 1024
    assert tolerance("bfloat16", 7) == 9 / 128


# --- the largest difference ---


@pytest.mark.parametrize(
    ("array", "truth", "expected"),
    [
        ([1, 2, 3], [1, 2, 3], 0),
        ([1, 2, 3.5], [1, 2.25, 3], 0.5),
        ([-1, 2], [1, 2], 2),
        ([NAN, 1], [NAN, 1], 0),
        ([NAN, 1], [NAN, 3], 2),
        ([NAN, 1], [0, 1], INF),
        ([0, 1], [NAN, 1], INF),
        ([INF, 1], [INF, 1.5], 0.5),
        ([-INF, 1], [INF, 1], INF),
        ([INF, 1], [1e30, 1], INF),
        ([1e30, 1], [-INF, 1], INF),
        ([NAN, 1], [INF, 1], INF),
    ],
)
def test_largest_difference(array: list[float], truth: list[float], expected: float) -> None:
    assert largest_difference(np.array(array), np.array(truth)) == expected
    assert largest_difference(np.array(array, np.float32), np.array(truth)) == expected


@given(
    values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9), step=st.floats(1e-3, 1e3), place=st.integers(0, 8)
)
def test_largest_difference_sees_any_place(values: list[float], step: float, place: int) -> None:
    truth = np.array(values)
    array = truth.copy()
    array[place % len(array)] += step
    assert largest_difference(array, truth) == pytest.approx(step, rel=1e-4)
    assert largest_difference(truth, array) == largest_difference(array, truth)


# --- agreement ---


@given(layer=layers(), dtype=st.sampled_from((None, "float32", "float64")))
def test_the_backends_agree_on_any_layer(layer: Layer, dtype: str | None) -> None:
    found = compare(layer.image, layer.layer, layer.spec, Compute(dtype=dtype, threads=1), repeats=1)
    assert list(dict.fromkeys(row.backend for row in found.rows)) == ["numpy", "torch", "reference"]
    assert len({row.plan for row in found.rows}) == len(found.rows)  # a row for every plan of the numpy backend
    assert found.agree
    for row in found.rows:
        assert row.agree
        assert row.output_shape == layer.truth.shape
        assert 0 <= row.relative_error <= row.tolerance
        assert 0 < row.min_ms <= row.median_ms <= row.max_ms
    assert found.rows[-1].max_abs_error == 0
    assert found.rows[-1].speedup == 1


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("groups", [1, 2])
def test_random_layers(transpose: bool, groups: int) -> None:
    """Variance 1 in, about variance 1 out; the same numbers for the same seed."""
    spec = ConvSpec(transpose=transpose, groups=groups, padding=Pads(1, 1, 1, 1))
    image, weight = random_layer((40, 30), 8, 6, (3, 3), spec, seed=4)
    assert image.shape == (8, 40, 30)
    assert weight.shape == ((8, 6 // groups, 3, 3) if transpose else (6, 8 // groups, 3, 3))
    assert image.dtype == weight.dtype == np.float32
    again = random_layer((40, 30), 8, 6, (3, 3), spec, seed=4)
    np.testing.assert_array_equal(again[0], image)
    np.testing.assert_array_equal(again[1], weight)
    assert not np.array_equal(random_layer((40, 30), 8, 6, (3, 3), spec, seed=5)[0], image)
    act = transpose_convolve if transpose else convolve
    out = act(image, weight, spec, Compute("reference")).array
    assert 0.7 < out.std() < 1.4
    assert compare(image, Weights.of(weight, spec), spec, repeats=1).agree


@pytest.mark.parametrize(("inner", "outer", "what"), [(3, 4, "3 input"), (4, 3, "3 output")])
def test_random_layers_whose_groups_do_not_divide(inner: int, outer: int, what: str) -> None:
    with pytest.raises(GeometryError, match=f"groups 2 does not divide the {what} channels: use groups 1"):
        random_layer((4, 4), inner, outer, (3, 3), ConvSpec(groups=2))


def test_one_backend_may_be_chosen() -> None:
    image, weight = random_layer((9, 9), 2, 2, (3, 3), ConvSpec())
    found = compare(image, Weights.of(weight, ConvSpec()), ConvSpec(), compute=Compute("torch"), repeats=2)
    assert [row.backend for row in found.rows] == ["torch", "reference"]
    assert [row.repeats for row in found.rows] == [2, 1]
    found = compare(image, Weights.of(weight, ConvSpec()), ConvSpec(), compute=Compute("reference"), repeats=2)
    assert [row.backend for row in found.rows] == ["reference"]
    assert found.agree


def test_what_is_missing_is_named() -> None:
    image, weight = random_layer((9, 9), 2, 2, (3, 3), ConvSpec())
    found = compare(image, Weights.of(weight, ConvSpec()), ConvSpec(), compute=Compute(dtype="float16"), repeats=1)
    assert [row.backend for row in found.rows] == ["torch", "reference"]
    assert any(line.startswith("numpy: backend 'numpy' does not compute in float16") for line in found.missing)
    assert any(line.startswith("cuda: ") for line in found.missing)
    assert found.agree


def test_a_backend_that_refuses_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """But an error where it is the one that was asked for."""
    right = engine.prepare

    def refuse(image: Any, weight: Any, spec: Any, compute: Compute, *more: Any) -> Any:
        if compute.backend == "numpy":
            raise BackendError("backend 'numpy' has no such stride: use --backend torch")
        return right(image, weight, spec, compute, *more)

    monkeypatch.setattr(engine, "prepare", refuse)
    image, weight = random_layer((9, 9), 2, 2, (3, 3), ConvSpec())
    found = compare(image, Weights.of(weight, ConvSpec()), ConvSpec(), repeats=1)
    assert [row.backend for row in found.rows] == ["torch", "reference"]
    assert any(line == "numpy: backend 'numpy' has no such stride: use --backend torch" for line in found.missing)
    with pytest.raises(BackendError, match="no such stride"):
        compare(image, Weights.of(weight, ConvSpec()), ConvSpec(), compute=Compute("numpy"))


def test_an_absent_device_is_an_error() -> None:
    image, weight = random_layer((9, 9), 2, 2, (3, 3), ConvSpec())
    with pytest.raises(BackendError, match=r"'cuda' is not available.*use device cpu"):
        compare(image, Weights.of(weight, ConvSpec()), ConvSpec(), compute=Compute(device="cuda"))


def test_cancellation_is_not_a_disagreement() -> None:
    """A kernel of sum zero on a flat image: errors are relative to Σ|x·w|, not to a result near 0."""
    image = np.full((1, 9, 9), 1e6, np.float32) + np.float32(0.1)
    weight = np.array([[[[0.1, 0.2, 0.3], [-0.7, 0.4, 0.1], [-0.1, -0.2, -0.1]]]])
    found = compare(image, Weights.of(weight, ConvSpec()), ConvSpec(), repeats=1)
    assert found.agree
    assert found.rows[0].max_abs_error > 0


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_a_value_that_is_not_finite_neither_raises_nor_hides_errors(
    bad: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A NaN in the image must not turn rounding into disagreement, an infinity must not make every error small."""
    image, weight = random_layer((16, 16), 2, 2, (3, 3), ConvSpec())
    image *= 1e4
    image[0, 2, 3] = bad
    with np.errstate(invalid="ignore"):
        assert compare(image, Weights.of(weight, ConvSpec()), ConvSpec(), compute=Compute(threads=1), repeats=1).agree
        load = backends.load
        monkeypatch.setattr(backends, "load", lambda name: Wrong("pixel") if name == "torch" else load(name))
        found = compare(image, Weights.of(weight, ConvSpec()), ConvSpec(), compute=Compute(threads=1), repeats=1)
    assert {row.backend: row.agree for row in found.rows} == {"numpy": True, "torch": False, "reference": True}


def test_nothing_but_zeros_agrees() -> None:
    assert compare(np.zeros((1, 5, 5)), Weights(np.zeros((1, 1, 3, 3))), ConvSpec(), repeats=1).agree


def test_the_limit_replaces_the_tolerance() -> None:
    image, weight = random_layer((9, 9), 3, 3, (3, 3), ConvSpec())
    strict = compare(image, Weights.of(weight, ConvSpec()), ConvSpec(), repeats=1, limit=0.0)
    assert {row.tolerance for row in strict.rows} == {0}
    assert not strict.agree  # float32 rounds
    assert strict.rows[-1].agree
    assert compare(image, Weights.of(weight, ConvSpec()), ConvSpec(), repeats=1, limit=1.0).agree


def test_the_document_is_json() -> None:
    image, weight = random_layer((9, 9), 3, 3, (3, 3), ConvSpec())
    result = compare(image, Weights.of(weight, ConvSpec()), ConvSpec(), repeats=1)
    document = json.loads(json.dumps(compared_backends.document(result, ())["rows"][0]))
    contract = {"backend", "device", "plan", "output_shape", "max_abs_error", "median_ms"}
    assert contract <= document.keys()
    assert document["output_shape"] == [3, 7, 7]


# --- a backend that is wrong ---


class Wrong:
    """The reference with a fault."""

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def __call__(self, task: Task) -> Computed:
        from convcli.backends import reference

        if self.fault == "unturned":
            task = task._replace(layer=replace(task.layer, weight=task.layer.weight[:, :, ::-1, ::-1]))
        computed = reference.run(task)
        array = computed.array.astype(task.dtype)
        if self.fault == "pixel":
            array[..., -1, -1] *= 1 + 1e-3
        elif self.fault == "nan":
            array[..., 0, 0] = np.nan
        elif self.fault == "shape":
            array = array[..., :-1]
        elif self.fault == "shifted":
            array = np.roll(array, 1, -1)
        return Computed(array, computed.plan)


@pytest.mark.parametrize("victim", ["numpy", "torch"])
@pytest.mark.parametrize("fault", ["pixel", "nan", "shape", "shifted", "unturned"])
@pytest.mark.parametrize("transpose", [False, True])
def test_a_wrong_backend_is_found(victim: str, fault: str, transpose: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an image large enough that the fault of one pixel could drown in a mean."""
    load = backends.load
    monkeypatch.setattr(backends, "load", lambda name: Wrong(fault) if name == victim else load(name))
    image = np.random.default_rng(0).integers(100, 255, (3, 64, 64), np.uint8)
    weight = np.random.default_rng(1).random((3, 3, 3, 3))
    spec = ConvSpec(transpose=transpose, padding=Pads(1, 1, 1, 1))
    found = compare(image, Weights.of(weight, spec), spec, repeats=1)
    assert {row.backend: row.agree for row in found.rows} == {
        "numpy": victim != "numpy",
        "torch": victim != "torch",
        "reference": True,
    }
    assert not found.agree
    wrong = next(row for row in found.rows if row.backend == victim)
    assert wrong.relative_error > wrong.tolerance
    if fault in ("nan", "shape"):
        assert wrong.max_abs_error == INF


def test_the_wrong_backend_without_a_fault_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the test above finds the fault, not the stand-in."""
    load = backends.load
    monkeypatch.setattr(backends, "load", lambda name: Wrong("none") if name == "torch" else load(name))
    image, weight = random_layer((16, 16), 3, 3, (3, 3), ConvSpec())
    assert compare(image, Weights.of(weight, ConvSpec()), ConvSpec(), repeats=1).agree


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [3, 5, 9, 17])
@pytest.mark.parametrize("transpose", [False, True])
def test_every_plan_agrees_in_its_own_arithmetic(dtype: str, size: int, transpose: bool) -> None:
    spec = ConvSpec(transpose=transpose, groups=2)
    image = random_picture((40, 40), 2).colour
    weight = random_weights(2, 2, (size, size), spec)
    for plan in ALWAYS:
        found = compare(
            image,
            Weights.of(weight, spec),
            spec,
            compute=Compute("numpy", dtype=dtype, plan=plan, threads=1),
            repeats=1,
        )
        assert found.agree, found.rows


@pytest.mark.parametrize("channels", [(1, 1), (4, 64), (3, 3)])
@pytest.mark.parametrize("transpose", [False, True])
def test_a_plan_that_mixes_is_held_to_account(
    channels: tuple[int, int], transpose: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors of transforms are relative to more, but no 2 % pass for rounding, however many filters there are."""
    load = backends.load
    image = random_picture((40, 40), channels[0]).colour
    spec = ConvSpec(transpose=transpose)
    weight = random_weights(*channels, (17, 17), spec)

    class Spoilt:
        def __call__(self, task: Task) -> Computed:
            computed = load("numpy")(task)
            return computed._replace(array=computed.array * np.float32(self.factor))

        factor = 1.0

    spoilt = Spoilt()
    monkeypatch.setattr(backends, "load", lambda name: spoilt if name == "numpy" else load(name))
    for spoilt.factor, agrees in ((1.0, True), (1.02, False)):
        for plan in ("fft", "separable"):
            found = compare(
                image, Weights.of(weight, spec), spec, compute=Compute("numpy", plan=plan, threads=1), repeats=1
            )
            row = next(row for row in found.rows if row.backend == "numpy")
            assert row.plan.startswith(plan)
            assert row.agree == agrees, row


def test_terms_count_what_one_output_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    """12 of 6 input channels in 3 groups under 3×5 taps: 2·15 products, direct or transposed."""
    seen = []
    monkeypatch.setattr(comparison, "tolerance", lambda dtype, terms: seen.append(terms) or 1.0)
    for transpose in (False, True):
        layer = Layer(ConvSpec(transpose=transpose, groups=3), Size(7, 7), Size(3, 5), channels=6, filters=12)
        compare(layer.image, layer.layer, layer.spec, repeats=1)
        assert set(seen) == {layer.terms} == {30}
        seen.clear()


def test_auto_is_explained() -> None:
    image, weight = random_layer((9, 9), 3, 3, (3, 3), ConvSpec(stride=Pair(2, 2)))
    found = compare(image, Weights.of(weight, ConvSpec(stride=Pair(2, 2))), ConvSpec(stride=Pair(2, 2)), repeats=1)
    assert found.auto in ("numpy", "torch")
    assert found.reason


def test_every_plan_that_is_worth_it_has_a_row() -> None:
    """The one that was chosen and the others of the planner's, each of them run."""
    spec = ConvSpec(groups=3)
    image, weight = random_layer((60, 61), 3, 3, (5, 5), spec)
    considered = convolve(image, weight, spec, Compute("numpy", plan="taps")).considered
    worth = {plan.name for plan in considered if plan.seconds <= comparison.SLOWER * considered[0].seconds}
    found = compare(image, Weights.of(weight, spec), spec, compute=Compute("numpy", plan="taps"), repeats=1)
    assert {row.plan.partition(":")[0] for row in found.rows if row.backend == "numpy"} == {"taps"}
    found = compare(image, Weights.of(weight, spec), spec, repeats=1)
    rows = [row.plan.partition(":")[0] for row in found.rows if row.backend == "numpy"]
    assert len(rows) == len(set(rows))
    assert worth == set(rows)
    assert len(rows) > 2


def test_a_small_job_has_its_rows_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain taps do it without weighing the rest, which a comparison wants to see nevertheless."""
    image, weight = random_layer((20, 21), 1, 1, (3, 3), ConvSpec())
    found = compare(image, Weights.of(weight, ConvSpec()), ConvSpec(), repeats=1)
    rows = {row.plan.partition(":")[0] for row in found.rows if row.backend == "numpy"}
    assert {"taps", "toeplitz"} <= rows
    monkeypatch.setattr(comparison, "SLOWER", 0)
    found = compare(image, Weights.of(weight, ConvSpec()), ConvSpec(), repeats=1)
    assert [row.plan.partition(":")[0] for row in found.rows if row.backend == "numpy"] == ["taps"]
    (left_out,) = [line for line in found.missing if line.startswith("numpy ")]
    assert "toeplitz" in left_out
    assert "more than 0 times as long" in left_out
