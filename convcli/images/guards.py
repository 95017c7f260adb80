"""Files are opened safely here: limits of pixels and memory, one kind of error, and no change of Pillow's settings.

Pillow's settings belong to the whole process: only the command line changes them. NumPy is not imported before it is needed.
"""

from __future__ import annotations

import logging
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, BinaryIO

from PIL import Image, UnidentifiedImageError

from convcli.errors import ImageError, param
from convcli.images.formats import plugin, row_of_head
from convcli.system import memory
from convcli.system.context import Context, current, silent
from convcli.system.files import OPEN_FILES, refusal
from convcli.vocabulary import MOST_PIXELS

if TYPE_CHECKING:
    from convcli.pointwise import Array

MAX_PIXELS = 178_956_970
"""The default limit of pixels. Pillow itself refuses more than this: twice its own setting."""

HEAD_BYTES = 16
"""The number of bytes from which Pillow's plugins recognise their format."""

_QUIET = ("PIL", "tifffile")
"""Loggers with messages about damaged files. Python would print these."""


def settle(limit: int = MAX_PIXELS) -> None:
    """Set Pillow's limit of pixels, silence its warnings, and silence loggers, if the context owns the process.

    Leaving the context undoes it, but for what `convcli.system.memory.keep_arrays` sets, which is called first. Without such a
    context nothing is changed: `opened` ignores Pillow's limit, and warnings and log messages go where the caller sends them.
    Some of Pillow's plugins check Pillow's own limit. So it is raised if `limit` is higher, but never lowered: Pillow also
    compares the size of letters with it.
    """
    context = current()
    if context.owns_process:
        context.kept(settle, partial(_settle, context))
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 0, (max(limit, MAX_PIXELS) + 1) // 2)


