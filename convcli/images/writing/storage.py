"""What a file format can hold: decided before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from convcli.errors import ImageError
from convcli.images import white
from convcli.images.picture import SPACES, Picture

_NO_ALPHA = {"JPEG", "PPM", "BMP", "DIB", "PCX", "EPS"}
_DEEP = {"PNG", "TIFF", "PPM"}
_FLOAT = {"TIFF"}
_LARGEST = {"JPEG": 65500, "PDF": 65500, "WEBP": 16383, "AVIF": 65536, "GIF": 65535, "PCX": 65534, "TGA": 65535,
            "SGI": 65535, "ICO": 256}  # fmt: skip
"""The largest side of formats that have a limit within reach, as Pillow writes them."""
_ICNS = 1024
"""Pillow resizes whatever it is given to this, and puts the smaller icons beside it."""


@dataclass(frozen=True, slots=True, eq=False)
class Storage:
    """How a picture is kept in a file.

    Attributes
    ----------
    container : str
        The format, as Pillow names it, or ``NPY``.
    space : str
        The colour space of the file: ``gray``, ``rgb``, ``cmyk``, or ``tensor``.
    dtype : str
        ``uint8``, ``uint16``, or ``float32`` for real values as they are.
    scale : float
        What values are multiplied by, to fit a narrower type.
    full_scale : float
        White, after scaling.
    policy : str
        The range policy.
    notes : tuple of str
        What is lost.
    """

    container: str
    space: str
    dtype: str
    scale: float
    full_scale: float
    policy: str
    notes: tuple[str, ...] = ()


def storage_for(
    picture: Picture,
    space: str,
    shape: tuple[int, ...],
    transparent: bool,
    container: str,
    policy: str | None,
    fewer: str = "",
) -> Storage:
    """Decide how a result is kept.

    Parameters
    ----------
    picture : Picture
        The input, for its full scale and kind.
    space : str
        The result's colour space.
    shape : tuple of int
        The result's colour, ``(C, H, W)`` or ``(N, C, H, W)``.
    transparent : bool
        Whether it has alpha.
    container : str
        The format.
    policy : str, optional
        One of `convcli.vocabulary.RANGES`; by default ``clip`` for integers and ``raw`` for real values.
    fewer : str
        How the operation could give fewer channels, for the message that there are too many.

    Raises
    ------
    ImageError
        Channels, transparency, batches, real values or a size that the format cannot hold.
    """
    *batch, channels, height, width = shape
    if container == "NPY":
        return Storage(container, space, "float32", 1.0, picture.full_scale, policy or "raw")
    if batch and batch[0] != 1:
        raise ImageError(f"a batch of {batch[0]} images does not fit into one {container} file: write .npy")
    _check_size(container, height, width)
    if space == "tensor":
        space = SPACES.get(channels, "tensor")
    if space == "tensor":
        raise ImageError(
            f"{channels} output channels do not fit into a {container} file, which has 1 or 3: write .npy (-o out.npy)"
            + (f", or {fewer}" if fewer else "")
        )
    if transparent and container in _NO_ALPHA:
        raise ImageError(f"{container} holds no transparency: use --alpha drop, or write png, webp or tif")
    full_scale = white.of_result(picture, container)
    if (picture.real or policy == "raw") and container in _FLOAT:
        wide = f"values of 64 bits are stored with 32 in {container}: write .npy to keep them"
        lost = (wide,) if picture.real and picture.colour.dtype == np.float64 else ()
        return Storage(container, space, "float32", 1.0, full_scale, policy or "raw", lost)
    if policy == "raw":
        raise ImageError(f"--range raw does not fit into integers: write .npy, or tif instead of {container}")
    notes = () if policy == "minmax" else _odd_white(picture, full_scale, container)
    if full_scale > 255 and container in _DEEP and (space != "cmyk" or container == "TIFF"):
        return Storage(container, space, "uint16", 65535 / full_scale, 65535.0, policy or "clip", notes)
    if full_scale > 255:
        notes += (f"16-bit values are stored with 8 bits in {container}: write png or tif to keep the depth",)
    return Storage(container, space, "uint8", 255.0 / full_scale, 255.0, policy or "clip", notes)


def _check_size(container: str, height: int, width: int) -> None:
    """Refuse a size that a format cannot hold."""
    largest = _LARGEST.get(container)
    if largest is not None and max(height, width) > largest:
        raise ImageError(
            f"{height}×{width} is too large for {container}, whose sides are at most {largest}: write png or tif"
        )
    if container == "ICNS" and (height, width) != (_ICNS, _ICNS):
        raise ImageError(f"{height}×{width} is no size of ICNS, which is written as {_ICNS}×{_ICNS}: write png or ico")


def _odd_white(picture: Picture, full_scale: float, container: str) -> tuple[str, ...]:
    """A remark when the values of a real input look as if their white were another one."""
    colour, tensor = picture.colour, picture.metadata.format == "NPY"  # whatever its colours are taken for
    if colour.dtype.kind != "f" or not (picture.real or tensor):
        return ()
    peak = float(colour.max(where=np.isfinite(colour), initial=0))
    remedy = f"to stretch the result over {container}'s range use --range minmax"
    if picture.assumed:
        remedy = f"if it is another use --full-scale, {remedy}"
    if tensor and picture.assumed and full_scale == 255 and 0 < peak <= 1:
        return (f"the values reach {peak:.3g} only, and white is 255: {remedy}",)
    if picture.real and peak > 2 * full_scale:
        return (f"the values reach {peak:.3g}, and white is {full_scale:g}: {remedy}",)
    return ()
