"""Files that Pillow encodes: most formats, and animated GIF and WebP."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import Any, BinaryIO

from PIL import Image

from convcli.errors import ConvError, ImageError
from convcli.images.guards import reason
from convcli.images.picture import Timing
from convcli.images.writing import Frame, Job
from convcli.images.writing.encoding import carried, coding
from convcli.images.writing.storage import image_of
from convcli.system.silence import silent


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
    options = coding(job.row, frame.metadata, job.settings)
    if job.row.name == "ICO":  # else Pillow makes icons of its own sizes
        options["sizes"] = [frame.pixels.shape[1::-1]]
    kept, notes = carried(job.row, frame.metadata, frame.space == "cmyk" and not job.row.cmyk)
    job.notes += notes
    return options | kept


def _image(job: Job, frame: Frame) -> Image.Image:
    """A frame as Pillow's image."""
    if job.row.name != "GIF":
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
    from convcli.images.writing import animated, gif

    if timing.hidden:
        next(images)
    durations = list(timing.durations[timing.hidden :])
    is_gif = job.row.name == "GIF"
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
    frames = animated.Frames(images, len(durations))
    frames.save(stream, job.row.name, save_all=True, **options)
    job.frames = animated.count(stream) or len(durations)
