"""One recipe, whatever the blocks and the threads: the same values to the bit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from convcli import engine
from convcli.backends.numpy import blocks as runs
from convcli.backends.numpy.recipe import recipe_of
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.errors import BackendError
from convcli.geometry import Pads, Pair, Size
from convcli.kernels import parse
from convcli.layer import Layer as Weights
from convcli.pointwise.finish import Finish
from convcli.pointwise.lift import Restore
from convcli.pointwise.ranges import NOTHING, Clipped, wider
from convcli.windows import WHOLE, blocks
from support.layers import Layer, layers
from support.operations import ALWAYS, convolve, small_tiles, task_of


@dataclass
class Windowed:
    """A source that hands out copies of windows and notes how large they were."""

    array: NDArray[Any]
    interleaved: bool = False
    read_pixels: list[int] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.array.shape  # type: ignore[return-value]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    nbytes = 0

    def read(self, image: int, rows: slice = WHOLE, columns: slice = WHOLE) -> NDArray[Any]:
        window = self.array[image, :, rows, columns]
        self.read_pixels.append(window[0].size)
        if not self.interleaved:
            return window.copy()
        return np.ascontiguousarray(window.transpose(1, 2, 0)).transpose(2, 0, 1)


class Joined:
    """Blocks side by side."""

    def __init__(self, work: runs.Blockwise, size: Size) -> None:
        self.work = work
        self.blocks = [work.block(*place) for place in blocks(work.task.geometry.output, size)]

    def run(self) -> tuple[NDArray[Any], Clipped]:
        """The whole result, and the counts of all blocks. The last blocks come first."""
        finish, (height, width) = self.work.task.finish, self.work.task.geometry.output
        if finish.looks:
            finish = finish.stretching(wider(NOTHING, *map(self.work.look, self.blocks)))
        out, counts = None, []
        for block in reversed(self.blocks):
            part, clipped = self.work.emit(block, finish)
            if out is None:
                out = np.full((*part.shape[:2], height, width), 77, part.dtype)
            assert part.shape[-2:] == (len(block.rows), len(block.columns))
            out[..., block.rows.start : block.rows.stop, block.columns.start : block.columns.stop] = part
            counts.append(clipped)
        assert out is not None
        return out, Clipped.sum(*counts)


def in_blocks(image: NDArray[Any], interleaved: bool, size: Size, layer: Weights, spec: ConvSpec, **how: Any) -> Joined:
    return Joined(engine.in_blocks(Windowed(image, interleaved), layer, spec, **how), size)


def check(layer: Layer, compute: Compute, finish: Finish, size: Size) -> None:
    """Blocks against the whole, bit for bit."""
    image = layer.image if layer.image.ndim == 4 else layer.image[np.newaxis]
    whole = engine.run(image, layer.layer, layer.spec, compute, finish)
    interleaved = layer.interleaved and layer.channels > 1
    found, clipped = in_blocks(
        image, interleaved, size, layer.layer, layer.spec, compute=compute, finish=finish
    ).run()  # fmt: skip
    assert clipped == whole.clipped
    np.testing.assert_array_equal(found, whole.array)


@given(
    layer=layers(),
    block=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    plan=st.sampled_from((None, *ALWAYS)),
    finish=st.sampled_from(
        (Finish(), Finish(dtype="uint8", count=True), Finish(dtype="uint8", policy="minmax", count=True))
    ),
    size=st.sampled_from((1, 300, 3000, 1 << 20)),
)
def test_blocks_are_the_whole(
    layer: Layer, block: tuple[int, int], plan: str | None, finish: Finish, size: int
) -> None:
    with small_tiles(size):
        check(layer, Compute("numpy", plan=plan, threads=1), finish, Size(*block))


@given(
    layer=layers(),
    plan=st.sampled_from((None, *ALWAYS)),
    finish=st.sampled_from((Finish(), Finish(dtype="uint8", count=True), Finish(dtype="uint8", policy="minmax"))),
    size=st.sampled_from((1, 300, 3000, 1 << 20)),
    threads=st.sampled_from((1, 3)),
    kept=st.booleans(),
)
def test_rows_that_are_told_of_are_finished(
    layer: Layer, plan: str | None, finish: Finish, size: int, threads: int, kept: bool
) -> None:
    """Each at most once; for a batch and for results that are looked at first, none."""
    told: list[tuple[range, NDArray[Any]]] = []
    with small_tiles(size), pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "KEPT_BYTES", runs.KEPT_BYTES if kept else 0)
        call = engine.prepare(
            layer.image, layer.layer, layer.spec, Compute("numpy", plan=plan, threads=threads), finish
        )
        watch = lambda picture, rows: told.append((rows, picture[:, rows.start : rows.stop].copy()))
        result = call._replace(task=call.task._replace(watch=watch)).run()
    one = layer.image.ndim == 3 or len(layer.image) == 1
    assert one or not told
    assert not (told and finish.looks and kept)
    array = result.array if result.array.ndim == 3 else result.array[0] if one else np.empty((0, 0, 0))
    for rows, values in told:
        np.testing.assert_array_equal(values, array[:, rows.start : rows.stop])
    rows = sorted(row for rows, _ in told for row in rows)
    assert rows == sorted(set(rows))
    if one and layer.spec.stride == (1, 1) and not (finish.looks and kept):
        assert rows == [*range(array.shape[1])]


def test_an_error_of_what_is_told_ends_the_computation() -> None:
    def fails(_picture: NDArray[Any], rows: range) -> None:
        raise OSError(str(len(rows)))

    spec = ConvSpec()
    layer = Weights.of(np.ones((1, 1, 3, 3)), spec)
    call = engine.prepare(np.zeros((1, 400, 300), np.uint8), layer, spec, Compute("numpy"))
    with pytest.raises(OSError, match=r"[0-9]+"):
        call._replace(task=call.task._replace(watch=fails)).run()


@pytest.mark.parametrize("size", [(700, 900), (40, 50)])
@pytest.mark.parametrize("kernel", ["gaussian:1", "log:2"])
def test_blocks_of_a_picture_with_alpha_are_the_whole(kernel: str, size: tuple[int, int]) -> None:
    """The extremes of its colours alone are stretched: by the plan of the whole, wherever real results are kept."""
    image = np.random.default_rng(0).integers(0, 256, (1, *size, 4), np.uint8).transpose(0, 3, 1, 2)
    values = parse(kernel).kernels[0].values
    spec = ConvSpec(groups=4)
    layer = Weights.of(np.tile(values[np.newaxis, np.newaxis], (4, 1, 1, 1)), spec)
    finish = Finish(dtype="uint8", policy="minmax", count=True, restore=Restore(255.0, alpha=True))
    whole = engine.run(image, layer, spec, Compute("numpy"), finish)
    blocks = in_blocks(image, True, Size(17, 31), layer, spec, finish=finish)
    assert blocks.work.recipe.text == whole.plan
    np.testing.assert_array_equal(blocks.run()[0], whole.array)


def test_blocks_that_no_tap_reaches_read_nothing() -> None:
    spec = ConvSpec(transpose=True, stride=Pair(9, 9), padding=Pads(1, 1, 1, 1))
    layer = Weights.of(np.ones((1, 1, 1, 1)), spec, np.array([3.0]))
    source = Windowed(np.ones((1, 1, 1, 1)))
    blocks = Joined(engine.in_blocks(source, layer, replace(spec, output_padding=Pair(8, 8))), Size(2, 3))
    found, _ = blocks.run()
    assert len(blocks.blocks) == 12
    assert not source.read_pixels
    assert found.shape == (1, 1, 7, 7)
    assert (found == 3).all()


def test_a_block_reads_its_window_alone() -> None:
    """Of a large picture, a block needs about as many pixels as it has."""
    image = np.random.default_rng(0).integers(0, 256, (1, 3, 2000, 1500), np.uint8)
    spec = ConvSpec(padding=Pads(1, 1, 1, 1), padding_mode="reflect", groups=3)
    layer = Weights.of(np.random.default_rng(1).normal(size=(3, 1, 3, 3)), spec)
    source = Windowed(image)
    blocks = Joined(engine.in_blocks(source, layer, spec, finish=Finish(dtype="uint8")), Size(200, 10**6))
    found, _ = blocks.run()
    assert len(blocks.blocks) == 10
    assert max(source.read_pixels) < 1500 * 600
    np.testing.assert_array_equal(found, engine.run(image, layer, spec, Compute("numpy"), Finish(dtype="uint8")).array)


def test_a_block_is_done_by_one_thread() -> None:
    """Other threads do other blocks: if each took all processors for its tiles, they would wait for each other."""
    spec = ConvSpec()
    layer = Weights.of(np.ones((1, 1, 3, 3)), spec)
    work = engine.in_blocks(Windowed(np.zeros((1, 1, 1900, 1800))), layer, spec, Compute(threads=4))
    assert work.whole.recipe.threads == 4
    assert work.block(range(512), range(78)).recipe.threads == 1


@pytest.mark.parametrize(
    ("how", "what"), [({"backend": "torch"}, "backend 'torch'"), ({"device": "cuda"}, "device 'cuda'")]
)
def test_other_backends_need_the_whole(how: dict[str, str], what: str) -> None:
    spec = ConvSpec()
    layer = Weights.of(np.ones((1, 1, 3, 3)), spec)
    with pytest.raises(BackendError, match=f"{what} needs the whole picture"):
        engine.in_blocks(Windowed(np.zeros((1, 1, 9, 8))), layer, spec, Compute(**how))


@pytest.mark.parametrize("plan", [None, *ALWAYS])
@pytest.mark.parametrize("size", [(600, 900), (64, 80)])
@pytest.mark.parametrize("side", [3, 41])
def test_results_do_not_depend_on_threads(plan: str | None, size: tuple[int, int], side: int) -> None:
    generator = np.random.default_rng(3)
    image = generator.normal(size=(1, *size)).astype(np.float32)
    spec = ConvSpec()
    layer = Weights.of(generator.normal(size=(1, 1, side, side)), spec)
    if plan == "gemm" and side == 41 and size[0] == 600:
        pytest.skip("ten seconds")
    found = [engine.run(image, layer, spec, Compute("numpy", threads=threads, plan=plan)) for threads in (1, 2, 3, 8)]
    for other in found[1:]:
        np.testing.assert_array_equal(other.array, found[0].array)
        assert other.plan.partition(", ")[0] == found[0].plan.partition(", ")[0]


@given(layer=layers(), threads=st.integers(2, 16))
def test_nor_does_any_operation(layer: Layer, threads: int) -> None:
    one = layer.run("numpy", threads=1)
    many = layer.run("numpy", threads=threads)
    np.testing.assert_array_equal(many.array, one.array)


@pytest.mark.parametrize(("channels", "size"), [(8, 300), (64, 128), (3, 1200)])
def test_nor_does_the_backend_that_auto_takes(channels: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.zeros((channels, size, size), np.float32)
    spec = ConvSpec()
    layer = Weights.of(np.ones((channels, channels, 3, 3), np.float32), spec)
    calls = [engine.prepare(image, layer, spec, Compute("auto", threads=threads)) for threads in (1, 2, 16)]
    assert len({call.backend for call in calls}) == 1


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


@pytest.mark.parametrize(
    ("scale", "span", "rounding", "known"),
    [
        (1.0, (0.0, 255.0), 0.1, (True, True, True)),
        (1.0, (0.0, 255.0), 0.3, (True, False, True)),  # 255.6 would be 256, which is 0 in 8 bits
        (257.0, (0.0, 255.0), 0.1, (True, False, True)),  # in units of 16 bits
        (257.0, (0.0, 255.0), 0.0007, (True, True, True)),
        (1.0, (-1.0, 255.0), 0.1, (False, False, True)),
        (1.0, (0.0, 256.0), 0.1, (False, False, True)),
        (1.0, (0.0, 1e29), 0.1, (False, False, True)),
        (1.0, (-1e31, 0.0), 0.1, (False, False, False)),  # there may have been an infinity less an infinity
    ],
)
def test_what_need_not_be_checked(
    scale: float, span: tuple[float, float], rounding: float, known: tuple[bool, bool, bool]
) -> None:
    """Whether results are within the range, surely so with their rounding, and no NaN."""
    white = 255.0 * scale
    finish = Finish(dtype="uint8" if white == 255 else "uint16", full_scale=white, scale=scale)
    geometry = ConvSpec().resolve((6, 7), (1, 1))
    task = task_of(np.zeros((1, 1, 6, 7), np.uint8), np.ones((1, 1, 1, 1)), geometry, finish=finish)
    recipe = recipe_of(task)._replace(span=span, rounding=rounding)
    block = runs.Block(range(6), range(7), (WHOLE, WHOLE), recipe)
    assert runs.BlockOutput(task, block).known == known
