"""Arrays in and arrays out: a `Task` on torch's tensors, with torch's settings and errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import numpy as np
import torch

from convcli.backends import Computed, Task, finished, lifted
from convcli.backends.torch import storing
from convcli.backends.torch.convolutions import Tensors, plainly, tensors
from convcli.backends.torch.device import check_device
from convcli.errors import BackendError, param
from convcli.system import memory
from convcli.windows import Array


def run(task: Task) -> Computed:
    """Compute by `torch.nn.functional.conv2d` or, if the geometry is transposed, by `conv_transpose2d`."""
    with _settings(task, tf32=False):
        made = _tensors(task)
        return _computed(task, made, made.run(), f"{task.dtype}, {made.x.device}")


def timed_on_cuda(task: Task, repeats: int, tf32: bool = False) -> tuple[Computed, list[float]]:
    """Run on CUDA `repeats` times, after a run to warm up: the result, and the milliseconds of each run.

    They are measured between two CUDA events. The data is on the device before and after.
    """
    times = []
    with _settings(task, tf32):
        made = _tensors(task)
        with torch.cuda.device(made.x.device):
            out = made.run()
            torch.cuda.synchronize()
            for _ in range(repeats):
                start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
                start.record()
                out = made.run()
                stop.record()
                stop.synchronize()
                times.append(start.elapsed_time(stop))
        return _computed(task, made, out, f"{'tf32' if tf32 else task.dtype}, data on the device"), times


@contextmanager
def _settings(task: Task, tf32: bool) -> Iterator[None]:
    """Set torch's settings, and put the old ones back; turn its out-of-memory errors into ours.

    float32 means float32: TF32 would keep only 10 bits of the mantissa (`compare` shows how much faster it is). Whether
    it is allowed is a setting of the whole process: the last of several tasks at work puts it back. The number of
    threads is a setting of each thread, which is put back there. But a thread that uses torch for the first time takes
    the number that any thread has set last. So what counts is the number from before all tasks.

    Raises
    ------
    MemoryError
        The host has no memory left.
    BackendError
        The device has no memory left.
    convcli.system.memory.Wait
        The device has no memory left, and other images hold some of it.
    """
    with _lock:
        now = torch.get_num_threads(), torch.backends.cudnn.allow_tf32  # a thread has a number once it has asked for it
        _saved.append(_saved[0] if _saved else now)
        if task.device != "cpu":
            torch.backends.cudnn.allow_tf32 = tf32
        if task.threads is not None:
            torch.set_num_threads(task.threads)
    try:
        with torch.inference_mode():
            yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and not any(words in str(error) for words in _NO_MEMORY):
            raise
        if task.device == "cpu" or _HOST in str(error):
            raise MemoryError(str(error)) from None
        memory.give_up()
        remedy = f"use {param('device', 'cpu')}, or a smaller image, kernel or padding"
        raise BackendError(f"device '{task.device}'", "has too little memory left for this", remedy) from None
    finally:
        with _lock:
            threads, allowed = _saved.pop()
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)
            if not _saved and torch.backends.cudnn.allow_tf32 != allowed:
                torch.backends.cudnn.allow_tf32 = allowed


_HOST = "allocate memory"
_NO_MEMORY = (_HOST, "out of memory", "ALLOC_FAILED")
"""Texts in the errors of the CPU, of CUDA and of its libraries (cuBLAS, cuDNN, cuFFT) when no memory is left, for
which torch has no error class of its own."""

_lock = Lock()
_saved: list[tuple[int, bool]] = []
"""The settings from before all tasks, once for each task at work."""


def _tensors(task: Task) -> Tensors:
    """The task's tensors on the device. Narrow values are copied as they are, and widened on the device."""
    where, kind = check_device(task.device), getattr(torch, task.dtype)

    def tensor(array: Array) -> torch.Tensor:
        return to_tensor(array).to(where)

    given = task.layer
    bias = None if given.bias is None else tensor(given.bias)
    return tensors(
        tensor(lifted(task)), plainly(tensor(given.weight).to(kind).contiguous()), bias, task.geometry, given.groups
    )


def _computed(task: Task, made: Tensors, out: torch.Tensor, how: str) -> Computed:
    """The result in the host's memory, finished. It is finished on the device if the finish only makes integers."""
    plan, mixes = f"{made.call}, {how}", made.transform is not None
    if not storing.suits(task.finish, out.device):
        array = to_array(out)
        if array.dtype == np.float16 and task.finish.dtype is not None:  # float16 cannot hold values up to 65535
            array = array.astype(np.float32)
        return finished(array, task.finish, plan, mixes)
    stored, clipped = storing.store(out, task.finish)
    return Computed(to_array(stored), plan, clipped, mixes=mixes)


def to_tensor(array: Array) -> torch.Tensor:
    """An array as a tensor in the host's memory: with the same dtype, and without a copy if torch allows it."""
    if not array.flags.writeable or min(array.strides, default=0) < 0:
        array = array.copy(order="K")  # torch has neither read-only tensors nor negative strides
    return torch.from_numpy(array)


def to_array(tensor: torch.Tensor) -> Array:
    """A tensor as an array in the host's memory, in the same dtype. bfloat16, which NumPy does not have, becomes float32."""
    if tensor.dtype is torch.bfloat16:
        tensor = tensor.float()
    array: Array = tensor.cpu().numpy()
    return array
