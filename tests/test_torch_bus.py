"""The bus between host and device: pixels cross as narrow as they are, both ways, and the integers are the host's own.

There is no CUDA device where this runs: the same code works on tensors of the CPU.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import convolve
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from convcli.backends import finished
from convcli.backends.torch import arrays as runs
from convcli.backends.torch import storing as device_finish
from convcli.backends.torch.arrays import to_array, to_tensor
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.pointwise.finish import Finish

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


# --- the finish, bit by bit ---

TYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32, "float64": torch.float64}
ODD = st.sampled_from(
    (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 1e-310, 3.4e38, -3.4e38, 1.7e308, 255.5, 65534.5)
)
TIES = st.integers(-3, 520).map(lambda n: n / 2) | st.integers(131060, 131080).map(lambda n: n / 2)
WHITES = st.sampled_from((("uint8", 255.0), ("uint16", 65535.0), ("uint16", 1023.0), ("uint8", 1.0)))
SCALES = st.sampled_from((1.0, 257.0, 255.0, 0.5, 1 / 257, 1e30, 1e-30))
SPANS = st.none() | st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))


@given(
    values=st.lists(ODD | TIES | st.floats(-1e3, 1e5) | st.floats(), min_size=0, max_size=24),
    kind=st.sampled_from(sorted(TYPES)), white=WHITES, policy=st.sampled_from(("clip", "abs", "offset", "minmax")),
    scale=SCALES, count=st.booleans(), span=SPANS,
)  # fmt: skip
@example([0.0, 1e-45], "float32", ("uint8", 255.0), "minmax", 1.0, True, None)
@example([-3.4e38, 0.0, 1.0, 3.4e38], "float32", ("uint8", 255.0), "minmax", 1.0, True, None)
@example([np.nan, np.inf], "float32", ("uint8", 255.0), "minmax", 1.0, True, None)
def test_the_integers_of_the_device_are_the_hosts(
    values: list[float], kind: str, white: tuple[str, float], policy: str, scale: float, count: bool,
    span: tuple[float, float] | None,
) -> None:  # fmt: skip
    """Halves are float32 to both."""
    dtype, full_scale = white
    tensor = torch.tensor(values, dtype=torch.float64).to(TYPES[kind]).reshape(1, 1, -1, 1)
    plain = Finish((), dtype, full_scale, policy, count, scale, span if policy == "minmax" else None)
    host = tensor.numpy() if kind == "float64" else tensor.float().numpy()
    with np.errstate(all="ignore"):
        expected = finished(host.copy(), plain, "")
    with torch.inference_mode():
        stored, clipped = device_finish.store(tensor, plain)
    np.testing.assert_array_equal(to_array(stored), expected.array, strict=True)
    assert clipped == expected.clipped


def test_a_result_keeps_its_layout() -> None:
    """Interleaved pixels come back interleaved."""
    values = torch.rand(1, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    stored, _ = device_finish.store(values, Finish(dtype="uint8"))
    assert stored.is_contiguous(memory_format=torch.channels_last)
