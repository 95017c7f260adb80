"""Tiles: how they are filled, what a thread keeps of them, and how results are stored."""

from __future__ import annotations

from contextvars import copy_context
from itertools import product
from threading import Thread

import numpy as np
import pytest
from conftest import convolve, task_of, transpose_convolve
from numpy.typing import NDArray

from convcli.backends.numpy import blocks as runs
from convcli.backends.numpy import recipe as recipes
from convcli.backends.numpy.job import direct
from convcli.backends.numpy.strategies import STRATEGIES, common, fft, separable, toeplitz
from convcli.backends.numpy.tiles import Buffers, Columns, Rows, fill, filling, run
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.geometry import ZERO, Pads, Pair, Size
from convcli.kernels import parse
from convcli.pointwise.finish import Finish
from convcli.pointwise.ranges import Clipped, Known, store
from convcli.system.context import Context


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        ([0, 1, 2, 3], [0, 1, 2, 3, 4]),  # nothing outside
        ([2, 1, 0, 1, 2, 3, 2], [1, 0, 1, 2, 3, 4, 3]),  # reflected
        ([ZERO, 0, 1, ZERO], [ZERO, ZERO, 0, 1, 2, ZERO]),
        ([1, 2, 3, 0, 1], [3, 4, 0, 1, 2, 3, 4, 0]),  # circular: row 0 is not in the stretch
        ([0, 0, 0, 1, 2, 3, 3], [0, 0, 1, 2, 3, 4, 4]),
        ([3, 3], [4, 4, 4]),
        ([ZERO, ZERO], [ZERO, ZERO]),
    ],
)
@pytest.mark.parametrize("step", [1, 3])
def test_filled_as_the_index_map_says(rows: list[int], columns: list[int], step: int) -> None:
    """By either way: from the image, and by copies of what lies in the tile already."""
    image = np.random.default_rng(0).integers(1, 200, (2, 4, 5 * step), np.uint8)
    pixels = image.reshape(2, 4, 5, step)
    truth = np.zeros((2, len(rows), len(columns), step), np.float32)
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            if ZERO not in (row, column):
                truth[:, y, x] = pixels[:, row, column]
    reads, gather = Rows(np.array(rows)), Columns(np.array(columns), step)
    scratch = np.full((2, len(rows), len(columns) * step), np.nan, np.float32)
    fill(scratch, image, reads, gather)
    np.testing.assert_array_equal(scratch, truth.reshape(scratch.shape))
    scratch[...] = np.nan
    found = filling(scratch, reads, [gather])
    inside = {*rows[reads.target], ZERO}
    assert (found is None) == (not {*rows} <= inside)
    if found is None:
        return
    for part, target in found.stretches:
        np.copyto(target, part.stretch(image[:, reads.source]), "unsafe")
    run(found.border)
    np.testing.assert_array_equal(scratch, truth.reshape(scratch.shape))


def test_rows_of_one_kind() -> None:
    """They differ in where they lie only: tiles in the middle are one kind, those at the border are others."""
    rows = [Rows(np.arange(first, first + 5)) for first in (1, 7)]
    assert rows[0].kind == rows[1].kind
    border = Rows(np.array([1, 0, 1, 2, 3]))
    assert border.kind != rows[0].kind
    assert border.kind != Rows(np.array([ZERO, 0, 1, 2, 3])).kind


def test_what_a_thread_makes_lasts_as_long_as_its_arrays() -> None:
    buffers, one, other = Buffers(), object(), object()
    made: list[NDArray[np.float32]] = []

    def make() -> NDArray[np.float32]:
        made.append(buffers.get("values", (4,), "float32"))
        return made[-1]

    first = buffers.made(one, (1,), make)
    assert buffers.made(one, (1,), make) is first
    assert len(made) == 1
    buffers.get("values", (3,), "float32")
    assert buffers.made(one, (1,), make) is first
    buffers.get("values", (5,), "float32")  # another array: what was made of the old one is lost
    assert buffers.made(one, (1,), make) is not first
    assert len(made) == 2
    buffers.made(other, (1,), make)
    buffers.made(one, (1,), make)
    assert len(made) == 4


def test_every_thread_has_its_own() -> None:
    buffers, owner = Buffers(), object()
    found = []
    for _ in range(2):
        thread = Thread(target=lambda: found.append(buffers.made(owner, (), lambda: buffers.get("a", (2,), "int16"))))
        thread.start()
        thread.join()
    assert not np.shares_memory(*found)


