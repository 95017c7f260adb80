"""The samples of a TIFF's page, decoded by tifffile, and the picture that they are: colours with alpha, or bands."""

from __future__ import annotations

import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from convcli import extras
from convcli.errors import ImageError
from convcli.images.metadata import PHOTOMETRIC
from convcli.images.picture import COLOURS, Bands, Metadata, Picture
from convcli.images.reading.planes import planes_of, straighten
from convcli.images.reading.samples import SPREAD, samples_of
from convcli.pointwise import Array

SPACES = {0: "gray"} | {number: space for space, number in PHOTOMETRIC.items()}
"""The colour spaces by TIFF's PhotometricInterpretation; of 0, white is 0."""

PALETTE = 3
"""The PhotometricInterpretation of indices of colours, which become RGB."""

_ALPHAS = {(1,), (2,), (999,)}
"""Extra samples that are alpha: colours are multiplied with it, or not; and what Corel Draw writes."""

_OLD_JPEG = 6
JPEGS = (_OLD_JPEG, 7)
"""Compressions whose colours libjpeg converts, by the coefficients of ITU-R BT.601 and with the full range of 8 bits."""

_WEBP = 50001
"""A compression that the libtiff in Pillow's packages is built without."""

CODINGS: dict[int, Callable[[], Any]] = {
    8: zlib.decompressobj,
    32946: zlib.decompressobj,
    34925: lzma.LZMADecompressor,
}
"""Compressions that are undone here, and only as far as a strip or tile should go: a small file may hold gigabytes."""


def is_direct(page: Any) -> bool:
    """Whether the pixels of a page are read here: whole bytes of gray or colours, not compressed or deflated.

    Colours of 8 bits that are multiplied by their alpha are left to Pillow, and its ways of rounding.
    """
    return (
        (page.compression == 1 or page.compression in CODINGS)
        and page.bitspersample in (8, 16, 32, 64)
        and page.dtype is not None
        and int(page.photometric) in SPACES
        and page.fillorder == 1
        and page.predictor in (1, 2)
        and not (_alpha_of(page) == (1,) and page.bitspersample == 8)
    )


def is_beyond_libtiff(page: Any) -> bool:
    """Whether Pillow's libtiff does not decode a page, or Pillow makes other values of it, without saying so when it opens it."""
    return bool(
        page.compression == _WEBP
        or (page.compression == _OLD_JPEG and page.samplesperpixel == 1)
        or (page.compression in JPEGS and page.bitspersample > 12)
        or (page.sampleformat == 2 and page.bitspersample == 8)
        or (page.photometric == PALETTE and page.samplesperpixel > 1)
        or (page.parent.is_bigtiff and page.parent.byteorder == ">")  # which Pillow takes for a TIFF of 32 bits
    )


def has_bands(page: Any) -> bool:
    """Whether a page has other samples than its colours and one alpha."""
    colours = _colours_of(page)
    return bool(colours) and page.samplesperpixel != colours + bool(_alpha_of(page))


def _colours_of(page: Any) -> int:
    """How many samples of a page are its colours, or the index of one; 0 if that is not known."""
    photometric = int(page.photometric)
    return 1 if photometric == PALETTE else COLOURS.get(SPACES.get(photometric, ""), 0)


def _alpha_of(page: Any) -> tuple[int, ...]:
    """What the one extra sample of a page is, if it is alpha; else empty. Of RGB with four samples it need not be declared."""
    extra, colours = tuple(map(int, page.extrasamples)), _colours_of(page)
    if page.samplesperpixel != colours + 1:
        return ()
    if not extra and colours == 3 and page.dtype in (np.uint8, np.uint16):
        return (2,)
    return extra[:1] if extra[:1] in _ALPHAS else ()


