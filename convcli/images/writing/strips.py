"""A picture that is written in strips while it is still being computed: a thread that has finished rows writes them at once."""

from __future__ import annotations

from threading import Lock

import numpy as np

from convcli.pointwise import Array
from convcli.system.parallel import run_all, workers


class Strips:
    """Strips of whole rows, put in any order by several threads.

    Parameters
    ----------
    height : int
        Rows of the picture.
    rows : int
        Rows of a strip; the last has fewer.
    """

    def __init__(self, height: int, rows: int) -> None:
        self.strips = [range(start, min(start + rows, height)) for start in range(0, height, rows)]
        self._rows, self._left, self._lock = rows, [*map(len, self.strips)], Lock()

    def put(self, number: int, pixels: Array) -> None:
        """Write a strip of this number: its pixels ``(rows, W, C)`` as they are stored."""
        raise NotImplementedError

    def watch(self, picture: Array, rows: range) -> None:
        """Put every strip that these rows complete: see `convcli.backends.Watch`."""
        due = []
        with self._lock:
            for number in range(rows.start // self._rows, -(-rows.stop // self._rows)):
                strip = self.strips[number]
                self._left[number] -= min(rows.stop, strip.stop) - max(rows.start, strip.start)
                if not self._left[number]:
                    due.append(number)
        for number in due:
            self.put(number, self._part(np.moveaxis(picture, 0, -1), number))

    def finish(self, pixels: Array, threads: int | None) -> None:
        """Put all strips of ``pixels (H, W, C)`` that are not complete yet. Call it when the computation has ended."""
        rest = [number for number, left in enumerate(self._left) if left]
        run_all(lambda number: self.put(number, self._part(pixels, number)), rest, workers(threads))

    def _part(self, pixels: Array, number: int) -> Array:
        strip = self.strips[number]
        return pixels[strip.start : strip.stop]
