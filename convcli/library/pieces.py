"""Results that are computed and written block by block: into memmaps, Zarr arrays and other objects, here or on a Dask client."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from math import lcm
from typing import Any, NamedTuple

import numpy as np

from convcli import engine
from convcli.errors import ConvError, ImageError, param
from convcli.geometry import Size
from convcli.library.operations import Fitted, Range
from convcli.library.pictures import Form, Taken, Windows
from convcli.library.writing import finished
from convcli.pointwise.ranges import NOTHING, extremes, wider
from convcli.runs.places import Place
from convcli.runs.places.here import Here
from convcli.system.parallel import workers
from convcli.windows import WHOLE, Array, Source, blocks

BLOCK_VALUES = 1 << 22
"""About how many values a block has at most, all channels together: of the result, or of the image under it."""

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
            place = one.path if isinstance(one, Mapped) else _folder(one)
            if place and not os.path.exists(place):
                return f"does not see '{place}'"
        return ""


class Mapped(NamedTuple):
    """A memmap as plain data."""

    path: str
    dtype: str
    mode: str
    offset: int
    shape: tuple[int, ...]
    order: str

    def opened(self) -> Any:
        """The memmap."""
        return np.memmap(self.path, self.dtype, self.mode, self.offset, self.shape, self.order)  # type: ignore[call-overload]


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


def written(taken: Taken, fitted: Fitted, policy: Range | None, output: Size, out: Any, client: Any) -> Any:
    """Compute an operation block by block into `out`, which is returned.

    Blocks lie on the grid of its chunks, so that no chunk is written by two of them at once.

    Raises
    ------
    ConvError
        The operation cannot be done in blocks, or the workers of the client do not see the image or `out`.
    """
    image, target = taken.image, out
    if _same(image, out):
        raise ImageError(param("out"), "is the image, of which later blocks still read", "use another one")
    if client is not None:
        image, target = _sendable(image, "image", False), _sendable(out, "out", True)
    work = Work(image, taken.form, target, fitted, policy, taken.source.shape[0])
    results, (s, t) = fitted.finish.outputs(fitted.layer.outputs), fitted.spec.stride
    read = 0 if fitted.spec.transpose else taken.source.shape[1] * s * t
    size = _block_size(out, taken.form, output, max(results, read))
    with ExitStack() as stack:
        if client is None:
            place: Place = Here(work.opened().perform, workers(fitted.compute.threads))
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


def _up(length: int, step: int) -> int:
    return -(-length // step) * step


def _grid(out: Any, form: Form) -> Size:
    """Rows and columns of what `out` writes as a whole: its shards, or its chunks; one pixel for memory."""
    sides = [1, 1]
    rank = len(out.shape)
    places = (rank - 2, rank - 1) if form.rank == 2 else form.order()[-2:]
    for name in ("chunks", "shards"):
        found = getattr(out, name, None)
        if isinstance(found, tuple) and len(found) == rank:
            for number, place in enumerate(places):
                part = found[place]
                if isinstance(part, int) and part > 0:
                    sides[number] = lcm(sides[number], part)
    return Size(sides[0], sides[1])


def _sendable(one: Any, name: str, writes: bool) -> Any:
    """What a worker opens the same from. Raises a ConvError if it is in this process alone."""
    if isinstance(one, np.ndarray):
        if (found := _mapped(one, writes)) is not None:
            return found
        remedy = "use a Zarr array or a memmap, or leave client out"
        raise ConvError(param(name), "is in the memory of this process", remedy)
    if type(getattr(one, "store", None)).__name__ in ("MemoryStore", "dict", "KVStore"):
        remedy = "use a store that all workers see, or leave client out"
        raise ConvError(param(name), "is in the memory of this process", remedy)
    return one


def _map_of(array: Any) -> Any:
    """The memmap that an array is, or is a part of; None for other arrays."""
    found = None
    while isinstance(array, np.ndarray):
        found = array if isinstance(array, np.memmap) and array.filename is not None else found
        array = array.base
    return found


def _mapped(array: Array, writes: bool) -> Mapped | None:
    """A memmap, or a contiguous part of one, as plain data; None for other arrays."""
    whole = _map_of(array)
    order = "C" if array.flags.c_contiguous else "F" if array.flags.f_contiguous else ""
    if whole is None or not order:
        return None
    offset = whole.offset + array.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    path = os.path.abspath(whole.filename)
    return Mapped(path, array.dtype.str, "r+" if writes else "r", offset, array.shape, order)


def _folder(one: Any) -> str:
    """Where an array of Zarr is, if that is a folder of this machine."""
    store = getattr(one, "store", None)
    root = getattr(store, "root", None)
    return os.path.join(str(root), str(getattr(one, "path", ""))) if root is not None and store is not None else ""


def _same(image: Any, out: Any) -> bool:
    """Whether an image and `out` are the same, or parts of the same memory or file."""
    if image is out:
        return True
    if isinstance(image, np.ndarray) and isinstance(out, np.ndarray):
        one, other = _map_of(image), _map_of(out)
        files = (
            one is not None and other is not None and os.path.realpath(one.filename) == os.path.realpath(other.filename)
        )
        return bool(np.may_share_memory(image, out) or files)
    where = _place(image), _place(out)
    return where[0] is not None and where[0] == where[1]


def _place(one: Any) -> tuple[str, str] | None:
    """Where an array of Zarr is stored."""
    store = getattr(one, "store", None)
    return None if store is None else (str(store), str(getattr(one, "path", "")))
