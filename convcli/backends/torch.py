"""torch.nn.functional on the CPU and on CUDA: a thin translation of a `Geometry` into torch's own calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from convcli.backends import Computed, Task, finished
from convcli.errors import BackendError
from convcli.geometry import ZERO, Geometry

if TYPE_CHECKING:
    from numpy.typing import NDArray


def check_device(name: str) -> torch.device:
    """The torch device called `name`.

    Raises
    ------
    BackendError
        A device that is not here: it is never replaced by another.
    """
    device = torch.device(name)
    if device.type == "cuda":
        if reason := cuda_missing():
            raise BackendError(f"device '{name}' is not available: {reason}; use --device cpu")
        if device.index is not None and device.index >= (count := torch.cuda.device_count()):
            raise BackendError(f"device '{name}' is not available: the last CUDA device here is cuda:{count - 1}")
    return device


def correlate(task: Task) -> Computed:
    """`torch.nn.functional.conv2d` or, if the geometry says so, `conv_transpose2d`."""
    image, kernel, offset = _tensors(task)
    with torch.inference_mode():
        out = run(image, kernel, offset, task.geometry, task.groups)
    return finished(_array(out), task.finish, f"{_call(task, image)}, {task.dtype}, {image.device}")


correlate_transpose = correlate


def run(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, geometry: Geometry, groups: int
) -> torch.Tensor:
    """The operation on tensors that are already on the device: what `compare` times with CUDA events."""
    return (_transposed if geometry.transpose else _direct)(x, weight, bias, geometry, groups)


def cuda_missing() -> str | None:
    """Why there is no CUDA device here, or None if there is one."""
    if torch.cuda.is_available() and torch.cuda.device_count():
        return None
    return "torch sees no CUDA device here" if torch.version.cuda else "this torch is built without CUDA"


def timed_on_cuda(task: Task, repeats: int, tf32: bool = False) -> tuple[Computed, list[float]]:
    """Run on CUDA `repeats` times after a warm-up.

    Returns
    -------
    Computed
        The result.
    list of float
        Milliseconds between two CUDA events around each run; the data is on the device before and after.
    """
    geometry, groups = task.geometry, task.groups
    image, kernel, offset = _tensors(task)
    torch.backends.cudnn.allow_tf32 = tf32
    times = []
    with torch.inference_mode(), torch.cuda.device(image.device):
        out = run(image, kernel, offset, geometry, groups)
        torch.cuda.synchronize()
        for _ in range(repeats):
            start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
            start.record()
            out = run(image, kernel, offset, geometry, groups)
            stop.record()
            stop.synchronize()
            times.append(start.elapsed_time(stop))
    plan = f"{_call(task, image)}, {'tf32' if tf32 else task.dtype}, data on the device"
    return finished(_array(out), task.finish, plan), times


def _call(task: Task, image: torch.Tensor) -> str:
    if task.geometry.transpose:
        return "conv_transpose2d"
    return "conv2d by fft" if by_fft(image, task.weight.shape, task.geometry) else "conv2d"


FFT_TAPS, FFT_CHANNELS = 225, 4
"""Kernels from which, and channels in a group up to which, torch's own convolution is many times slower than transforms."""


def by_fft(x: torch.Tensor, weight: tuple[int, ...], geometry: Geometry) -> bool:
    """Whether a direct operation goes through the frequency domain: a large kernel, few channels, nothing that spreads."""
    large = weight[2] * weight[3] >= FFT_TAPS and weight[1] <= FFT_CHANNELS and min(weight[2:]) > 1
    return large and x.dtype in (torch.float32, torch.float64) and bool(x.isfinite().all())


def _direct(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, geometry: Geometry, groups: int
) -> torch.Tensor:
    transform = by_fft(x, weight.shape, geometry)
    top, bottom, left, right = geometry.pads
    padding = (0, 0)
    if geometry.padding_mode == "zeros" and top == bottom and left == right and not transform:
        padding = (top, left)
    elif geometry.padding_mode == "zeros":
        x = F.pad(x, (left, right, top, bottom))
    elif any(geometry.pads):
        # torch's own modes refuse pads as large as the image; gathering rows and columns does not.
        for axis, indices in ((2, geometry.row_indices), (3, geometry.column_indices)):
            assert ZERO not in indices
            x = x.index_select(axis, torch.tensor(indices, device=x.device))
    if transform:
        return _transformed(x, weight, bias, geometry, groups)
    depthwise = weight.shape[1] == 1 < groups and x.device.type == "cpu"
    if depthwise and min(*x.shape[2:], *weight.shape[2:]) > 1:  # ten times faster; torch 2.13 crashes on sides of 1
        x = x.contiguous(memory_format=torch.channels_last)
    return F.conv2d(x, weight, bias, geometry.stride, padding, geometry.dilation, groups)


