"""What a thread keeps of its tiles, and that no operation sees another's."""

from __future__ import annotations

from contextvars import copy_context
from threading import Thread

import numpy as np
import pytest
from numpy.typing import NDArray

from convcli.backends.numpy.steps import Buffers
from convcli.backends.numpy.strategies import common
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.geometry import Pads
from convcli.kernels import parse
from convcli.system.context import Context
from support.operations import convolve


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