def bytes_each(page: Any) -> int:
    """What decoding takes for each pixel, if it is done here: the samples, a copy of another type or interleaved."""
    held = 4 if page.bitspersample <= 16 else 8
    kind = "" if page.dtype is None else page.dtype.str[1:]
    each = max(1, page.bitspersample // 8)
    if kind not in ("u1", "u2", "f4", "f8"):
        each += held
    elif page.planarconfig == 2:
        each *= 2
    return int((page.samplesperpixel + 3 * (page.photometric == PALETTE)) * each)


def array_of(page: Any, source: str) -> Array:
    """The samples ``(H, W, C)`` of a page in their declared type and the machine's byte order, colours of a palette as RGB.

    Parameters
    ----------
    source : str
        The file, for the message.

    Raises
    ------
    ImageError
        A package is missing that undoes its compression, or it is of a kind that no picture is.
    """
    with codec_needed(page, source):
        array = _decoded(page)
    return usable(array, page, source)


@contextmanager
def codec_needed(page: Any, source: str) -> Iterator[None]:
    """Turn tifffile's error that imagecodecs is missing into an `ImageError` that says how to get it."""
    try:
        yield
    except ValueError as error:
        if "imagecodecs" not in str(error) or extras.is_installed("imagecodecs"):
            raise
        coding = getattr(page.compression, "name", page.compression)
        rule, remedy = (
            f"is a TIFF that is compressed by {coding}, which needs imagecodecs",
            extras.how_to_get("imagecodecs"),
        )
        raise ImageError(f"input '{source}'", rule, remedy, "it is not installed") from None


def usable(array: Array | None, page: Any, source: str) -> Array:
    """The samples of a page, if they are of a kind that pictures are; colours of a palette as RGB. Raises `ImageError`."""
    what, name = f"input '{source}'", getattr(page.photometric, "name", page.photometric)
    if array is not None and page.photometric == PALETTE and page.bitspersample in (8, 16) and array.dtype.kind == "u":
        return _coloured(array, page.colormap)
    if array is not None and array.dtype.kind == "c":
        raise ImageError(what, "is a TIFF of complex numbers", "convert it to real and imaginary parts first")
    if array is None or array.dtype.kind not in "uifb" or int(page.photometric) not in SPACES:
        raise ImageError(what, f"is a TIFF of a rare kind, {name}", "convert it to RGB first")
    return array


def widened(colours: Array) -> Array:
    """The colours of a palette, with 16 bits; as in libtiff, those of which none exceeds 255 have 8."""
    return colours if colours.max(initial=0) > 255 else colours * 257


def _coloured(array: Array, colours: Array) -> Array:
    """Indices ``(H, W, 1 + extra)`` as RGB. Palettes have 16 bits; of an index of 8, the upper 8 are used, as by Pillow."""
    own = (widened(colours) >> (16 - 8 * array.itemsize)).astype(array.dtype)
    return np.concatenate([own.T[array[..., 0]], array[..., 1:]], axis=-1)


def _decoded(page: Any) -> Array | None:
    """The samples ``(H, W, C)``; None of a volume, and of no pixels."""
    undo = CODINGS.get(page.compression)
    if undo is None or page.imagedepth > 1:
        whole = page.asarray(squeeze=False)
    else:
        whole = np.empty(page.shaped, page.dtype)
        most = _segment_bytes(page)
        count = prod(page.chunked)
        if min(len(page.dataoffsets), len(page.databytecounts)) < count:
            raise ValueError(f"{len(page.dataoffsets)} of {count} strips or tiles are there")
        coding, page.compression = page.compression, 1  # the decoder gets what is not compressed any more
        try:
            segments = page.parent.filehandle.read_segments(page.dataoffsets, page.databytecounts, length=count)
            for data, index in segments:
                segment, (plane, depth, top, left, _), shape = page.decode(
                    data and undo().decompress(data, most), index
                )
                place = whole[plane, depth, top : top + shape[1], left : left + shape[2]]
                place[...] = page.nodata if segment is None else segment[0, : place.shape[0], : place.shape[1]]
        finally:
            page.compression = coding
    planes, depth = whole.shape[:2]
    if depth > 1 or not whole.size:
        return None
    array: Array = np.moveaxis(whole[:, 0, :, :, 0], 0, -1) if planes > 1 else whole[0, 0]
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _segment_bytes(page: Any) -> int:
    """The bytes of a whole strip or tile."""
    samples = page.samplesperpixel if page.planarconfig == 1 else 1
    strip = min(page.rowsperstrip, page.imagelength), page.imagewidth
    rows, columns = (page.tilelength, page.tilewidth) if page.is_tiled else strip
    return max(1, int(rows * columns * samples * page.dtype.itemsize))


def nodata_of(page: Any) -> float | None:
    """GDAL's value of pixels without data, as `picture_of` has it."""
    tag = page.tags.get(42113)
    try:
        value = None if tag is None else float(tag.value)
    except (TypeError, ValueError):
        return None
    if value is None or page.sampleformat != 1:
        return value
    white = 2**page.bitspersample - 1
    value = white - value if page.photometric == 0 else value
    return value * 255 / white if page.bitspersample in SPREAD else value


_SCALED = re.compile(r'role="(scale|offset)"[^>]*>\s*([^<]*?)\s*<')


def remarks_of(page: Any) -> tuple[str, ...]:
    """What a page declares and is not used: GDAL's scale and offset of values."""
    tag, neutral = page.tags.get(42112), {"scale": 1.0, "offset": 0.0}
    text = tag.value if tag is not None and isinstance(tag.value, str) else ""
    found = [f"{role} ({value})" for role, value in _SCALED.findall(text) if _number(value) != neutral[role]]
    return (f"its {' and '.join(dict.fromkeys(found))} are not applied to its values",) if found else ()


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def picture_of(array: Array, page: Any, known: float | None) -> Picture:
    """The picture of a page's samples ``(H, W, C)`` in their declared type.

    Colours, with alpha if that is the one sample more; or, of any other number of samples, a tensor of as many bands.
    `known` is the white that the file or the user says, of real numbers.
    """
    space, alpha = SPACES.get(int(page.photometric), "rgb"), _alpha_of(page)
    if page.photometric == 0 and array.dtype.kind in "ub":
        array = array.copy()
        array[..., 0] = ~array[..., 0] if array.dtype == bool else 2**page.bitspersample - 1 - array[..., 0]
    kept, white, real, notes, rare = samples_of(array, page.bitspersample)
    white = known or white if real else white
    if alpha == (1,):
        kept = kept if kept.flags.writeable else kept.copy()
        straighten(kept, white, real)
    kept = np.ascontiguousarray(kept)  # interleaved, as all pictures are
    if not has_bands(page):
        return replace(planes_of(kept, space, white, real=real), notes=notes, metadata=Metadata(rare=rare))
    colours, count = COLOURS[space], array.shape[2]
    extra = (*map(int, page.extrasamples), *(0,) * count)[: max(0, count - colours)]
    photometric = PHOTOMETRIC[space] if count >= colours else PHOTOMETRIC["gray"]
    bands = Bands(photometric, extra or (0,) * (count - 1), page.planarconfig == 2)
    metadata = Metadata(bands=bands, rare=rare)
    return Picture(np.moveaxis(kept, -1, 0), None, "tensor", white, real=real, metadata=metadata, notes=notes)
