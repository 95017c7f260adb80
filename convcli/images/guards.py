"""What is too large to be decoded: a limit on pixels, against decompression bombs, and this machine's memory.

And what Pillow says beside its errors, which is not for users.
"""

from __future__ import annotations

import logging
import warnings

from PIL import Image

from convcli.errors import ImageError
from convcli.system import memory
from convcli.vocabulary import MOST_PIXELS

MAX_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 0)
"""The default: where Pillow itself refuses, 178,956,970."""


for _name in ("PIL", "tifffile"):  # else Python prints what they say of odd files
    logging.getLogger(_name).addHandler(logging.NullHandler())
    logging.getLogger(_name).propagate = False


def quiet() -> None:
    """Pillow warns of sizes that it still accepts, and of odd metadata; for good, because threads share the filters."""
    warnings.filterwarnings("ignore", module=r"PIL\b")


def set_limit(max_pixels: int | None) -> int:
    """The limit in use; Pillow, whose plugins look as well, is told of a larger one (it refuses beyond twice its own figure).

    A smaller one is not for Pillow, which holds the letters in a figure against it, too.
    """
    limit = MAX_PIXELS if max_pixels is None else max_pixels
    Image.MAX_IMAGE_PIXELS = (max(limit, MAX_PIXELS) + 1) // 2
    return limit


def beyond(what: str, pixels: int, limit: int) -> ImageError:
    """The error that says so."""
    if pixels > MOST_PIXELS:
        return ImageError(f"{what}, more than any image has: it is damaged, or a decompression bomb; use another")
    return ImageError(
        f"{what}, more than {limit}, and may be a decompression bomb: if it is none, use --max-pixels {pixels}"
    )


def check_pixels(source: str, pixels: int, limit: int, bytes_each: int = 0, frames: int = 1) -> None:
    """Refuse, before it is decoded, what is beyond the limit or what this machine cannot hold.

    Parameters
    ----------
    source : str
        For the message.
    pixels : int
        Of all frames together.
    limit : int
        The largest count that is accepted.
    bytes_each : int
        What decoding takes for each pixel of a frame.
    frames : int
        Of which one is in memory at a time.
    """
    what = f"input '{source}' has {pixels} pixels" + (f" in {frames} frames" if frames > 1 else "")
    if pixels > limit:
        raise beyond(what, pixels, limit)
    need = pixels // frames * bytes_each
    if memory.refuses(need):
        raise ImageError(f"{what} and needs {need / 2**30:.1f} GiB, {memory.share()}: reduce or cut it first")
