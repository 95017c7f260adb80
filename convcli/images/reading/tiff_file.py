"""TIFF files. tifffile reads the structure, and pixels that are not compressed or deflated. Pillow decodes other compressions.

For these (LZW, JPEG, CCITT and more) tifffile needs another package. It is used only if Pillow cannot decode them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from typing import Any, BinaryIO, cast

import numpy as np
import tifffile
from PIL import Image

from convcli.images import directories
from convcli.images.guards import array_of, check_pixels, decoding
from convcli.images.metadata import ICC, ORIENTATION, RESOLUTION, SMAX, XMP, as_white, metadata_of, sound
from convcli.images.picture import Metadata, Picture
from convcli.images.reading import pillow_file, quirks, tiff_pages, tiff_pixels
from convcli.images.reading.planes import completed, upright
from convcli.records import NamedTuple

_PER_INCH = {None: 1.0, 2: 1.0, 3: 2.54}


class File:
    """A TIFF file; see `convcli.images.opened_file.ImageFile`.

    Raises `ImageError` if its structure cannot be read, or if it is too large.
    """

    format: str | None = "TIFF"

    pages = True
    unread = 0

    def __init__(self, stream: BinaryIO, source: str, limit: int, full_scale: float | None = None) -> None:
        self._stream, self._source, self._limit, self._pixels = stream, source, limit, 0
        self._full_scale = full_scale
        with decoding(source, limit):
            self._pages = tiff_pages.pages_of(tifffile.TiffFile(stream))
            self.frames = self._pages.total
            self.others = bool(self._pages.notes)
            page = self._pages.page(0)
            need = _bytes_each(page)
        check_pixels(source, page.imagelength * page.imagewidth * self.frames, limit, need, self.frames)

    def picture(self, number: int = 0) -> Picture:
        """Decode a page, upright."""
        with decoding(self._source, self._limit):
            page = self._pages.page(number)
            self._pixels += page.imagelength * page.imagewidth  # pages differ
            check_pixels(self._source, self._pixels, self._limit)
            said = said_of(page, self._stream, self.frames, None if number else self._pages.notes)
            planes, lost = self._planes(number, page, said.white or self._full_scale, said.orientation)
        return whole(planes, said, self._source, self._full_scale, lost)

    def timing(self) -> None:
        """Pages have none."""

    def _planes(self, number: int, page: Any, white: float | None, orientation: int) -> tuple[Picture, tuple[str, ...]]:
        """A page, upright, and what was lost of it."""
        opener = partial(opened, self._stream, self._pages.directory(number))
        if tiff_pixels.is_direct(page) or (image := by_pillow(page, opener)) is None:
            array = tiff_pixels.array_of(page, self._source)
            return upright(tiff_pixels.picture_of(array, page, white), orientation), ()
        return from_pillow(image, page, white, self._source, opener, orientation)


class Said(NamedTuple):
    """What the tags of a page say."""

    white: float | None  # of real numbers
    orientation: int
    metadata: Metadata
    notes: tuple[str, ...]


def said_of(page: Any, stream: BinaryIO, frames: int, of_file: tuple[str, ...] | None = None) -> Said:
    """What the tags of a page say, one of `frames` in a file; `of_file` has remarks on the file, if the page is the first."""
    image = _described(page, stream)
    white = as_white(sound(image.getexif().get, SMAX))
    layout = page.parent
    tags = sound(directories.read, stream, page.offset, layout.byteorder, layout.is_bigtiff)
    metadata, orientation, notes = metadata_of(image, frames, False, tags or {})
    if tags is None:
        notes = ("its tags are damaged and left out",)
    if of_file is not None:
        notes = (*of_file, *notes, *tiff_pixels.remarks_of(page))
    return Said(white, orientation, metadata._replace(nodata=tiff_pixels.nodata_of(page)), notes)


def whole(planes: Picture, said: Said, source: str, full_scale: float | None, lost: tuple[str, ...]) -> Picture:
    """The picture of a page, with all that is known of it. `lost` are remarks on its pixels."""
    return completed(planes, source, full_scale, said.metadata, (*lost, *said.notes), said.white is not None)


def from_pillow(
    image: Image.Image, page: Any, white: float | None, source: str, opener: Callable[[], Image.Image],
    orientation: int = 1,
) -> tuple[Picture, tuple[str, ...]]:  # fmt: skip
    """A page that Pillow decodes, upright, and what was lost of it. `opener` opens the image again."""
    # Pillow turns it upright, unless the tag is of another type than it should be
    left = 1 if isinstance(image.getexif().get(ORIENTATION, 1), int) else orientation
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        array = array_of(image)[..., np.newaxis].astype(page.dtype)
        return upright(tiff_pixels.picture_of(array, page, white), left), ()
    planes, _, notes = pillow_file.decode(image, source, opener)
    return upright(planes, left), (*notes, *_of_other_colours(page), *_of_fewer_samples(page, planes))


def by_pillow(page: Any, opener: Callable[[], Image.Image]) -> Image.Image | None:
    """A page as Pillow opens it; None if that does not know its kind, or does not give all of its samples and bits."""
    if tiff_pixels.has_bands(page) or tiff_pixels.is_beyond_libtiff(page):
        return None
    with suppress(SyntaxError, LookupError, TypeError, struct.error):  # so it says that it does not know it
        image = opener()
        tags: Any = getattr(image, "tag_v2", {})
        apart = tags.get(284) == 2 and max(tags.get(258, (8,))) > 8  # planes: their unpackers cannot be chosen
        if not (apart and quirks.more_than_8(image)):
            return image
    return None


def opened(stream: BinaryIO, directory: int = 0) -> Image.Image:
    """A page as Pillow opens it, by the number of its directory."""
    stream.seek(0)
    image: Image.Image = _pillows()(stream)
    if directory:
        image.seek(directory)
    return image


_COEFFICIENTS, _LEVELS = (0.299, 0.587, 0.114), (0.0, 255.0, 128.0, 255.0, 128.0, 255.0)
"""What libjpeg takes YCbCrCoefficients and ReferenceBlackWhite for (TIFF 6.0, section 21)."""


def _of_other_colours(page: Any) -> tuple[str, ...]:
    """A remark on colours that libjpeg does not convert as the page declares."""
    said = sound(_ratios, page, 529) or _COEFFICIENTS, sound(_ratios, page, 532) or _LEVELS
    same = all(
        len(found) != len(own) or np.allclose(found, own, atol=0.01)
        for found, own in zip(said, (_COEFFICIENTS, _LEVELS), strict=True)
    )
    if page.photometric != 6 or page.compression not in tiff_pixels.JPEGS or same:
        return ()
    kind = "levels" if np.allclose(said[0], _COEFFICIENTS, atol=0.01) else "coefficients"
    declared = ", ".join(f"{value:.4g}" for value in said[kind == "levels"])
    return (f"JPEG's own YCbCr is used, and its colours are declared as another ({kind} {declared})",)


def _of_fewer_samples(page: Any, planes: Picture) -> tuple[str, ...]:
    """A remark on samples that Pillow does not give."""
    declared, read = page.samplesperpixel, planes.channels + planes.has_alpha
    return (f"{read} of its {declared} samples are read",) if read < declared else ()


def _ratios(page: Any, tag: int) -> tuple[float, ...]:
    """The fractions of a tag of a page, or its integers."""
    values = page.tags[tag].value
    if page.tags[tag].dtype not in (5, 10):
        return tuple(map(float, values))
    return tuple(above / below for above, below in zip(values[::2], values[1::2], strict=True))


@cache
def _pillows() -> type[Any]:
    """Pillow's class of TIFF files, which opens 16-bit gray with alpha as well, and leaves the check of the size to us."""
    from PIL import ImageFile, TiffImagePlugin, features

    core: Any = Image.core  # type: ignore[attr-defined]

    class Opened(TiffImagePlugin.TiffImageFile):
        def _setup(self) -> None:
            tags: Any = self.tag_v2
            gray_alpha = {258: (16, 16), 262: 1, 277: 2, 338: (2,)}
            if any(tags.get(tag) != value for tag, value in gray_alpha.items()):
                self._palette_of_8_bits(tags)
                super()._setup()
                self._by_libtiff(tags)
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

        def _palette_of_8_bits(self, tags: Any) -> None:
            """Have Pillow read a palette of 8 bits, as some programs write it: it takes the upper 8 of 16."""
            colours = tags.get(320)
            if tags.get(262) == tiff_pixels.PALETTE and isinstance(colours, tuple):
                tags[320] = tuple(tiff_pixels.widened(np.array(colours)))

        def _by_libtiff(self, tags: Any) -> None:
            """Have libtiff decode YCbCr that is not compressed: only it knows coefficients, reference levels and subsampling."""
            file, whole = cast("Any", self), (0, 0, tags[256], tags[257])
            if tags.get(262) == 6 and file._compression == "raw" and features.check_codec("libtiff"):
                file.use_load_libtiff, file._mode = True, "RGB"
                file.tile = [ImageFile._Tile("libtiff", whole, 0, ("RGBX", False, tags.offset))]

        def load_prepare(self) -> None:
            image: Any = self
            if image._im is None:
                image.im = core.new(self.mode, image._tile_size)
            super().load_prepare()

    return Opened


def _bytes_each(page: Any) -> int:
    """What decoding takes for each pixel: Pillow's own, if it decodes, and the array with its copy."""
    each = tiff_pixels.bytes_each(page)
    return each if tiff_pixels.is_direct(page) or tiff_pixels.has_bands(page) else 4 + each


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
