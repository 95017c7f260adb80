"""Temporary files that are being written, and the threads that write them. Standard library only."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, Thread, current_thread
from weakref import WeakSet

from convcli.errors import ImageError


class Unfinished:
    """Temporary files with the threads that write them, and the threads whose files nobody wants any more."""

    def __init__(self) -> None:
        self._files: dict[Path, Thread] = {}
        self._abandoned: WeakSet[Thread] = WeakSet()
        self._steps = Lock()

    @contextmanager
    def step(self, target: str) -> Iterator[None]:
        """One step of writing `target` in this thread. Steps of other threads, and `abandon`, wait until it ends.

        Raises
        ------
        ImageError
            The thread was abandoned.
        """
        with self._steps:
            if current_thread() in self._abandoned:
                raise ImageError(f"output '{target}'", "is not written", why="the run was interrupted")
            yield

    def add(self, name: Path) -> None:
        """Note a temporary file of this thread. To be called within a `step`."""
        self._files[name] = current_thread()

    def remove(self, name: Path) -> None:
        """Forget a temporary file, which is finished or gone."""
        self._files.pop(name, None)

    def abandon(self, threads: Iterable[Thread]) -> None:
        """Delete what `threads` have not finished writing, and refuse every further step of theirs.

        For threads that nobody waits for when the program is interrupted.
        """
        with self._steps:
            self._abandoned.update(threads)
            for name, thread in [*self._files.items()]:
                if thread in self._abandoned:
                    with suppress(OSError):
                        os.unlink(name)
