"""Gray of colours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convcli.errors import ImageError
from convcli.images.picture import Picture

LUMA = (0.299, 0.587, 0.114)
"""Gray of encoded red, green and blue, ITU-R BT.601: the weights of Pillow, OpenCV and libjpeg."""

LUMINANCE = (0.2126, 0.7152, 0.0722)
"""Gray of linear light with sRGB's primaries, ITU-R BT.709."""


def to_gray(picture: Picture, linear: bool = False, double: bool = False) -> NDArray[np.floating]:
    """Gray ``(1, H, W)`` of an RGB image, luma or, of linear light, luminance; else the mean of the channels.

    Raises
    ------
    ImageError
        CMYK.
    """
    colour, channels = picture.colour, picture.colour.shape[-3]
    if picture.space == "cmyk":
        raise ImageError("--channels gray is for RGB images, this is CMYK: convert it to RGB first")
    weights = np.array((LUMINANCE if linear else LUMA) if channels == 3 else [1 / channels] * channels)
    kind = np.float64 if double or colour.dtype == np.float64 else np.float32
    out: NDArray[np.floating] = np.einsum("c,...chw->...hw", weights.astype(kind), colour.astype(kind))
    return out[..., np.newaxis, :, :]
