"""Gray as the weighted sum of colours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

LUMA = (0.299, 0.587, 0.114)
"""Weights of encoded red, green and blue (ITU-R BT.601), as in Pillow, OpenCV and libjpeg."""

LUMINANCE = (0.2126, 0.7152, 0.0722)
"""Weights of red, green and blue in linear light with sRGB's primaries (ITU-R BT.709)."""


def weights_for(channels: int, linear: bool) -> tuple[float, ...]:
    """For three channels `LUMA` or, in linear light, `LUMINANCE`; otherwise the weights of the mean."""
    if channels == 3:
        return LUMINANCE if linear else LUMA
    return (1 / channels,) * channels


def to_gray(planes: Iterable[NDArray[Any]], weights: tuple[float, ...], out: NDArray[np.floating]) -> None:
    """Write the weighted sum of `planes`, which are read one by one, to `out`: the same shape, floating point."""
    kind = out.dtype.type
    for number, (plane, weight) in enumerate(zip(planes, weights, strict=True)):
        if number:
            out += np.multiply(plane, kind(weight), dtype=kind)
        else:
            np.multiply(plane, kind(weight), out=out, dtype=kind)
