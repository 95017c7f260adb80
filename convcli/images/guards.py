"""How files are opened safely: limits of pixels and memory, one kind of error, and no change of Pillow's settings.

Pillow's settings belong to the whole process: only the command line changes them.
"""

from __future__ import annotations

import logging
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from convcli.errors import ImageError, param
from convcli.images.formats import plugin, row_of_head
from convcli.system import memory
from convcli.system.context import Context, current, silent
from convcli.vocabulary import MOST_PIXELS

MAX_PIXELS = 178_956_970
"""The default limit of pixels. Pillow itself refuses more than this: twice its own setting."""

HEAD_BYTES = 16
"""How much of a file Pillow's plugins look at to recognise their format."""

_QUIET = ("PIL", "tifffile", "astropy")
"""Loggers with messages about damaged files. Python would print these."""


def settle(limit: int = MAX_PIXELS) -> None:
    """Set Pillow's limit of pixels, silence its warnings, and silence loggers, if the context owns the process.

    Leaving the context undoes it. Other callers keep their settings: `opened` does not look at Pillow's limit, and warnings
    and log messages take the way that the caller gave them.

    Parameters
    ----------
    limit : int
        The largest number of pixels that is accepted. Some of Pillow's plugins check Pillow's setting. So it is raised if
        needed, but never lowered: Pillow also checks the size of letters against it.
    """
    context = current()
    if context.owns_process:
        context.kept(settle, partial(_settle, context))
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 0, (max(limit, MAX_PIXELS) + 1) // 2)


def _settle(context: Context) -> None:
    context.at_end(setattr, Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    Image.MAX_IMAGE_PIXELS = 0
    warnings.filterwarnings("ignore", module=r"(PIL|astropy)\b")  # about large sizes, and about odd metadata
    context.at_end(_remove, warnings.filters[0])
    for name in _QUIET:
        logger, handler = logging.getLogger(name), logging.NullHandler()
        logger.addHandler(handler)
        context.at_end(logger.removeHandler, handler)
        context.at_end(setattr, logger, "propagate", logger.propagate)
        logger.propagate = False


def _remove(entry: object) -> None:
    """Remove a filter of warnings, unless it is gone already."""
    with suppress(ValueError):
        warnings.filters.remove(entry)  # type: ignore[attr-defined]


def opened(stream: BinaryIO) -> Image.Image:
    """Pillow's image of a file, not yet decoded.

    This is `PIL.Image.open` without its check of the size, whose limit belongs to the whole process. The caller checks the
    size. PNG and JPEG files are opened without asking other plugins first: importing these takes a thirtieth of the run time
    of a command on a small image.

    Raises
    ------
    UnidentifiedImageError
        No plugin knows the format.
    Exception
        A plugin can raise any other exception.
    """
    stream.seek(0)
    head = stream.read(HEAD_BYTES)
    if (open_now := plugin(row_of_head(head))) is not None:
        with suppress(*_ANOTHER):
            stream.seek(0)
            image: Image.Image = open_now(stream)
            return image
    tried: set[str] = set()
    for prepare in (Image.preinit, Image.init):
        prepare()
        for name in Image.ID.copy():
            if name not in tried:
                tried.add(name)
                with suppress(*_ANOTHER):
                    factory, accept = Image.OPEN[name]
                    accepted = accept is None or accept(head)
                    if accepted and not isinstance(accepted, str):  # a text says why it is not
                        stream.seek(0)
                        return factory(stream, "")
    raise UnidentifiedImageError("cannot identify image file")


_ANOTHER = SyntaxError, IndexError, TypeError, struct.error
"""By these, a plugin says that a file has another format."""


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
    except Exception as error:  # only code of Pillow or tifffile runs in there, which raises whatever comes to hand
        why = reason(error, "Pillow gives no reason")
        remedy = "get it again" if "truncated" in why else "is it truncated, damaged or of a rare kind?"
        raise ImageError(f"input '{source}'", "cannot be decoded", remedy, why) from None


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
