"""The values that a file keeps: real values become the integers of the format, or real numbers of another width."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convcli.errors import param
from convcli.images.alpha import joined
from convcli.images.formats import row_of
from convcli.images.picture import Picture
from convcli.images.writing.storage import Storage
from convcli.pointwise.finish import Finish
from convcli.pointwise.ranges import Clipped, apply_policy


def narrowed(array: NDArray[Any], dtype: str) -> tuple[NDArray[Any], tuple[str, ...]]:
    """An array in the dtype that it is kept in, and a remark on the values that this has no room for."""
    if array.dtype == dtype:
        return array, ()
    with np.errstate(over="ignore"):
        out = array.astype(dtype)
    count = int(np.count_nonzero(np.isinf(out) & np.isfinite(array)))
    if not count:
        return out, ()
    what = f"{count} value{'s are' if count > 1 else ' is'} beyond {dtype} and become{'s' * (count == 1)} infinite"
    return out, (f"{what}: use {param('dtype', 'float32' if dtype == 'float16' else 'float64')}",)


def tensor_of(picture: Picture, policy: str) -> tuple[NDArray[Any], Clipped]:
    """The array of a .npy file, of the rank of the input's, alpha as the last channel."""
    values, clipped = _real(picture.colour, picture.full_scale, policy)
    if picture.alpha is not None:
        values = np.concatenate([values, picture.alpha[np.newaxis]])
    if picture.rank == 2 and values.shape[0] == 1:
        values = values[0]
    return np.ascontiguousarray(values), clipped


def _real(colour: NDArray[Any], full_scale: float, policy: str) -> tuple[NDArray[Any], Clipped]:
    """Real values under a range policy, without rounding; only ``clip`` bounds them."""
    values = apply_policy(_floating(colour), full_scale, policy)
    if policy != "clip":
        return values, Clipped()
    below, above = int(np.count_nonzero(values < 0)), int(np.count_nonzero(values > full_scale))
    return np.clip(values, 0, full_scale), Clipped(below, above, values.size)


def _floating(array: NDArray[Any]) -> NDArray[Any]:
    return array if array.dtype.kind == "f" else array.astype(np.float32)


def pixels_of(picture: Picture, storage: Storage) -> tuple[NDArray[Any], Clipped]:
    """``(H, W, C)`` as `storage` says, alpha last."""
    colour = picture.colour[0] if picture.colour.ndim == 4 else picture.colour
    if storage.dtype == "float32":
        values, clipped = _real(colour, storage.full_scale, storage.policy)
        if picture.alpha is not None:
            values = joined(values, picture.alpha)
        return np.moveaxis(values, 0, -1).astype(np.float32, copy=False), clipped
    clipped = Clipped()
    if colour.dtype != storage.dtype:
        colour, clipped = _integers(colour, storage, storage.policy)
    if picture.alpha is not None:
        alpha: NDArray[Any] = picture.alpha
        if alpha.dtype != storage.dtype:
            (alpha,), _ = _integers(alpha[np.newaxis], storage, "clip")
        colour = joined(colour, alpha)
    planes = np.moveaxis(colour, 0, -1)
    lacking = storage.space == "cmyk" and not row_of(storage.container).cmyk
    return _rgb(planes) if lacking else planes, clipped


def _rgb(cmyk: NDArray[Any]) -> NDArray[Any]:
    """CMYK as RGB, by Pillow's plain rule."""
    return np.asarray(image_of(cmyk, "cmyk").convert("RGB"))


def _integers(planes: NDArray[Any], storage: Storage, policy: str) -> tuple[NDArray[Any], Clipped]:
    """Values ``(C, H, W)`` as `storage` says, by what makes integers of results in the engine."""
    finish = Finish((), storage.dtype, storage.full_scale, policy, count=True, scale=storage.scale)
    out, clipped = finish.whole(planes[np.newaxis])
    return out[0], clipped


def image_of(pixels: NDArray[Any], space: str) -> Image.Image:
    """Pillow's image of ``(H, W, C)``."""
    height, width, channels = pixels.shape
    mode = "CMYK" if space == "cmyk" and channels == 4 else {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
    return Image.frombuffer(mode, (width, height), np.ascontiguousarray(pixels), "raw", mode, 0, 1)
