"""From decoded pixels to planes: colour, alpha, and what white is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from convcli.errors import ImageError, param
from convcli.images.picture import COLOURS, Metadata, Picture, joined
from convcli.pointwise import Array

BAND_PIXELS = 1 << 20
"""What is converted at a time."""


def array_of(image: Image.Image, mode: str | None = None) -> Array:
    """``(H, W)`` or ``(H, W, C)`` of an image in `mode`, its own by default, in that mode's dtype. It may be read-only.

    `numpy.asarray` has Pillow list all pixels in small pieces and join them: a copy more than there is room for. So a large
    image is converted and copied in bands.
    """
    source: Any = image
    source.load()
    width, height = image.size
    rows = max(1, BAND_PIXELS // max(1, width))

    def band(start: int, stop: int) -> Array:
        # as `crop`, which checks Pillow's limit of pixels
        part = image if stop - start == height else source._new(source.im.crop((0, start, width, stop)))
        return np.asarray(part if mode in (None, part.mode) else part.convert(mode))

    if height <= rows:
        return band(0, height)
    like = band(0, 1)
    out = np.empty((height, *like.shape[1:]), like.dtype)
    for start in range(0, height, rows):
        out[start : start + rows] = band(start, min(start + rows, height))
    return out


def planes_of(
    array: Array, space: str, white: float | None = None, value: tuple[int, ...] | None = None, real: bool = False
) -> Picture:
    """The picture of ``(H, W)`` or ``(H, W, C)``: the channels of a colour space, and alpha if there is one more.

    White is the largest integer of the dtype if it is not given. `value` is the one colour that is transparent.
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


def gray_planes(array: Array, white: float | None, value: tuple[int, ...] | None = None) -> Picture:
    """Gray ``(H, W)`` of 16 or 32 bits. Integers beyond 16 bits, or below 0, become float32, or float64 if that is needed.

    White is what the file or the user says. If nobody does, it is 1 for floating point, and for such integers the largest
    number of as many bits as the values need, with a remark. `value` is the one colour that is transparent.
    """
    if array.dtype.kind == "f":
        return planes_of(array, "gray", white or 1.0, real=True)
    low, high = (0, 0) if array.dtype == np.uint16 else (int(array.min()), int(array.max()))
    if low >= 0 and high <= 65535:
        return planes_of(array.astype(np.uint16, copy=False), "gray", value=value)
    exact = array.astype(np.float32 if max(-low, high) <= 2**24 else np.float64)
    if white:
        return planes_of(exact, "gray", white, real=True)
    white = 2.0 ** max(16, high.bit_length()) - 1
    guess = f"white is taken as {white:.0f}, the next full number of bits"
    notes = (f"32-bit values: {guess}; see {param('full_scale')}",)
    return replace(planes_of(exact, "gray", white, real=True), notes=notes)


def completed(
    picture: Picture, source: str, wanted: float | None, metadata: Metadata, notes: tuple[str, ...], said: bool = False
) -> Picture:
    """A picture with what its file says beside the pixels, and whether its white is a guess.

    Parameters
    ----------
    source : str
        For the message.
    wanted : float or None
        What the user says that white is.
    said : bool
        Whether the file says it of real numbers; of others its depth does.

    Raises
    ------
    ImageError
        The user and the file both say it.
    """
    white, said = picture.full_scale, said or not picture.real
    if wanted is not None and said:
        rule = f"is for files that do not say what white is, and in '{source}' it is {white:g}"
        raise ImageError(param("full_scale", f"{wanted:g}"), rule, "leave it out")
    return replace(picture, assumed=not said and wanted is None, metadata=metadata, notes=(*picture.notes, *notes))


def upright(planes: Picture, orientation: int) -> Picture:
    """Turned as the EXIF orientation says, interleaved in memory again."""
    if orientation == 1:
        return planes
    whole = planes.colour if planes.alpha is None else joined(planes.colour, planes.alpha)
    turned = np.moveaxis(np.ascontiguousarray(_turned(np.moveaxis(whole, 0, -1), orientation)), -1, 0)
    if planes.alpha is None:
        return replace(planes, colour=turned)
    return replace(planes, colour=turned[:-1], alpha=turned[-1])


def _turned(array: Array, orientation: int) -> Array:
    """A view of ``(H, W, …)``; EXIF 2.3, 4.6.4, tag 274: where the first row and the first column are."""
    if orientation > 4:
        array = array.swapaxes(0, 1)
    flips = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}
    rows, columns = flips.get(orientation, (1, 1))
    return array[::rows, ::columns]


def straighten(pixels: Array, full_scale: float, real: bool = False) -> None:
    """Divide the colours of ``(H, W, C)``, alpha last, by their alpha, with which some files keep them multiplied.

    They are rounded, and no larger than white, unless they are `real`.
    """
    for row in pixels:
        colours, alpha = row[:, :-1], row[:, -1:].astype(np.float64)
        if real:
            colours[...] = np.divide(colours, alpha / full_scale, out=np.zeros(colours.shape), where=alpha > 0)
        else:
            scale = np.divide(full_scale, alpha, out=np.zeros_like(alpha), where=alpha > 0)
            colours[...] = np.rint(np.minimum(colours * scale, full_scale))
