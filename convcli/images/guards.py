"""What guards this process against files, and the process's other users against us.

A limit on pixels against decompression bombs, the machine's memory, whatever decoders raise; and one context for all that Pillow
and tifffile want changed process-wide, which puts everything back.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from threading import RLock

from PIL import Image, UnidentifiedImageError

from convcli.errors import ImageError, param
from convcli.system import memory
from convcli.system.context import silent
from convcli.vocabulary import MOST_PIXELS

MAX_PIXELS = 178_956_970
"""The default limit: where Pillow itself refuses, which is at twice its own figure."""

_QUIET = ("PIL", "tifffile")
"""Loggers that speak of odd files. Python would print what they say."""

_lock = RLock()
_inside: list[ExitStack] = []
"""Not empty while somebody is inside of `process_wide`: what is to be undone."""
_depth = 0


@contextmanager
def process_wide(limit: int = MAX_PIXELS) -> Iterator[ExitStack]:
    """All that is changed in the process while pictures are read and written; as it was, when the last one leaves.

    Pillow's own limit on pixels, the filters of warnings, and loggers. To be entered as often as needed, by any thread.

    Parameters
    ----------
    limit : int
        Pixels that are accepted. Pillow, whose plugins look as well, is told of a larger limit, never of a smaller one: it
        holds the letters in a figure against it, too.

    Returns
    -------
    ExitStack
        What is registered here is undone in the end, too.
    """
    global _depth
    with _lock:
        if not _depth:
            _inside.append(ExitStack())
            _begin(_inside[0])
        _depth += 1
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 0, (max(limit, MAX_PIXELS) + 1) // 2)
        undo = _inside[0]
    try:
        yield undo
    finally:
        with _lock:
            _depth -= 1
            if not _depth:
                _inside.pop().close()


def _begin(undo: ExitStack) -> None:
    undo.callback(setattr, Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    Image.MAX_IMAGE_PIXELS = 0
    warnings.filterwarnings("ignore", module=r"PIL\b")  # of sizes that Pillow still accepts, and of odd metadata
    undo.callback(_take_away, warnings.filters[0])
    for name in _QUIET:
        logger, handler = logging.getLogger(name), logging.NullHandler()
        logger.addHandler(handler)
        undo.callback(logger.removeHandler, handler)
        undo.callback(setattr, logger, "propagate", logger.propagate)
        logger.propagate = False


def _take_away(entry: object) -> None:
    """Take a filter of warnings away again, unless somebody did."""
    with suppress(ValueError):
        warnings.filters.remove(entry)  # type: ignore[attr-defined]


@contextmanager
def decoding(source: str, limit: int) -> Iterator[None]:
    """Turn whatever decoders raise into an `ImageError` of one line, and keep C libraries from talking.

    Raises
    ------
    ImageError
        What was raised within; an `UnidentifiedError` where Pillow knows no such format.
    """
    try:
        with silent():
            yield
    except (ImageError, MemoryError):
        raise
    except UnidentifiedImageError:
        rule, why = "is not an image", "Pillow recognises no format in it"
        raise UnidentifiedError(f"input '{source}'", rule, "name an image or a .npy file", why) from None
    except Image.DecompressionBombError as error:
        found = re.search(r"[0-9]+ pixels", str(error))  # Pillow's own look, beyond the same limit
        pixels = int(found[0].split()[0]) if found else 2 * limit
        raise beyond(source, f"{pixels} pixels", pixels, limit) from None
    except Exception as error:  # only code of Pillow or tifffile runs in there, which raises whatever comes to hand
        rule, remedy = "cannot be decoded", "is it truncated, damaged or of a rare kind?"
        raise ImageError(f"input '{source}'", rule, remedy, reason(error, "Pillow gives no reason")) from None


def reason(error: Exception, otherwise: str) -> str:
    """The first line of what a library says, or `otherwise` where it says nothing."""
    return (str(error).splitlines() or [otherwise])[0]


class UnidentifiedError(ImageError):
    """Pillow knows no such format."""


def beyond(source: str, size: str, pixels: int, limit: int) -> ImageError:
    """The error that a picture is beyond the limit."""
    what = f"input '{source}'"
    if pixels > MOST_PIXELS:
        rule, why = f"has {size}, more than any image has", "it is damaged, or a decompression bomb"
        return ImageError(what, rule, "use another", why)
    remedy = f"if it is none, use {param('max_pixels', pixels)}"
    return ImageError(what, f"has {size}, more than {limit}, and may be a decompression bomb", remedy)


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
    size = f"{pixels} pixels" + (f" in {frames} frames" if frames > 1 else "")
    if pixels > limit:
        raise beyond(source, size, pixels, limit)
    need = pixels // frames * bytes_each
    if memory.refuses(need):
        rule = f"has {size} and needs {need / 2**30:.1f} GiB, {memory.share()}"
        raise ImageError(f"input '{source}'", rule, "reduce or cut it first")
