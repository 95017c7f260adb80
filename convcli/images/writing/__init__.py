"""From a `Picture` to a file or standard output, whole or not at all."""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convcli.errors import ConvError, ImageError
from convcli.images.picture import Picture
from convcli.images.reading.pillow_file import ANIMATED, Film, Timing
from convcli.images.writing import animated as animation
from convcli.images.writing import png
from convcli.images.writing.encoding import Settings, coding
from convcli.images.writing.gif import paletted
from convcli.images.writing.quantise import CMYK, image_of, narrowed, pixels_of, tensor_of
from convcli.images.writing.storage import Storage
from convcli.pointwise.ranges import Clipped
from convcli.system import files, npy
from convcli.system.silence import silent

if TYPE_CHECKING:
    from convcli.images.writing import tiff

_KEEPS_EXIF = {"JPEG", "PNG", "WEBP", "TIFF", "AVIF"}
_KEEPS_DPI = {"JPEG", "PNG", "TIFF", "BMP"}
_KEEPS_ICC = {"JPEG", "PNG", "WEBP", "TIFF", "AVIF"}
_KEEPS_XMP = {"JPEG", "PNG", "WEBP", "TIFF", "AVIF"}
_XMP_LIMIT = {"JPEG": 65504}
_EXIF_LIMIT = {"JPEG": 65533}

_UNPACKED = {"BMP"}
"""Formats that store pixels as they are, front to back: they need no copy in memory before they are written."""


class Saved(NamedTuple):
    """What was clipped, and what was lost, while a picture was written; and how many frames the file has."""

    clipped: Clipped
    notes: tuple[str, ...] = ()
    frames: int = 1


def frames_kept(film: Film, target: str, wanted: str | None, container: str) -> int:
    """How many frames of an input are written: pages into pages, animations into animations, else the first.

    A PNG shows all only if the input was one, or if it is named .apng: most are wanted still.
    """
    if film.format == "TIFF" and container == "TIFF":
        return film.frames
    if film.format not in ANIMATED:
        return 1
    moving = container in ("GIF", "WEBP") or film.format == container
    named = (wanted or Path(target).suffix).lower().lstrip(".") == "apng"
    return film.frames if moving or (container == "PNG" and named) else 1


def save(picture: Picture, target: str, storage: Storage, threads: int | None = None) -> Saved:
    """Write a single picture: see `save_frames`."""
    return save_frames(iter([(picture, storage)]), target, threads=threads)


def save_frames(
    frames: Iterator[tuple[Picture, Storage]],
    target: str,
    count: int = 1,
    timing: Timing | None = None,
    threads: int | None = None,
    settings: Settings = Settings(),
    source: str | None = None,
    replace: bool = True,
) -> Saved:
    """Write one picture, or several into one file.

    Parameters
    ----------
    frames : iterator of (Picture, Storage)
        Colour and alpha as real values in units of the picture's `full_scale`, or colour already in the file's integers;
        and how it is kept. They are made, written and forgotten one by one.
    target : str
        A path or ``-``.
    count : int
        How many there are.
    timing : Timing, optional
        Of an animation.
    threads : int, optional
        For encoders that use several; by default, one for each processor.
    settings : Settings
        Quality and compression.
    source : str, optional
        The input's path: a new file has its permissions.
    replace : bool
        Whether an existing file gives way to it.

    Returns
    -------
    Saved
        What was clipped here (nothing if the colours came as integers), what was lost, and how many frames were written:
        an animation's neighbours that are equal become one.

    Raises
    ------
    ImageError
        A target that cannot be written; an `ExistsError` if it is there and not to be replaced.
    """
    picture, storage = next(frames)
    container, level = storage.container, settings.compression
    sink = partial(files.writing, target, source, replace)
    if container == "NPY":
        array, clipped = tensor_of(picture, storage.policy)
        array, lost = narrowed(array, storage.dtype)
        with sink() as stream:
            npy.write(stream, array)
        return Saved(clipped, lost)
    told = _Told(count)
    options = _options(picture, storage, settings, told)
    first = [_Frame(picture, storage, told)]
    del picture  # its real values are not kept beside the integers
    kept = itertools.chain((first.pop() for _ in range(1)), (_Frame(*frame, told) for frame in frames))
    if container == "TIFF":
        from convcli.images.writing import tiff  # imports Pillow's plugin

        _write(sink, tiff.encode((frame.page() for frame in kept), count, level, threads))
    elif container == "PNG" and timing is not None:
        pixels = (frame.pixels for frame in kept)
        said = png.Said(**options)
        _write(sink, png.animate(pixels, timing.durations, timing.plays, timing.hidden, said, threads, level))
    elif container == "PNG":
        _write(sink, png.encode(next(kept).pixels, png.Said(**options), threads, level))
    elif container == "PPM":
        frame = next(kept)
        if frame.pixels.shape[2] > 1 and Path(target).suffix.lower() == ".pgm":
            told.notes.append("it holds colours, and .pgm is for gray: name it .ppm, or use --channels gray")
        _write(sink, _netpbm(frame.pixels))
    elif timing is not None:
        _through_pillow(sink, target, container, partial(_animation, container, kept, timing, options, told))
    else:
        image = next(kept).image()
        if container in _UNPACKED:
            with sink() as stream:
                image.save(stream, container, **options)
        else:
            _through_pillow(sink, target, container, lambda stream: image.save(stream, container, **options))
    return Saved(Clipped.sum(*told.clipped), tuple(dict.fromkeys(told.notes)), told.frames)


