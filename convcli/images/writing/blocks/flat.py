""".npy, .ppm and .pgm: a head, and pixels whose places are known from the start."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from convcli.geometry import Size
from convcli.images.writing.blocks import Layout, Receipt
from convcli.images.writing.stored import Order, order_of
from convcli.pointwise import Array
from convcli.system.files import telling
from convcli.system.parts import Joined, Part
from convcli.system.shared_file import File


def _order(layout: Layout) -> Order:
    ending = Path(layout.target).suffix.lower()
    return order_of(layout.container, ending, layout.shape, np.dtype(layout.dtype), layout.full_scale, layout.rank)


class Target:
    """See `convcli.images.writing.blocks.BlockTarget`."""

    grid = Size(1, 1)

    def __init__(self, layout: Layout) -> None:
        self._target, self._order = layout.target, _order(layout)
        self.notes: tuple[str, ...] = (self._order.note,) if self._order.note else ()
        self._part = Part(layout.target, layout.source, layout.replace)

    def begin(self) -> None:
        """Make the file."""
        self._part.begin()
        with telling(self._target):
            self._file = File(self._part.descriptor)
            self._file.write(self._order.head, 0)

    def resume(self) -> None:
        """Go on with the file as it is."""
        self._part.resume()
        self._file = File(self._part.descriptor)

    def put(self, rows: range, columns: range, pixels: Array) -> Receipt:
        """Write a block to its place."""
        with telling(self._target):
            self._order.write(self._file, rows, columns, pixels)
        return []

    def commit(self, receipts: Iterable[Receipt]) -> None:
        """Give the file its name."""
        self._part.commit()

    def abandon(self) -> None:
        """Delete the file."""
        self._part.abandon()

    def close(self) -> None:
        """Let go of the file."""
        self._part.close()


class Worker:
    """Blocks of another process, which writes to the same file."""

    def __init__(self, layout: Layout) -> None:
        self._target, self._order = layout.target, _order(layout)
        self._joined = Joined(Part(layout.target), own=False)

    def put(self, rows: range, columns: range, pixels: Array) -> Receipt:
        """Write a block to its place."""
        file = self._joined.file()
        with telling(self._target):
            self._order.write(file, rows, columns, pixels)
        self._joined.sync()
        return []

    def close(self) -> None:
        """Let go of the file."""
        self._joined.close()
