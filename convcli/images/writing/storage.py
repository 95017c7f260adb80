"""How a picture is stored: the decision, before anything is computed, by what the format can hold; and the stored values."""

import numpy as np
from PIL import Image

from convcli.errors import ImageError, param
from convcli.images.formats import Format, row_of
from convcli.images.picture import SPACES, Described, Picture, joined
from convcli.pointwise import Array
from convcli.pointwise.finish import Finish
from convcli.pointwise.ranges import Clipped, apply_policy, rule_of
from convcli.records import NamedTuple


class Storage(NamedTuple):
    """How a picture is stored in a file."""

    container: str  # Pillow's name of the format, or ``NPY``
    space: str  # the colour space of the file: ``gray``, ``rgb``, ``cmyk``, or ``tensor``
    dtype: str  # ``uint8``, ``uint16``, or ``float32`` for real values
    scale: float  # the factor for the values, for another depth
    full_scale: float  # white, after scaling
    policy: str  # the range policy, one of `convcli.vocabulary.RANGES` or ``LO,HI``
    notes: tuple[str, ...] = ()  # remarks about what is lost


def storage_for(
    picture: Described,
    space: str,
    shape: tuple[int, ...],
    has_alpha: bool,
    container: str,
    policy: str | None,
    fewer: str = "",
) -> Storage:
    """Decide how a result is stored.

    Parameters
    ----------
    picture : Described
        The input.
    space : str
        The colour space of the result.
    shape : tuple of int
        The shape of the result's colour, ``(C, H, W)`` or ``(N, C, H, W)``.
    policy : str, optional
        One of `convcli.vocabulary.RANGES`, or ``LO,HI``; by default ``clip`` for integers and ``raw`` for real values.
    fewer : str
        How the operation could give fewer channels, for the remedy if there are too many.

    Raises
    ------
    ImageError
        The format cannot hold the channels, alpha, the batch, real values or the size.
    """
    *batch, channels, height, width = shape
    row = row_of(container)
    if row.tensor:
        return Storage(container, space, "float32", 1.0, picture.full_scale, policy or "raw")
    if batch and batch[0] != 1:
        raise ImageError(f"a batch of {batch[0]} images", f"does not fit into one {container} file", "write .npy")
    _check_size(row, height, width)
    declared = picture.metadata.bands
    if space == "tensor" and not (row.bands and declared is not None and declared.channels == channels):
        space = SPACES.get(channels, "tensor")
    if space == "tensor" and not row.bands:
        remedy = f"write tif or .npy ({param('output', 'out.npy')}), or draw them on a sheet with {param('montage')}"
        remedy += f", or {fewer}" if fewer else ""
        rule = f"do not fit into a {container} file, which has 1 or 3"
        raise ImageError(f"{channels} output channels", rule, remedy)
    if has_alpha and not row.alpha:
        raise ImageError(
            "the image",
            f"has alpha, and {container} cannot hold it",
            f"use {param('alpha', 'drop')}, or write png, webp or tif",
        )
    full_scale = white_of(picture, container)
    if (picture.real or policy == "raw") and row.real:
        rare = picture.metadata.rare
        notes = (f"{rare} samples are written as float32",) if rare and policy is None else ()
        return Storage(container, space, "float32", 1.0, full_scale, policy or "raw", notes)
    check_policy(container, policy)
    if row.any_white and picture.dtype.kind == "u" and full_scale % 1 == 0 and full_scale < 65536:
        return Storage(container, space, "uint8" if full_scale < 256 else "uint16", 1.0, full_scale, policy or "clip")
    deep = full_scale > 255 and row.bits == 16 and (space != "cmyk" or row.cmyk)
    dtype, white = ("uint16", 65535.0) if deep else ("uint8", 255.0)
    notes = ()
    if full_scale > 255 and not deep:
        notes = (f"16-bit values are stored with 8 bits in {container}: write png or tif to keep the depth",)
    elif row.real and (policy is None or rule_of(policy)[0] != "minmax") and _has_other_bits(picture):
        said = f"values are scaled, so that white is {white:g}, not {full_scale:g}"
        notes = (f"{said}: {param('range', 'raw')} keeps them",)
    return Storage(container, space, dtype, white / full_scale, white, policy or "clip", notes)


def _has_other_bits(picture: Described) -> bool:
    """Whether a file declares integers of 6, 10, 12 or 14 bits, say, which are scaled to 8 or 16, so that white stays white."""
    declared = picture.dtype.kind == "u" and not row_of(picture.metadata.format).tensor
    return declared and picture.full_scale not in (255, 65535)


def check_policy(container: str, policy: str | None) -> None:
    """Refuse the policy ``raw`` in a format without real values."""
    row = row_of(container)
    if policy == "raw" and not (row.real or row.tensor):
        remedy = f"write .npy, or tif instead of {container}"
        raise ImageError(param("range", "raw"), "does not fit into integers", remedy)


def white_of(picture: Described, container: str) -> float:
    """White of what an input becomes, in the input's units; a tensor of unknown white becomes a picture of 0 to 255."""
    guessed = picture.assumed and row_of(picture.metadata.format).tensor and not row_of(container).tensor
    return 255.0 if guessed and picture.full_scale == 1 else picture.full_scale


