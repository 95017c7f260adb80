"""An operation in one call, on every backend and plan, and in as many tiles as wanted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convcli import engine
from convcli.backends import Task
from convcli.backends.numpy.strategies import STRATEGIES
from convcli.convspec import ConvSpec
from convcli.engine import Compute, ConvResult
from convcli.geometry import Geometry
from convcli.layer import Layer as Weights
from convcli.pointwise.finish import Finish
from convcli.pointwise.lift import Lift
from convcli.windows import Held

BACKENDS = ("reference", "numpy", "torch")
FAST = ("numpy", "torch")
ALWAYS = tuple(plan for plan in STRATEGIES if plan != "prefix")
"""The plans that can do everything."""


@contextmanager
def small_tiles(size: int) -> Iterator[None]:
    """Make the numpy backend cut its work into as many tiles and goes as `size` bytes ask for, and use all threads for it."""
    from convcli.backends.numpy import plan
    from convcli.backends.numpy.strategies import common, fft, separable, toeplitz

    def forget() -> None:
        fft.side_for.cache_clear()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(common, "CACHE_BYTES", size)
        patch.setattr(separable, "NEAR_BYTES", size)
        patch.setattr(separable, "FOLD_BYTES", size)
        patch.setattr(toeplitz, "PRODUCT_BYTES", size)
        if size < 1 << 20:
            patch.setattr(fft, "SIDES", (*(side for side in range(1, 65) if side % 2 == 0), *fft.SIDES[-9:]))
            patch.setattr(fft, "effort", lambda side: side)  # the smallest sides that leave room for outputs
        for name, value in (("WORTH_A_THREAD", 1e-12), ("HANDOVER", 0.0), ("CONTENDED", 1.0)):
            patch.setattr(plan, name, value)
        forget()
        yield
    forget()


def convolve(
    image: NDArray[np.generic],
    weight: NDArray[np.floating],
    spec: ConvSpec,
    compute: Compute = Compute(),
    bias: NDArray[np.floating] | None = None,
    finish: Finish = Finish(),
    lift: Lift | None = None,
) -> ConvResult:
    """The operation of a specification, with weights as a file holds them."""
    return engine.run(image, Weights.of(weight, spec, bias), spec, compute, finish, lift)


def task_of(
    array: NDArray[Any], weight: NDArray[np.floating], geometry: Geometry, groups: int = 1, **more: Any
) -> Task:
    """What a backend is called with, for a batch in memory."""
    return Task(Held(array), Weights(weight, groups, geometry.transpose), geometry, **more)


def transpose_convolve(
    image: NDArray[np.generic], weight: NDArray[np.floating], spec: ConvSpec, *more: Any, **named: Any
) -> ConvResult:
    """The same, transposed."""
    return convolve(image, weight, replace(spec, transpose=True), *more, **named)
