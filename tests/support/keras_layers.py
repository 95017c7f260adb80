"""Layers of Keras, which runs on torch."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray


def imported() -> Any:
    """Keras. What it runs on is chosen when it is imported."""
    os.environ["KERAS_BACKEND"] = "torch"
    return pytest.importorskip("keras")


def array(tensor: Any) -> NDArray[Any]:
    """The values of one of its tensors or variables."""
    held = getattr(tensor, "value", tensor)
    values: NDArray[Any] = held.detach().cpu().numpy()
    return values


def output(layer: Any, planes: NDArray[Any]) -> NDArray[Any]:
    """What a layer or a model makes of planes ``(C, H, W)``: planes again."""
    return np.moveaxis(array(layer(np.moveaxis(planes, 0, -1)[None].astype(np.float32)))[0], -1, 0)
