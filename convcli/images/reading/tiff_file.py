"""TIFF files. tifffile reads the structure, and pixels that are not compressed or deflated. Pillow decodes other compressions.

For these (LZW, JPEG, CCITT and more) tifffile needs another package. It is used only if Pillow cannot decode them.
"""

from __future__ import annotations

import lzma
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from math import prod
from typing import Any, BinaryIO, cast

import numpy as np
import tifffile
from PIL import Image

from convcli import extras
from convcli.errors import ImageError
from convcli.images.guards import check_pixels, decoding
from convcli.images.metadata import ICC, PHOTOMETRIC, RESOLUTION, SMAX, XMP, as_white, metadata_of, sound
from convcli.images.picture import COLOURS, Picture
from convcli.images.reading import pillow_file, quirks
from convcli.images.reading.planes import completed, gray_planes, planes_of, straighten, upright
from convcli.pointwise import Array

_SPACES = {0: "gray"} | {number: space for space, number in PHOTOMETRIC.items()}  # with 0, white is 0
_ALPHAS = {(1,), (2,), (999,)}
"""First extra samples that are alpha: 1 if colours are multiplied by it, 2 if not, and what Corel Draw writes."""

_PER_INCH = {None: 1.0, 2: 1.0, 3: 2.54}


_CODINGS: dict[int, Callable[[], Any]] = {
    8: zlib.decompressobj,
    32946: zlib.decompressobj,
    34925: lzma.LZMADecompressor,
}
"""Compressions that are undone here, but no further than a strip or tile should be long: a small file may hold gigabytes."""


class File:
    """A TIFF file; see `convcli.images.picture.ImageFile`.

    Raises `ImageError` if its structure cannot be read, or if it is too large.
    """

    format: str | None = "TIFF"

    def __init__(self, stream: BinaryIO, source: str, limit: int, full_scale: float | None = None) -> None:
        self._stream, self._source, self._limit, self._pixels = stream, source, limit, 0
        self._full_scale = full_scale
        with decoding(source, limit):
            self._pages: Any = tifffile.TiffFile(stream).pages
            self.frames = _count(self._pages)
            page = self._pages[0]
            need = _bytes_each(page)
        check_pixels(source, page.imagelength * page.imagewidth * self.frames, limit, need, self.frames)

    def picture(self, number: int = 0) -> Picture:
        """Decode a page, upright."""
        with decoding(self._source, self._limit):
            page = self._pages[number]
            self._pixels += page.imagelength * page.imagewidth  # pages differ
            check_pixels(self._source, self._pixels, self._limit)
            image = _described(page, self._stream)
            said = as_white(sound(image.getexif().get, SMAX))
            metadata, orientation, notes = metadata_of(image, self.frames, False)
            white = said or self._full_scale
            if not _is_direct(page) and (opened := self._by_pillow(number)) is not None:
                unsigned, inverted, opener = (
                    page.sampleformat == 1,
                    page.photometric == 0,
                    partial(self._opened, number),
                )
                planes, _, lost = pillow_file.decode(
                    opened, self._stream, self._source, opener, white, unsigned=unsigned, inverted=inverted
                )
                notes = (*lost, *notes)
            else:
                planes = upright(self._planes(page, white), orientation)  # Pillow does it itself
        return completed(planes, self._source, self._full_scale, metadata, notes, said is not None)

    def timing(self) -> None:
        """Pages have none."""

    def _by_pillow(self, number: int) -> Image.Image | None:
        """A page, opened by Pillow; None if Pillow does not know its kind, or would not give all bits."""
        with suppress(SyntaxError, IndexError, TypeError, struct.error):  # raised if Pillow does not know it
            image = self._opened(number)
            tags: Any = getattr(image, "tag_v2", {})
            apart = tags.get(284) == 2 and max(tags.get(258, (8,))) > 8  # planes: their unpackers cannot be chosen
            if not (apart and quirks.more_than_8(image)):
                return image
        return None

    def _opened(self, number: int) -> Image.Image:
        self._stream.seek(0)
        image: Image.Image = _pillows()(self._stream)
        if number:
            image.seek(number)
        return image

    def _planes(self, page: Any, white: float | None) -> Picture:
        """A page, decoded by tifffile."""
        photometric = int(page.photometric)
        space = _SPACES.get(photometric)
        try:
            array = _array(page)
        except ValueError as error:
            if "imagecodecs" not in str(error) or extras.is_installed("imagecodecs"):
                raise
            coding = getattr(page.compression, "name", page.compression)
            rule, remedy = (
                f"is a TIFF that is compressed by {coding}, which needs imagecodecs",
                extras.how_to_get("imagecodecs"),
            )
            raise ImageError(f"input '{self._source}'", rule, remedy, "it is not installed") from None
        if space is None or array is None or array.dtype.kind not in "uif":
            rule = f"is a TIFF of a rare kind, {page.photometric!s}"
            raise ImageError(f"input '{self._source}'", rule, "convert it to RGB first")
        if photometric == 0 and array.dtype.kind == "u":
            array[..., 0] = np.iinfo(array.dtype).max - array[..., 0]
        elif photometric == 1 and array.shape[2] == 1 and array.dtype in (np.int16, np.int32, np.uint32):
            return gray_planes(array[..., 0], white)
        return _coloured(array, space, tuple(map(int, page.extrasamples)), white)


