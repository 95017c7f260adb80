"""Every backend is the reference, over the whole parameter space."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from convcli.backends.numpy.strategies import STRATEGIES
from convcli.backends.numpy.strategies.separable import factors
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.errors import BackendError, ImageError, KernelError
from convcli.geometry import Pads, Pair, Size
from convcli.pointwise.finish import Finish
from convcli.vocabulary import PADDING_MODES, PADDING_RULES
from support.layers import KINDS, Layer, layers
from support.operations import ALWAYS, BACKENDS, FAST, convolve, small_tiles, transpose_convolve

DTYPES = st.sampled_from((None, "float32", "float64"))


@pytest.mark.parametrize("backend", FAST)
@given(layer=layers(transpose=False), dtype=DTYPES, threads=st.sampled_from((1, 2)))
def test_direct_agrees_with_the_reference(backend: str, layer: Layer, dtype: str | None, threads: int) -> None:
    _check_backend(backend, layer, dtype, threads)


@pytest.mark.parametrize("backend", FAST)
@given(layer=layers(transpose=True), dtype=DTYPES, threads=st.sampled_from((1, 2)))
def test_transposed_agrees_with_the_reference(backend: str, layer: Layer, dtype: str | None, threads: int) -> None:
    _check_backend(backend, layer, dtype, threads)


@pytest.mark.parametrize("plan", STRATEGIES)
@given(layer=layers(), dtype=DTYPES, threads=st.sampled_from((1, 2)), size=st.sampled_from((1, 300, 3000, 1 << 20)))
def test_every_plan_agrees_with_the_reference(
    plan: str, layer: Layer, dtype: str | None, threads: int, size: int
) -> None:
    if plan == "prefix":
        layer = replace(layer, flat=True, kind="uint16" if layer.kind == "uint16" else "uint8")
    with small_tiles(size):
        result = layer.run("numpy", dtype, threads, plan)
    assert plan in result.plan
    layer.assert_agrees(result.array, result.dtype, everywhere_alike=plan in ("fft", "separable"))


TILE = Size(5, 7)


@pytest.mark.parametrize("plan", STRATEGIES)
@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("interleaved", [False, True])
def test_tiles_meet_at_their_borders(
    plan: str, transpose: bool, stride: int, threads: int, interleaved: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outputs (of a phase) one below, at and one above a tile, and two tiles and a rest, in both directions."""
    monkeypatch.setattr(STRATEGIES[plan], "tile", lambda job, itemsize: TILE)
    monkeypatch.setattr("convcli.backends.numpy.plan.USUAL", threads)  # for one, nothing is cut finer than that
    spec = ConvSpec(padding="same-upper", groups=3, stride=Pair(stride, stride), transpose=transpose)
    times = 1 if transpose else stride
    with small_tiles(1 << 20):
        for height, width in product(*((side - 1, side, side + 1, 2 * side + 1) for side in TILE)):
            layer = Layer(
                spec, Size(height * times, width * times), Size(3, 4), None, 3, 3, "uint8",
                interleaved=interleaved, alike=True, flat=plan == "prefix",
            )  # fmt: skip
            result = layer.run("numpy", threads=threads, plan=plan)
            layer.assert_agrees(result.array, result.dtype, everywhere_alike=True)
            kept = -(-TILE.width // stride) if "all columns" in result.plan else TILE.width
            tiles = -(-height // TILE.height) * -(-width // kept)
            if threads == 1:
                assert re.search(rf"\b{tiles} (strip|tile)s? of ", result.plan), result.plan
            elif tiles > 1:
                assert result.plan.endswith(", 2 threads"), result.plan


def test_the_work_is_cut_indeed() -> None:
    layer = Layer(ConvSpec(padding="same"), Size(9, 9), Size(3, 3))
    with small_tiles(1):
        assert "9 strips of 1 row," in layer.run("numpy", plan="taps").plan
    assert "1 strip of " in layer.run("numpy", plan="taps").plan


@pytest.mark.parametrize("plan", STRATEGIES)
def test_the_work_is_shared_indeed(plan: str) -> None:
    """By two threads, in several tiles, whatever the plan: what the tests of every plan rely on."""
    layer = Layer(ConvSpec(padding="same"), Size(90, 91), Size(3, 3), kind="uint8", flat=plan == "prefix")
    with small_tiles(3000):
        result = layer.run("numpy", threads=2, plan=plan)
    found = re.search(r"(\d+) (?:strips|tiles) of \S+(?: rows?)?, 2 threads$", result.plan)
    assert found, result.plan
    assert int(found[1]) > 2, result.plan
    layer.assert_agrees(result.array, result.dtype, everywhere_alike=True)


def _check_backend(backend: str, layer: Layer, dtype: str | None, threads: int) -> None:
    result = layer.run(backend, dtype, threads)
    expected = dtype or ("float64" if layer.kind == "float64" else "float32")
    assert result.dtype == expected
    assert result.array.dtype == expected
    layer.assert_agrees(result.array, expected)


@pytest.mark.parametrize("backend", BACKENDS)
@given(layer=layers())
def test_predicted_shape_is_the_actual_shape(backend: str, layer: Layer) -> None:
    result = layer.run(backend)
    predicted = layer.spec.resolve(layer.size, layer.kernel)
    batch = () if layer.batch is None else (layer.batch,)
    assert result.array.shape == result.output_shape == (*batch, layer.filters, *predicted.output)
    assert result.input_shape == layer.image.shape
    assert result.geometry == predicted


def test_the_drawn_layers_reach_the_corners_of_the_space() -> None:
    """The strategy itself can fail: unless each of these is drawn, the properties above prove less than they say."""
    seen: Counter[str] = Counter()

    @settings(max_examples=1500, derandomize=True, database=None, phases=[Phase.generate])
    @given(layer=layers())
    def look(layer: Layer) -> None:
        spec, (height, width) = layer.spec, layer.size
        kind = "transposed" if spec.transpose else "direct"
        explicit = not isinstance(spec.padding, str)
        seen[f"{kind}, {'explicit' if explicit else spec.padding}"] += 1
        seen[f"{layer.kind}, {'' if layer.batch is None else 'batch'}"] += 1
        if explicit and min(spec.padding[:2]) >= height and min(spec.padding[2:]) >= width:
            seen[f"{kind}, pads beyond the image, {spec.padding_mode}"] += 1
        seen["one pixel"] += (height, width) == (1, 1)
        seen["even rectangular kernel"] += layer.kernel.height % 2 == 0 and layer.kernel.height != layer.kernel.width
        seen["groups, stride and dilation"] += min(layer.spec.groups, *spec.stride, *spec.dilation) > 1
        seen["output_padding beyond the stride"] += max(spec.output_padding) >= max(spec.stride)
        seen["output_size"] += spec.output_size is not None

    look()
    rules = [f"{kind}, {rule}" for kind in ("direct", "transposed") for rule in ("explicit", *PADDING_RULES)]
    kinds = [f"{kind}, {batch}" for kind in KINDS for batch in ("", "batch")]
    beyond = [f"direct, pads beyond the image, {mode}" for mode in PADDING_MODES]
    rest = ["one pixel", "even rectangular kernel", "groups, stride and dilation"]
    for corner in (*rules, *kinds, *beyond, *rest, "output_padding beyond the stride", "output_size"):
        assert seen[corner] >= 2, f"{corner}: {seen[corner]} of {seen.total()}"


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize("kind", ["bool", "int8", "int16", "int32", "int64", "uint32", "uint64", "float16"])
@pytest.mark.parametrize("transpose", [False, True])
def test_images_of_any_real_dtype(backend: str, kind: str, transpose: bool) -> None:
    values = np.random.default_rng(1).integers(0 if kind[0] in "bu" else -100, 100, (2, 5, 6)).astype(kind)
    weight = np.random.default_rng(2).integers(-3, 4, (2, 2, 3, 2)).astype(np.float64)
    act = transpose_convolve if transpose else convolve
    spec = ConvSpec(padding=Pads(1, 1, 1, 0))
    truth = act(values.astype(np.float64), weight, spec, Compute("reference")).array
    result = act(values, weight, spec, Compute(backend, threads=1))
    assert result.dtype == "float32"
    np.testing.assert_array_equal(result.array, truth)  # small integers are exact in float32


@pytest.mark.parametrize("backend", ["auto", *BACKENDS])
@pytest.mark.parametrize("kind", [">u2", "<u2", ">i4", ">f4", "<f4", ">f8", "<f8", np.longdouble])
@pytest.mark.parametrize("transpose", [False, True])
def test_arrays_of_any_byte_order_and_width(backend: str, kind: str, transpose: bool) -> None:
    """Torch knows no other byte order than its machine's, and no long doubles; they are computed with as float64."""
    image, weight, bias = (
        np.random.default_rng(seed).integers(0, 100, shape).astype(kind)
        for seed, shape in enumerate([(2, 5, 6), (2, 2, 3, 2), (2,)])
    )
    act = transpose_convolve if transpose else convolve
    plain = (array.astype(np.float64) for array in (image, weight, bias))
    truth = act(next(plain), next(plain), ConvSpec(), Compute("reference"), next(plain)).array
    result = act(image, weight, ConvSpec(), Compute(backend), bias)
    wide = backend == "reference" or (np.dtype(kind).kind == "f" and np.dtype(kind).itemsize >= 8)
    assert result.dtype == result.array.dtype == ("float64" if wide else "float32")
    np.testing.assert_array_equal(result.array, truth)


@pytest.mark.parametrize("backend", ["auto", *BACKENDS])
@pytest.mark.parametrize("kind", ["complex64", "complex128", "U3", "object"])
def test_arrays_of_no_real_numbers(backend: str, kind: str) -> None:
    arrays = np.ones((2, 5, 6)), np.ones((2, 2, 3, 2)), np.ones(2)
    for place, (what, error) in enumerate([("image", ImageError), ("weights", KernelError), ("bias", KernelError)]):
        image, weight, bias = (array.astype(kind) if place == n else array for n, array in enumerate(arrays))
        with pytest.raises(error, match=f"{what} of dtype .* use real numbers") as raised:
            convolve(image, weight, ConvSpec(), Compute(backend), bias)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("transpose", [False, True])
def test_inputs_are_left_alone_and_need_not_be_contiguous(backend: str, transpose: bool) -> None:
    generator = np.random.default_rng(5)
    image = generator.standard_normal((12, 10, 2)).transpose(2, 0, 1)[:, ::-2, ::-1]
    weight = generator.standard_normal((2, 2, 3, 3))[:, :, ::-1]
    bias = generator.standard_normal(2)
    for array in (image, weight, bias):
        array.setflags(write=False)
    before = image.copy(), weight.copy(), bias.copy()
    act = transpose_convolve if transpose else convolve
    result = act(image, weight, ConvSpec(), Compute(backend), bias)
    truth = act(before[0], before[1], ConvSpec(), Compute("reference"), before[2])
    np.testing.assert_allclose(result.array, truth.array, rtol=1e-12, atol=1e-12)
    for array, copy in zip((image, weight, bias), before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("stride", "extra"), [(2, 1), (3, 2)])
def test_same_upper_with_an_output_size_beyond_the_kernel(backend: str, stride: int, extra: int) -> None:
    """Where the kernel is shorter than the stride, the rule and the size both add output_padding: torch must bear it."""
    size = 3 * stride + extra
    spec = ConvSpec(transpose=True, stride=Pair(stride, stride), padding="same-upper", output_size=Size(size, size))
    layer = Layer(spec, Size(3, 3), Size(1, 1))
    array = layer.run(backend).array
    assert array.shape == (1, size, size)
    layer.assert_agrees(array, "float64")


@pytest.mark.parametrize("how", [*ALWAYS, *FAST])
@given(layer=layers(), bad=st.sampled_from((np.nan, np.inf, -np.inf)), place=st.integers(0, 10**6))
def test_a_value_that_is_not_finite_reaches_its_own_outputs_only(
    how: str, layer: Layer, bad: float, place: int
) -> None:
    """What the reference says: outputs that read the pixel are not finite, the others are as if it were 0."""
    layer = replace(layer, kind="float64")
    image, weight = layer.image.copy(), layer.weight.astype(np.float64)  # zeros among them: 0·NaN is NaN
    image.flat[place % image.size] = bad
    act = transpose_convolve if layer.spec.transpose else convolve
    with np.errstate(invalid="ignore"):
        truth = act(image, weight, layer.spec, Compute("reference"), layer.bias).array
        compute = Compute("numpy", plan=how, threads=2) if how in ALWAYS else Compute(how, threads=1)
        with small_tiles(1000):
            array = act(image, weight, layer.spec, compute, layer.bias).array
    np.testing.assert_array_equal(np.isfinite(array), np.isfinite(truth))
    finite = np.isfinite(truth)
    np.testing.assert_allclose(array[finite], truth[finite], rtol=0, atol=1e-9)


@pytest.mark.parametrize("bad", [1e4, -1e10, 3e38, -3.4e38])
@pytest.mark.parametrize("plan", ALWAYS)
def test_one_huge_value_does_not_drown_the_others(plan: str, bad: float) -> None:
    """A no-data marker of a float image: outputs that do not read it are as exact as without it."""
    generator = np.random.default_rng(4)
    image = generator.random((1, 70, 60), np.float32)
    weight = generator.random((1, 1, 9, 9)) / 81
    clean = convolve(image, weight, ConvSpec(), Compute("reference")).array
    image[0, 20, 30] = bad
    truth = convolve(image, weight, ConvSpec(), Compute("reference")).array
    array = convolve(image, weight, ConvSpec(), Compute("numpy", plan=plan)).array
    untouched = truth == clean
    assert 0 < (~untouched).sum() <= 81
    np.testing.assert_allclose(array[untouched], clean[untouched], rtol=1e-5)
    np.testing.assert_allclose(array[~untouched], truth[~untouched], rtol=1e-4)


@pytest.mark.parametrize("rule", ["none", "sum", "magnitude"])
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    cache=st.sampled_from((1, 300, 3000)),
    transpose=st.booleans(),
)
def test_a_bank_is_joined_tile_by_tile(
    rule: str, size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], cache: int, transpose: bool
) -> None:
    """Whatever is left of the last tile, no phase of it included."""
    generator = np.random.default_rng(3)
    image = generator.integers(0, 255, (2, *size), np.uint8)
    weight = generator.integers(-3, 4, (2, 3, *kernel) if transpose else (6, 1, *kernel)).astype(np.float64)
    spec = ConvSpec(transpose=transpose, stride=Pair(*stride), padding="valid" if transpose else "full", groups=2)
    finish = Finish(parts=((3, rule),), dtype="uint8", count=True)
    act = transpose_convolve if transpose else convolve
    with small_tiles(cache):
        result = act(image, weight, spec, Compute("numpy", threads=2), None, finish)
    truth = act(image, weight, spec, Compute("reference"), None, finish)
    np.testing.assert_array_equal(result.array, truth.array)
    assert result.clipped == truth.clipped


