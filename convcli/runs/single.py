"""One image through load, operation and save, and what is to be said of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import chain
from time import perf_counter
from typing import NamedTuple

import numpy as np

from convcli import images
from convcli.engine import ConvResult
from convcli.errors import ImageError, param
from convcli.images import ImageFile, Picture, Settings, Storage
from convcli.pointwise.ranges import Clipped
from convcli.runs import outputs, pipeline
from convcli.runs.operation import Operation
from convcli.system.names import same_file


class Done(NamedTuple):
    """One image that was written, and how.

    `frames` is how many were written; shapes and `result`, without its array, are those of the first; `layer_shape` is that of
    the channels that a contact sheet shows, None without one. `groups`, `bias` and `full_scale` (in the input's units),
    `alpha` (None: it has none) and `policy` (of the range) are as resolved; `assumed` says that `full_scale` is a guess.
    """

    source: str
    target: str
    operation: Operation
    result: ConvResult
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    layer_shape: tuple[int, ...] | None
    mode: str
    container: str
    frames: int
    groups: int
    bias: tuple[float, ...] | None
    full_scale: float
    assumed: bool
    alpha: str | None
    policy: str
    clipped: Clipped
    notes: tuple[str, ...]
    load_seconds: float
    import_seconds: float
    compute_seconds: float
    save_seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Writing:
    """How results are read and written.

    Attributes
    ----------
    container : str or None
        The format's name for ``-``.
    policy : str or None
        The range policy.
    output : str or None
        The output as it was given.
    settings : Settings
        Quality and compression.
    max_pixels : int or None
        Of an input; None: the default limit.
    full_scale : float or None
        White of inputs that do not say it; None: what is usual.
    montage : int or None
        The width of the contact sheet that is written in place of the channels; None for the channels.
    theme : str
        Its colours, one of `convcli.drawing.colors.PALETTES`.
    replace : bool
        Whether a file that has appeared under a result's name since the run began gives way to it.
    """

    container: str | None = None
    policy: str | None = None
    output: str | None = None
    settings: Settings = Settings()
    max_pixels: int | None = None
    full_scale: float | None = None
    montage: int | None = None
    theme: str = "light"
    replace: bool = True


def process(source: str, target: str, operation: Operation, how: Writing) -> Done:
    """Load `source`, apply the operation to it, or to each of its frames, and write the result to `target`.

    Raises
    ------
    ConvError
        Nothing is written then.
    """
    start = perf_counter()
    with ExitStack() as stack:
        file = stack.enter_context(images.opened(source, how.max_pixels, how.full_scale))
        container = images.format_of(target, how.container, file.format)
        how.settings.check(container)
        count = images.frames_kept(file, target, how.container, container)
        if same_file(source, target):
            _check_in_place(file, source, container, count)
        timing = file.timing() if count > 1 else None
        left_out = images.left_out(file, count)
        tally = _Tally(load_seconds=perf_counter() - start)
        frames = _frames(file, count, operation, source, container, how, tally)
        first = next(frames)
        if count == 1:
            stack.close()  # a pipe's bytes are not kept in memory for longer
        del file
        saving = perf_counter() - tally.load_seconds - tally.compute_seconds
        with outputs.folder(target, how.output):
            saved = images.save_frames(
                (frame.pop() for frame in chain([first], frames)),  # whose lists keep nothing
                target, count, timing, operation.compute.threads, how.settings, source, how.replace,
            )  # fmt: skip
        save_seconds = perf_counter() - tally.load_seconds - tally.compute_seconds - saving
    assert tally.first is not None
    outcome = tally.first
    computed = Clipped.sum(*tally.clipped)
    return Done(
        source=source,
        target=target,
        operation=operation,
        container=container,
        frames=saved.frames,
        clipped=max(saved.clipped, computed, key=lambda clipped: clipped.total),
        notes=tuple(dict.fromkeys((*left_out, *tally.notes, *saved.notes))),
        load_seconds=tally.load_seconds,
        import_seconds=outcome.result.import_seconds,
        compute_seconds=tally.compute_seconds - outcome.result.import_seconds,
        save_seconds=save_seconds,
        **outcome._asdict(),
    )


def _check_in_place(file: ImageFile, source: str, container: str, count: int) -> None:
    """Refuse to put another kind of file, or fewer frames, in the input's place."""
    if (file.format, container) not in {(container, container), ("MPO", "JPEG")}:
        raise ImageError(
            f"'{source}'",
            f"is {file.format} in spite of its name, and {param('in_place')} would write {container}",
            f"rename it, or use {param('output')}",
        )
    if count < file.frames:
        raise ImageError(
            param("in_place"), f"would keep {count} of the {file.frames} frames of '{source}'", f"use {param('output')}"
        )


class _First(NamedTuple):
    """What `Done` says of the first frame, in its words; the pixels are left out."""

    result: ConvResult
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    layer_shape: tuple[int, ...] | None
    mode: str
    groups: int
    bias: tuple[float, ...] | None
    full_scale: float
    assumed: bool
    alpha: str | None
    policy: str


@dataclass(slots=True, eq=False)
class _Tally:
    """What adds up over the frames."""

    load_seconds: float = 0.0
    compute_seconds: float = 0.0
    first: _First | None = None
    clipped: list[Clipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def _frames(
    file: ImageFile, count: int, operation: Operation, source: str, container: str, how: Writing, tally: _Tally
) -> Iterator[list[tuple[Picture, Storage]]]:
    """Every frame, computed when it is asked for, in a list from which it is taken: this function keeps no pixels."""
    for number in range(count):
        start = perf_counter()
        picture = file.picture(number)
        loaded = perf_counter()
        tally.load_seconds += loaded - start
        shape, mode = picture.shape, picture.mode
        holds = container if how.montage is None else "NPY"  # the channels on a sheet are as they are in one
        full_scale, assumed = images.white_of(picture, holds), picture.assumed
        picture = replace(picture, full_scale=full_scale)  # that of percentages, too
        bias = None if operation.bias is None else operation.bias.units(full_scale)
        tally.notes += picture.notes
        outcome, layer_shape = _computed(picture, operation, source, container, how)
        del picture  # its pixels are not needed while the result is encoded
        tally.notes += outcome.storage.notes
        tally.clipped.append(outcome.result.clipped)
        if tally.first is None:
            tally.first = _First(
                replace(outcome.result, array=np.empty(0)), shape, outcome.picture.shape, layer_shape, mode,
                outcome.groups, bias, full_scale, assumed, outcome.alpha, outcome.storage.policy,
            )  # fmt: skip
        made = [(outcome.picture, outcome.storage)]
        del outcome
        tally.compute_seconds += perf_counter() - loaded
        yield made


def _computed(
    picture: Picture, operation: Operation, source: str, container: str, how: Writing
) -> tuple[pipeline.Outcome, tuple[int, ...] | None]:
    """What a frame becomes: its channels, or a contact sheet of them and their shape."""
    if how.montage is None:
        return pipeline.run(picture, operation, container, how.policy), None
    from convcli.runs import montage  # draws

    return montage.run(picture, operation, source, container, how.policy, how.montage, how.theme)