@cache
def _pillows() -> type[Any]:
    """Pillow's class of TIFF files. It also opens 16-bit gray with alpha, and does not check the size."""
    from PIL import TiffImagePlugin

    core: Any = Image.core  # type: ignore[attr-defined]

    class Opened(TiffImagePlugin.TiffImageFile):
        def _setup(self) -> None:
            tags: Any = self.tag_v2
            gray_alpha = {258: (16, 16), 262: 1, 277: 2, 338: (2,)}
            if any(tags.get(tag) != value for tag, value in gray_alpha.items()):
                super()._setup()
                return
            tags.update({258: (8, 8, 8, 8), 262: 2, 277: 4})  # the same width: see `sixteen_bits.decode`
            try:
                super()._setup()
            finally:
                tags.update(gray_alpha)
            stored, file = "16B" if tags.prefix == b"MM" else "16L", cast("Any", self)
            file.tile = [
                tile._replace(args=(f"LA;{'16N' if tile.codec_name == 'libtiff' else stored}", *tile.args[1:]))
                for tile in file.tile
            ]

        def load_prepare(self) -> None:
            image: Any = self
            if image._im is None:
                image.im = core.new(self.mode, image._tile_size)
            super().load_prepare()

    return Opened


def _count(pages: Any) -> int:
    """The number of pages. tifffile ignores a page that is beyond the end of the file; here it is an error."""
    count = len(pages)
    last, offsets = pages[count - 1], {pages[number].offset for number in range(count)}
    layout, file = last.parent.tiff, last.parent.filehandle
    if not layout.is_ndpi:  # its directories are longer
        file.seek(last.offset)
        (tags,) = struct.unpack(layout.tagnoformat, file.read(layout.tagnosize))
        file.seek(last.offset + layout.tagnosize + tags * layout.tagsize)
        (following,) = struct.unpack(layout.offsetformat, file.read(layout.offsetsize))
        if following and following not in offsets:
            raise ValueError(f"page {count} is missing")
    return count


def _bytes_each(page: Any) -> int:
    """Bytes of memory that decoding takes for each pixel: in Pillow, in the array, and in a copy if that is not interleaved."""
    samples = int(page.samplesperpixel * max(1, page.bitspersample // 8))
    if not _is_direct(page):
        return 4 + samples
    apart = page.planarconfig == 2 or page.samplesperpixel > COLOURS[_SPACES[int(page.photometric)]] + 1
    return 2 * samples if apart else samples


def _is_direct(page: Any) -> bool:
    """Whether the pixels of a page are read without Pillow: whole bytes of gray or colours, not compressed or deflated.

    8-bit colours that are multiplied by their alpha are left to Pillow, which rounds them in its own way.
    """
    extra = tuple(map(int, page.extrasamples[:1]))
    return (
        (page.compression == 1 or page.compression in _CODINGS)
        and page.bitspersample in (8, 16, 32, 64)
        and page.dtype is not None
        and int(page.photometric) in _SPACES
        and page.fillorder == 1
        and page.predictor in (1, 2)
        and not (extra == (1,) and page.bitspersample == 8)
    )


def _array(page: Any) -> Array | None:
    """The samples ``(H, W, C)`` of a page in native byte order; None for a volume, or if there are no pixels."""
    undo = _CODINGS.get(page.compression)
    if undo is None or page.imagedepth > 1:
        whole = page.asarray(squeeze=False)
    else:
        whole = np.empty(page.shaped, page.dtype)
        most = _segment_bytes(page)
        count = prod(page.chunked)
        if min(len(page.dataoffsets), len(page.databytecounts)) < count:
            raise ValueError(f"{len(page.dataoffsets)} of {count} strips or tiles are there")
        coding, page.compression = page.compression, 1  # the decoder gets data that is not compressed any more
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
    """The size of a whole strip or tile, in bytes."""
    samples = page.samplesperpixel if page.planarconfig == 1 else 1
    strip = min(page.rowsperstrip, page.imagelength), page.imagewidth
    rows, columns = (page.tilelength, page.tilewidth) if page.is_tiled else strip
    return max(1, int(rows * columns * samples * page.dtype.itemsize))


def _coloured(array: Array, space: str, extra: tuple[int, ...], known: float | None) -> Picture:
    """The picture of samples ``(H, W, C)``: the colours, and the first extra sample if it is alpha."""
    colours, kind = COLOURS[space], array.dtype
    real = kind.kind == "f" or kind.itemsize > 2
    white = 1.0 if kind.kind == "f" else float(np.iinfo(kind).max)
    if real:
        white = known or white
    unsaid = not extra and space == "rgb" and array.shape[2] == 4 and kind in (np.uint8, np.uint16)
    has_alpha = (extra[:1] in _ALPHAS or unsaid) and array.shape[2] > colours
    if kind not in (np.uint8, np.uint16, np.float32, np.float64):
        array = array.astype(np.float64 if kind.itemsize > 2 and kind.kind != "f" else np.float32)
    if has_alpha and extra[:1] == (1,):
        straighten(array[..., : colours + 1], white, real)
    kept = np.ascontiguousarray(array[..., : colours + has_alpha])  # interleaved, as all pictures are
    return planes_of(kept, space, white, real=real)


def _described(page: Any, stream: BinaryIO) -> Image.Image:
    """An image without pixels that has the metadata of a page, like an image that Pillow has opened."""
    exif = Image.Exif()
    exif.bigtiff, exif.endian = page.parent.is_bigtiff, page.parent.byteorder
    sound(exif.load_from_fp, stream, page.offset)
    image = Image.Image()
    image.format = File.format
    image._exif = exif
    found = {"icc_profile": sound(exif.get, ICC), "xmp": sound(exif.get, XMP)}
    image.info = {name: value for name, value in found.items() if isinstance(value, bytes)}
    across, down, unit = RESOLUTION
    with suppress(Exception):  # Pillow may raise anything: damaged values are left out
        image.info["dpi"] = tuple(float(exif[tag]) * _PER_INCH[exif.get(unit)] for tag in (across, down))
    return image
