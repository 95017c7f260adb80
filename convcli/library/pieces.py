"""Results that are computed and written block by block: into memmaps, Zarr arrays and other objects, here or on a Dask client."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from math import lcm, prod
from typing import Any

from convcli import engine
from convcli.errors import ConvError, ImageError, param
from convcli.geometry import Size
from convcli.library.operations import Fitted, Range
from convcli.library.pictures import Form, Taken, Windows
from convcli.library.stored import Mapped, folder, same, sendable
from convcli.library.writing import dtype_of, finished
from convcli.pointwise.ranges import NOTHING, extremes, wider
from convcli.records import NamedTuple
from convcli.runs.places import Place
from convcli.runs.places.here import Here
from convcli.system.parallel import workers
from convcli.windows import WHOLE, Array, Source, blocks

BLOCK_VALUES = 1 << 22
"""About how many values a block has at most, all channels together: of the result, or of the image under it."""

CODING = 10
"""So many chunks Zarr decodes or encodes at once."""

WIDEST = 4096
"""The most columns of a block, if the chunks of `out` are not wider."""


class Piece(NamedTuple):
    """A task: a block of one image of the result, to look at (`writes` is False) or to write."""

    image: int
    rows: range
    columns: range
    span: tuple[float, float] | None = None
    writes: bool = True


class Work(NamedTuple):
    """An operation with its image and its output: what each process needs, as plain data or as objects that can be sent."""

    image: Any  # an array, an object with windows, or a `Mapped`
    form: Form
    out: Any
    fitted: Fitted
    policy: Range | None
    images: int  # of the batch

    def opened(self) -> Bench:
        """Open image and output in this process."""
        image, out = ((one.opened() if isinstance(one, Mapped) else one) for one in (self.image, self.out))
        return Bench(self, Windows(image, self.form), out)

    def seen(self) -> str:
        """What this process does not see of them; empty if it sees all."""
        for one in (self.image, self.out):
            place = one.path if isinstance(one, Mapped) else folder(one)
            if place and not os.path.exists(place):
                return f"does not see '{place}'"
        return ""


class Bench:
    """The opened input and output of a `Work`."""

    def __init__(self, work: Work, source: Source, out: Any) -> None:
        self.work, self.out = work, out
        fitted = work.fitted
        self.blocks = [
            engine.in_blocks(_One(source, image), fitted.layer, fitted.spec, fitted.compute, fitted.finish, fitted.lift)
            for image in range(work.images)
        ]

    def perform(self, piece: Piece) -> tuple[float, float] | None:
        """Do a task: the extremes of a block, or None once it is written."""
        fitted, blockwise = self.work.fitted, self.blocks[piece.image]
        block = blockwise.block(piece.rows, piece.columns)
        finish = fitted.finish
        if not piece.writes:
            return blockwise.look(block) if finish.looks else extremes(blockwise.emit(block)[0])
        if finish.looks and piece.span is not None:
            finish = finish.stretching(piece.span)
        array = finished(blockwise.emit(block, finish)[0], fitted, self.work.policy, piece.span)
        self._put(piece, array)
        return None

    def _put(self, piece: Piece, array: Array) -> None:
        """Write a block ``(1, C, rows, columns)``."""
        rank, axis = len(self.out.shape), self.work.form.axis
        rows, columns = (slice(part.start, part.stop) for part in (piece.rows, piece.columns))
        window: list[Any] = [slice(None)] * rank
        if self.work.form.rank == 2:
            window[-2:] = rows, columns
        else:
            order = self.work.form.order()
            window[order[-2]], window[order[-1]] = rows, columns
            if rank == 4:
                window[order[0]] = slice(piece.image, piece.image + 1)
        assert axis < rank
        self.out[tuple(window)] = self.work.form.restored(array).astype(self.out.dtype, copy=False)

    def needs(self, size: Size) -> int:
        """About how many bytes a block takes: computed, as `out` takes it, and the chunks that are decoded and encoded with it."""
        blockwise, out = self.blocks[0], self.out
        height, width = blockwise.task.geometry.output
        block = blockwise.block(range(min(size.height, height)), range(min(size.width, width)))
        outputs = blockwise.task.finish.outputs(blockwise.task.layer.outputs)
        wide, form = dtype_of(out).itemsize, self.work.form
        stored = wide * outputs * len(block.rows) * len(block.columns)
        read = Size(*(part.stop - part.start for part in block.window))
        coded = _coded(self.work.image, form, read, 2) * blockwise.task.source.dtype.itemsize
        return blockwise.needs(block) + 2 * stored + coded + _coded(out, form, Size(*size), 0) * wide

    def close(self) -> None:
        """Nothing is held open."""


class _One:
    """One image of a batch."""

    def __init__(self, batch: Source, image: int) -> None:
        self._batch, self._image = batch, image
        self.shape = (1, *batch.shape[1:])
        self.dtype, self.interleaved, self.nbytes = batch.dtype, batch.interleaved, 0

    def read(self, image: int, rows: slice = WHOLE, columns: slice = WHOLE) -> Array:
        """See `convcli.windows.Source.read`."""
        return self._batch.read(self._image, rows, columns)


def written(
    taken: Taken, fitted: Fitted, policy: Range | None, output: Size, out: Any, client: Any, memory: int | None = None
) -> Any:  # fmt: skip
    """Compute an operation block by block into `out`, which is returned.

    Blocks lie on the grid of its chunks, so that no chunk is written by two of them at once. `memory` are the bytes that those
    take which are in work at a time.

    Raises
    ------
    ConvError
        The operation cannot be done in blocks, no block fits into `memory`, or the workers of the client do not see the image or
        `out`.
    """
    image, target = taken.image, out
    if same(image, out):
        raise ImageError(param("out"), "is the image, of which later blocks still read", "use another one")
    if client is not None:
        image, target = sendable(image, "image", False), sendable(out, "out", True)
    work = Work(image, taken.form, target, fitted, policy, taken.source.shape[0])
    results, (s, t) = fitted.finish.outputs(fitted.layer.outputs), fitted.spec.stride
    read = 0 if fitted.spec.transpose else taken.source.shape[1] * s * t
    values = max(results, read)
    size, threads = _block_size(out, taken.form, output, values), workers(fitted.compute.threads)
    if memory is not None:
        bench = Bench(work, taken.source, out)
        size, threads = _fitting(bench, size, _grid(out, taken.form), threads if client is None else 1, memory)
    with ExitStack() as stack:
        if client is None:
            place: Place = Here(work.opened().perform, threads)
        else:
            place = _far(client, work)
        stack.callback(place.close)
        span: tuple[float, float] | None = None
        if policy is not None and policy.policy == "minmax" and policy.span is None:
            found = [NOTHING]
            for number in range(work.images):
                found += _done(place, _pieces(number, output, size, None, False))
            span = wider(*found)
        for number in range(work.images):  # one after another: they may share chunks
            _done(place, _pieces(number, output, size, span, True))
    return out


def _far(client: Any, work: Work) -> Place:
    """The workers of the caller's client."""
    if type(client).__module__.partition(".")[0] != "distributed":
        rule = f"is of type {type(client).__name__}, which is no Dask client"
        raise ConvError(param("client"), rule, "use distributed.Client")
    if client.status != "running":
        raise ConvError(param("client"), f"is {client.status}", "connect a new one")
    from convcli.runs.places.dask import Far

    return Far(client, work, ours=False)


