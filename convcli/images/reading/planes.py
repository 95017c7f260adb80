"""From decoded pixels to a picture: colour, alpha, and the value of white."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from convcli.errors import ImageError, param
from convcli.images.picture import COLOURS, Metadata, Picture, joined
from convcli.pointwise import Array


def planes_of(
    array: Array, space: str, white: float | None = None, value: tuple[int, ...] | None = None, real: bool = False
) -> Picture:
    """The picture of an array ``(H, W)`` or ``(H, W, C)`` with the channels of a colour space, and alpha as one channel more.

    By default, white is the largest integer of the dtype. `value` is the only colour that is transparent.
    """
    planes = array[np.newaxis] if array.ndim == 2 else np.moveaxis(array, -1, 0)
    white = white or float(np.iinfo(array.dtype).max)
    if len(planes) > COLOURS[space]:
        return Picture(planes[:-1], planes[-1], space, white, real=real)
    alpha = None
    if value is not None:
        opaque = (np.moveaxis(planes, 0, -1) != np.array(value, array.dtype)).any(axis=-1)
        alpha = np.where(opaque, array.dtype.type(white), array.dtype.type(0))
    return Picture(planes, alpha, space, white, real=real)


def completed(
    picture: Picture, source: str, wanted: float | None, metadata: Metadata, notes: tuple[str, ...], said: bool = False
) -> Picture:
    """A picture with the metadata of its file and notes, and whether its white is a guess.

    `wanted` is the value of white that the user gives. `said` says whether the file defines white of real numbers; for integers
    of up to 16 bits the depth defines it. Raises `ImageError` if both define white.
    """
    white, said = picture.full_scale, said or not picture.real
    if wanted is not None and said:
        rule = f"is for files that do not define white, '{source}' defines it as {white:g}"
        raise ImageError(param("full_scale", f"{wanted:g}"), rule, "leave it out")
    metadata = metadata._replace(bands=picture.metadata.bands, rare=picture.metadata.rare)
    return replace(picture, assumed=not said and wanted is None, metadata=metadata, notes=(*picture.notes, *notes))


def upright(planes: Picture, orientation: int) -> Picture:
    """A picture turned as its EXIF orientation says, interleaved in memory again."""
    if orientation == 1:
        return planes
    whole = planes.colour if planes.alpha is None else joined(planes.colour, planes.alpha)
    turned = np.moveaxis(np.ascontiguousarray(_turned(np.moveaxis(whole, 0, -1), orientation)), -1, 0)
    if planes.alpha is None:
        return replace(planes, colour=turned)
    return replace(planes, colour=turned[:-1], alpha=turned[-1])


def _turned(array: Array, orientation: int) -> Array:
    """A turned view of ``(H, W, …)``. EXIF 2.3, 4.6.4, tag 274: where the first row and the first column are."""
    if orientation > 4:
        array = array.swapaxes(0, 1)
    flips = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}
    rows, columns = flips.get(orientation, (1, 1))
    return array[::rows, ::columns]


def straighten(pixels: Array, full_scale: float, real: bool = False) -> None:
    """Divide the colours of ``(H, W, C)``, alpha last, by their alpha, in place: some files store them multiplied by it.

    Unless the colours are `real`, they are rounded and limited to white.
    """
    for row in pixels:
        colours, alpha = row[:, :-1], row[:, -1:].astype(np.float64)
        if real:
            colours[...] = np.divide(colours, alpha / full_scale, out=np.zeros(colours.shape), where=alpha > 0)
        else:
            scale = np.divide(full_scale, alpha, out=np.zeros_like(alpha), where=alpha > 0)
            colours[...] = np.rint(np.minimum(colours * scale, full_scale))
