"""Planning takes no longer than what it may save: it is bounded in steps, whatever of an operation is many.

Steps are counted as bytecode instructions of the planner's own modules, which depend on no clock.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from convcli.backends.numpy import recipe
from convcli.backends.numpy.job import direct
from convcli.backends.numpy.strategies import STRATEGIES, taps
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.geometry import Pair, Size
from convcli.kernels import parse
from support.operations import convolve, task_of

FEW, MOST = 300_000, 3_000_000
"""Instructions for planning where little has to be looked for, and where a search takes all that it may: about 5 and 50 ms."""


class Case(NamedTuple):
    """An operation: image ``(C, H, W)``, weight, and how it is applied."""

    image: NDArray[Any]
    weight: NDArray[np.float64]
    spec: ConvSpec


def image(channels: int, size: tuple[int, int] = (8, 8), kind: str = "float32") -> NDArray[Any]:
    return np.random.default_rng(channels).integers(0, 200, (channels, *size)).astype(kind)


def each(kernels: NDArray[np.float64], channels: int, kind: str = "float32", **more: Any) -> Case:
    """Kernels ``(F, kh, kw)`` on every channel by itself."""
    return Case(
        image(channels, kind=kind),
        np.tile(kernels[:, np.newaxis], (channels, 1, 1, 1)),
        ConvSpec(groups=channels, **more),
    )


def named(name: str, channels: int, kind: str = "float32") -> Case:
    return each(np.stack([kernel.values for kernel in parse(name).kernels]), channels, kind)


def layer(shape: tuple[int, int, int, int], values: Callable[[np.random.Generator], Any], kind: str = "float32", groups: int = 1,
          size: tuple[int, int] = (8, 8)) -> Case:  # fmt: skip
    weight = np.broadcast_to(np.asarray(values(np.random.default_rng(7)), np.float64), shape).copy()
    return Case(image(shape[1] * groups, size, kind), weight, ConvSpec(groups=groups))


def enlarged(kernel: NDArray[np.float64], stride: int, channels: int, kind: str = "float32") -> Case:
    case = each(kernel[np.newaxis], channels, kind)
    return case._replace(spec=ConvSpec(groups=channels, stride=Pair(stride, stride), transpose=True))


def steps(case: Case, limit: int, plan: str | None = None) -> int:
    """Instructions that it takes to plan an operation; no more than `limit` are waited for."""
    spec, count = case.spec, 0
    geometry = spec.resolve(Size(*case.image.shape[1:]), Size(*case.weight.shape[2:]))
    task = task_of(case.image[np.newaxis], case.weight, geometry, spec.groups, threads=1, plan=plan)

    def inside(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        count += event == "opcode"
        if count > limit:
            raise AssertionError(f"more than {limit} steps in {frame.f_code.co_qualname}")
        return inside

    def entered(frame: FrameType, _: str, __: Any) -> Any:
        if "backends/numpy" not in frame.f_code.co_filename.replace("\\", "/"):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return inside

    before = sys.gettrace()
    sys.settrace(entered)
    try:
        recipe.recipe_of(task)
    finally:
        sys.settrace(before)
    return count


EQUAL = {
    "box:3": lambda channels, kind: named("box:3", channels, kind),
    "sobel": lambda channels, kind: named("sobel", channels, kind),
    "laplacian:8": lambda channels, kind: named("laplacian:8", channels, kind),
    "average of 4": lambda channels, kind: each(np.full((1, 2, 2), 0.25), channels, kind),
    "average of 9": lambda channels, kind: each(np.full((1, 3, 3), 1 / 9), channels, kind),
}


@pytest.mark.parametrize("kind", ["float32", "uint8"])
@pytest.mark.parametrize("name", [*EQUAL])
def test_512_equal_channels(name: str, kind: str) -> None:
    found = steps(EQUAL[name](512, kind), FEW)
    assert found < 2 * steps(EQUAL[name](256, kind), FEW) + 20_000


@pytest.mark.parametrize("plan", [*STRATEGIES])
def test_512_equal_channels_under_every_plan(plan: str) -> None:
    steps(EQUAL["sobel"](512, "uint8"), FEW, plan)


@pytest.mark.parametrize("name", [*EQUAL])
def test_512_equal_channels_are_filtered_as_by_the_reference(name: str) -> None:
    case = EQUAL[name](512, "uint8")
    truth = convolve(case.image, case.weight, case.spec, Compute("reference")).array
    for plan in (None, "taps"):
        found = convolve(case.image, case.weight, case.spec, Compute("numpy", plan=plan)).array
        np.testing.assert_allclose(found, truth, atol=2e-4)


def small(generator: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Small integers, of which many are equal, or 0."""
    return np.rint(1.2 * generator.standard_normal(shape))


