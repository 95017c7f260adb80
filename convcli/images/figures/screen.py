"""Pictures as they are seen on a page: 8-bit RGB over its background."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convcli.drawing.colors import channels
from convcli.drawing.scene import Colors
from convcli.images.picture import Picture


def levels(picture: Picture, background: str, step: int = 1) -> NDArray[np.uint8]:
    """A picture that is gray or RGB as ``(H, W, 3)``, sRGB, or only one in `step` rows and columns of it."""
    white, thinned = picture.full_scale, (..., slice(None, None, step), slice(None, None, step))
    real = np.nan_to_num(picture.colour[thinned].astype(np.float64) / white, nan=0.0, posinf=1.0, neginf=0.0)
    colour = np.moveaxis(np.broadcast_to(real, (3, *real.shape[1:])), 0, -1)
    if picture.alpha is not None:
        alpha = (picture.alpha[thinned].astype(np.float64) / white)[..., np.newaxis]
        colour = alpha * colour + (1 - alpha) * (np.array(channels(background)) / 255)
    out: NDArray[np.uint8] = np.rint(colour.clip(0, 1) * 255).astype(np.uint8)
    return out


def thumbnail(picture: Picture, side: int, background: str) -> Colors:
    """A picture that is gray or RGB, made smaller to at most `side` pixels to a side: means of blocks of pixels."""
    seen = levels(picture, background, max(1, max(picture.size) // (4 * side)))
    height, width = (max(1, round(length * min(1.0, side / max(seen.shape[:2])))) for length in seen.shape[:2])
    sums, counts = seen.astype(np.float64), np.ones((1, 1))
    for axis, count in ((0, height), (1, width)):
        starts = np.arange(count) * seen.shape[axis] // count
        sums = np.add.reduceat(sums, starts, axis)
        counts = counts * np.diff([*starts, seen.shape[axis]]).reshape((-1, 1) if axis == 0 else (1, -1))
    means = np.rint(sums / counts[..., np.newaxis]).astype(int).tolist()
    return tuple(tuple("#{:02x}{:02x}{:02x}".format(*pixel) for pixel in row) for row in means)