def _transformed(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, geometry: Geometry, groups: int
) -> torch.Tensor:
    """The direct operation on a padded input, as a product of its transform and the kernel's conjugate one.

    The wrap-around of the periodic correlation falls on outputs beyond the last window, which are cut off.
    """
    count, _, *size = x.shape
    filters, inputs = weight.shape[:2]
    (s, t), (d, e), (height, width) = geometry.stride, geometry.dilation, geometry.output
    sides = [_fast_side(side) for side in size]
    spread = weight.new_zeros((filters, inputs, *geometry.extent))
    spread[..., ::d, ::e] = weight
    image = torch.fft.rfft2(x, sides).reshape(count, groups, 1, inputs, sides[0], -1)
    kernel = torch.fft.rfft2(spread, sides).conj().reshape(1, groups, filters // groups, inputs, sides[0], -1)
    product = image[:, :, :, 0] * kernel[:, :, :, 0]
    for channel in range(1, inputs):
        product += image[:, :, :, channel] * kernel[:, :, :, channel]
    dense = torch.fft.irfft2(product.reshape(count, filters, sides[0], -1), sides)
    out: torch.Tensor = dense[..., : s * (height - 1) + 1 : s, : t * (width - 1) + 1 : t]
    return out.contiguous() if bias is None else out + bias[:, None, None]


def _fast_side(side: int) -> int:
    """The next even number whose prime factors are 2, 3 and 5."""
    while True:
        rest = side
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1 and side % 2 == 0:
            return side
        side += 1


def _transposed(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, geometry: Geometry, groups: int
) -> torch.Tensor:
    top, bottom, left, right = geometry.pads
    limits = (max(s, d) for s, d in zip(geometry.stride, geometry.dilation, strict=True))
    small = all(p2 < limit for p2, limit in zip(geometry.output_padding, limits, strict=True))
    if top == bottom and left == right and small:
        return F.conv_transpose2d(
            x, weight, bias, geometry.stride, (top, left), geometry.output_padding, groups, geometry.dilation
        )
    full = F.conv_transpose2d(x, weight, bias, geometry.stride, groups=groups, dilation=geometry.dilation)
    rows, columns = geometry.output_padding
    if rows or columns:  # no input reaches these: they hold the bias alone
        extended = full.new_zeros((*full.shape[:2], full.shape[2] + rows, full.shape[3] + columns))
        if bias is not None:
            extended += bias[:, None, None]
        extended[:, :, : full.shape[2], : full.shape[3]] = full
        full = extended
    return full[:, :, top : top + geometry.output.height, left : left + geometry.output.width]


def _tensors(task: Task) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Input, weight and bias on the device in the dtype of the computation."""
    where, kind = check_device(task.device), getattr(torch, task.dtype)
    if task.threads is not None:
        torch.set_num_threads(task.threads)
    # float32 means float32: TF32 would keep 10 bits of the mantissa. `compare` shows what it would gain.
    torch.backends.cudnn.allow_tf32 = False

    def tensor(array: NDArray[np.generic]) -> torch.Tensor:
        # The narrow type crosses the bus; it is widened on the device. torch lacks most unsigned types.
        if array.dtype.kind in "ub" and array.dtype != np.uint8:
            array = array.astype(np.float64 if task.dtype == "float64" else np.float32)
        if not array.flags.writeable or min(array.strides, default=0) < 0:
            array = array.copy()  # torch has neither read-only tensors nor negative strides
        return torch.from_numpy(array).to(where).to(kind).contiguous()

    return tensor(task.x), tensor(task.weight), None if task.bias is None else tensor(task.bias)


def _array(out: torch.Tensor) -> NDArray[np.floating]:
    if out.dtype is torch.bfloat16:  # NumPy has no such type
        out = out.float()
    array: NDArray[np.floating] = out.cpu().numpy()
    return array
