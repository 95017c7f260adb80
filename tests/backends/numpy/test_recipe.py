"""Recipes: the way in which a horizontal stride is computed."""

from __future__ import annotations

from contextvars import copy_context
from itertools import product
from pathlib import Path
from threading import Barrier, Thread

import numpy as np
import pytest
from PIL import Image

from convcli.backends.numpy import recipe as recipes
from convcli.backends.numpy.strategies import STRATEGIES
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.geometry import Pads, Pair, Size
from convcli.kernels import parse
from convcli.system.context import Context
from support.cli import done
from support.operations import convolve, task_of, transpose_convolve


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


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("kind", ["uint8", "float32"])
@pytest.mark.parametrize("piece", [None, Size(3, 4)])
def test_either_way_of_horizontal_phases(
    wide: bool, interleaved: bool, kind: str, piece: Size | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An output plane for each phase, and all phases in one line: whole lines and pieces, also where a phase has no tap."""
    weigh = recipes._weighed
    monkeypatch.setattr(recipes, "_weighed", lambda ways, key: weigh(ways[-1:] if wide else ways[:1], key))
    if piece:
        monkeypatch.setattr(STRATEGIES["separable"], "tile", lambda job, itemsize: piece)
    generator = np.random.default_rng(0)
    sizes = ((3, 3), (1, 4), (8, 12), (2, 1))
    for stride, width, size, dilation in product((2, 3, 5, 40), (1, 13), sizes, (1, 2, 3)):
        pixels = generator.integers(0, 256, (7, width, 3)).astype(kind).transpose(2, 0, 1)
        if kind == "float32":
            pixels[1, 3, width // 2] = np.nan  # reaches the outputs of its taps only
        image = pixels if interleaved else np.ascontiguousarray(pixels)
        for rank in (1, 4):
            kernel = generator.integers(-3, 4, (size[0], rank)) @ generator.integers(-3, 4, (rank, size[1])) / 8
            spec = ConvSpec(
                transpose=True, stride=Pair(3, stride), padding=Pads(1, 0, 0, 1), dilation=Pair(1, dilation), groups=3,
                output_padding=Pair(1, 1),
            )  # fmt: skip
            weight = np.broadcast_to(kernel, (3, 1, *size)).copy()
            bias = np.full(3, 0.5) if interleaved else np.arange(3.0)
            if spec.resolve((7, width), size).output.height < 1 or spec.resolve((7, width), size).output.width < 1:
                continue
            found = transpose_convolve(image, weight, spec, Compute("numpy", plan="separable", threads=2), bias=bias)
            truth = transpose_convolve(image, weight, spec, Compute("reference"), bias=bias)
            np.testing.assert_allclose(found.array, truth.array, atol=1e-2)


@pytest.mark.parametrize("factor", [3, 4, 8, 16, 32])
def test_pictures_are_enlarged_line_by_line(factor: int) -> None:
    """A line holds all its phases: to put each phase in its place takes up to a hundred times as long as to compute it."""
    image = np.zeros((300, 400, 3), np.uint8).transpose(2, 0, 1)
    kernel = parse(f"bilinear:{factor}").kernels[0].values
    spec = ConvSpec(transpose=True, stride=Pair(factor, factor), groups=3)
    with Context() as context:
        result = transpose_convolve(
            image, np.broadcast_to(kernel, (3, 1, *kernel.shape)).copy(), spec, Compute("numpy")
        )
        (recipe,) = context.kept(recipes.Recipes, recipes.Recipes)._kept.values()
    assert recipe.job.widen == factor
    assert f"separable: {factor**2} phases, rank 1" in result.plan


def test_an_image_that_is_all_width_is_not_computed_whole() -> None:
    """The index map of all columns would be four times as long as the image."""
    image = np.zeros((1, 1, 4 * recipes.MOST_COLUMNS), np.uint8)
    for stride in (4, 3):
        geometry = ConvSpec(stride=Pair(stride, stride)).resolve((1, image.shape[2]), (1, 1))
        task = task_of(image[np.newaxis], np.ones((1, 1, 1, 1)), geometry)
        assert recipes.recipe_of(task).job.thin == 1


def test_the_oldest_recipes_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "CACHED_RECIPES", 3)
    with Context() as context:
        for side in (5, 6, 7, 8, 9):
            convolve(np.zeros((1, side, side), np.uint8), np.ones((1, 1, 3, 3)), ConvSpec(), Compute("numpy"))
        kept = context.kept(recipes.Recipes, recipes.Recipes)._kept
    assert [key.geometry.input.height for key in kept] == [7, 8, 9]


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[recipes.Key]:
    """What was planned, in this order."""
    keys: list[recipes.Key] = []
    weigh = recipes._weighed
    monkeypatch.setattr(recipes, "_weighed", lambda ways, key: (keys.append(key), weigh(ways, key))[1])
    return keys


def test_a_large_recipe_is_planned_once_for_the_choice_and_the_run(planned: list[recipes.Key]) -> None:
    kernel = np.random.default_rng(0).random((1, 1, 200, 200))

    def run(side: int) -> int:
        result = convolve(np.zeros((1, side, side), np.uint8), kernel, ConvSpec(), Compute("auto"))
        assert (result.backend, "predicted" in result.reason) == ("numpy", True)
        return len(planned)

    assert run(300) == 1  # also without a context
    with Context() as context:
        assert run(300) == 2
        assert not context.kept(recipes.Recipes, recipes.Recipes)._kept  # where small ones are
        assert run(300) == run(300) == 2
        assert run(310) == 3
        assert run(300) == 4  # each thread keeps one


def test_a_large_recipe_is_planned_once_for_a_film(planned: list[recipes.Key], tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((300, 300), 60 * number, np.uint8)) for number in range(3)]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    np.save(tmp_path / "kernel.npy", np.random.default_rng(0).random((200, 200)) / 20_000)
    ended = done("apply", tmp_path / "film.gif", "-k", tmp_path / "kernel.npy", "-o", tmp_path / "out.gif", "--json")
    assert ended.json["frames"] == 3
    assert len(planned) == 1


def test_every_thread_keeps_a_large_recipe_of_its_own(planned: list[recipes.Key]) -> None:
    """Of images of different sizes that are computed at the same time."""
    kernel = np.random.default_rng(0).random((1, 1, 200, 200))
    turn = Barrier(2)

    def work(side: int) -> None:
        for _ in range(3):
            convolve(np.zeros((1, side, side), np.uint8), kernel, ConvSpec(), Compute("numpy", threads=1))
            turn.wait(60)

    with Context():
        threads = [Thread(target=copy_context().run, args=(work, side)) for side in (300, 310)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(planned) == 2
