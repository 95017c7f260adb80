"""Files that Pillow decodes: most formats."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, BinaryIO

from PIL import Image

from convcli.errors import ImageError
from convcli.images import guards, prefetch
from convcli.images.formats import Format, row_of, row_of_head
from convcli.images.guards import array_of, check_pixels, decoding
from convcli.images.metadata import light_chunks, metadata_of
from convcli.images.picture import Metadata, Picture, Timing
from convcli.images.reading import ends, quirks
from convcli.images.reading.planes import completed, planes_of, upright
from convcli.pointwise import Array
from convcli.records import NamedTuple

_SPACES = {
    **dict.fromkeys(("1", "L", "LA", "La"), "gray"),
    **dict.fromkeys(("RGB", "RGBX", "RGBA", "RGBa", "P", "PA", "YCbCr", "HSV"), "rgb"),
    "CMYK": "cmyk",
}
"""The colour spaces of Pillow's modes."""


class File:
    """A file that Pillow decodes; see `convcli.images.opened_file.ImageFile`."""

    pages = False
    unread = 0
    others = False

    def __init__(self, stream: BinaryIO, source: str, limit: int, full_scale: float | None = None) -> None:
        self._stream, self._source, self._limit, self._pixels = stream, source, limit, 0
        self._full_scale = full_scale
        self._array: Array | None = None  # if the picture was decoded before
        self._timing: Timing | None = None
        self._said: tuple[Metadata, int, tuple[str, ...]] | None = None
        with decoding(source, limit):
            self._image: Image.Image | None = self._opened()
            self.format = self._image.format
            row = row_of(self.format)
            self._declared = _declared(row, stream)
            if self._declared is not None:
                self._refuse(row, self._declared)
                self.unread = ends.unread(stream, self._declared.end) if self._declared.end else 0
                self.others = self._declared.pictures > 1
            self.frames = quirks.count_of(self._image)
            self._cut = self.frames > 1 and quirks.cut_animation(self._image)
            width, height = self._image.size
            need = bytes_each(self._image)
        check_pixels(source, width * height * self.frames, limit, need, self.frames)

    def picture(self, number: int = 0) -> Picture:
        """Decode a picture.

        It is upright: the EXIF orientation is applied, and its tag dropped. Palettes become RGB, and 1 bit becomes 8-bit gray.
        """
        image = self._image
        assert image is not None
        with decoding(self._source, self._limit):
            if number:
                image.seek(number)
            self._pixels += image.size[0] * image.size[1]  # pages differ
            check_pixels(self._source, self._pixels, self._limit)
            unread = () if self._declared is None else self._declared.remarks(image)
            decoded = decode(
                image,
                self._source,
                self._opened if self.frames == 1 else None,
                self._full_scale,
                None if self._cut else quirks.transparent_value(image),
                alpha=self._timing is not None and self._timing.alpha,
                array=self._array,
            )
            self._array = None
            if self._said is None or not row_of(image.format).animation:  # pages have their own
                self._said = self._metadata(decoded.kept)
            self._check_end(image, decoded.planes, number)
            planes = decoded.planes if self._declared is None else self._declared.fitted(decoded.planes, image.mode)
        metadata, orientation, remarks = self._said
        notes = (quirks.cut_note(image),) if self._cut else dict.fromkeys((*decoded.notes, *unread))
        planes = completed(planes, self._source, self._full_scale, metadata, (*notes, *remarks))
        if self.frames == 1:
            self._image = None  # its pixels are copied
        return upright(planes, orientation)

    def timing(self) -> Timing | None:
        """The timing of an animation. Decodes every frame, because some formats tell duration and transparency only then."""
        if self.frames == 1 or not row_of(self.format).animation:
            return None
        durations, alpha = [], False
        with decoding(self._source, self._limit):
            image = self._opened()
            quirks.cut_animation(image)
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

    def _opened(self) -> Image.Image:
        if (decoded := prefetch.take(self._stream)) is not None:
            image, self._array = decoded
            return image
        try:
            image = guards.opened(self._stream)
        except Exception:
            self._stream.seek(0)
            row = row_of_head(self._stream.read(guards.HEAD_BYTES))
            if row is not None and (said := _declared(row, self._stream)) is not None:
                self._refuse(row, said)
            raise
        quirks.invert_bitmap(image)
        if refusal := row_of(image.format).refusal:
            raise ImageError(f"input '{self._source}'", refusal, "convert it to png first")
        return image

    def _refuse(self, row: Format, said: Any) -> None:
        """Refuse what Pillow does not read, or reads wrong, if the header says so."""
        if said.refusal:
            rule = f"is a {row.name} file of {said.refusal}, which Pillow does not read"
            raise ImageError(f"input '{self._source}'", rule, "convert it to png or tif first")

    def _metadata(self, image: Image.Image) -> tuple[Metadata, int, tuple[str, ...]]:
        """What is carried along."""
        row, said = row_of(image.format), self._declared
        lossy = row.lossy_read if said is None or said.lossy is None else said.lossy
        for name, value in said.metadata.items() if said is not None else ():
            image.info.setdefault(name, value)
        metadata, orientation, notes = metadata_of(image, self.frames, bool(lossy))
        chunks, more = light_chunks(self._stream) if "chunks" in row.keeps else ((), ())
        return metadata._replace(chunks=chunks if said is None else said.chunks), orientation, (*notes, *more)

    def _check_end(self, image: Image.Image, planes: Picture, number: int) -> None:
        """Refuse a PNG whose pixels end early, after which Pillow leaves zeros. Only if there are some, they are counted."""
        if image.format != "PNG" or number:
            return
        if self.frames == 1 and image.mode != "P" and "interlace" not in image.info and planes.colour[..., -1, :].any():
            return
        from convcli.images.reading import headers

        if headers.png_is_short(self._stream):
            raise OSError("image file is truncated")


