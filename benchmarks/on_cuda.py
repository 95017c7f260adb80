"""The rows that compare filters on a CUDA device: from host to host, and with the pixels on the device before and after.

Without a device there are no rows. The device ``cpu`` is for trying the code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from convcli import engine
from convcli.backends.torch import timed_on_cuda
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.kernels import parse
from convcli.layer import Layer
from convcli.pointwise.finish import Finish

Measure = Callable[[], float]
Line = tuple[str, Measure, dict[str, Measure], float]

REPEATS = 5
"""Runs between two events on the device."""


def cuda_rows(photo: NDArray[np.uint8], device: str = "cuda") -> Iterator[Line]:
    """All rows: name, convcli, torch, goal. `photo` is ``(H, W, 3)``."""
    if device == "cuda" and not torch.cuda.is_available():
        return
    for count in (1, 16):
        batch = np.repeat(photo[np.newaxis], count, axis=0)
        for name in ("sharpen", "disk:15"):
            kernel = parse(name).kernels[0].values
            size = "×".join(map(str, kernel.shape))
            title = f"{device}: {'a batch of 16, ' if count > 1 else ''}{name.partition(':')[0]} {size}"
            yield title, _ours(batch, kernel, device), {"torch conv2d": _theirs(batch, kernel, device)}, 1.0
            if device != "cpu":
                peers = {"torch conv2d": _theirs_there(batch, kernel, device)}
                yield f"{title}, pixels on the device", _ours_there(batch, kernel, device), peers, 1.0
    if device != "cpu":
        yield "cuda: a copy of the 16 images as float32 on the device, for comparison", _copy(batch, device), {}, 1.0


def _call(batch: NDArray[np.uint8], kernel: NDArray[np.float64], device: str) -> engine.Call:
    weight = np.broadcast_to(kernel, (3, 1, *kernel.shape)).copy()
    spec = ConvSpec(padding="same-upper", groups=3)
    compute = Compute("torch", device=device)
    return engine.prepare(batch.transpose(0, 3, 1, 2), Layer.of(weight, spec), spec, compute, Finish(dtype="uint8"))


def _ours(batch: NDArray[np.uint8], kernel: NDArray[np.float64], device: str) -> Measure:
    call = _call(batch, kernel, device)

    def measure() -> float:
        start = perf_counter()
        call.run()
        return perf_counter() - start

    return measure


def _theirs(batch: NDArray[np.uint8], kernel: NDArray[np.float64], device: str) -> Measure:
    """The filter as people usually write it in torch."""
    weight = torch.tensor(kernel, dtype=torch.float32, device=device).repeat(3, 1, 1, 1)

    def measure() -> float:
        start = perf_counter()
        with torch.inference_mode():
            x = torch.from_numpy(batch).permute(0, 3, 1, 2).float().to(device)
            y = F.conv2d(x, weight, padding="same", groups=3)
            y.round().clamp(0, 255).to(torch.uint8).cpu().numpy()
        return perf_counter() - start

    return measure


def _ours_there(batch: NDArray[np.uint8], kernel: NDArray[np.float64], device: str) -> Measure:
    call = _call(batch, kernel, device)
    return lambda: median(timed_on_cuda(call.task, REPEATS)[1]) / 1e3


def _theirs_there(batch: NDArray[np.uint8], kernel: NDArray[np.float64], device: str) -> Measure:
    weight = torch.tensor(kernel, dtype=torch.float32, device=device).repeat(3, 1, 1, 1)
    return _between_events(lambda x: F.conv2d(x, weight, padding="same", groups=3), batch, device)


def _copy(batch: NDArray[np.uint8], device: str) -> Measure:
    """The limit of the device's memory: every value is read once and written once."""
    return _between_events(torch.clone, batch, device)


def _between_events(work: Callable[[torch.Tensor], torch.Tensor], batch: NDArray[np.uint8], device: str) -> Measure:
    """Seconds of work on the pictures as float32, NCHW, which are already on the device."""

    def measure() -> float:
        times = []
        with torch.inference_mode():
            x = torch.from_numpy(batch).to(device).permute(0, 3, 1, 2).float().contiguous()
            work(x)  # warms up
            for _ in range(REPEATS):
                start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
                start.record()
                work(x)
                stop.record()
                stop.synchronize()
                times.append(start.elapsed_time(stop))
        return float(median(times)) / 1e3

    return measure
