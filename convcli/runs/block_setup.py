"""A picture in blocks before its first task: opened, fitted to the operation, and cut into blocks that fit into the memory."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator
from typing import Any

from convcli import __version__, images
from convcli.errors import ImageError, param, shown
from convcli.geometry import Size
from convcli.images.reading.windows import identity_of
from convcli.images.writing import kept
from convcli.images.writing.blocks import Layout, block_target
from convcli.runs.block_tasks import Item
from convcli.runs.block_work import CACHE_BYTES, CACHE_SHARE, BlockWork, Request, sizes
from convcli.runs.single import Writing, placed
from convcli.windows import blocks

PROGRAM_BYTES = 150 << 20
"""The program with NumPy and what reads and writes files."""

SMALL = 1 << 17
"""Smaller blocks are not worth another thread: each reads a border, and fills tiles of the kernel's plan only in part."""


class Setup:
    """A picture, an operation and an output that fit each other.

    Parameters
    ----------
    request : Request
    target : str
        The output.
    how : Writing
    threads : int
        How many blocks may be made at once.
    memory : int
        The bytes that there may be, for the program too.
    begun : Size, optional
        The blocks of an earlier run that this one goes on with.

    Attributes
    ----------
    work : BlockWork
        The opened picture. Close it.
    layout : Layout
        How the output is written.
    size : Size
        The rows and columns of a block.
    threads : int
        How many blocks are made at once.
    notes : tuple of str
        What the output cannot keep.

    Raises
    ------
    ConvError
        They do not fit each other, or one block does not fit into the memory.
    """

    def __init__(
        self, request: Request, target: str, how: Writing, threads: int, memory: int, begun: Size | None = None
    ) -> None:
        self.request, self.how, self.memory = request, how, memory
        self.work = BlockWork(request)
        try:
            layout, self.notes = self._layout(target, threads)
            self.size, self.threads = self._fitting(threads, block_target(layout).grid, begun)
        except BaseException:
            self.work.file.close()
            raise
        self.layout = layout._replace(block=self.size)

    def _layout(self, target: str, threads: int) -> tuple[Layout, tuple[str, ...]]:
        """How the result is written, and what it cannot keep."""
        work, how = self.work, self.how
        storage, scene = work.storage, work.scene
        row = images.row_of(storage.container)
        metadata, notes = placed(
            work.ready.metadata_for(scene), work.geometry, (scene.shape[-3], work.shape[0]), storage.dtype
        )
        metadata, lost = kept(row, metadata, scene.space == "cmyk" and not row.cmyk)
        layout = Layout(
            target, storage.container, work.shape, storage.dtype, storage.space, storage.full_scale, metadata,
            how.settings.compression, how.blocks.pyramid, Size(512, 512), None, scene.rank, self.request.source, how.replace,
            threads,
        )  # fmt: skip
        return layout, (*notes, *lost)

    def _fitting(self, threads: int, grid: Size, begun: Size | None) -> tuple[Size, int]:
        """The size of blocks, and how many are made at once: the largest that fit into the memory, or those that were begun."""
        fixed = PROGRAM_BYTES + self.work.held_bytes
        height, width = self.work.geometry.output
        fitting = sizes(self.work, grid, self.how.blocks.pyramid)
        goes_on = begun in fitting
        while True:
            for size in [begun] if begun is not None and goes_on else fitting:
                if threads > 1 and size.height * size.width < SMALL and size != fitting[0] and not goes_on:
                    break
                block = self.work.block(range(min(size.height, height)), range(min(size.width, width)))
                if threads * self.work.needs(block) <= self.memory - self.request.cache_bytes - fixed:
                    return size, threads
            if threads == 1:
                break
            threads //= 2
        need = self.work.needs(block) + fixed
        need = min(
            need + CACHE_BYTES, -(-need * CACHE_SHARE // (CACHE_SHARE - 1))
        )  # more memory is more for tiles, too
        rule = f"needs {need / 2**20:.0f} MiB, and {self.memory / 2**20:.0f} are allowed"
        remedy = f"use {param('memory', f'{-(-need >> 20)}M')} or more"
        remedy += f", or leave out {param('skip_existing')} for smaller blocks" * (goes_on and size != fitting[-1])
        raise ImageError(f"a block of {size} values of the result", rule, remedy)

    def facts(self) -> dict[str, Any]:
        """All that the blocks depend on."""
        operation, work, layout = self.request.operation, self.work, self.layout
        weights = hashlib.sha256(repr(work.ready.layer.content[1:]).encode() + work.ready.layer.content[0]).hexdigest()
        return {
            "version": __version__,
            "input": [shown(self.request.source), identity_of(self.request.source)],
            "weights": weights,
            "geometry": repr(work.geometry),
            "operation": repr(
                (operation.channels, operation.alpha, operation.linear, operation.compute.dtype, operation.bias)
            ),
            "combination": repr(work.ready.finish.parts),
            "range": repr((work.storage.policy, self.how.policy, work.ready.full_scale)),
            "plan": work.blockwise.recipe.text.rpartition(", ")[0],
            "output": repr((layout.container, layout.shape, layout.dtype, self.how.settings, self.how.blocks.pyramid)),
            "block": [*self.size],
        }

    def items(self, span: tuple[float, float] | None, done: Container[str] = ()) -> Iterator[Item]:
        """All blocks that are not done, row after row."""
        every = (Item(*place, span) for place in blocks(self.work.geometry.output, self.size))
        return (item for item in every if item.name not in done)

    @property
    def count(self) -> int:
        """The number of blocks."""
        height, width = self.work.geometry.output
        return -(-height // self.size.height) * -(-width // self.size.width)