def _check_size(row: Format, height: int, width: int) -> None:
    """Refuse a size that a format cannot hold."""
    size = f"{height}×{width}"
    if max(height, width) > row.largest:
        rule = f"is too large for {row.name}, whose sides are at most {row.largest}"
        raise ImageError(size, rule, "write png or tif")
    if row.only and (height, width) != (row.only, row.only):
        rule = f"is not a size of {row.name}, which is written as {row.only}×{row.only}"
        raise ImageError(size, rule, "write png or ico")


def narrowed(array: Array, dtype: str) -> tuple[Array, tuple[str, ...]]:
    """An array in another dtype, and a remark about values that are too large for it."""
    if array.dtype == dtype:
        return array, ()
    with np.errstate(over="ignore"):
        out = array.astype(dtype)
    count = int(np.count_nonzero(np.isinf(out) & np.isfinite(array)))
    if not count:
        return out, ()
    what = f"{count} value{'s are' if count > 1 else ' is'} beyond {dtype} and become{'s' * (count == 1)} infinite"
    return out, (f"{what}: use {param('dtype', 'float32' if dtype == 'float16' else 'float64')}",)


def tensor_of(picture: Picture, policy: str, span: tuple[float, float] | None = None) -> tuple[Array, Clipped]:
    """The array of a .npy file. It has the rank of the input, and alpha as the last channel.

    `span` are the extremes that ``minmax`` stretches, by default those of the picture.
    """
    values, clipped = _real(picture.colour, picture.full_scale, policy, span)
    if picture.alpha is not None:
        values = np.concatenate([values, picture.alpha[np.newaxis]])
    if picture.rank == 2 and values.shape[0] == 1:
        values = values[0]
    return np.ascontiguousarray(values), clipped


def _real(colour: Array, full_scale: float, policy: str, span: tuple[float, float] | None) -> tuple[Array, Clipped]:
    """Real values after a range policy, without rounding. Only ``clip`` and ``LO,HI`` limit them."""
    values = colour if colour.dtype.kind == "f" else colour.astype(np.float32)
    rule, given = rule_of(policy)
    mapped = apply_policy(values, full_scale, rule, span=given or span)
    if policy != "clip" and given is None:
        return mapped, Clipped()
    low, high = given or (0.0, full_scale)
    with np.errstate(over="ignore"):  # limits that float16 does not hold
        below, above = int(np.count_nonzero(values < low)), int(np.count_nonzero(values > high))
    return np.clip(mapped, 0, full_scale), Clipped(below, above, values.size)


def pixels_of(picture: Picture, storage: Storage, span: tuple[float, float] | None = None) -> tuple[Array, Clipped]:
    """The stored values ``(H, W, C)``, alpha last. `span` are the extremes that ``minmax`` stretches, by default the picture's."""
    colour = picture.colour[0] if picture.colour.ndim == 4 else picture.colour
    if storage.dtype == "float32":
        values, clipped = _real(colour, storage.full_scale, storage.policy, span)
        if picture.alpha is not None:
            values = joined(values, picture.alpha)
        return np.moveaxis(values, 0, -1).astype(np.float32, copy=False), clipped
    clipped = Clipped()
    if colour.dtype != storage.dtype:
        colour, clipped = _integers(colour, storage, storage.policy)
    if picture.alpha is not None:
        alpha: Array = picture.alpha
        if alpha.dtype != storage.dtype:
            (alpha,), _ = _integers(alpha[np.newaxis], storage, "clip")
        colour = joined(colour, alpha)
    planes = np.moveaxis(colour, 0, -1)
    lacking = storage.space == "cmyk" and not row_of(storage.container).cmyk
    # CMYK becomes RGB by Pillow's plain rule
    return np.asarray(image_of(planes, "cmyk").convert("RGB")) if lacking else planes, clipped


def _integers(planes: Array, storage: Storage, policy: str) -> tuple[Array, Clipped]:
    """Values ``(C, H, W)`` as stored integers, computed as in the engine."""
    rule, span = rule_of(policy, storage.scale)
    finish = Finish((), storage.dtype, storage.full_scale, rule, count=True, scale=storage.scale, span=span)
    out, clipped = finish.whole(planes[np.newaxis])
    return out[0], clipped


SHARED = "L", "RGBA", "CMYK"
"""Modes whose pixels Pillow keeps as they are in an array, so that both can have one memory."""


def image_of(pixels: Array, space: str) -> Image.Image:
    """Pixels ``(H, W, C)`` as an image of Pillow."""
    height, width, channels = pixels.shape
    mode = "CMYK" if space == "cmyk" and channels == 4 else {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
    if mode in SHARED:
        return Image.frombuffer(mode, (width, height), np.ascontiguousarray(pixels), "raw", mode, 0, 1)
    image = Image.new(mode, (width, height), None)  # whose pixels are not cleared first
    image.frombytes(np.ascontiguousarray(pixels).data, "raw", mode, 0, 1)
    return image