@pytest.mark.parametrize("backend", FAST)
def test_weights_that_the_dtype_does_not_hold(backend: str) -> None:
    weight = np.full((1, 1, 3, 3), 1e200)
    with pytest.raises(BackendError, match=r"a weight of 1e\+200 is larger than float32 can hold, .*use dtype float64"):
        convolve(np.ones((1, 5, 5), np.float32), weight, ConvSpec(), Compute(backend))
    result = convolve(np.ones((1, 5, 5), np.float32), weight, ConvSpec(), Compute(backend, dtype="float64"))
    np.testing.assert_allclose(result.array, 9e200)


def test_pads_far_beyond_memory_where_few_windows_are_read() -> None:
    """41×57 pixels with 40,000 more on each side, of which a stride reads four windows: no padded copy is made."""
    image = np.random.default_rng(1).integers(0, 255, (1, 41, 57), np.uint8)
    spec = ConvSpec(padding=Pads(40000, 40000, 40000, 40000), stride=Pair(40000, 40000), dilation=Pair(10, 10))
    result = convolve(image, np.full((1, 1, 3, 3), 1.0), spec, Compute("numpy"))
    expected = np.zeros((3, 3))
    for y in range(3):
        for x in range(3):
            for i in range(3):
                for j in range(3):
                    row, column = 40000 * y + 10 * i - 40000, 40000 * x + 10 * j - 40000
                    expected[y, x] += image[0, row, column] if 0 <= row < 41 and 0 <= column < 57 else 0
    np.testing.assert_allclose(result.array[0], expected, atol=1e-3)


