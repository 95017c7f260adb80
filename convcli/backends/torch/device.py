"""The torch devices of this machine."""

from __future__ import annotations

import torch

from convcli.errors import BackendError, param


def check_device(name: str) -> torch.device:
    """The torch device called `name`.

    Raises
    ------
    BackendError
        This machine does not have the device. It is never replaced by another one.
    """
    device = torch.device(name)
    if device.type == "cuda":
        if reason := cuda_missing():
            raise BackendError(f"device '{name}'", "is not available", f"{reason}; use {param('device', 'cpu')}")
        if device.index is not None and device.index >= (count := torch.cuda.device_count()):
            raise BackendError(f"device '{name}'", "is not available", f"the last CUDA device here is cuda:{count - 1}")
    return device


def cuda_missing() -> str | None:
    """Why there is no CUDA device here, or None if there is one."""
    if torch.cuda.is_available() and torch.cuda.device_count():
        return None
    return "torch sees no CUDA device here" if torch.version.cuda else "this torch is built without CUDA"


def devices() -> list[tuple[str, str]]:
    """The name and a description of every device. If there is no CUDA device, the reason is given."""
    missing = cuda_missing()
    found = [("cpu", f"{torch.get_num_threads()} threads")]
    if missing:
        return [*found, ("cuda", f"none: {missing}")]
    for number in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(number)
        found.append(
            (
                f"cuda:{number}",
                f"{about.name}, {about.total_memory / 2**30:.0f} GiB, capability {about.major}.{about.minor}",
            )
        )
    return found
