"""What a file format can hold: decided from shapes and types alone, before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass

from convcli.errors import ImageError
from convcli.images.picture import SPACES, Picture

_NO_ALPHA = {"JPEG", "PPM", "BMP", "PCX", "EPS", "MPO"}
_DEEP = {"PNG", "TIFF", "PPM"}
_FLOAT = {"TIFF"}


@dataclass(frozen=True, slots=True)
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


def storage(
    picture: Picture, space: str, shape: tuple[int, ...], transparent: bool, container: str, policy: str | None
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

    Raises
    ------
    ImageError
        Channels, transparency, batches or real values that the format cannot hold.
    """
    *batch, channels, _, _ = shape
    if container == "NPY":
        return Storage(container, space, "float32", 1.0, picture.full_scale, policy or "raw")
    if batch and batch[0] != 1:
        raise ImageError(f"a batch of {batch[0]} images does not fit into one {container} file: write .npy")
    if space == "tensor":
        space = SPACES.get(channels, "tensor")
    if space == "tensor":
        raise ImageError(
            f"{channels} output channels do not fit into a {container} file, which has 1 or 3: write .npy (-o out.npy), "
            "or join them with --combine"
        )
    if transparent and container in _NO_ALPHA:
        raise ImageError(f"{container} holds no transparency: use --alpha drop, or write png, webp or tif")
    tensor = picture.space == "tensor"
    plain_gray = space == "gray" and not transparent
    real = picture.full_scale == 1 and not tensor
    if (real or policy == "raw") and container in _FLOAT and plain_gray:
        return Storage(container, space, "float32", 1.0, picture.full_scale, policy or "raw")
    if policy == "raw":
        raise ImageError(f"--range raw does not fit into integers: write .npy, or gray tif instead of {container}")
    full_scale = 255.0 if picture.full_scale == 1 and tensor else picture.full_scale
    if full_scale > 255 and plain_gray and container in _DEEP:
        return Storage(container, space, "uint16", 1.0, full_scale, policy or "clip")
    notes: tuple[str, ...] = ()
    if full_scale > 255:
        notes = (f"16-bit values are stored with 8 bits in {container}: write gray png or tif to keep the depth",)
    return Storage(container, space, "uint8", 255.0 / full_scale, 255.0, policy or "clip", notes)
