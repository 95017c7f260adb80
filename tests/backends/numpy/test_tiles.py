"""Tiles: how they are filled, and how high they may be."""

from __future__ import annotations

from contextvars import copy_context
from threading import Thread

import numpy as np
import pytest
from numpy.typing import NDArray

from convcli.backends.numpy.job import direct
from convcli.backends.numpy.strategies import STRATEGIES, common, fft
from convcli.backends.numpy.tiles import FEW_COLUMNS, Buffers, Gather, cut, described, fill, filling, run
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.geometry import ZERO, Pads, Pair, Size
from convcli.kernels import parse
from convcli.pointwise.finish import Finish
from convcli.system.context import Context
from support.operations import convolve


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
    reads = Gather(np.array(rows))
    gather = Gather(np.array(columns), step, 1 if step > 1 else None, FEW_COLUMNS)
    scratch = np.full((2, len(rows), len(columns) * step), np.nan, np.float32)
    fill(scratch, image, reads, gather)
    np.testing.assert_array_equal(scratch, truth.reshape(scratch.shape))
    scratch[...] = np.nan
    found = filling(scratch, reads, [gather])
    inside = {*rows[reads.target], ZERO}
    assert (found is None) == (not {*rows} <= inside)
    if found is None:
        return
    for source, target in found.stretches:
        np.copyto(target, image[:, reads.source, source], "unsafe")
    run(found.border)
    np.testing.assert_array_equal(scratch, truth.reshape(scratch.shape))


def test_rows_of_one_kind() -> None:
    """They differ in where they lie only: tiles in the middle are one kind, those at the border are others."""
    rows = [Gather(np.arange(first, first + 5)) for first in (1, 7)]
    assert rows[0].kind == rows[1].kind
    border = Gather(np.array([1, 0, 1, 2, 3]))
    assert border.kind != rows[0].kind
    assert border.kind != Gather(np.array([ZERO, 0, 1, 2, 3])).kind


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


@pytest.mark.parametrize(
    ("output", "tile", "least", "heights", "widths"),
    [
        ((100, 40), (60, 40), 1, [60, 40], [40]),
        ((100, 40), (60, 40), 4, [25] * 4, [40]),  # lower, so that each of four threads has one
        ((100, 40), (10, 40), 4, [10] * 10, [40]),
        ((100, 90), (60, 40), 4, [60, 40], [40, 40, 10]),
        ((100, 90), (60, 40), 12, [25] * 4, [40, 40, 10]),
        ((3, 40), (60, 40), 8, [1] * 3, [40]),  # a row at least
    ],
)
def test_tiles_are_cut_for_as_many_threads(
    output: tuple[int, int], tile: tuple[int, int], least: int, heights: list[int], widths: list[int]
) -> None:
    strips, parts = cut(Size(*output), Size(*tile), least)
    assert [*map(len, strips)] == heights
    assert [*map(len, parts)] == widths
    assert [row for rows in strips for row in rows] == [*range(output[0])]
    assert [column for columns in parts for column in columns] == [*range(output[1])]


@pytest.mark.parametrize(
    ("output", "tile", "threads", "said"),
    [
        ((100, 40), (60, 40), 4, "2 strips of 60 rows, 2 threads"),
        ((100, 90), (60, 40), 1, "6 tiles of 60×40, 1 thread"),
        ((1, 40), (60, 40), 8, "1 strip of 1 row, 1 thread"),
    ],
)
def test_tiles_are_described(output: tuple[int, int], tile: tuple[int, int], threads: int, said: str) -> None:
    assert described(*cut(Size(*output), Size(*tile), 1), threads) == said