STRIPS = {"column": np.s_[:, :, 0:9], "row": np.s_[:, 0:9, :], "corner": np.s_[:, 50:, 40:], "pixel": np.s_[:, 30, 30]}


@pytest.mark.parametrize(
    "backend", ["numpy toeplitz", "numpy separable", "numpy fft", "numpy taps", "numpy gemm", "torch"]
)
@pytest.mark.parametrize("strip", STRIPS)
@pytest.mark.parametrize(
    ("kind", "bad"), [("float32", -9999), ("float32", 1e12), ("float32", -3.4e38), ("int32", 2**31 - 1)]
)
def test_no_data_leaves_the_rest_alone(backend: str, strip: str, kind: str, bad: float) -> None:
    """Rows, columns or a corner of a marker: outputs that read none of it are as without it."""
    generator = np.random.default_rng(8)
    image = (10 * generator.random((1, 90, 80))).astype(kind)
    weight = generator.random((1, 1, 17, 17)) / 289
    clean = convolve(image, weight, ConvSpec(), Compute("reference")).array
    image[STRIPS[strip]] = bad
    truth = convolve(image, weight, ConvSpec(), Compute("reference")).array
    name, _, plan = backend.partition(" ")
    array = convolve(image, weight, ConvSpec(), Compute(name, plan=plan or None, threads=1)).array
    untouched = truth == clean
    assert 0 < (~untouched).sum() < untouched.size
    np.testing.assert_allclose(array[untouched], clean[untouched], rtol=2e-5)
    np.testing.assert_allclose(array[~untouched], truth[~untouched], rtol=1e-4)


