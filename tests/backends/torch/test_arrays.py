"""torch's settings come back, and what it says when memory is missing."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
import torch

from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.errors import BackendError
from convcli.system import memory
from support.operations import convolve, task_of


def test_settings_of_the_process_are_put_back() -> None:
    before = torch.get_num_threads(), torch.backends.cudnn.allow_tf32
    convolve(np.ones((1, 5, 5)), np.ones((1, 1, 3, 3)), ConvSpec(), Compute("torch", threads=before[0] + 1))
    assert (torch.get_num_threads(), torch.backends.cudnn.allow_tf32) == before


def test_the_last_of_several_tasks_puts_threads_back() -> None:
    from convcli.backends.torch import arrays as runs

    image, weight = np.zeros((1, 1, 5, 5), np.float32), np.zeros((1, 1, 3, 3))
    geometry = ConvSpec().resolve((5, 5), (3, 3))
    before = torch.get_num_threads()
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(runs._settings(task_of(image, weight, geometry, threads=before + 1), False))
        second.enter_context(runs._settings(task_of(image, weight, geometry), False))
        first.close()
    assert torch.get_num_threads() == before


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
