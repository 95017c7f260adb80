"""Folders that a run makes for its results. Standard library only."""

from __future__ import annotations

import os
from contextlib import suppress
from threading import Lock

from convcli.system.context import current

MOST = 1 << 12
"""So many folders are remembered before those with files in them are forgotten."""


class Folders:
    """Folders that a run has made. Those that are empty at its end are removed."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self._lock, self._most = Lock(), MOST

    def add(self, folder: str) -> None:
        """Remember a folder. One that lies within another has to come later."""
        with self._lock:
            self.made.append(folder)
            if len(self.made) > self._most:
                self.made = self.without_files()
                self._most = MOST + len(self.made)

    def without_files(self) -> list[str]:
        """The folders in which there are no files, not even in a folder within."""
        kept, filled = [], set[str]()
        for folder in reversed(self.made):
            if folder in filled or _has_file(folder):
                filled.add(os.path.dirname(folder))
            else:
                kept.append(folder)
        return kept[::-1]

    def remove(self) -> None:
        """Remove those that are empty."""
        for folder in reversed(self.made):
            with suppress(OSError):  # it is not empty
                os.rmdir(folder)


def _has_file(folder: str) -> bool:
    with suppress(OSError), os.scandir(folder) as entries:
        return any(not entry.is_dir() for entry in entries)
    return False


def made_folders() -> Folders:
    """What this context remembers."""
    context = current()

    def begun() -> Folders:
        made = Folders()
        context.at_end(made.remove)
        return made

    return context.kept(Folders, begun)
