"""An opened file and its pictures: one, the frames of an animation, or the pages of a document."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

from PIL import Image, UnidentifiedImageError

from convcli.errors import ImageError
from convcli.images import ahead, deep, rare, white
from convcli.images.decode import planes_of, transparent_value, upright
from convcli.images.limits import beyond, check_pixels
from convcli.images.metadata import metadata_of, orientation_of, white_of
from convcli.images.picture import Metadata, Picture
from convcli.images.pixels import is_plain, read_plain
from convcli.images.recognise import recognised
from convcli.system.silence import silent

if TYPE_CHECKING:
    from convcli.images import apng

ANIMATED = {"GIF", "PNG", "WEBP"}
"""Formats whose frames are read and written with their timing."""


class Timing(NamedTuple):
    """How the frames of an animation follow each other.

    Attributes
    ----------
    durations : tuple of float
        Of every frame, in milliseconds.
    loop : int or None
        How often it plays, 0 for ever; None where the file does not say, which is once in a GIF.
    transparent : bool
        Whether one or more frames have transparency: they are all read with alpha then.
    hidden : bool
        Whether the first frame is not a part of the animation: what a reader shows that knows only still PNGs.
    """

    durations: tuple[float, ...]
    loop: int | None
    transparent: bool
    hidden: bool = False

    @property
    def plays(self) -> int:
        """How often it plays, as PNG and WebP count: 0 is for ever."""
        return 1 if self.loop is None else self.loop


class UnidentifiedError(ImageError):
    """Pillow knows no such format."""


class Film(Protocol):
    """The pictures of a file.

    Attributes
    ----------
    format : str or None
        As Pillow names it, or ``NPY``.
    frames : int
        How many pictures there are.
    """

    format: str | None
    frames: int

    def picture(self, number: int = 0) -> Picture:
        """Decode one of them; they are to be asked for in their order. A single one can be asked for only once."""

    def timing(self) -> Timing | None:
        """How an animation's frames follow each other; None for pages. Decodes all of them."""


class Still:
    """What is in memory already, a tensor for one."""

    frames = 1

    def __init__(self, picture: Picture) -> None:
        self.format = picture.metadata.format
        self._picture: list[Picture] = [picture]

    def picture(self, number: int = 0) -> Picture:
        """It."""
        return self._picture.pop()

    def timing(self) -> None:
        """Nothing moves."""


class Decoded:
    """The pictures that Pillow decodes."""

    def __init__(self, stream: BinaryIO, source: str, limit: int, full_scale: float | None = None) -> None:
        self._stream, self._source, self._limit, self._pixels = stream, source, limit, 0
        self._full_scale = full_scale
        self._timing: Timing | None = None
        self._said: tuple[Metadata, int, tuple[str, ...]] | None = None
        self._rare: rare.Pages | None = None
        with _decoding(source, limit):
            self._image: Image.Image | None = self._opened(0)
            self.format = self._image.format
            self.frames = self._count()
            width, height = self._image.size
            moving = self.frames > 1 and deep.is_png(self._image)
            need = _bytes_each(self._image) * (2 if moving else 1)
        check_pixels(source, width * height * self.frames, limit, need, self.frames)
        self._canvas: apng.Canvas | None = None
        if moving:
            from convcli.images import apng  # which few pictures need

            with _decoding(source, limit):
                self._canvas = apng.Canvas(stream)

    def picture(self, number: int = 0) -> Picture:
        """Decode a picture.

        Returns
        -------
        Picture
            Upright (EXIF orientation is applied and its tag dropped); palettes become RGB, 1-bit becomes 8-bit gray.
        """
        image = self._image
        assert image is not None
        notes: tuple[str, ...] = ()
        samples = plain = None
        with _decoding(self._source, self._limit):
            if number and self._canvas is None and not _reached(image, number):
                return self._pages().picture(number)
            turned = orientation_of(image) if image.format == "TIFF" else None  # Pillow turns it and forgets how
            self._pixels += image.size[0] * image.size[1]  # pages differ
            check_pixels(self._source, self._pixels, self._limit)
            raw = deep.raw_mode(image) if self.frames == 1 or image.format == "TIFF" else None
            value = transparent_value(image)
            if self._canvas is not None:
                image.load()  # for what it says beside its pixels
                samples, kept = self._canvas.frame(number), image
            elif raw is None:
                if deep.shallow(image, self._stream):
                    notes = (f"{image.format} of this kind with more than 8 bits per channel is read with 8",)
                if is_plain(image) and turned in (None, 1):
                    plain = read_plain(image, self._stream)
                if plain is None:
                    image.load()
                kept = image
            else:
                samples = deep.decode(partial(self._opened, number), raw)
                kept = self._opened(number)
                if image.format == "PNG":
                    with suppress(Exception):  # its texts may stand behind the pixels
                        image.load()
                        kept = image
            transparent = image.has_transparency_data or bool(self._timing and self._timing.transparent)
            said = white_of(kept)
            if self._said is None or image.format not in ANIMATED:  # pages have their own
                self._said = metadata_of(kept, self.frames, _loses(self._stream, image), turned)
            metadata, orientation, remarks = self._said
        planes = planes_of(image, samples, transparent, value, said or self._full_scale, self._source, plain)
        known = said is not None or not planes.real
        white.check_unsaid(self._source, self._full_scale, planes.full_scale, known)
        assumed = not known and self._full_scale is None
        if self.frames == 1:
            self._image = None  # its pixels are copied
        if image.mode == "I" and assumed:
            guess = f"white is taken as {planes.full_scale:.0f}, the next full number of bits"
            notes += (f"32-bit values: {guess}; see --full-scale",)
        planes = upright(planes, 1 if image.format == "TIFF" else orientation)  # which Pillow turns itself
        return Picture(
            planes.colour, planes.alpha, planes.space, planes.full_scale, real=planes.real, assumed=assumed,
            metadata=metadata, notes=(*notes, *remarks),
        )  # fmt: skip

    def timing(self) -> Timing | None:
        """Decode every frame for its duration, and whether it is transparent: some say so only then."""
        if self.frames == 1 or self.format not in ANIMATED:
            return None
        durations, transparent = [], False
        with _decoding(self._source, self._limit):
            image = self._opened(0)
            loop = image.info.get("loop")
            hidden = bool(image.info.get("default_image"))
            if self._canvas is not None:
                self._timing = Timing(self._canvas.durations, loop, self._canvas.transparent, hidden)
                return self._timing
            for number in range(self.frames):
                image.seek(number)
                image.load()
                durations.append(float(image.info.get("duration", 0)))
                if not transparent and image.has_transparency_data:
                    bands = image if image.mode in ("LA", "RGBA") else image.convert("RGBA")
                    transparent = bands.getextrema()[-1][0] < 255  # type: ignore[index]
        self._timing = Timing(tuple(durations), loop, transparent, hidden)
        return self._timing

    def _count(self) -> int:
        """How many pictures there are: one or more, whatever a header says.

        Pillow counts the layers of a PSD, not the picture that they make up, and takes the counts in other headers as they are.
        """
        assert self._image is not None
        try:
            return max(1, int(getattr(self._image, "n_frames", 1)))
        except Exception as error:  # damage, or a page or layer that Pillow does not read: it counts no further
            if self._image.format == "PSD":  # the picture does not depend on its layers
                return 1
            if self._image.format != "TIFF" or not isinstance(error, SyntaxError):
                raise
        self._image = self._opened(0)
        return self._pages().frames

    def _pages(self) -> rare.Pages:
        """The same file, for pages that Pillow does not read."""
        self._rare = self._rare or rare.Pages(self._stream, self._source, self._limit, self._full_scale)
        return self._rare

    def _opened(self, number: int) -> Image.Image:
        if not number and (decoded := ahead.take(self._stream)) is not None:
            return decoded
        image = recognised(self._stream)
        if deep.unreachable(image):
            raise UnidentifiedImageError
        if image.format == "EPS":
            raise ImageError(
                f"input '{self._source}' is EPS, a program, which Pillow would hand to Ghostscript: convert it to png first"
            )
        if number:
            image.seek(number)
        return image


