"""A picture that is larger than memory, and an operation: what every process that computes blocks of it has opened."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from types import TracebackType
from typing import Self

import numpy as np

from convcli import engine, images
from convcli.backends.numpy.blocks import Block
from convcli.geometry import ZERO, Size
from convcli.images import Picture, Storage
from convcli.images.formats import row_of
from convcli.images.guards import BeyondError, check_pixels
from convcli.images.opened_file import WindowedFile
from convcli.images.picture import joined
from convcli.images.reading.windows import opened_windows
from convcli.images.reading.windows.refusals import WholeError
from convcli.images.writing.storage import pixels_of, tensor_of
from convcli.pointwise.ranges import NOTHING, Clipped
from convcli.records import NamedTuple
from convcli.runs import pipeline
from convcli.runs.alpha import picked, under_centres
from convcli.runs.operation import Operation
from convcli.runs.remarks import Looked, Lookout
from convcli.windows import WHOLE, Array

CACHE_BYTES, CACHE_SHARE = 64 << 20, 8
"""Decoded tiles or chunks of the input that are kept for the next block: of these bytes, but of at most this part of the memory."""


class Request(NamedTuple):
    """What is done to which picture: plain data, from which every process opens the same."""

    source: str
    full_scale: float | None
    operation: Operation
    container: str
    policy: str | None
    max_pixels: int | None = None  # of a picture that is held in memory
    cache_bytes: int = CACHE_BYTES
    # whether a picture that can only be read as a whole is held, though its result can be written so, too
    hold: bool = False


class Made(NamedTuple):
    """A finished block."""

    pixels: Array  # ``(rows, columns, C)``, of the stored type, alpha last
    clipped: Clipped
    looked: Looked


class Pixels:
    """The pixels of a windowed file that a kernel reads: a `convcli.windows.Source`."""

    nbytes = 0

    def __init__(self, file: WindowedFile, with_alpha: bool) -> None:
        scene = file.scene
        self.file, self.with_alpha = file, with_alpha
        channels, height, width = scene.colour_shape[-3:]
        self.colours = channels
        self.shape = (1, channels + with_alpha, height, width)
        self.dtype = scene.dtype
        # of a picture in memory, colours beside an alpha that is not read are not next to each other either
        self.interleaved = file.interleaved and self.shape[1] > 1 and (with_alpha or not scene.has_alpha)

    def read(self, image: int, rows: slice = WHOLE, columns: slice = WHOLE) -> Array:
        """See `convcli.windows.Source.read`."""
        pixels = self.file.read(slice(*rows.indices(self.shape[2])), slice(*columns.indices(self.shape[3])))
        return pixels if self.with_alpha else pixels[: self.colours]


class Held:
    """A picture in memory as a `convcli.images.picture.WindowedFile`, for what only a block's target can be written as."""

    interleaved = True

    def __init__(self, picture: Picture) -> None:
        self.scene, self.format = picture.scene, picture.metadata.format or ""
        self.chunk = Size(*picture.size)
        self._pixels = picture.colour if picture.alpha is None else joined(picture.colour, picture.alpha)
        self.nbytes = self._pixels.nbytes

    def read(self, rows: slice, columns: slice) -> Array:
        """See `convcli.images.picture.WindowedFile.read`."""
        return self._pixels[:, rows, columns]

    def close(self) -> None:
        """Nothing is held open."""


def _opened(request: Request) -> WindowedFile:
    """The input. One that cannot be read in windows is held as a whole if that is asked for, or if its result needs blocks."""
    try:
        return opened_windows(request.source, request.full_scale, request.cache_bytes)
    except WholeError as error:
        if row_of(request.container).writer and not request.hold:
            raise
        try:
            return Held(images.load(request.source, request.max_pixels, request.full_scale))
        except BeyondError as beyond:
            raise (error if request.max_pixels is None else beyond) from None


