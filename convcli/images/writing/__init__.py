"""From a `Picture` to a file or standard output, completely or not at all."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from convcli.errors import ImageError, param
from convcli.images import formats
from convcli.images.formats import Format
from convcli.images.guards import settle
from convcli.images.picture import Metadata, Picture, Timing
from convcli.images.writing.storage import Storage, pixels_of
from convcli.pointwise.ranges import Clipped
from convcli.records import NamedTuple
from convcli.system import files
from convcli.system.names import ending_of, is_stream, is_url

if TYPE_CHECKING:
    from convcli.backends import Watch
    from convcli.images.opened_file import ImageFile
    from convcli.images.writing.strips import Strips


class Settings(NamedTuple):
    """Settings of the user: `quality` 1 to 100 of lossy formats, `compression` 0 to 9 of deflated ones; None: the default."""

    quality: int | None = None
    compression: int | None = None

    def check(self, container: str, several: bool = False) -> tuple[str, ...]:
        """Refuse a setting that a format does not have. With `several` images of many formats, return notes about it instead."""
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
    """The result of writing: which values were clipped, what was lost, and how many frames and channels the file has."""

    clipped: Clipped
    notes: tuple[str, ...] = ()
    frames: int = 1
    channels: int | None = None  # where they differ from those of the result


def frames_kept(file: "ImageFile", target: str, wanted: str | None, container: str) -> int:
    """How many frames of an input are written: pages into pages or one after another, animations into animations, else the first.

    A PNG gets all frames only if the input is a PNG or its name ends in .apng: most people want a still PNG.
    """
    source, row = formats.row_of(file.format), formats.row_of(container)
    if file.pages:
        follow = row.sequence == "file" or (row.sequence == "pipe" and is_stream(target))
        return file.frames if row.pages or follow else 1
    ending = _ending(target, wanted)
    moves = row.animation and (source.name == row.name or ending in row.animated_endings)
    return file.frames if source.animation and moves else 1


def _ending(target: str, wanted: str | None) -> str:
    """The ending that says what is wanted: a format's name that the user gives, or that of the path."""
    return "." + (wanted or ending_of(target)).lower().lstrip(".")


class Job:
    """The task of writing a file, and what is reported about it. Leaving it with an error removes the unfinished file.

    Parameters
    ----------
    target : str
        A path or ``-``.
    container : str
        The format.
    count : int
        The number of frames.
    timing : Timing, optional
        The timing of an animation.
    threads : int, optional
        Threads of the encoder; by default, one for each processor.
    settings : Settings
        Quality and compression.
    source : str, optional
        The path of the input: a new file gets its permissions.
    replace : bool
        Whether an existing file may be replaced.
    wanted : str, optional
        The format's name, if the user gives one: ``pgm`` is for gray alone.
    """

    def __init__(
        self,
        target: str,
        container: str,
        count: int = 1,
        timing: Timing | None = None,
        threads: int | None = None,
        settings: Settings = Settings(),
        source: str | None = None,
        replace: bool = True,
        wanted: str | None = None,
    ) -> None:
        self.row, self.target, self.count, self.timing = formats.row_of(container), target, count, timing
        self.threads, self.settings, self.ending = threads, settings, _ending(target, wanted)
        self.sink = _sink(target, source, replace)  # opens the target
        self.frames = count  # in the file, which may be less
        self.channels: int | None = None  # of each picture in the file, where they differ from those of the result
        self.clipped: list[Clipped] = []  # for each frame
        self.notes: list[str] = []  # what was lost
        self.strips: Strips | None = None  # they write a picture while it is computed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.strips = None  # they know the job, and hold a coded file, which must not wait for the garbage collector

    def begin(self, storage: Storage, shape: tuple[int, int, int], metadata: Metadata) -> "Watch | None":
        """Begin to write a picture of shape ``(C, H, W)`` before it is computed. Return the function to call for finished rows.

        None if the format is not encoded in strips, or if that is no gain. Pixels that are stored as they are wait until the
        input is freed: its memory is then used for the file, which takes less time than to write it meanwhile (measured).
        """
        begin = formats.beginner(self.row) if self.count == 1 else None
        if begin is not None:
            self.strips = begin(self, storage, shape, metadata)
        return None if self.strips is None else self.strips.watch

    def write(self, parts: Iterable[bytes | memoryview]) -> None:
        """Write the bytes of the whole file."""
        with self.sink() as stream:
            stream.writelines(parts)

    def save(self, frames: Iterator[tuple[Picture, Storage]]) -> Saved:
        """Write all frames: see `save_frames`."""
        settle()
        picture, storage = next(frames)
        first = [Frame(picture, storage, self)]
        del picture  # its real values are not kept beside the integers
        write = formats.writer(self.row)
        if self.count > 1 and self.timing is None and self.row.sequence:
            with self.sink() as stream:
                self.sink = lambda: nullcontext(stream)
                for frame in _all(first, frames, self):
                    write(iter([frame]), self)
        else:
            write(_all(first, frames, self), self)
        return Saved(Clipped.sum(*self.clipped), tuple(dict.fromkeys(self.notes)), self.frames, self.channels)