def _reached(image: Image.Image, number: int) -> bool:
    """Go on to a picture; False if it is a page of a kind that Pillow does not read, or not whole."""
    try:
        image.seek(number)
    except SyntaxError:  # as its TIFF reader says it
        if image.format != "TIFF":
            raise
        return False
    return not deep.unreachable(image)


_PILLOWS = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2}
"""Bytes of a pixel in memory; those of any other mode are 4."""
_OURS = {"P": 3, "I;16": 2, "I;16L": 2, "I;16B": 2, "I": 4, "F": 4}
"""Bytes of a pixel of the array; those of any other mode are its bands."""


def _bytes_each(image: Image.Image) -> int:
    """What decoding takes for each pixel: Pillow's own and, copied from them, the array's."""
    ours = _OURS.get(image.mode, len(image.getbands()))
    if is_plain(image) and orientation_of(image) == 1:
        return ours
    samples = 2 if deep.raw_mode(image) is not None else 1
    return _PILLOWS.get(image.mode, 4) + samples * ours + image.has_transparency_data


@contextmanager
def _decoding(source: str, limit: int) -> Iterator[None]:
    """Whatever Pillow's decoders raise becomes an `ImageError` of one line."""
    try:
        with silent():
            yield
    except (ImageError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise UnidentifiedError(
            f"input '{source}' is not an image: Pillow recognises no format in it; name an image or a .npy file"
        ) from None
    except Image.DecompressionBombError as error:
        found = re.search(r"[0-9]+ pixels", str(error))  # Pillow's own look, beyond the same limit
        pixels = int(found[0].split()[0]) if found else 2 * limit
        raise beyond(f"input '{source}' has {pixels} pixels", pixels, limit) from None
    except Exception as error:  # only Pillow's code runs in there, and its decoders raise whatever comes to hand
        raise ImageError(
            f"input '{source}' cannot be decoded: {_first_line(error)}; is it truncated, damaged or of a rare kind?"
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["Pillow gives no reason"])[0]


def _loses(stream: BinaryIO, image: Image.Image) -> bool:
    """Whether a WebP file was coded with loss: its frames are in chunks ``VP8 `` then, else in ``VP8L``."""
    if image.format != "WEBP":
        return False
    place = stream.tell()
    stream.seek(0)
    head = stream.read(1 << 16)
    stream.seek(place)
    return b"VP8L" not in head