MANY = {
    "bank of 640": lambda: layer((640, 1, 3, 3), lambda generator: small(generator, (640, 1, 3, 3)), size=(64, 64)),
    "bank of 640 on pixels": lambda: layer((640, 1, 3, 3), lambda generator: small(generator, (640, 1, 3, 3)), "uint8"),
    "bank of 160 signs": lambda: layer((160, 1, 4, 4), lambda generator: generator.choice([-1, 1], (160, 1, 4, 4))),
    "bank of 160 scattered": lambda: layer(
        (160, 1, 31, 31), lambda generator: generator.random((160, 1, 31, 31)) < 0.012, size=(40, 40)
    ),
    "bank of 160 flat": lambda: layer(
        (160, 1, 31, 31), lambda generator: generator.random((160, 1, 31, 31)) < 0.5, "uint8", size=(40, 40)
    ),
    "bank of 600 shifts": lambda: layer(
        (600, 1, 25, 25), lambda _: np.eye(625)[:600].reshape(600, 1, 25, 25), "uint8", size=(30, 30)
    ),
    "512 channels that differ": lambda: layer(
        (512, 1, 3, 3), lambda generator: small(generator, (512, 1, 3, 3)), "uint8", groups=512
    ),
    "2000 groups": lambda: layer((2000, 1, 3, 3), lambda generator: generator.random((2000, 1, 3, 3)), groups=2000),
    "2000 groups of two kinds": lambda: layer(
        (4000, 1, 3, 3), lambda _: np.tile(np.stack([np.ones((1, 3, 3)), np.eye(3)[np.newaxis]]), (2000, 1, 1, 1)), groups=2000
    ),
    "512 to 512, flat": lambda: layer((512, 512, 3, 3), lambda _: 1, "uint8"),
    "512 to 512, one tap": lambda: layer((512, 512, 1, 1), lambda _: np.eye(512)[:, :, np.newaxis, np.newaxis]),
    "512 to 512, 16 taps": lambda: layer((512, 512, 1, 1), lambda _: np.kron(np.eye(32), np.ones((16, 16)))[..., None, None]),
    "64² phases": lambda: enlarged(parse("bilinear:64").kernels[0].values, 64, 1),
    "32² phases of one weight": lambda: enlarged(np.ones((64, 64)), 32, 1),
    "16² phases of 64 channels": lambda: enlarged(parse("bilinear:16").kernels[0].values, 16, 64, "uint8"),
    "64² phases of 8 channels": lambda: enlarged(np.ones((128, 128)), 64, 8, "uint8"),
    "holes of 301²": lambda: layer(
        (1, 1, 301, 301), lambda generator: generator.random((1, 1, 301, 301)) < 0.5, "uint8", size=(320, 320)
    ),
    "16 of 301²": lambda: layer((16, 1, 301, 301), lambda generator: generator.random((16, 1, 301, 301)), size=(320, 320)),
    "a line of 5000": lambda: layer((1, 1, 1, 5000), lambda generator: generator.random((1, 1, 1, 5000)), size=(8, 6000)),
    "a flat block of 200×2000": lambda: layer((1, 1, 200, 2000), lambda _: 1, "uint8", size=(220, 2400)),
}  # fmt: skip


@pytest.mark.parametrize("name", [*MANY])
def test_whatever_is_many(name: str) -> None:
    steps(MANY[name](), MOST)


@pytest.mark.parametrize(
    "name", ["bank of 160 signs", "512 channels that differ", "512 to 512, 16 taps", "2000 groups of two kinds"]
)
def test_many_are_computed_as_by_the_reference(name: str) -> None:
    case = MANY[name]()
    truth = convolve(case.image, case.weight, case.spec, Compute("reference")).array
    for plan in (None, "taps"):
        found = convolve(case.image, case.weight, case.spec, Compute("numpy", plan=plan)).array
        np.testing.assert_allclose(found, truth, rtol=1e-5, atol=1e-2)


def test_channels_that_are_alike_are_arranged_alike() -> None:
    """Each as if it were alone, over planes of its own."""
    kernels = np.stack([kernel.values for kernel in parse("sobel").kernels])
    spec, one, many = ConvSpec(), each(kernels, 1), each(kernels, 5)
    geometry = spec.resolve(Size(8, 8), Size(3, 3))
    (alone, outputs), (sums, all_outputs) = (
        taps.arranged(direct(case.weight, None, geometry, case.spec.groups, case.image.dtype, False))
        for case in (one, many)
    )
    assert len(alone) == 2
    for channel in range(5):
        mine = sums[2 * channel : 2 * channel + 2]
        assert mine == [each_._replace(plane=channel) for each_ in alone]
        for found, expected in zip(all_outputs[2 * channel : 2 * channel + 2], outputs, strict=True):
            moved = {1: 5 + 2 * channel, 2: 5 + 2 * channel + 1}  # the sums of one channel are its planes 1 and 2
            assert [tap for group in found for tap in group] == [
                tap._replace(plane=moved.get(tap.plane, channel)) for group in expected for tap in group
            ]


def test_threads_are_used_where_they_gain() -> None:
    """Many short calls wait for Python's lock more than they compute."""

    def plan(size: int, name: str) -> str:
        image = np.zeros((size, size, 3), np.uint8).transpose(2, 0, 1)
        kernel = parse(name).kernels[0].values
        weight = np.broadcast_to(kernel, (3, 1, *kernel.shape)).copy()
        spec = ConvSpec(padding="same", groups=3)
        return convolve(image, weight, spec, Compute("numpy", threads=2, plan="taps")).plan

    assert plan(512, "random:5").endswith("2 threads")
    assert plan(64, "random:25").endswith("1 thread")