@pytest.mark.parametrize(
    "backend", ["numpy toeplitz", "numpy separable", "numpy fft", "numpy taps", "numpy gemm", "torch"]
)
def test_sums_near_the_end_of_the_type(backend: str) -> None:
    """The mean of values that cannot be summed can be had all the same."""
    image = np.full((1, 40, 40), 3e38, np.float32)
    name, _, plan = backend.partition(" ")
    for size in (3, 17):
        weight = np.full((1, 1, size, size), 1 / size**2)
        array = convolve(image, weight, ConvSpec(), Compute(name, plan=plan or None, threads=1)).array
        np.testing.assert_allclose(array, 3e38, rtol=1e-5)


def faint(size: int, share: float, seed: int) -> np.ndarray:
    """A kernel of sum 1 that is a spike but for a faint rest of full rank, which counts by its sum."""
    rest = np.random.default_rng(seed).random((size, size))
    kernel = share * rest / rest.sum()
    kernel[size // 2, size // 2] += 1 - share
    return kernel


@pytest.mark.parametrize("plan", [None, *ALWAYS])
@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("size", [11, 61])
@pytest.mark.parametrize("share", [4e-4, 0.3])
def test_white_stays_white(plan: str | None, kind: str, size: int, share: float) -> None:
    """Kernels that sum to 1, whatever they are made of: no rounding, nothing left out and no wrap-around may show."""
    white = int(np.iinfo(kind).max)
    weight = faint(size, share, 1)[np.newaxis, np.newaxis]
    if size == 61 and plan in ("taps", "gemm"):
        return  # seconds, for what the smaller one shows
    for value in (0, white // 3, white):
        image = np.full((1, 80, 90), value, kind)
        finish = Finish(dtype=kind, full_scale=white, count=True)
        result = convolve(image, weight, ConvSpec(), Compute("numpy", plan=plan, threads=1), None, finish)
        assert (result.array == value).all(), (result.plan, np.unique(result.array))
        assert result.clipped == (0, 0, result.array.size, 0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(
    size=st.tuples(st.integers(2, 40), st.integers(2, 40)),
    share=st.sampled_from((1e-7, 1e-5, 1e-3, 0.1)),
    rank=st.integers(0, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_factors_leave_out_what_rounding_hides(
    dtype: str, size: tuple[int, int], share: float, rank: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    kernel = sum((np.outer(generator.random(size[0]), generator.random(size[1])) for _ in range(rank)), np.zeros(size))
    kernel[tuple(generator.integers(0, size))] += 1
    kernel += share * generator.standard_normal(size)
    u, v = factors(kernel, dtype)
    roundings = 3 if dtype == "float32" else 20  # in float64 the elimination's own
    allowed = roundings * np.finfo(dtype).eps * np.abs(kernel).sum()
    assert np.abs(kernel - u.T @ v).sum() <= allowed


@pytest.mark.parametrize("plan", ALWAYS)
@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_a_transposed_stride_far_above_the_kernel(plan: str, kind: str) -> None:
    """Most outputs see no tap: they hold the bias, and cost nothing."""
    generator = np.random.default_rng(6)
    image = generator.integers(0, 255, (2, 4, 3)).astype(kind)
    weight = generator.integers(-3, 4, (2, 2, 3, 2)).astype(np.float64)
    spec = ConvSpec(transpose=True, stride=Pair(200, 300), padding=Pads(1, 0, 0, 1), output_padding=Pair(5, 7))
    bias = np.array([3.0, -2.0])
    truth = transpose_convolve(image, weight, spec, Compute("reference"), bias).array
    result = transpose_convolve(image, weight, spec, Compute("numpy", plan=plan), bias)
    np.testing.assert_allclose(result.array, truth, atol=1e-3)
    finish = Finish(dtype="uint8", count=True)
    stored = transpose_convolve(image, weight, spec, Compute("numpy", plan=plan), bias, finish)
    np.testing.assert_array_equal(stored.array, np.clip(np.rint(truth), 0, 255))
    assert stored.clipped == (int((truth < 0).sum()), int((truth > 255).sum()), truth.size, 0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_outputs_that_no_tap_reaches_hold_the_bias(backend: str) -> None:
    """Stride 5, a kernel of 1 and a crop that leaves one row between two of the taps'."""
    spec = ConvSpec(transpose=True, stride=Pair(5, 5), padding=Pads(1, 4, 1, 4))
    result = transpose_convolve(np.ones((1, 2, 2)), np.ones((1, 1, 1, 1)), spec, Compute(backend), np.array([7.0]))
    np.testing.assert_array_equal(result.array, [[[7.0]]])
