"""Weight colours by their opacity before a kernel that averages, and divide by the opacity afterwards."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

VISIBLE = 1e-6
"""A colour is visible if its opacity is more than this share of full opacity."""


def weigh(planes: NDArray[np.floating], full_scale: float) -> None:
    """Weight the colours of ``(C + 1, …)`` by the last plane, their opacity ``0 … full_scale``, in place."""
    planes[:-1] *= planes[-1] / full_scale


def divide(planes: NDArray[Any], full_scale: float, gain: float) -> None:
    """Undo `weigh` after a kernel that sums to `gain`, in place.

    If there was nothing opaque under the kernel, the colour becomes 0: it cannot be seen.
    """
    colours, opacity = planes[:-1], planes[-1]
    opacity /= gain
    visible = opacity > full_scale * VISIBLE
    colours /= np.where(visible, opacity / full_scale, 1)
    np.copyto(colours, 0, where=~visible)
