"""One image: loaded, computed and saved, with notes for the user."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import chain
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli import images
from convcli.engine import ConvResult
from convcli.errors import ImageError, param
from convcli.geometry import Geometry, Size
from convcli.images import Metadata, Picture, Settings, Storage, prefetch
from convcli.images.formats import TENSOR
from convcli.pointwise.ranges import Clipped
from convcli.records import NamedTuple
from convcli.runs import outputs, pipeline
from convcli.runs.operation import Operation
from convcli.system.names import is_store, same_file

if TYPE_CHECKING:
    from convcli.images.opened_file import ImageFile


class Blocks(NamedTuple):
    """How a picture was done in blocks."""

    count: int  # type: ignore[assignment]
    done_before: int  # by an earlier run
    retried: int
    size: Size  # of a block
    workers: int  # how many blocks were made at once
    memory: int  # bytes that were allowed


class Done(NamedTuple):
    """One image that was written, and how."""

    source: str
    target: str
    operation: Operation
    result: ConvResult  # of the first frame, without its array
    # of the first frame
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    layer_shape: tuple[int, ...] | None  # of the channels that a contact sheet shows; None without a sheet
    # the input's mode, and the output's format
    mode: str
    container: str
    frames: int  # number of frames that were written
    groups: int  # of the layer
    bias: tuple[float, ...] | None  # in the input's units
    full_scale: float  # in the input's units; a guess if `assumed`
    assumed: bool
    alpha: str | None  # the alpha policy that was used; None if there is no alpha
    policy: str  # the range policy that was used
    clipped: Clipped  # counts of the values that were clipped, over all frames
    notes: tuple[str, ...]  # for the user
    # wall times
    load_seconds: float
    import_seconds: float
    compute_seconds: float
    save_seconds: float
    blocks: Blocks | None = None  # how it was done in blocks; None: as a whole


class InBlocks(NamedTuple):
    """How pictures are done in blocks."""

    memory: int | None = None  # bytes that all blocks together may take; None: the usual amount
    pyramid: bool = False  # whether smaller copies are written, too
    go_on: bool = False  # whether a run goes on with what an earlier one has done
    on: str | None = None  # the cluster that does the work; None: threads of this process
    # makes a context that shows how many of a number of blocks are done, some `begun` before; what it gives is called for each
    watch: Callable[..., Any] | None = None
    say: Callable[[str], None] | None = None  # is told what the user should know at once

    @property
    def asked(self) -> bool:
        """Whether the user asks for it."""
        return self.memory is not None or self.on is not None or self.pyramid


class Writing(NamedTuple):
    """How images are read and results are written."""

    container: str | None = None  # the name of the format for ``-``
    policy: str | None = None  # the range policy
    output: str | None = None  # the output as the user gave it
    settings: Settings = Settings()  # quality and compression
    max_pixels: int | None = None  # the most pixels of an input; None: the default limit
    full_scale: float | None = None  # the value of white for inputs that do not define it; None: the usual value
    # the width in pixels of the contact sheet that is written instead of the channels; None: no sheet
    montage: int | None = None
    theme: str = "light"  # the sheet's colours, one of `convcli.drawing.colors.PALETTES`
    several: bool = False  # whether there are other images, which the settings may be for
    replace: bool = True  # whether a result replaces a file that another program has made since the run began
    blocks: InBlocks = InBlocks()


def in_blocks(source: str, target: str, how: Writing) -> bool:
    """Whether a picture is done in blocks: if the user asks for it, or if it or its result is no single local file."""
    return how.blocks.asked or any(is_store(path) for path in (source, target))


def process(source: str, target: str, operation: Operation, how: Writing) -> Done:
    """Load `source`, apply the operation to it or to each of its frames, and write the result to `target`.

    If something cannot be read, computed or written, a ConvError is raised and no file is written.
    """
    start = perf_counter()
    with ExitStack() as stack:
        reading = stack.enter_context(ExitStack())
        file = reading.enter_context(images.opened(source, how.max_pixels, how.full_scale))
        container = images.format_of(target, how.container, file.format)
        ignored = how.settings.check(container, how.several)
        count = images.frames_kept(file, target, how.container, container)
        if same_file(source, target):
            if container not in (file.format, images.row_of(file.format).written_as):
                rule = f"is {file.format}, not what its name says, and {param('in_place')} would write {container}"
                raise ImageError(f"'{source}'", rule, f"rename it, or use {param('output')}")
            if count < file.frames:
                rule = f"would keep {count} of the {file.frames} frames of '{source}'"
                raise ImageError(param("in_place"), rule, f"use {param('output')}")
            if file.others:
                rule = f"would drop pictures of '{source}' that are not read, such as masks and smaller copies"
                raise ImageError(param("in_place"), rule, f"use {param('output')}")
            if file.unread:
                rule = f"would drop the {file.unread} bytes that follow the picture of '{source}'"
                raise ImageError(param("in_place"), rule, f"use {param('output')}")
        timing = file.timing() if count > 1 else None
        left_out = (*ignored, *images.left_out(file, count))
        outputs.make_folder(target, how.output)
        job = stack.enter_context(
            images.Job(
                target, container, count, timing, operation.compute.threads, how.settings, source, how.replace, how.container
            )
        )  # fmt: skip
        tally = _Tally(load_seconds=perf_counter() - start)
        frames = _frames(file, count, operation, source, container, how, tally, job)
        first = next(frames)
        if count == 1:
            reading.close()  # frees the bytes of a pipe
        del file
        saving = perf_counter() - tally.load_seconds - tally.compute_seconds
        saved = job.save(frame.pop() for frame in chain([first], frames))  # so that the lists keep no pixels
        save_seconds = perf_counter() - tally.load_seconds - tally.compute_seconds - saving
    assert tally.first is not None
    computed = Clipped.sum(*tally.clipped)
    done = tally.first(
        source=source, target=target, frames=saved.frames, load_seconds=tally.load_seconds, save_seconds=save_seconds,
        clipped=max(saved.clipped, computed, key=lambda clipped: clipped.total), compute_seconds=tally.compute_seconds,
        notes=tuple(dict.fromkeys((*left_out, *tally.notes, *saved.notes))),
    )  # fmt: skip
    if saved.channels is not None:
        done = done._replace(output_shape=(*done.output_shape[:-3], saved.channels, *done.output_shape[-2:]))
    return done._replace(compute_seconds=done.compute_seconds - done.import_seconds)


class _Tally:
    """What is collected over all frames."""

    def __init__(self, load_seconds: float) -> None:
        self.load_seconds, self.compute_seconds = load_seconds, 0.0
        self.first: partial[Done] | None = None  # the facts of the first frame, without pixels
        self.clipped: list[Clipped] = []
        self.notes: list[str] = []


def _frames(
    file: "ImageFile",
    count: int,
    operation: Operation,
    source: str,
    container: str,
    how: Writing,
    tally: _Tally,
    job: images.Job,
) -> Iterator[list[tuple[Picture, Storage]]]:
    """Compute every frame when it is asked for. The caller takes it out of a list, so that this function keeps no pixels."""
    for number in range(count):
        start = perf_counter()
        picture = file.picture(number)
        prefetch.forget()
        loaded = perf_counter()
        tally.load_seconds += loaded - start
        shape, mode = picture.shape, picture.mode
        holds = container if how.montage is None else TENSOR  # a sheet shows the channels as a tensor would hold them
        full_scale, assumed = images.white_of(picture, holds), picture.assumed
        picture = replace(picture, full_scale=full_scale)  # percentages refer to it, too
        bias = None if operation.bias is None else operation.bias.units(full_scale)
        tally.notes += picture.notes
        if how.montage is None:
            outcome = _placed(pipeline.run(picture, operation, container, how.policy, job.begin), picture.shape[-3])
        else:
            from convcli.runs import montage  # imports drawing code

            outcome = montage.run(picture, operation, source, container, how.policy, how.montage, how.theme)
        del picture  # its pixels are not needed while the result is encoded
        tally.notes += outcome.storage.notes
        tally.clipped.append(outcome.result.clipped)
        if tally.first is None:
            tally.first = partial(
                Done, operation=operation, container=container, result=outcome.result._replace(array=np.empty(0)),
                input_shape=shape, output_shape=outcome.picture.shape, layer_shape=outcome.layer_shape, mode=mode,
                groups=outcome.groups, bias=bias, full_scale=full_scale, assumed=assumed, alpha=outcome.alpha,
                policy=outcome.storage.policy, import_seconds=outcome.result.import_seconds,
            )  # fmt: skip
        made = [(outcome.picture, outcome.storage)]
        del outcome
        tally.compute_seconds += perf_counter() - loaded
        yield made


def _placed(outcome: pipeline.Outcome, channels: int) -> pipeline.Outcome:
    """The result of a picture of so many channels, with metadata that says where its own pixels lie."""
    picture, kept = outcome.picture, outcome.storage
    metadata, notes = placed(
        picture.metadata, outcome.result.geometry, (channels, picture.shape[-3]), kept.dtype
    )  # fmt: skip
    if metadata is picture.metadata and not notes:
        return outcome
    return outcome._replace(
        picture=replace(picture, metadata=metadata), storage=kept._replace(notes=(*kept.notes, *notes))
    )


def placed(
    metadata: Metadata, geometry: Geometry, channels: tuple[int, int], dtype: str
) -> tuple[Metadata, tuple[str, ...]]:
    """See `convcli.images.placement.placed`, which most pictures do not need."""
    if not (metadata.dpi or metadata.resolution or metadata.exif):
        return metadata, ()
    from convcli.images import placement

    return placement.placed(metadata, geometry, channels, dtype)