def _declared(row: Format, stream: BinaryIO) -> Any:
    """What a file declares, by `convcli.images.reading.headers`; None if its format has no function there."""
    if not row.header:
        return None
    from convcli.images.reading import headers  # which PNG does not need

    return headers.declared(row, stream)


class Decoded(NamedTuple):
    """What Pillow decodes of an image."""

    planes: Picture
    kept: Image.Image  # has the metadata of the file
    notes: tuple[str, ...]  # what was lost


def decode(
    image: Image.Image,
    source: str,
    opener: Callable[[], Image.Image] | None = None,
    white: float | None = None,
    value: tuple[int, ...] | None = None,
    alpha: bool = False,
    array: Array | None = None,
) -> Decoded:
    """Decode an image that is opened, from its file.

    Parameters
    ----------
    image : Image
        Not decoded.
    source : str
        For the message.
    opener : callable, optional
        Opens the same picture again, because 16-bit colours are decoded twice. None if that is not possible.
    white : float, optional
        The value of white, if the file or the user defines it.
    value : tuple of int, optional
        The only 16-bit colour that is transparent.
    alpha : bool
        Whether the picture is to have alpha even if the file has none.
    array : ndarray, optional
        The pixels of an image of 8-bit gray or RGB without alpha, if it is decoded already.
    """
    kept, samples = image, array
    notes: tuple[str, ...] = ()
    if samples is None and opener is not None and (raw := quirks.raw_mode(image)) is not None:
        from convcli.images.reading import sixteen_bits

        samples = sixteen_bits.decode(opener, raw)
        kept = opener()
        if "text" in row_of(image.format).keeps:
            with suppress(Exception):  # its texts may come after the pixels
                image.load()
                kept = image
    elif quirks.more_than_8(image):
        notes = (quirks.cut_note(image),)
    if samples is None:
        image.load()
    mode, space = image.mode, _SPACES.get(image.mode)
    if space is not None:
        has_alpha = (alpha or image.has_transparency_data) and space != "cmyk"
        wanted = {"gray": "L"}.get(space, space.upper()) + "A" * has_alpha
        array = array_of(image, wanted) if samples is None else samples
        gray = array.ndim == 2 or array.shape[2] < 3  # Pillow's mode may be wider
        return Decoded(planes_of(array, "gray" if gray else space, value=value), kept, notes)
    if mode not in ("I", "F") and not mode.startswith("I;16"):
        rule = f"is of Pillow's mode {mode}, which is not supported"
        raise ImageError(f"input '{source}'", rule, "convert it to RGB")
    from convcli.images.reading.samples import samples_of  # few files need it

    found = samples_of(array_of(image))
    planes = planes_of(found.array, "gray", (found.real and white) or found.white, value, found.real)
    return Decoded(replace(planes, metadata=Metadata(rare=found.rare)), kept, (*notes, *found.notes))


_PILLOWS = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2}
"""Bytes of a pixel in Pillow's memory; 4 in any other mode."""
_OURS = {"P": 3, "I;16": 2, "I;16L": 2, "I;16B": 2, "I": 4, "F": 4}
"""Bytes of a pixel in the array; as many as the mode has bands in any other mode."""


def bytes_each(image: Image.Image) -> int:
    """Bytes of memory that decoding takes for each pixel: in Pillow and, copied from there, in the array."""
    ours = _OURS.get(image.mode, len(image.getbands()))
    samples = 2 if quirks.raw_mode(image) is not None else 1
    return _PILLOWS.get(image.mode, 4) + samples * ours + image.has_transparency_data