@pytest.mark.parametrize("cache", [1, 3000, 40_000, 4 << 20])
def test_operations_in_any_order(cache: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept of one operation does not reach into another, or into the same on another image."""
    monkeypatch.setattr(common, "CACHE_BYTES", cache)
    generator = np.random.default_rng(0)
    kernels = {name: parse(name).kernels[0].values for name in ("sharpen", "gaussian:1", "box:5", "random:3", "disk:4")}
    images = [generator.integers(0, 256, shape, np.uint8) for shape in ((3, 40, 50), (3, 41, 50), (1, 7, 90))]
    with Context():  # which keeps recipes and buffers
        for _ in range(60):
            image = images[generator.integers(len(images))]
            name = [*kernels][generator.integers(len(kernels))]
            mode = ("zeros", "reflect", "replicate", "circular", "symmetric")[generator.integers(5)]
            spec = ConvSpec(padding=Pads(3, 9, 2, 60), padding_mode=mode, groups=len(image))
            weight = np.broadcast_to(kernels[name], (len(image), 1, *kernels[name].shape)).copy()
            plan = (None, "taps", "toeplitz", "separable", "fft", "gemm")[generator.integers(6)]
            kind = (np.uint8, np.float32)[generator.integers(2)]
            found = convolve(image.astype(kind), weight, spec, Compute("numpy", plan=plan))
            truth = convolve(image.astype(kind), weight, spec, Compute("reference"))
            np.testing.assert_allclose(found.array, truth.array, atol=2e-3)


def test_lines_longer_than_those_that_are_kept() -> None:
    """What lies behind them is neither stored nor counted, whatever it is."""
    values = np.array([[-3.0, 2.5, 300, np.nan], [1, 1.5, 255.4, -np.inf]], np.float32)
    out = np.empty((2, 3), np.uint8)
    assert store(values.copy(), 255.0, "clip", out) == Clipped(1, 1, 6, 0)
    np.testing.assert_array_equal(out, [[0, 2, 255], [1, 2, 255]])
    narrow = values[:, :3].copy()
    narrow[0, 1] = np.nan
    assert store(np.hstack([narrow, values[:, 3:]]), 255.0, "clip", out) == Clipped(1, 1, 6, 1)
    assert out[0, 1] == 0


def test_what_is_surely_within_is_not_clipped() -> None:
    """But for `surely` a value beyond the range would wrap around: 256 is 0 in 8 bits."""
    values, out = np.array([[256.0, 255.4, -0.4]], np.float32), np.empty((1, 3), np.uint8)
    store(values.copy(), 255.0, "clip", out, False, Known(within=True, surely=False, finite=True))
    np.testing.assert_array_equal(out, [[255, 255, 0]])
    store(values[:, 1:].copy(), 255.0, "clip", out[:, 1:], False, Known(within=True, surely=True, finite=True))
    np.testing.assert_array_equal(out[:, 1:], [[255, 0]])


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("name", ["gaussian:1", "gaussian:4", "box:9", "disk:7", "binomial:5", "motion:9,30"])
@pytest.mark.parametrize("plan", ["taps", "toeplitz", "separable", "fft", "gemm", "prefix"])
def test_white_stays_white(kind: str, name: str, plan: str) -> None:
    """The largest sum that there can be, with all its rounding, in whatever order."""
    white = np.iinfo(kind).max
    kernel = parse(name).kernels[0].values[np.newaxis, np.newaxis]
    image = np.full((1, 60, 70), white, kind)
    if plan == "prefix" and name not in ("box:9", "disk:7"):
        return
    finish = Finish(dtype=kind, full_scale=float(white))
    spec = ConvSpec(padding="same-upper", padding_mode="replicate")
    result = convolve(image, kernel, spec, Compute("numpy", plan=plan), None, finish)
    assert (result.array == white).all()


@pytest.mark.parametrize("plan", ["taps", "toeplitz", "separable", "gemm"])
def test_what_lies_behind_the_lines_does_not_grow(plan: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results are scaled tile after tile in the same memory; what another operation has left there is not."""
    monkeypatch.setattr(common, "CACHE_BYTES", 20_000)
    generator = np.random.default_rng(0)
    kernel, spec = generator.random((1, 1, 3, 3)), ConvSpec()
    convolve(generator.random((1, 900, 400), np.float32), kernel, spec, Compute("numpy", plan="taps"))
    finish = Finish(dtype="uint16", full_scale=65535.0, scale=257.0)
    image = generator.integers(0, 256, (1, 900, 400), np.uint8)
    convolve(image, kernel, spec, Compute("numpy", plan=plan, threads=1), None, finish)  # warnings are errors


@pytest.mark.parametrize("plan", STRATEGIES)
@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("kind", ["uint8", "float32"])
@pytest.mark.parametrize("piece", [None, Size(3, 7)])
def test_either_way_of_a_horizontal_stride(
    plan: str, dense: bool, interleaved: bool, kind: str, piece: Size | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Columns in classes, and all columns of which some are kept: whole lines and pieces, at every remainder of the stride."""
    weigh = recipes._weighed
    monkeypatch.setattr(recipes, "_weighed", lambda ways, key: weigh(ways[-1:] if dense else ways[:1], key))
    if piece:
        monkeypatch.setattr(STRATEGIES[plan], "tile", lambda job, itemsize: piece)
    generator = np.random.default_rng(0)
    flat = plan == "prefix"
    for stride, width, size, dilation in product((2, 3, 4), (29, 30, 31), ((3, 3), (1, 4), (5, 2)), (1, 2)):
        kernel = 2.0 * (generator.random(size) < 0.7) if flat else generator.integers(-3, 4, size).astype(float)
        pixels = generator.integers(0, 256, (17, width, 3)).astype("uint8" if flat else kind).transpose(2, 0, 1)
        image = pixels if interleaved else np.ascontiguousarray(pixels)
        weight = np.broadcast_to(kernel, (3, 1, *size)).copy()
        spec = ConvSpec(
            padding=Pads(2, 3, 1, 2),
            padding_mode="reflect",
            stride=Pair(2, stride),
            dilation=Pair(1, dilation),
            groups=3,
        )
        found = convolve(image, weight, spec, Compute("numpy", plan=plan, threads=2))
        truth = convolve(image, weight, spec, Compute("reference"))
        np.testing.assert_allclose(found.array, truth.array, atol=1e-2)
        assert ("all columns" in found.plan) == dense


@pytest.mark.parametrize(
    ("name", "stride", "thin"),
    [
        ("random:3", 2, 2),
        ("sharpen", 3, 3),
        ("gaussian:12", 2, 1),  # whose passes along the rows are long
        ("random:3", 50, 1),  # of which most would be left out
    ],
)
def test_a_stride_takes_the_cheaper_way(name: str, stride: int, thin: int) -> None:
    """Where all columns are computed, nothing lies apart but what is kept; and a tile is as wide as before."""
    image = np.zeros((480, 640, 3), np.uint8).transpose(2, 0, 1)
    kernel = parse(name).kernels[0].values
    spec = ConvSpec(stride=Pair(stride, stride), groups=3)
    with Context() as context:
        result = convolve(image, np.broadcast_to(kernel, (3, 1, *kernel.shape)).copy(), spec, Compute("numpy"))
        (recipe,) = context.kept(recipes.Recipes, recipes.Recipes)._kept.values()
    assert (recipe.job.thin, recipe.job.step) == ((thin, 3) if thin > 1 else (1, 1))
    assert (f"all columns, 1 of {thin} kept" in result.plan) == (thin > 1)
    assert len({columns for _, columns in recipe.tiles}) == 1


def test_an_image_that_is_all_width_is_not_computed_whole() -> None:
    """The index map of all columns would be four times as long as the image."""
    image = np.zeros((1, 1, 4 * recipes.MOST_COLUMNS), np.uint8)
    for stride in (4, 3):
        geometry = ConvSpec(stride=Pair(stride, stride)).resolve((1, image.shape[2]), (1, 1))
        task = task_of(image[np.newaxis], np.ones((1, 1, 1, 1)), geometry)
        assert recipes.recipe_of(task).job.thin == 1


def test_threads_are_used_where_they_gain() -> None:
    """Many short calls wait for Python's lock more than they compute."""
    image = np.zeros((512, 512, 3), np.uint8).transpose(2, 0, 1)

    def plan(name: str, spec: ConvSpec) -> str:
        kernel = parse(name).kernels[0].values
        weight = np.broadcast_to(kernel, (3, 1, *kernel.shape)).copy()
        act = transpose_convolve if spec.transpose else convolve
        return act(image, weight, spec, Compute("numpy", threads=2, plan="taps")).plan

    assert plan("random:5", ConvSpec(groups=3)).endswith("2 threads")
    assert plan("random:9", ConvSpec(transpose=True, stride=Pair(8, 8), groups=3)).endswith("1 thread")


@pytest.mark.parametrize(("width", "distinct"), [(3000, 2), (3000, 3), (4095, 3), (4096, 3), (9000, 3), (50, 1)])
def test_tiles_are_of_whole_blocks(width: int, distinct: int) -> None:
    kernel = np.array([[1.0, 2, 1], [3, 4, 3], [5, 7, 5]]) if distinct == 2 else np.arange(9.0).reshape(3, 3) + 1
    kernel = kernel[:, :1] if distinct == 1 else kernel
    geometry = ConvSpec(padding="same-upper").resolve((4000, width), kernel.shape)
    job = direct(kernel[np.newaxis, np.newaxis], None, geometry, 1, np.dtype(np.uint8), interleaved=False)
    size = toeplitz.tile(job, 4)
    part = job.part(range(size.width))
    assert size.height % toeplitz.rows_of(job, part.line) == 0


def test_operations_in_several_threads() -> None:
    """The engine called by four at once, each of which shares its work with others."""
    generator = np.random.default_rng(0)
    image = generator.integers(0, 256, (3, 300, 200), np.uint8)
    weights = [generator.standard_normal((3, 1, size, size)) for size in (3, 5, 9, 15)]
    spec = ConvSpec(padding="same-upper", groups=3)
    truth = [convolve(image, weight, spec, Compute("reference")).array for weight in weights]
    wrong: list[int] = []

    def work(number: int) -> None:
        for turn in range(8):
            which = (number + turn) % len(weights)
            found = convolve(image, weights[which], spec, Compute("numpy", threads=2)).array
            if not np.allclose(found, truth[which], atol=1e-2):
                wrong.append(which)

    with Context():  # the four share what it keeps
        threads = [Thread(target=copy_context().run, args=(work, number)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dilation", [1, 3])
def test_lines_that_are_folded_some_rows_at_a_time(stride: int, dilation: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tile is done in several goes, the last of them lower."""
    monkeypatch.setattr(separable, "FOLD_BYTES", 1)
    image = np.random.default_rng(0).integers(0, 256, (31, 1500, 3), np.uint8).transpose(2, 0, 1)
    weight = np.broadcast_to(parse("gaussian:1").kernels[0].values, (3, 1, 7, 7)).copy()
    spec = ConvSpec(groups=3, stride=Pair(stride, 1), dilation=Pair(dilation, dilation), padding=Pads(5, 6, 3, 2))
    truth = convolve(image, weight, spec, Compute("reference")).array
    found = convolve(image, weight, spec, Compute("numpy", plan="separable")).array
    np.testing.assert_allclose(found, truth, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("threads", [1, 2])
def test_tiles_are_given_to_the_threads_of_the_plan(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    real = runs.run_all
    monkeypatch.setattr(runs, "run_all", lambda work, items, count: (given.append(count), real(work, items, count)))
    image = np.zeros((3, 1200, 1600), np.uint8)
    weight = np.random.default_rng(0).random((3, 1, 9, 9))
    result = convolve(image, weight, ConvSpec(groups=3), Compute("numpy", threads=threads))
    assert given == [threads]
    assert result.plan.endswith(f"{threads} thread{'s' * (threads > 1)}")


@pytest.mark.parametrize("most", fft.SIDES)
def test_a_lower_tile_fits_all_that_it_reads(most: int) -> None:
    for need in range(1, most + 1):
        assert need <= fft.fitted(most, need) <= most


@pytest.mark.parametrize("plan", [plan for plan in STRATEGIES if plan != "prefix"])
def test_a_tile_holds_little_of_what_a_row_stride_leaves_out(plan: str) -> None:
    """Else a layer with a stride of a hundred million, which computes seven rows, would ask for all that lies between."""
    spec = ConvSpec(stride=Pair(10**8, 1), padding=Pads(3 * 10**8, 3 * 10**8, 1, 1), padding_mode="reflect")
    weight = np.random.default_rng(1).random((4, 3, 3, 3))
    job = direct(weight, None, spec.resolve((64, 50), (3, 3)), 1, np.dtype(np.float32), interleaved=False)
    size = STRATEGIES[plan].tile(job, 4)
    rows = job.input_rows(range(size.height))
    assert 4 * job.gathered * (rows.stop - rows.start) * job.line < 100 << 20
