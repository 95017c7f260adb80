"""torch's settings come back, and what it says when memory is missing."""

from __future__ import annotations

from threading import Event, Thread
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from convcli.backends.torch import arrays as runs
from convcli.backends.torch import storing as device_finish
from convcli.backends.torch.arrays import to_array, to_tensor
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.errors import BackendError
from convcli.pointwise.finish import Finish
from convcli.system import memory
from support.operations import convolve, task_of


def test_settings_of_the_process_are_put_back() -> None:
    before = torch.get_num_threads(), torch.backends.cudnn.allow_tf32
    convolve(np.ones((1, 5, 5)), np.ones((1, 1, 3, 3)), ConvSpec(), Compute("torch", threads=before[0] + 1))
    assert (torch.get_num_threads(), torch.backends.cudnn.allow_tf32) == before


def test_every_thread_gets_its_number_of_threads_back() -> None:
    """In whatever order tasks end, and whatever number was set while a thread used torch for the first time."""
    task = task_of(np.zeros((1, 1, 5, 5), np.float32), np.zeros((1, 1, 3, 3)), ConvSpec().resolve((5, 5), (3, 3)))
    before, during = torch.get_num_threads(), []
    begun, ended = Event(), Event()

    def other() -> None:
        with runs._settings(task._replace(threads=before + 2), False):
            begun.set()
            ended.wait(30)
            during.append(torch.get_num_threads())
        during.append(torch.get_num_threads())

    thread = Thread(target=other, daemon=True)
    with runs._settings(task._replace(threads=before + 1), False):
        thread.start()
        begun.wait(30)
        assert torch.get_num_threads() == before + 1  # as that of another thread is its own matter
    assert torch.get_num_threads() == before
    ended.set()
    thread.join()
    assert during == [before + 2, before]
    afterwards: list[int] = []
    thread = Thread(target=lambda: afterwards.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert (afterwards, torch.get_num_threads()) == ([before], before)


def test_a_thread_that_uses_torch_keeps_its_number_while_another_computes() -> None:
    found, seen, computing = [torch.get_num_threads()], Event(), Event()

    def bystander() -> None:
        found.append(torch.get_num_threads())
        seen.set()
        computing.wait(30)
        found.append(torch.get_num_threads())

    thread = Thread(target=bystander, daemon=True)
    thread.start()
    seen.wait(30)
    task = task_of(np.zeros((1, 1, 5, 5), np.float32), np.zeros((1, 1, 3, 3)), ConvSpec().resolve((5, 5), (3, 3)))
    with runs._settings(task._replace(threads=found[0] + 1), False):
        computing.set()
        thread.join()
    assert found == found[:1] * 3


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("can't allocate memory: 9 bytes"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("cuFFT error: CUFFT_ALLOC_FAILED"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_no_memory_in_torch_is_no_memory(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(torch.nn.functional, "conv2d", fail)
    with pytest.raises(MemoryError):
        convolve(np.ones((1, 5, 5)), np.ones((1, 1, 3, 3)), ConvSpec(), Compute("torch"))


def test_no_memory_on_a_device_names_it_and_a_remedy() -> None:
    """The host's own is told from it."""
    from convcli.backends.torch import arrays as runs

    task = task_of(np.zeros((1, 1, 5, 5)), np.zeros((1, 1, 3, 3)), ConvSpec().resolve((5, 5), (3, 3)), device="cuda:1")
    with (
        pytest.raises(BackendError, match=r"device 'cuda:1' has too little memory .*: use device cpu"),
        runs._settings(task, False),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory")
    with pytest.raises(MemoryError), runs._settings(task, False):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
    with pytest.raises(RuntimeError, match="mistake"), runs._settings(task, False):
        raise RuntimeError("a mistake")


def test_no_memory_on_a_device_that_others_use_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from convcli.backends.torch import arrays as runs

    task = task_of(np.zeros((1, 1, 5, 5)), np.zeros((1, 1, 3, 3)), ConvSpec().resolve((5, 5), (3, 3)), device="cuda")
    monkeypatch.setattr(memory, "total_bytes", lambda: 100.0)
    with memory.Shares(2).of(1, True), pytest.raises(memory.Wait), runs._settings(task, False):
        raise torch.OutOfMemoryError("CUDA out of memory")


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
    assert not device_finish.suits(plain._replace(parts=((2, "magnitude"),)), cuda)
    assert not device_finish.suits(plain._replace(policy="minmax"), cuda)  # the host knows the extremes


def test_halves_are_scaled_in_a_type_that_holds_white() -> None:
    image = np.full((1, 2, 2), 255, np.uint8)
    finish = Finish(dtype="uint16", full_scale=65535.0, scale=257.0, count=True)
    result = convolve(image, np.ones((1, 1, 1, 1)), ConvSpec(), Compute("torch", dtype="float16"), finish=finish)
    assert (result.array == 65535).all()
    assert result.clipped == (0, 0, 4, 0)
