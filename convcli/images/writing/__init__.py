"""From a `Picture` to a file or standard output, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from convcli.errors import ImageError, param
from convcli.images import formats
from convcli.images.formats import Format
from convcli.images.guards import settle
from convcli.images.picture import ImageFile, Metadata, Picture, Timing
from convcli.images.writing.storage import Storage, pixels_of
from convcli.pointwise.ranges import Clipped
from convcli.system import files
from convcli.system.names import is_stream


class Settings(NamedTuple):
    """What the user sets: `quality` 1 to 100 of lossy formats, `compression` 0 to 9 of deflated ones; None: by default."""

    quality: int | None = None
    compression: int | None = None

    def check(self, container: str, several: bool = False) -> tuple[str, ...]:
        """Refuse what a format does not have. With `several` images of many formats, return notes about it instead."""
        notes = []
        for name in ("quality", "compression"):
            value = getattr(self, name)
            if value is not None and not getattr(formats.row_of(container), name):
                others = ", ".join(row.name for row in formats.ROWS.values() if getattr(row, name))
                rule = f"is for {others}, not for {container}"
                if not several:
                    raise ImageError(param(name, value), rule, "leave it out")
                notes.append(f"{param(name, value)} {rule}: it is ignored")
        return tuple(notes)


class Saved(NamedTuple):
    """What was clipped, and what was lost, while a picture was written; and how many frames the file has."""

    clipped: Clipped
    notes: tuple[str, ...] = ()
    frames: int = 1


def frames_kept(file: ImageFile, target: str, wanted: str | None, container: str) -> int:
    """How many frames of an input are written: pages into pages or one after another, animations into animations, else the first.

    A PNG shows all only if the input was one, or if it is named .apng: most are wanted still.
    """
    source, row = formats.row_of(file.format), formats.row_of(container)
    if file.pages:
        follow = row.sequence == "file" or (row.sequence == "pipe" and is_stream(target))
        return file.frames if row.pages or follow else 1
    ending = "." + (wanted or Path(target).suffix).lower().lstrip(".")
    moves = row.animation and (source.name == row.name or ending in row.animated_endings)
    return file.frames if source.animation and moves else 1


@dataclass(slots=True)
class Job:
    """What is to be written, where to, and what is to be said of it."""

    row: Format  # of the file
    target: str  # its path
    sink: Callable[[], AbstractContextManager[BinaryIO]]  # opens the target
    count: int  # frames
    timing: Timing | None  # of an animation
    threads: int | None  # for encoders that use several; None: one for each processor
    settings: Settings  # quality and compression
    frames: int  # how many were written
    clipped: list[Clipped] = field(default_factory=list)  # of the frames
    notes: list[str] = field(default_factory=list)  # what was lost

    def write(self, parts: Iterable[bytes | memoryview]) -> None:
        """Write the bytes of the whole file."""
        with self.sink() as stream:
            stream.writelines(parts)


class Frame:
    """A picture as a file keeps it: its pixels ``(H, W, C)``, alpha last; of a tensor, the picture itself; its metadata."""

    def __init__(self, picture: Picture, storage: Storage, job: Job) -> None:
        self.storage = storage
        self.metadata, notes = kept(job.row, picture.metadata, picture.space == "cmyk" and not job.row.cmyk)
        job.notes += notes
        if job.row.tensor:
            self.picture = picture
            return
        self.pixels, clipped = pixels_of(picture, storage)
        job.clipped.append(clipped)


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
    settle()
    picture, storage = next(frames)
    row = formats.row_of(storage.container)
    sink = partial(files.writing, target, source, replace)
    job = Job(row, target, sink, count, timing, threads, settings, count)
    first = [Frame(picture, storage, job)]
    del picture  # its real values are not kept beside the integers
    write = formats.writer(row)
    if count > 1 and timing is None and row.sequence:
        with sink() as stream:
            job.sink = lambda: nullcontext(stream)
            for frame in _all(first, frames, job):
                write(iter([frame]), job)
    else:
        write(_all(first, frames, job), job)
    return Saved(Clipped.sum(*job.clipped), tuple(dict.fromkeys(job.notes)), job.frames)


def _all(first: list[Frame], rest: Iterator[tuple[Picture, Storage]], job: Job) -> Iterator[Frame]:
    """Every frame, none of which is kept here."""
    yield first.pop()
    for picture, storage in rest:
        made = [Frame(picture, storage, job)]
        del picture
        yield made.pop()


def kept(row: Format, metadata: Metadata, converted: bool) -> tuple[Metadata, list[str]]:
    """The metadata that a format keeps, and remarks on what is too long for it.

    Parameters
    ----------
    row : Format
    metadata : Metadata
        Of the input.
    converted : bool
        Whether the colours are of another space than the input's: what their values mean is left out then.
    """
    blocks: dict[str, Any] = {}
    notes = []
    for name, longest in row.keeps.items():
        block = getattr(metadata, name)
        if block and name == "comment":
            blocks[name] = block[:longest]
        elif block and len(block) > longest:
            notes.append(f"its {name.upper()} data is too long for {row.name} and left out")
        elif not (converted and name in ("icc_profile", "chunks")):
            blocks[name] = block
    return Metadata(metadata.format, jpeg=metadata.jpeg, lossy=metadata.lossy, **blocks), notes