class BlockWork:
    """A picture and an operation, opened and fitted to each other. Blocks of the result are made in any order, by any thread.

    Parameters
    ----------
    request : Request

    Raises
    ------
    ConvError
        The picture cannot be read in windows, the operation does not fit it, or the format cannot hold the result.
    """

    def __init__(self, request: Request) -> None:
        self.file = _opened(request)
        try:
            self._prepare(request)
        except BaseException:
            self.file.close()
            raise

    def _prepare(self, request: Request) -> None:
        scene, operation = self.file.scene, request.operation
        if request.max_pixels is not None:  # which bounds the whole picture, in blocks too
            check_pixels(request.source, prod(scene.size), request.max_pixels)
        self.scene = replace(scene, full_scale=images.white_of(scene, request.container))
        self.ready = pipeline.prepare(self.scene, operation, request.container, request.policy)
        ready = self.ready
        self.blockwise = engine.in_blocks(
            Pixels(self.file, self.scene.has_alpha and ready.reads_alpha), ready.layer, ready.spec, operation.compute,
            ready.finish, ready.lift,
        )  # fmt: skip
        task = self.blockwise.task
        self.geometry = task.geometry
        self.storage: Storage = ready.kept_as(
            self.scene, operation, np.dtype(task.finish.dtype or task.dtype), task.dtype
        )
        self.tensor = row_of(self.storage.container).tensor
        self.lookout = Lookout(self.scene, self.storage, ready.layer.kernel != (1, 1), task.dtype)
        self.stretches = self.storage.policy == "minmax"  # which needs a first pass, where LO,HI needs none

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of the stored result, ``(C, H, W)``, alpha last."""
        channels, height, width = self.ready.shape[-3:]
        return channels, height, width

    def block(self, rows: range, columns: range) -> Block:
        """The block of some rows and columns of the result."""
        return self.blockwise.block(rows, columns)

    def look(self, block: Block) -> tuple[float, float]:
        """The extremes of a block that ``minmax`` would stretch: those of all blocks together are the picture's."""
        return self.blockwise.look(block)

    def make(self, block: Block, span: tuple[float, float] = NOTHING) -> Made:
        """Compute a block as it is stored. `span` are the extremes of the whole result, if they are stretched.

        Pixels of the input that two blocks read are looked at in the first of them only.
        """
        ready, finish = self.ready, self.ready.finish
        if finish.looks:
            finish = finish.stretching(span)
        (array,), clipped = self.blockwise.emit(block, finish)
        alpha = None
        if ready.computes_alpha:
            array, alpha = array[:-1], array[-1]
        elif ready.has_alpha:
            alpha = self._alpha(block.rows, block.columns)
            alpha = alpha.astype(array.dtype) if array.dtype.kind == "f" else alpha
        picture = Picture(array, alpha, ready.result_space, ready.full_scale)
        policy = self.storage.policy
        if self.tensor:
            values, counted = tensor_of(picture, policy, span)
            pixels = np.moveaxis(values.astype(self.storage.dtype, copy=False), 0, -1)
        else:
            pixels, counted = pixels_of(picture, self.storage, span)
        return Made(pixels, max(clipped, counted, key=lambda counts: counts.total), self._looked(block))

    def _alpha(self, rows: range, columns: range) -> Array:
        """Alpha under the kernel's centres."""
        places = [under_centres(self.geometry, axis, outputs) for axis, outputs in enumerate((rows, columns))]
        inside = [place[place != ZERO] for place in places]
        window = [slice(int(some.min()), int(some.max()) + 1) if some.size else slice(0, 1) for some in inside]
        alpha = self.file.read(window[0], window[1])[-1]
        top, left = (
            np.where(place == ZERO, ZERO, place - part.start) for place, part in zip(places, window, strict=True)
        )
        return picked(alpha, top, left)

    def _looked(self, block: Block) -> Looked:
        """What is found in pixels of the input that this block reads, and none before it."""
        if not self.lookout.needed:
            return Looked()
        above, left = (range(max(0, first - 1), max(1, first)) for first in (block.rows.start, block.columns.start))
        before = self.blockwise.block(above, left).window
        own = tuple(
            self._own(axis, *places)
            for axis, places in enumerate(zip((block.rows, block.columns), block.window, before, strict=True))
        )
        if any(part.start >= part.stop for part in own):
            return Looked()
        return self.lookout.look(self.file.read(*own)[: self.scene.channels])

    def _own(self, axis: int, outputs: range, window: slice, before: slice) -> slice:
        """Of an axis, what a block's window has behind that of the block before, with the pixels that a stride leaves out."""
        size, s = self.geometry.input[axis], self.geometry.stride[axis]
        start, stop = before.stop if outputs.start else 0, window.stop
        if outputs.stop == self.geometry.output[axis] and size - stop < s:
            stop = size
        return slice(start if window.start - start < s else window.start, stop)

    @property
    def held_bytes(self) -> int:
        """What of the input is in memory at all times."""
        return self.file.nbytes if isinstance(self.file, Held) else 0

    @property
    def tile_width(self) -> int:
        """Columns of the result of a tile. Narrower blocks compute parts of tiles that they do not keep."""
        recipe = self.blockwise.recipe
        return max(map(len, recipe.columns), default=1) * recipe.job.upsample.columns * recipe.job.widen

    def needs(self, block: Block) -> int:
        """About how many bytes a block takes while it is made: its window, its result, what it is stored as, and the encoder."""
        stored = np.dtype(self.storage.dtype).itemsize * self.shape[0]
        return self.blockwise.needs(block) + 2 * stored * len(block.rows) * len(block.columns)


def sizes(work: BlockWork, grid: Size, pyramid: bool = False) -> list[Size]:
    """Sizes of blocks that fit a target's grid, from the largest to the smallest.

    Of an input in strips, blocks are as wide as the picture, so that no strip is decoded twice. For a `pyramid` they are as high
    as they are wide, so that they hold some of its levels.
    """
    height, width = work.geometry.output
    whole = -(-width // grid.width) * grid.width
    widest = work.tile_width if LARGEST.width < work.tile_width <= 2 * LARGEST.width else LARGEST.width
    wide = min(whole, _rounded(widest, grid.width))
    if work.file.chunk.width >= work.geometry.input.width:
        wide = whole
    most = LARGEST.width if pyramid else LARGEST.height
    tall = min(-(-height // grid.height) * grid.height, _rounded(most, grid.height))
    found = [Size(tall, wide)]
    while found[-1] != (grid.height, grid.width):
        tall, wide = found[-1]
        if tall > grid.height and (tall >= 512 or wide <= grid.width or wide <= tall):
            found.append(Size(_rounded(tall // 2, grid.height), wide))
        elif wide > grid.width:
            found.append(Size(tall, _rounded(wide // 2, grid.width)))
        else:
            found.append(Size(_rounded(tall // 2, grid.height), wide))
    return found


LARGEST = Size(1024, 4096)
"""The rows and columns of a block, if memory allows it."""


def _rounded(length: int, step: int) -> int:
    """A multiple of `step`, at least one, that is about `length`."""
    return max(1, round(length / step)) * step
