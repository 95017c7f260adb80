"""Copies between the host and the device. Values are copied as narrow as they are, and widened on the device."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


def to_tensor(array: NDArray[Any]) -> torch.Tensor:
    """An array as a tensor in the host's memory: with the same dtype, and without a copy if torch allows it."""
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if not array.flags.writeable or min(array.strides, default=0) < 0:
        array = array.copy(order="K")  # torch has neither read-only tensors nor negative strides
    return torch.from_numpy(array)


def to_array(tensor: torch.Tensor) -> NDArray[Any]:
    """A tensor as an array in the host's memory, in the same dtype. bfloat16, which NumPy does not have, becomes float32."""
    if tensor.dtype is torch.bfloat16:
        tensor = tensor.float()
    array: NDArray[np.generic] = tensor.cpu().numpy()
    return array
