"""What `auto` takes: torch where it wins with its import counted in, numpy elsewhere; and what is counted of the memory."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from convcli import dispatch
from convcli.backends import Task, spectra
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.errors import BackendError, GeometryError, KernelError
from convcli.geometry import Pads, Pair
from convcli.pointwise.finish import Finish
from convcli.pointwise.lift import Lift
from convcli.system import memory
from convcli.system.context import Context
from convcli.windows import Held, whole
from support.operations import convolve, task_of, transpose_convolve


class _ChosenError(Exception):
    """Ends an operation once its backend is chosen."""


def choice(channels: int, size: int, groups: int, imported: bool, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Backend and reason for a layer 3×3 of as many outputs as inputs, whose pixels take no memory."""
    found: list[tuple[str, str]] = []

    def choose(task: Task, wanted: str, dtype: str | None) -> tuple[str, str]:
        found.append(real(task, wanted, dtype))
        raise _ChosenError

    real = dispatch.choose_backend
    monkeypatch.setattr(dispatch, "choose_backend", choose)
    if imported:
        monkeypatch.setitem(sys.modules, "torch", ModuleType("torch"))
    else:
        monkeypatch.delitem(sys.modules, "torch", raising=False)
    image = np.broadcast_to(np.float32(0), (channels, size, size))
    weight = np.ones((channels, channels // groups, 3, 3), np.float32)
    with pytest.raises(_ChosenError):
        convolve(image, weight, ConvSpec(padding="same", groups=groups), Compute("auto", threads=2))
    return found[0]


def test_a_large_layer_is_worth_importing_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    backend, reason = choice(512, 512, 1, False, monkeypatch)
    assert backend == "torch", reason
    assert reason.endswith("including its import")


def test_a_smaller_layer_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    backend, reason = choice(64, 512, 1, False, monkeypatch)
    assert backend == "numpy", reason
    assert reason.endswith("including its import")


def test_unless_torch_is_there_already(monkeypatch: pytest.MonkeyPatch) -> None:
    backend, reason = choice(64, 512, 1, True, monkeypatch)
    assert backend == "torch", reason
    assert "import" not in reason


@pytest.mark.parametrize("imported", [False, True])
def test_images_are_for_numpy(imported: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert choice(3, 3000, 3, imported, monkeypatch)[0] == "numpy"


def test_the_import_tips_the_balance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "TORCH_IMPORT_SECONDS", 1e4)
    assert choice(512, 512, 1, False, monkeypatch)[0] == "numpy"


# --- the memory that is counted ---


PIXELS = 100 * 100
STORED = Finish(dtype="uint8")


def needs(task: Task, backend: str, monkeypatch: pytest.MonkeyPatch) -> float:
    """The bytes that are asked for."""
    asked: list[float] = []
    monkeypatch.setattr(memory, "refuses", lambda need: asked.append(need))
    dispatch.check_memory(task, backend)
    return asked[0]


def filters(side: int, **more: Any) -> Task:
    """Three channels of bytes under a kernel for each, as large as the output."""
    spec = ConvSpec(groups=3, padding=Pads(side // 2, side // 2, side // 2, side // 2))
    geometry = spec.resolve((100, 100), (side, side))
    weight = np.ones((3, 1, side, side), np.float32)
    return task_of(np.zeros((1, 3, 100, 100), np.uint8), weight, geometry, 3, **more)


LIT = Lift("float32", 255.0, linear=True)


@pytest.mark.parametrize(
    ("more", "bytes_each"),
    [
        ({"finish": STORED}, 1 + 1),
        ({"finish": STORED, "dtype": "float64"}, 1 + 1),
        ({"finish": Finish(dtype="uint16")}, 1 + 2),
        ({}, 1 + 4),
        ({"dtype": "float64"}, 1 + 8),
        ({"dtype": "bfloat16"}, 1 + 4),
        ({"finish": STORED, "lift": LIT}, 1 + 4 + 1),
        ({"finish": Finish(((1, "magnitude"),), "uint8")}, 1 + 4 + 1),
    ],
)
@pytest.mark.parametrize("side", [3, 31])
def test_of_a_device_only_what_crosses_is_counted(
    more: dict[str, Any], bytes_each: int, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert needs(filters(side, device="cuda", **more), "torch", monkeypatch) == 3 * PIXELS * bytes_each


def test_a_remedy_on_a_device_speaks_of_no_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "refuses", lambda _: True)
    with pytest.raises(GeometryError) as caught:
        dispatch.check_memory(filters(3, device="cuda"), "torch")
    assert "numpy" not in str(caught.value)
    with pytest.raises(GeometryError, match="use backend numpy, which does not copy a padded image"):
        dispatch.check_memory(filters(3), "torch")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_transforms_of_torch_on_the_cpu_are_counted(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    task = filters(31, dtype=dtype)
    itemsize = np.dtype(dtype).itemsize
    work = spectra.working_bytes((1, 3, 100, 100), (3, 1, 31, 31), task.geometry, itemsize)
    assert work > 3 * PIXELS * itemsize
    padded = 3 * (PIXELS + (130 * 130 + PIXELS + PIXELS) * itemsize)  # as it is; padded, widened, and the result
    assert needs(task, "torch", monkeypatch) == padded + work
    assert needs(task, "numpy", monkeypatch) == 3 * PIXELS * (1 + itemsize)
    assert needs(task, "reference", monkeypatch) == padded
    real = task._replace(
        source=Held(whole(task.source).astype(np.float32))
    )  # whose values may turn out to be of a wide range
    wide = spectra.working_bytes((1, 3, 100, 100), (3, 1, 31, 31), task.geometry, 8)
    assert needs(real, "torch", monkeypatch) == padded + 3 * 3 * PIXELS + wide
    lit = task._replace(lift=LIT, dtype="float32")
    assert needs(lit, "reference", monkeypatch) == 3 * (PIXELS + (130 * 130 + 3 * PIXELS) * 4)


def test_what_has_no_transforms_is_counted_without(monkeypatch: pytest.MonkeyPatch) -> None:
    for task in (filters(3), filters(31, dtype="bfloat16")):
        side = 100 + task.layer.kernel.width - 1
        assert needs(task, "torch", monkeypatch) == 3 * (PIXELS + (side * side + PIXELS + PIXELS) * 4)


# --- what is not for numpy ---


def test_a_transposed_operation_of_nothing_but_gaps_is_left_to_torch() -> None:
    """Its phases begin far apart: numpy would lay out what lies between."""
    image, weight = np.random.default_rng(0).random((1, 4, 5), np.float32), np.ones((1, 1, 4, 4))
    spec = ConvSpec(transpose=True, stride=Pair(3, 3), dilation=Pair(700, 700), padding=Pads(700, 700, 700, 700))
    result = transpose_convolve(image, weight, spec)
    assert result.backend == "torch"
    assert "windows of 701×701 with almost only gaps" in result.reason
    truth = transpose_convolve(image, weight, spec, Compute("reference")).array
    np.testing.assert_allclose(result.array, truth, rtol=1e-5)
    with pytest.raises(
        BackendError, match="backend 'numpy' cannot do this: a dilation that is not a multiple of the stride"
    ):
        transpose_convolve(image, weight, spec, Compute("numpy"))
    multiple = replace(spec, dilation=Pair(699, 699))  # of which the phases are as small as the kernel
    assert transpose_convolve(image, weight, multiple).backend == "numpy"


@pytest.mark.parametrize("backend", ["numpy", "torch", "reference"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_none_are_refused(backend: str, value: float) -> None:
    weight = np.ones((1, 1, 3, 3))
    weight[0, 0, 1, 1] = value
    with pytest.raises(KernelError, match="the weights contain NaN or infinity"):
        convolve(np.ones((1, 5, 5)), weight, ConvSpec(), Compute(backend))


def test_auto_takes_the_same_for_every_image_of_a_run() -> None:
    """Also once another of them has imported torch: which comes first depends on the threads."""

    def taken(imported: bool) -> tuple[str, str]:
        with pytest.MonkeyPatch.context() as patch:
            return choice(64, 512, 1, imported, patch)

    with Context():
        assert taken(False) == taken(True)
        assert taken(True)[0] == "numpy"
    assert taken(True)[0] == "torch"
