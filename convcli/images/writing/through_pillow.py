"""Files that Pillow encodes: most formats, and animated GIF and WebP."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain
from typing import Any, BinaryIO

from PIL import Image

from convcli.errors import ConvError, ImageError
from convcli.images import guards
from convcli.images.formats import Format, plugin
from convcli.images.picture import Timing
from convcli.images.writing import Frame, Job
from convcli.images.writing.storage import image_of
from convcli.system.context import silent

QUALITY = 92
"""The quality of lossy formats, if neither the user nor the input defines it."""

COPIED = 1 << 20
"""Bytes of an encoded file that are copied at once."""


def write(frames: Iterator[Frame], job: Job) -> None:
    """Write a picture, or an animation where `job` has a timing."""
    first = [next(frames)]
    options = CODINGS[job.row.coding](first[0], job)
    save(chain((first.pop() for _ in range(1)), frames), job, options)


def save(frames: Iterator[Frame], job: Job, coding: dict[str, Any]) -> None:
    """The same, with these options of Pillow about the coding."""
    first = [next(frames)]
    options = coding | described(first[0])
    images = map(partial(_image, job), chain((first.pop() for _ in range(1)), frames))  # keeps none of them
    if job.timing is not None:
        _through_memory(job, partial(_animation, job, images, job.timing, options))
        return
    image = next(images)
    if job.row.direct:
        with job.sink() as stream:
            image.save(stream, job.row.name, **options)
    else:
        _through_memory(job, partial(_save, image, job.row, options))


def _save(image: Any, row: Format, options: dict[str, Any], stream: BinaryIO) -> None:
    """The same as `Image.save`, which would import the plugins of five formats first: a thirtieth of the time of a photograph."""
    if plugin(row) is None:
        image.save(stream, row.name, **options)
        return
    image.encoderinfo, image.encoderconfig = options, ()
    Image.SAVE[row.name](image, stream, "")


def described(frame: Frame) -> dict[str, Any]:
    """The metadata as options of an encoder."""
    metadata = frame.metadata
    found = {name: getattr(metadata, name) for name in ("exif", "xmp", "dpi", "icc_profile", "comment")}
    if metadata.iptc:
        found["extra"] = b"\xff\xed" + struct.pack(">H", 2 + len(metadata.iptc)) + metadata.iptc
    return {name: value for name, value in found.items() if value}


def _plain(_: Frame, job: Job) -> dict[str, Any]:
    return {} if job.settings.quality is None else {"quality": job.settings.quality}


def _webp(frame: Frame, job: Job) -> dict[str, Any]:
    """Lossless if the input is lossless, or with quality 100."""
    quality = job.settings.quality
    if not job.row.loses(frame.metadata.lossy, quality):
        return {"lossless": True, "quality": 50, "exact": True}  # here, quality is the effort
    return {"quality": quality or QUALITY, "exact": True}


def _ico(frame: Frame, _: Job) -> dict[str, Any]:
    """One icon of this size. Pillow would make several of its own sizes."""
    return {"sizes": [frame.pixels.shape[1::-1]]}


CODINGS: dict[str, Callable[[Frame, Job], dict[str, Any]]] = {
    "": _plain,
    "webp": _webp,
    "ico": _ico,
}
"""Options about the coding, by the `coding` of a format."""


def _image(job: Job, frame: Frame) -> Image.Image:
    """A frame as an image of Pillow."""
    if not job.row.palette:
        return image_of(frame.pixels, frame.storage.space)
    from convcli.images.writing import gif

    return gif.image(frame.pixels, job.notes)


def _through_memory(job: Job, encode: Callable[[BinaryIO], None]) -> None:
    """Encode into memory first, then write the target: an encoder may fail, or seek back."""
    with _in_memory() as buffer:
        with _told(job), silent():
            encode(buffer)
        buffer.seek(0)
        with job.sink() as stream:
            while part := buffer.read(COPIED):
                stream.write(part)


def encoded(image: Image.Image, job: Job, options: dict[str, Any]) -> bytes:
    """The bytes of a file. Several threads may encode at once."""
    with _in_memory() as buffer:
        with _told(job):
            _save(image, job.row, options, buffer)
        buffer.seek(0)
        return buffer.read()


@contextmanager
def _told(job: Job) -> Iterator[None]:
    """Turn every error of an encoder into an `ImageError`."""
    try:
        yield
    except (ConvError, MemoryError):
        raise
    except Exception as error:  # Pillow's encoders may raise anything
        why = guards.reason(error, type(error).__name__)
        rule = f"cannot be written as {job.row.name} ({why})"
        raise ImageError(f"output '{job.target}'", rule, "use png or tif") from None


def _in_memory() -> BinaryIO:
    """A file in memory. On Linux, it has a descriptor: Pillow then encodes without Python's lock, so that threads work at once.

    With a stream of Python it holds the lock: two threads that encode JPEG took as long as one after the other (measured).
    """
    if hasattr(os, "memfd_create"):
        with suppress(OSError):  # a sandbox may refuse it
            return os.fdopen(os.memfd_create("convcli"), "w+b")
    return io.BytesIO()


def _animation(
    job: Job, images: Iterator[Image.Image], timing: Timing, options: dict[str, Any], stream: BinaryIO
) -> None:
    if timing.hidden:
        next(images)
        job.notes.append(
            f"its first picture, which animations do not show, is left out: {job.row.name} has no such picture"
        )
    durations = list(timing.durations[timing.hidden :])
    options = {**options, "duration": durations, "loop": timing.plays}
    if job.row.palette:
        from convcli.images.writing import gif

        options |= gif.timed(timing, durations, job.notes)
    frames = _Frames(images, len(durations))
    frames.save(stream, job.row.name, save_all=True, **options)
    with guards.opened(stream) as written:  # writers join frames that are equal
        job.frames = getattr(written, "n_frames", 1)


class _Frames(Image.Image):
    """An image whose `count` frames come from an iterator. Pillow's writers seek forward, which takes the next frame.

    All frames have the same size, and the same mode except for palettes.
    """

    def __init__(self, frames: Iterator[Image.Image], count: int) -> None:
        super().__init__()
        self.n_frames, self.is_animated = count, count > 1
        self._frames, self._place = frames, -1
        self.seek(0)

    def tell(self) -> int:
        """The number of the current frame."""
        return self._place

    def seek(self, frame: int) -> None:
        """Go forward to a frame. Going back, which writers do at the end, changes nothing."""
        if frame >= self.n_frames:
            raise EOFError
        while self._place < frame:
            present = next(self._frames)
            self._place += 1
            self.im, self._mode, self._size = present.im, present.mode, present.size
            self.palette, self.info = present.palette, present.info
