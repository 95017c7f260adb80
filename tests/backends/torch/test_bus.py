"""The bus between host and device: pixels cross as narrow as they are, both ways.

There is no CUDA device where this runs: the same code works on tensors of the CPU.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from convcli.backends.torch import arrays as runs
from convcli.backends.torch import storing as device_finish
from convcli.backends.torch.bus import to_array, to_tensor
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.pointwise.finish import Finish
from support.operations import convolve

KINDS = (
    *("bool", "uint8", "int8", "uint16", "int16", "uint32"),
    *("int32", "uint64", "int64", "float16", "float32", "float64"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_cross_as_they_are_in_the_same_memory(kind: str) -> None:
    array = np.arange(2).reshape(1, 1, 1, 2).astype(kind)
    tensor = to_tensor(array)
    assert str(tensor.dtype) == f"torch.{kind}"
    assert tensor.data_ptr() == array.ctypes.data
    np.testing.assert_array_equal(to_array(tensor), array, strict=True)


@pytest.mark.parametrize("kind", [">u2", ">i4", ">f4", "<u2"])
def test_bytes_in_the_other_order_are_turned(kind: str) -> None:
    np.testing.assert_array_equal(to_array(to_tensor(np.array([1, 258], kind))), [1, 258])


def test_what_torch_does_not_have_is_copied_or_widened() -> None:
    array = np.arange(6, dtype=np.uint16).reshape(2, 3)
    np.testing.assert_array_equal(to_tensor(array[:, ::-1]).numpy(), array[:, ::-1])
    array.flags.writeable = False
    assert to_tensor(array).data_ptr() != array.ctypes.data
    halves = to_array(torch.tensor([1.5], dtype=torch.bfloat16))
    np.testing.assert_array_equal(halves, np.array([1.5], np.float32), strict=True)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int32"])
def test_pixels_and_results_cross_narrow(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their values are those of the host's finish."""
    crossed: list[str] = []

    def outward(array: NDArray[Any]) -> torch.Tensor:
        crossed.append(array.dtype.name)
        return to_tensor(array)

    def back(tensor: torch.Tensor) -> NDArray[Any]:
        crossed.append(str(tensor.dtype))
        return to_array(tensor)

    image = np.random.default_rng(0).integers(0, 200, (1, 9, 8)).astype(kind)
    weight = np.array([[[[-1, 0, 3.5]]]], np.float32)
    finish = Finish(dtype="uint16", full_scale=400.0, count=True)
    expected = convolve(image, weight, ConvSpec(), Compute("torch"), finish=finish)
    monkeypatch.setattr(runs, "to_tensor", outward)
    monkeypatch.setattr(runs, "to_array", back)
    monkeypatch.setattr(device_finish, "suits", lambda *_: True)
    result = convolve(image, weight, ConvSpec(), Compute("torch"), finish=finish)
    assert crossed == [kind, "float32", "torch.uint16"]
    np.testing.assert_array_equal(result.array, expected.array, strict=True)
    assert result.clipped == expected.clipped
    assert result.clipped.above > 0


def test_what_is_finished_on_the_device() -> None:
    """Not on the CPU, which has it in a fifth of the time from the host's bands."""
    cuda, plain = torch.device("cuda"), Finish(dtype="uint8")
    assert device_finish.suits(plain, cuda)
    assert not device_finish.suits(plain, torch.device("cpu"))
    assert not device_finish.suits(Finish(), cuda)
    assert not device_finish.suits(replace(plain, parts=((2, "magnitude"),)), cuda)


def test_halves_are_scaled_in_a_type_that_holds_white() -> None:
    image = np.full((1, 2, 2), 255, np.uint8)
    finish = Finish(dtype="uint16", full_scale=65535.0, scale=257.0, count=True)
    result = convolve(image, np.ones((1, 1, 1, 1)), ConvSpec(), Compute("torch", dtype="float16"), finish=finish)
    assert (result.array == 65535).all()
    assert result.clipped == (0, 0, 4, 0)
