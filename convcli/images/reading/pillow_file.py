"""Files that Pillow decodes: most formats."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import BinaryIO

import numpy as np
from PIL import Image

from convcli.errors import ImageError
from convcli.images import formats, guards, prefetch
from convcli.images.guards import check_pixels, decoding
from convcli.images.metadata import metadata_of, orientation_of
from convcli.images.picture import Metadata, Picture, Timing
from convcli.images.reading.planes import (
    are_cut,
    array_of,
    completed,
    cut_animation,
    cut_note,
    gray_planes,
    is_plain,
    more_than_8,
    raw_mode,
    read_plain,
    upright,
)

_RGB_LIKE = {"RGB", "RGBX", "RGBA", "RGBa", "P", "PA", "YCbCr", "HSV"}
_GRAY_LIKE = {"1", "L", "LA", "La"}


class File:
    """The pictures that Pillow decodes; see `convcli.images.picture.ImageFile`."""

    pages = False
    unread = 0

    def __init__(self, stream: BinaryIO, source: str, limit: int, full_scale: float | None = None) -> None:
        self._stream, self._source, self._limit, self._pixels = stream, source, limit, 0
        self._full_scale = full_scale
        self._timing: Timing | None = None
        self._said: tuple[Metadata, int, tuple[str, ...]] | None = None
        with decoding(source, limit):
            self._image: Image.Image | None = self._opened(0)
            self.format = self._image.format
            self.frames = _count(self._image)
            self._cut = self.frames > 1 and cut_animation(self._image)
            width, height = self._image.size
            need = bytes_each(self._image)
        check_pixels(source, width * height * self.frames, limit, need, self.frames)

    def picture(self, number: int = 0) -> Picture:
        """Decode a picture.

        Returns
        -------
        Picture
            Upright (EXIF orientation is applied and its tag dropped); palettes become RGB, 1-bit becomes 8-bit gray.
        """
        image = self._image
        assert image is not None
        with decoding(self._source, self._limit):
            if number:
                image.seek(number)
            self._pixels += image.size[0] * image.size[1]  # pages differ
            check_pixels(self._source, self._pixels, self._limit)
            value = None if self._cut else transparent_value(image)
            decoded = Decoded(image, self._stream, value, partial(self._opened, 0) if self.frames == 1 else None)
            if self._said is None or not formats.row_of(image.format).animation:  # pages have their own
                self._said = metadata_of(decoded.kept, self.frames, self._loses(image))
            metadata, orientation, remarks = self._said
        wanted, alpha = self._full_scale, bool(self._timing and self._timing.alpha)
        planes = decoded.planes(wanted, self._source, alpha)
        notes = (cut_note(image),) if self._cut else decoded.notes
        guessed = image.mode == "I"
        planes = completed(planes, self._source, wanted, metadata, (*notes, *remarks), guessed=guessed)
        if self.frames == 1:
            self._image = None  # its pixels are copied
        return upright(planes, orientation)

    def timing(self) -> Timing | None:
        """Decode every frame for its duration, and whether it is transparent: some say so only then."""
        if self.frames == 1 or not formats.row_of(self.format).animation:
            return None
        durations, alpha = [], False
        with decoding(self._source, self._limit):
            image = self._opened(0)
            cut_animation(image)
            loop = image.info.get("loop")
            hidden = bool(image.info.get("default_image"))
            for number in range(self.frames):
                image.seek(number)
                image.load()
                durations.append(float(image.info.get("duration", 0)))
                if not alpha and image.has_transparency_data:
                    bands = image if image.mode in ("LA", "RGBA") else image.convert("RGBA")
                    alpha = bands.getextrema()[-1][0] < 255  # type: ignore[index]
        self._timing = Timing(tuple(durations), loop, alpha, hidden)
        return self._timing

    def _opened(self, number: int) -> Image.Image:
        if not number and (decoded := prefetch.take(self._stream)) is not None:
            return decoded
        image = guards.opened(self._stream)
        if refusal := formats.row_of(image.format).refusal:
            raise ImageError(f"input '{self._source}'", refusal, "convert it to png first")
        if number:
            image.seek(number)
        return image

    def _loses(self, image: Image.Image) -> bool:
        """Whether colours were rounded when the file was coded."""
        lossy = formats.row_of(image.format).lossy_read
        if lossy is not None:
            return lossy
        place = self._stream.tell()
        try:
            return b"VP8L" not in _chunks(self._stream)
        finally:
            self._stream.seek(place)


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    """The kinds of the chunks of a WebP, those within frames as well.

    Google, "WebP Container Specification": a kind of four bytes, a size of four, as many bytes, and one if that is odd. Frames
    are in ``VP8 `` if colours were rounded, else in ``VP8L``; in an animation, they are in chunks ``ANMF``, behind 16 bytes.
    """
    place = 12  # behind ``RIFF``, a size and ``WEBP``
    stream.seek(place)
    while len(head := stream.read(8)) == 8:
        kind, size = struct.unpack("<4sI", head)
        yield kind
        place += 24 if kind == b"ANMF" else 8 + size + size % 2
        stream.seek(place)


def _count(image: Image.Image) -> int:
    """How many pictures there are: one or more, whatever a header says.

    Pillow counts the layers of a PSD, not the picture that they make up, and takes the counts in other headers as they are.
    """
    try:
        return max(1, int(getattr(image, "n_frames", 1)))
    except Exception:  # damage, or a layer that Pillow does not read
        if image.format == "PSD":  # the picture does not depend on its layers
            return 1
        raise


class Decoded:
    """What Pillow decodes of an image that is opened.

    Parameters
    ----------
    image : Image
        Not decoded.
    stream : binary stream
        Its file.
    value : tuple of int or None
        The one 16-bit colour that is transparent.
    opener : callable or None
        Opens it anew, at this very picture: 16-bit colours are decoded twice. None where that cannot be done.

    Attributes
    ----------
    kept : Image
        What the file says beside its pixels is asked of it.
    notes : tuple of str
        What was lost.
    """

    def __init__(
        self,
        image: Image.Image,
        stream: BinaryIO,
        value: tuple[int, ...] | None,
        opener: Callable[[], Image.Image] | None,
    ) -> None:
        self._image, self._value, self.kept = image, value, image
        self._samples = self._plain = None
        self.notes: tuple[str, ...] = ()
        raw = None if opener is None else raw_mode(image)
        if opener is not None and raw is not None:
            from convcli.images.reading import sixteen_bits

            self._samples = sixteen_bits.decode(opener, raw)
            self.kept = opener()
            if image.format == "PNG":
                with suppress(Exception):  # its texts may stand behind the pixels
                    image.load()
                    self.kept = image
        else:
            if are_cut(image, stream):
                self.notes = (cut_note(image),)
            if is_plain(image):
                self._plain = read_plain(image, stream)
            if self._plain is None:
                image.load()
        self._has_alpha = image.has_transparency_data

    def planes(
        self, white: float | None, source: str, alpha: bool = False, unsigned: bool = False, inverted: bool = False
    ) -> Picture:
        """The planes as a picture.

        Parameters
        ----------
        white : float or None
            What the file or the user says that white is.
        source : str
            For the message.
        alpha : bool
            Whether they are to have alpha even if the file has none.
        unsigned : bool
            Whether the 32-bit integers of the file have no sign: Pillow reads them as signed.
        inverted : bool
            Whether white is 0 in 16-bit gray: Pillow turns it round at 8 bits only.
        """
        image, has_alpha = self._image, alpha or self._has_alpha
        if self._samples is not None:
            from convcli.images.reading.sixteen_bits import planes_of

            return planes_of(self._samples, image.mode, self._value)
        if image.mode in _GRAY_LIKE:
            wanted, space = ("LA" if has_alpha else "L"), "gray"
        elif image.mode in _RGB_LIKE:
            wanted, space = ("RGBA" if has_alpha else "RGB"), "rgb"
        elif image.mode == "CMYK":
            wanted, space, has_alpha = "CMYK", "cmyk", False
        elif image.mode in ("I", "F") or image.mode.startswith("I;16"):
            array = array_of(image)
            if image.mode == "I" and unsigned:
                array = array.view(np.uint32)
            if inverted and image.mode.startswith("I;16"):
                array = 65535 - array
            return gray_planes(array, white, self._value)
        else:
            rule = f"is of Pillow's mode {image.mode}, which is not supported"
            raise ImageError(f"input '{source}'", rule, "convert it to RGB")
        array = array_of(image, wanted) if self._plain is None else self._plain
        if array.ndim == 2:
            return Picture(array[np.newaxis], None, space, 255.0)
        planes = np.moveaxis(array, -1, 0)
        return Picture(planes[:-1], planes[-1], space, 255.0) if has_alpha else Picture(planes, None, space, 255.0)


def transparent_value(image: Image.Image) -> tuple[int, ...] | None:
    """The one 16-bit colour that a PNG calls transparent; Pillow, which would compare 8 bits with it, is not to see it.

    Of 2 and 4 bits, whose pixels it spreads to 8, the colour is spread as well.
    """
    tiles = getattr(image, "tile", ())
    largest = {"L;2": 3, "L;4": 15}.get(str(tiles[0][3])) if tiles and image.format == "PNG" else None
    gray = image.info.get("transparency")
    if largest is not None and isinstance(gray, int) and gray <= largest:
        image.info["transparency"] = gray * 255 // largest
    deep = more_than_8(image) or image.mode.startswith("I")
    value = image.info.pop("transparency", None) if deep else None
    return (value,) if isinstance(value, int) else tuple(value) if isinstance(value, tuple) else None


_PILLOWS = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2}
"""Bytes of a pixel in memory; those of any other mode are 4."""
_OURS = {"P": 3, "I;16": 2, "I;16L": 2, "I;16B": 2, "I": 4, "F": 4}
"""Bytes of a pixel of the array; those of any other mode are its bands."""


def bytes_each(image: Image.Image) -> int:
    """What decoding takes for each pixel: Pillow's own and, copied from them, the array's."""
    ours = _OURS.get(image.mode, len(image.getbands()))
    if is_plain(image) and orientation_of(image) == 1:
        return ours
    samples = 2 if raw_mode(image) is not None else 1
    return _PILLOWS.get(image.mode, 4) + samples * ours + image.has_transparency_data
