"""Gray of a picture's colours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convcli.errors import ImageError
from convcli.images.picture import Picture
from convcli.pointwise.gray import weights_for
from convcli.pointwise.lift import Lift


def to_gray(picture: Picture, double: bool = False) -> NDArray[np.floating]:
    """Gray ``(1, H, W)`` of encoded colours: see `weights_of`."""
    kind = "float64" if double or picture.colour.dtype == np.float64 else "float32"
    return Lift(kind, picture.full_scale, gray=weights_of(picture)).whole(picture.colour)


def weights_of(picture: Picture, linear: bool = False) -> tuple[float, ...]:
    """What makes gray of an RGB image, luma or, of linear light, luminance; else the mean of the channels.

    Raises
    ------
    ImageError
        CMYK.
    """
    if picture.space == "cmyk":
        raise ImageError("--channels gray is for RGB images, this is CMYK: convert it to RGB first")
    return weights_for(picture.colour.shape[-3], linear)