class Frame:
    """A picture as it is stored: its pixels ``(H, W, C)``, alpha last, or the picture itself for a tensor; and its metadata."""

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


def save_frames(frames: Iterator[tuple[Picture, Storage]], target: str, *how: Any, **further: Any) -> Saved:
    """Write one picture, or several into one file.

    Parameters
    ----------
    frames : iterator of (Picture, Storage)
        Colour and alpha as real values in units of the picture's `full_scale`, or colour already as the file's integers; and
        how the picture is stored. Frames are made and written one by one.
    target : str
        A path or ``-``.
    how, further
        The arguments of `Job` that follow `container`.

    Returns
    -------
    Saved
        Values that already were integers are not counted as clipped. Equal neighbours in an animation become one frame.

    Raises
    ------
    ImageError
        The target cannot be written; an `ExistsError` if it exists and may not be replaced.
    """
    first = [next(frames)]
    with Job(target, first[0][1].container, *how, **further) as job:
        return job.save(chain((first.pop() for _ in range(1)), frames))


def _sink(target: str, source: str | None, replace: bool) -> Callable[[], AbstractContextManager[BinaryIO]]:
    """What opens the target."""
    if not is_url(target):
        return partial(files.writing, target, source, replace)
    from convcli.system import stores

    return partial(stores.writing, target, replace)


def _all(first: list[Frame], rest: Iterator[tuple[Picture, Storage]], job: Job) -> Iterator[Frame]:
    """Every frame. None of them is kept here."""
    yield first.pop()
    for picture, storage in rest:
        made = [Frame(picture, storage, job)]
        del picture
        yield made.pop()


def kept(row: Format, metadata: Metadata, converted: bool) -> tuple[Metadata, list[str]]:
    """The metadata of the input that a format can hold, and remarks about what is too long for it.

    If the colours are `converted` to another colour space, their profile is left out.
    """
    blocks: dict[str, Any] = {}
    notes = []
    for name, longest in row.keeps.items():
        block = getattr(metadata, name)
        if block and name == "dpi":
            if longest == formats.ANY or 0.5 <= min(block) <= max(block) <= longest:
                blocks[name] = block
            else:
                notes.append(f"its resolution does not fit into {row.name} and is left out")
        elif block and name == "comment":
            blocks[name] = block[:longest]
        elif block and len(block) > longest:
            notes.append(f"its {name.upper()} data is too long for {row.name} and left out")
        elif converted and name == "icc_profile":
            notes.append(f"its colours are converted without its CMYK profile, which {row.name} cannot have")
        elif not (converted and name == "chunks"):
            blocks[name] = block
    if metadata.chunks and "chunks" not in row.keeps and not row.tensor:
        from convcli.images.light import SRGB, gamma_of  # which few pictures need

        if gamma_of(metadata._replace(icc_profile=blocks.get("icc_profile"))) != SRGB:
            notes.append(f"its values are not coded as sRGB, and {row.name} cannot say how: png can")
    return Metadata(metadata.format, jpeg=metadata.jpeg, lossy=metadata.lossy, **blocks), notes
