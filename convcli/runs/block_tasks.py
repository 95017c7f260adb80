"""The tasks of a picture in blocks: plain data that any process can do, once it has opened the picture and the output."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

from convcli.errors import ConvError
from convcli.images.reading.windows import identity_of
from convcli.images.writing.blocks import Blocks as Sink
from convcli.images.writing.blocks import Layout, worker
from convcli.pointwise.ranges import Clipped
from convcli.records import NamedTuple
from convcli.runs.block_work import BlockWork, Request
from convcli.runs.remarks import Looked
from convcli.system import memory
from convcli.system.names import is_url


class Item(NamedTuple):
    """A task: one block of the result, to look at (`span` is None) or to write."""

    rows: range
    columns: range
    span: tuple[float, float] | None

    @property
    def name(self) -> str:
        """Its name in the journal."""
        return f"{self.rows.start},{self.columns.start}"


class Written(NamedTuple):
    """What is told of a block that was written."""

    receipt: Any  # see `convcli.images.writing.blocks.BlockTarget.put`
    clipped: Clipped
    looked: Looked


class Bench:
    """What a process has for the tasks of a picture.

    Parameters
    ----------
    work : BlockWork
    sink : Blocks
        Takes the blocks.
    own : bool
        Whether the process is the command line's, so that its allocator may be told to give memory back. On a cluster the worker
        does so where it may.
    """

    def __init__(self, work: BlockWork, sink: Sink, own: bool = False) -> None:
        self.work, self.sink, self.own = work, sink, own

    def perform(self, item: Item) -> tuple[float, float] | Written:
        """Do a task."""
        block = self.work.block(item.rows, item.columns)
        if item.span is None:
            return self.work.look(block)
        made = self.work.make(block, item.span)
        receipt = self.sink.put(item.rows, item.columns, made.pixels)
        if self.own:
            memory.trim()
        return Written(receipt, made.clipped, made.looked)

    def close(self) -> None:
        """Close the input and the output."""
        self.sink.close()
        self.work.file.close()


class BlockJob(NamedTuple):
    """The tasks of a picture as a `convcli.runs.places.dask_worker.Job`."""

    request: Request
    layout: Layout

    @classmethod
    def anywhere(cls, request: Request, layout: Layout) -> Self:
        """The job for processes whose current folder is another one."""
        return cls(request._replace(source=_full(request.source)), layout._replace(target=_full(layout.target)))

    def opened(self) -> Bench:
        """Open input and output in another process."""
        return Bench(BlockWork(self.request), worker(self.layout))

    def seen(self) -> str:
        """Whether the input is seen here, and the folder of the output can be written."""
        try:
            identity_of(self.request.source)
        except ConvError as error:
            return f"does not see it: {error.text}"
        folder = Path(self.layout.target).parent
        if not is_url(self.layout.target) and not os.access(folder, os.W_OK):
            return f"cannot write to '{folder}'"
        return ""


def _full(path: str) -> str:
    return path if is_url(path) else os.path.abspath(path)
