"""What crosses the bus: arrays to tensors and back, as narrow as they are. They are widened on the device."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


def to_tensor(array: NDArray[Any]) -> torch.Tensor:
    """An array as a tensor in the host's memory: the same memory, of the same dtype, wherever torch can have it so."""
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if not array.flags.writeable or min(array.strides, default=0) < 0:
        array = array.copy(order="K")  # torch has neither read-only tensors nor negative strides
    return torch.from_numpy(array)


def to_array(tensor: torch.Tensor) -> NDArray[Any]:
    """A tensor as an array in the host's memory, in the tensor's dtype if NumPy has it."""
    if tensor.dtype is torch.bfloat16:
        tensor = tensor.float()
    array: NDArray[np.generic] = tensor.cpu().numpy()
    return array