def _settle(context: Context) -> None:
    if context.program:
        memory.keep_arrays()
    context.at_end(setattr, Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    Image.MAX_IMAGE_PIXELS = 0
    warnings.filterwarnings("ignore", module=r"(PIL|astropy)\b")  # about large sizes, and about odd metadata
    context.at_end(_remove, warnings.filters[0])
    for name in _QUIET:
        _quiet(context, name)


def quiet(name: str) -> None:
    """Silence a package's logger that only the package itself may create, as astropy's. Call it after its import."""
    context = current()
    if context.owns_process:
        context.kept((quiet, name), partial(_quiet, context, name))


def _quiet(context: Context, name: str) -> None:
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

    This is `PIL.Image.open` without the check of the size, whose limit belongs to the whole process. The caller checks the
    size. PNG and JPEG files are opened without trying other plugins first: importing these takes a thirtieth of the run time
    of a command on a small image.

    Raises `UnidentifiedImageError` if no plugin knows the format. A plugin can raise any other exception.
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
                    if accepted and not isinstance(accepted, str):  # a text says why it is not accepted
                        stream.seek(0)
                        return factory(stream, "")
    raise UnidentifiedImageError("cannot identify image file")


_ANOTHER = SyntaxError, IndexError, TypeError, struct.error
"""What a plugin raises if a file has another format."""


def recognised(stream: BinaryIO) -> bool:
    """Whether a plugin of Pillow takes the first bytes of a stream for its format, whatever may follow them."""
    Image.init()
    stream.seek(0)
    head = stream.read(HEAD_BYTES)
    for factory, accept in map(Image.OPEN.__getitem__, Image.ID):
        if accept is not None:
            if accept(head):
                return True
            continue
        try:
            stream.seek(0)
            with silent():
                factory(stream, "")
        except _ANOTHER:
            continue
        except Exception:  # a plugin may raise anything where bytes are missing
            return True
        return True
    return False


SMALL_PIXELS = 1 << 19
"""A picture of at most this many pixels, in a mode of `PLAIN`, is copied out of Pillow in one call."""

PLAIN = "L", "RGB", "RGBA", "CMYK"
"""Modes with a byte for each letter of their name."""

BAND_PIXELS = 1 << 17
"""How many pixels are converted at a time: few enough for the C library to use the same memory for every band. New memory from
the system takes several times as long as the conversion."""


def array_of(image: Image.Image, mode: str | None = None) -> Array:
    """An image as an array ``(H, W)`` or ``(H, W, C)`` in `mode` (by default its own), with the dtype of the mode.

    It may be read-only. A large image is converted and copied in bands, because `numpy.asarray` needs memory for another copy.
    """
    import numpy as np

    source: Any = image
    source.load()
    width, height = image.size
    rows = max(1, BAND_PIXELS // max(1, width))
    plain = mode in (None, image.mode) and image.mode in PLAIN and width * height > 0

    def band(start: int, stop: int) -> Array:
        if plain:  # as `Image.tobytes`, but in one piece
            packer = Image._getencoder(image.mode, "raw", image.mode)
            packer.setimage(source.im, (0, start, width, stop))
            shape = (stop - start, width, len(image.mode))[: 3 if len(image.mode) > 1 else 2]
            _, _, data = packer.encode(prod(shape))
            if len(data) == prod(shape):
                return np.frombuffer(data, np.uint8).reshape(shape)
        # not with `crop`, which checks Pillow's limit of pixels
        part = image if stop - start == height else source._new(source.im.crop((0, start, width, stop)))
        return np.asarray(part if mode in (None, part.mode) else part.convert(mode))

    if height <= rows or (plain and width * height <= SMALL_PIXELS):
        return band(0, height)
    like = band(0, 1)
    out = np.empty((height, *like.shape[1:]), like.dtype)
    for start in range(0, height, rows):
        out[start : start + rows] = band(start, min(start + rows, height))
    return out


@contextmanager
def decoding(source: str, limit: int) -> Iterator[None]:
    """Turn every error of a decoder into an `ImageError`, and silence C libraries.

    It is an `UnidentifiedError` if Pillow does not know the format.
    """
    with silent(), translated(source):
        yield


@contextmanager
def translated(source: str) -> Iterator[None]:
    """The same, but silences nothing: for threads, while `convcli.system.context.hushed` is entered."""
    try:
        yield
    except (ImageError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise unidentified(source) from None
    except Exception as error:  # the block runs only code of Pillow and tifffile, which may raise anything
        if isinstance(error, OSError) and error.errno in OPEN_FILES:  # plugins are imported there
            raise refusal(f"input '{source}'", "cannot be read", error) from None
        why = reason(error, "Pillow gives no reason")
        remedy = next((words for word, words in _REMEDIES.items() if word in why.lower()), _REMEDIES[""])
        raise ImageError(f"input '{source}'", "cannot be decoded", remedy, why) from None


_REMEDIES = {
    "truncated": "try another copy of it",
    **dict.fromkeys(("unsupported", "unknown", "unimplemented"), "convert it to png or tif first"),
    "": "is it truncated, damaged or of a rare kind?",
}
"""What to do, by a word in the reason why a file is not decoded."""


def reason(error: Exception, otherwise: str) -> str:
    """The first line of the message of an error; `otherwise` if it has no message."""
    return (str(error).splitlines() or [otherwise])[0]


class UnidentifiedError(ImageError):
    """Pillow does not know the format."""


def unidentified(source: str) -> UnidentifiedError:
    """The error for a file whose format Pillow does not know."""
    rule, why = "is not an image", "Pillow does not know its format"
    return UnidentifiedError(f"input '{source}'", rule, "name an image or a .npy file", why)


def beyond(source: str, size: str, pixels: int, limit: int) -> ImageError:
    """The error for a picture with too many pixels."""
    what = f"input '{source}'"
    if pixels > MOST_PIXELS:
        rule, why = f"has {size}, more than any image has", "it is damaged, or a decompression bomb"
        return ImageError(what, rule, "use another", why)
    remedy = f"if you trust it, use {param('max_pixels', pixels)}"
    if limit == MAX_PIXELS:  # one that is given bounds pictures in blocks, too
        remedy += f", or {IN_BLOCKS}"
    return BeyondError(what, f"has {size}, more than {limit}, and may be a decompression bomb", remedy)


IN_BLOCKS = f"{param('memory', '2G')} for a .tif, .npy or .ppm"
"""How a picture that is too large for memory is done."""


class BeyondError(ImageError):
    """A picture has more pixels than are allowed."""


def check_pixels(source: str, pixels: int, limit: int, bytes_each: int = 0, frames: int = 1) -> None:
    """Refuse an image that has too many pixels or needs too much memory, before it is decoded.

    `pixels` is the number of all `frames`, of which one at a time is in memory, and `bytes_each` is what decoding takes for
    each pixel of a frame.
    """
    size = f"{pixels} pixels" + (f" in {frames} frames" if frames > 1 else "")
    if pixels > limit:
        raise beyond(source, size, pixels, limit)
    need = pixels // frames * bytes_each
    if memory.refuses(need):
        rule = f"has {size} and needs {need / 2**30:.1f} GiB, {memory.share()}"
        raise ImageError(f"input '{source}'", rule, f"reduce or cut it first, or use {IN_BLOCKS}")
