"""Arrays in and arrays out: a `Task` on torch's tensors, its settings and its failures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
import torch

from convcli.backends import Computed, Task, finished, lifted
from convcli.backends.torch.device import check_device
from convcli.backends.torch.layer import Layer, layer

if TYPE_CHECKING:
    from numpy.typing import NDArray


def correlate(task: Task) -> Computed:
    """`torch.nn.functional.conv2d` or, if the geometry says so, `conv_transpose2d`."""
    with _settings(task, tf32=False):
        made = _layer(task)
        array = _array(made.run())
    return _computed(task, made, array, f"{task.dtype}, {made.x.device}")


correlate_transpose = correlate


def timed_on_cuda(task: Task, repeats: int, tf32: bool = False) -> tuple[Computed, list[float]]:
    """Run on CUDA `repeats` times after a warm-up.

    Returns
    -------
    Computed
        The result.
    list of float
        Milliseconds between two CUDA events around each run; the data is on the device before and after.
    """
    times = []
    with _settings(task, tf32):
        made = _layer(task)
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
        array = _array(out)
    return _computed(task, made, array, f"{'tf32' if tf32 else task.dtype}, data on the device"), times


@contextmanager
def _settings(task: Task, tf32: bool) -> Iterator[None]:
    """What torch keeps for the whole process, set and put back; its ways of having no memory become Python's.

    float32 means float32: TF32 would keep 10 bits of the mantissa. `compare` shows what it would gain. Tasks of several
    threads want the same: the first of them saves what there was, the last puts it back.
    """
    with _lock:
        _saved.append((torch.get_num_threads(), torch.backends.cudnn.allow_tf32))
        torch.backends.cudnn.allow_tf32 = tf32
        if task.threads is not None:
            torch.set_num_threads(task.threads)
    try:
        with torch.inference_mode():
            yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in _NO_MEMORY):
            raise MemoryError(str(error)) from None
        raise
    finally:
        with _lock:
            threads, allowed = _saved[0]
            if len(_saved) > 1:  # others are at work
                _saved.pop()
            else:
                _saved.clear()
                torch.backends.cudnn.allow_tf32 = allowed
                if torch.get_num_threads() != threads:  # another task's, which ended before this one
                    torch.set_num_threads(threads)


_NO_MEMORY = ("allocate memory", "out of memory", "ALLOC_FAILED")
"""How the CPU, CUDA itself, and its libraries (cuBLAS, cuDNN, cuFFT) say so where torch has no error of its own for it."""

_lock = Lock()
_saved: list[tuple[int, bool]] = []
"""One entry for each task at work; the first is what there was before them."""


def _layer(task: Task) -> Layer:
    """The task's tensors, on the device in the dtype of the computation."""
    where, kind = check_device(task.device), getattr(torch, task.dtype)

    def tensor(array: NDArray[np.generic]) -> torch.Tensor:
        # The narrow type crosses the bus; it is widened on the device. torch lacks most unsigned types.
        if array.dtype.kind in "ub" and array.dtype != np.uint8:
            array = array.astype(np.float64 if task.dtype == "float64" else np.float32)
        if not array.flags.writeable or min(array.strides, default=0) < 0:
            array = array.copy()  # torch has neither read-only tensors nor negative strides
        return torch.from_numpy(array).to(where).to(kind).contiguous()

    bias = None if task.bias is None else tensor(task.bias)
    return layer(tensor(lifted(task)), tensor(task.weight), bias, task.geometry, task.groups)


def _computed(task: Task, made: Layer, array: NDArray[np.floating], how: str) -> Computed:
    return finished(array, task.finish, f"{made.call}, {how}", mixes=made.transform is not None)


def _array(out: torch.Tensor) -> NDArray[np.floating]:
    if out.dtype is torch.bfloat16:  # NumPy has no such type
        out = out.float()
    array: NDArray[np.floating] = out.cpu().numpy()
    return array