_Sink = Callable[[], AbstractContextManager[BinaryIO]]
"""Opens the target."""


def _write(sink: _Sink, parts: Iterable[bytes | memoryview]) -> None:
    with sink() as stream:
        stream.writelines(parts)


def _through_pillow(sink: _Sink, target: str, container: str, write: Callable[[BinaryIO], None]) -> None:
    """Have one of Pillow's encoders write into memory, and that into the target."""
    buffer = io.BytesIO()
    try:
        with silent():
            write(buffer)
    except (ConvError, MemoryError):
        raise
    except Exception as error:  # only Pillow's code runs in there, and its encoders raise whatever comes to hand
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise ImageError(f"output '{target}' cannot be written as {container} ({why}): use png or tif") from None
    with sink() as stream:
        stream.write(buffer.getbuffer())


def _animation(
    container: str, frames: Iterator[_Frame], timing: Timing, options: dict[str, Any], told: _Told, stream: BinaryIO
) -> None:
    if timing.hidden:
        next(frames)
    durations = list(timing.durations[timing.hidden :])
    if container == "GIF" and (rounded := animation.hundredths(durations)) != durations:
        told.notes.append(
            "GIF counts hundredths of a second: the times of its frames are rounded; png and webp keep them"
        )
        durations = rounded
    options = {**options, "duration": durations}
    if timing.loop is not None or container != "GIF":
        options["loop"] = timing.plays
    images = animation.Frames((frame.image() for frame in frames), len(durations))
    animation.save(stream, container, images, timing.transparent, options)
    told.frames = animation.count(stream) or len(durations)


@dataclass(slots=True)
class _Told:
    """What is to be said of the frames that went by."""

    frames: int
    clipped: list[Clipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class _Frame:
    """A picture as a file keeps it: its pixels ``(H, W, C)``, alpha last."""

    def __init__(self, picture: Picture, storage: Storage, told: _Told) -> None:
        self.pixels, clipped = pixels_of(picture, storage)
        self.storage, self.metadata, self.told = storage, picture.metadata, told
        told.clipped.append(clipped)

    def page(self) -> tiff.Page:
        """As a page of a TIFF."""
        from convcli.images.writing import tiff

        white = self.storage.full_scale if self.storage.dtype == "float32" else None
        return tiff.Page(self.pixels, self.storage.space, self.metadata, white)

    def image(self) -> Image.Image:
        """As Pillow's image."""
        if self.storage.container != "GIF":
            return image_of(self.pixels, self.storage.space)
        if self.pixels.shape[2] in (2, 4) and ((self.pixels[..., -1] > 0) & (self.pixels[..., -1] < 255)).any():
            self.told.notes.append(
                "GIF pixels are opaque or transparent: those in between become one or the other; png and webp keep them"
            )
        image, exact = paletted(self.pixels)
        if not exact:
            self.told.notes.append(
                "GIF holds 256 colours: the others become the nearest of these; png and webp keep them"
            )
        return image


def _netpbm(pixels: NDArray[Any]) -> Iterator[bytes | memoryview]:
    """A PGM or PPM file of ``(H, W, C)``: a line of sizes, and the pixels as they are, their high bytes first."""
    height, width, channels = pixels.shape
    yield f"P{6 if channels == 3 else 5}\n{width} {height}\n{np.iinfo(pixels.dtype).max}\n".encode()
    yield np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">")).data.cast("B")


def _options(picture: Picture, storage: Storage, settings: Settings, told: _Told) -> dict[str, Any]:
    """What an encoder is told beside the pixels: the coding, and metadata; of a TIFF, whose pages have their own, nothing."""
    metadata, container = picture.metadata, storage.container
    if container == "TIFF":
        return {}
    kept = coding(container, metadata, settings)
    if container == "ICO":  # else Pillow makes icons of its own sizes
        kept["sizes"] = [picture.size[::-1]]
    if metadata.exif and container in _KEEPS_EXIF:
        if len(metadata.exif) <= _EXIF_LIMIT.get(container, len(metadata.exif)):
            kept["exif"] = metadata.exif
        else:
            told.notes.append(f"its EXIF data is too long for {container} and left out")
    if metadata.xmp and container in _KEEPS_XMP:
        if len(metadata.xmp) <= _XMP_LIMIT.get(container, len(metadata.xmp)):
            kept["xmp"] = metadata.xmp
        else:
            told.notes.append(f"its XMP data is too long for {container} and left out")
    if metadata.dpi and container in _KEEPS_DPI:
        kept["dpi"] = metadata.dpi
    converted = picture.space == "cmyk" and container not in CMYK
    if metadata.icc_profile and container in _KEEPS_ICC and not converted:
        kept["icc" if container == "PNG" else "icc_profile"] = metadata.icc_profile
    if container == "PNG":
        kept |= {"text": metadata.text, "chunks": () if converted else metadata.chunks}
    if metadata.comment and container in ("JPEG", "GIF"):
        kept["comment"] = metadata.comment[:65533]
    if metadata.iptc and container == "JPEG":
        kept["extra"] = b"\xff\xed" + struct.pack(">H", 2 + len(metadata.iptc)) + metadata.iptc
    return kept