def _done(place: Place, pieces: Iterator[Piece]) -> list[tuple[float, float]]:
    """Do all tasks. The first error is raised when those that have begun are done."""
    failed: list[BaseException] = []
    found = []

    def until_an_error() -> Iterator[Piece]:
        for piece in pieces:
            if failed:
                return
            yield piece

    for _, answer in place.results(until_an_error()):
        if isinstance(answer, BaseException):
            failed.append(answer)
        elif answer is not None:
            found.append(answer)
    if failed:
        raise failed[0]
    return found


def _pieces(image: int, output: Size, size: Size, span: tuple[float, float] | None, writes: bool) -> Iterator[Piece]:
    return (Piece(image, *place, span, writes) for place in blocks(output, size))


def _block_size(out: Any, form: Form, output: Size, values: int) -> Size:
    """Rows and columns of a block: multiples of the chunks of `out`. `values` are those of a pixel."""
    grid = _grid(out, form)
    width = min(_up(output.width, grid.width), max(grid.width, WIDEST // grid.width * grid.width))
    rows = max(1, BLOCK_VALUES // (width * values))
    return Size(min(_up(output.height, grid.height), max(1, rows // grid.height) * grid.height), width)


def _sides(form: Form, rank: int) -> tuple[int, ...]:
    """The axes of rows and columns, also of several results ``(n, H, W)`` of a picture ``(H, W)``."""
    return (rank - 2, rank - 1) if form.rank == 2 else form.order()[-2:]


def _fitting(bench: Bench, most: Size, grid: Size, threads: int, memory: int) -> tuple[Size, int]:
    """The size of blocks, and how many are made at once: the largest that fit into the memory."""
    count = threads
    while True:
        size = most
        while True:
            need = bench.needs(size)
            if count * need <= memory:
                return size, count
            if size.height <= grid.height and size.width <= grid.width:
                break
            axis = 0 if size.height > grid.height and (size.height >= 256 or size.width <= grid.width) else 1
            half = [*size]
            half[axis] = _up(max(1, half[axis] // 2), grid[axis])
            size = Size(*half)
        if count == 1:
            break
        count //= 2
    rule = f"needs {need / 2**20:.0f} MiB, and {memory / 2**20:.0f} are allowed"
    remedy = f"use {param('memory', f'{max(64, -(-need >> 20))}M')} or more"
    raise ImageError(f"a block of {size} values of the result", rule, remedy)


def _coded(array: Any, form: Form, size: Size, more: int) -> int:
    """The values of the chunks or shards that are decoded or encoded at once for a window of this size; 0 without chunks.

    `more` of them it may touch along each side, where it does not lie on their grid.
    """
    chunk = getattr(array, "shards", None) or getattr(array, "chunks", None)
    rank = len(array.shape)
    if not isinstance(chunk, tuple) or len(chunk) != rank or not all(isinstance(side, int) for side in chunk):
        return 0
    touched: list[int] = [-(-length // side) for length, side in zip(array.shape, chunk, strict=True)]
    for place, length in zip(_sides(form, rank), size, strict=True):
        touched[place] = min(touched[place], -(-length // chunk[place]) + more)
    return int(prod(chunk)) * min(CODING, prod(touched))


def _up(length: int, step: int) -> int:
    return -(-length // step) * step


def _grid(out: Any, form: Form) -> Size:
    """Rows and columns of what `out` writes as a whole: its shards, or its chunks; one pixel for memory."""
    sides = [1, 1]
    rank = len(out.shape)
    places = _sides(form, rank)
    for name in ("chunks", "shards"):
        found = getattr(out, name, None)
        if isinstance(found, tuple) and len(found) == rank:
            for number, place in enumerate(places):
                part = found[place]
                if isinstance(part, int) and part > 0:
                    sides[number] = lcm(sides[number], part)
    return Size(sides[0], sides[1])
