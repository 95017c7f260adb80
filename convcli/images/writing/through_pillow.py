"""Files that Pillow encodes: most formats, and animated GIF and WebP."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Any, BinaryIO

from PIL import Image

from convcli.errors import ConvError, ImageError
from convcli.images import guards
from convcli.images.formats import Format
from convcli.images.guards import reason
from convcli.images.picture import Timing
from convcli.images.writing import Frame, Job, Settings, carried
from convcli.images.writing.storage import image_of
from convcli.system.context import silent

QUALITY = 92
"""Of lossy formats, where neither the user nor the input says."""


def write(frames: Iterator[Frame], job: Job) -> None:
    """Write a picture, or an animation where `job` has a timing."""
    first = [next(frames)]
    options = _options(first[0], job)
    images = map(partial(_image, job), chain((first.pop() for _ in range(1)), frames))  # which keeps none of them
    if job.timing is not None:
        _through_memory(job, partial(_animation, job, images, job.timing, options))
        return
    image = next(images)
    if job.row.direct:
        with job.sink() as stream:
            image.save(stream, job.row.name, **options)
    else:
        _through_memory(job, lambda stream: image.save(stream, job.row.name, **options))


def _options(frame: Frame, job: Job) -> dict[str, Any]:
    """What an encoder is told beside the pixels."""
    options = CODINGS[job.row.coding](job.row, frame, job.settings)
    kept, notes = carried(job.row, frame.metadata, frame.space == "cmyk" and not job.row.cmyk)
    job.notes += notes
    return options | kept


def _plain(row: Format, _: Frame, settings: Settings) -> dict[str, Any]:
    return {"quality": settings.quality} if row.quality and settings.quality is not None else {}


def _jpeg(_: Format, frame: Frame, settings: Settings) -> dict[str, Any]:
    """A JPEG of a JPEG keeps its tables and subsampling: its quality and size."""
    source = frame.metadata.jpeg
    kept: dict[str, Any] = {"quality": settings.quality or QUALITY}
    if source is not None:
        if settings.quality is None:
            kept = {"qtables": source.tables}
        if source.subsampling is not None:
            kept["subsampling"] = source.subsampling
        if source.progressive:
            kept["progressive"] = True
    return kept


def _webp(row: Format, frame: Frame, settings: Settings) -> dict[str, Any]:
    """Without loss where the input had none, and always at quality 100."""
    if not row.loses(frame.metadata.lossy, settings.quality):
        return {"lossless": True, "quality": 50, "exact": True}  # the effort, here
    return {"quality": settings.quality or QUALITY, "exact": True}


def _ico(_: Format, frame: Frame, __: Settings) -> dict[str, Any]:
    """One icon of this size. Pillow would make several of its own sizes."""
    return {"sizes": [frame.pixels.shape[1::-1]]}


CODINGS: dict[str, Callable[[Format, Frame, Settings], dict[str, Any]]] = {
    "": _plain,
    "jpeg": _jpeg,
    "webp": _webp,
    "ico": _ico,
}
"""What Pillow is told of the coding, by the `coding` of a format's row."""


def _image(job: Job, frame: Frame) -> Image.Image:
    """A frame as Pillow's image."""
    if not job.row.palette:
        return image_of(frame.pixels, frame.storage.space)
    from convcli.images.writing import gif

    return gif.image(frame.pixels, job.notes)


def _through_memory(job: Job, encode: Callable[[BinaryIO], None]) -> None:
    """Have an encoder write into memory, and that into the target: encoders fail half-way, and go back."""
    buffer = io.BytesIO()
    try:
        with silent():
            encode(buffer)
    except (ConvError, MemoryError):
        raise
    except Exception as error:  # only Pillow's code runs in there, and its encoders raise whatever comes to hand
        why = reason(error, type(error).__name__)
        rule = f"cannot be written as {job.row.name} ({why})"
        raise ImageError(f"output '{job.target}'", rule, "use png or tif") from None
    with job.sink() as stream:
        stream.write(buffer.getbuffer())


def _animation(
    job: Job, images: Iterator[Image.Image], timing: Timing, options: dict[str, Any], stream: BinaryIO
) -> None:
    from convcli.images.writing import gif

    if timing.hidden:
        next(images)
    durations = list(timing.durations[timing.hidden :])
    is_gif = job.row.palette
    if is_gif and (rounded := gif.hundredths(durations)) != durations:
        job.notes.append(
            "GIF counts hundredths of a second: the times of its frames are rounded; png and webp keep them"
        )
        durations = rounded
    options = {**options, "duration": durations}
    if is_gif:
        # what becomes transparent must be cleared first; else only what changes is written
        options["disposal"] = 2 if timing.alpha else 1
    if timing.loop is not None or not is_gif:
        options["loop"] = timing.plays
    frames = _Frames(images, len(durations))
    frames.save(stream, job.row.name, save_all=True, **options)
    job.frames = _count(stream) or len(durations)


class _Frames(Image.Image):
    """An image whose `count` frames come from an iterator: Pillow's writers seek forward through it, and it is made up on the way.

    They are all of one size, and of one mode but for palettes.
    """

    def __init__(self, frames: Iterator[Image.Image], count: int) -> None:
        super().__init__()
        self.n_frames, self.is_animated = count, count > 1
        self._frames, self._place = frames, -1
        self.seek(0)

    def tell(self) -> int:
        """The number of the present frame."""
        return self._place

    def seek(self, frame: int) -> None:
        """Go on to a frame; going back, which writers do when they are done, changes nothing."""
        if frame >= self.n_frames:
            raise EOFError
        while self._place < frame:
            present = next(self._frames)
            self._place += 1
            self.im, self._mode, self._size = present.im, present.mode, present.size
            self.palette, self.info = present.palette, present.info


def _count(stream: BinaryIO) -> int | None:
    """How many frames a file has: writers join those that are equal; None if it is larger than what may be read."""
    with suppress(Image.DecompressionBombError), guards.opened(stream) as image:
        return int(getattr(image, "n_frames", 1))
    return None
