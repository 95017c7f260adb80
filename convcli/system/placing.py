"""Putting a finished file where none is to be replaced: of several programs that do it at once, one succeeds."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from convcli.errors import ExistsError, param


def place(made: Path, path: Path, target: str) -> None:
    """Give a finished file the name `path`, under which there must be none; its old name may stay, for the caller to remove.

    A hard link does it in one step. Where the file system has none (FAT, some network folders), the name is claimed by an
    empty file, which the finished one then replaces: for a moment others see it empty.

    Raises
    ------
    ExistsError
        There is a file of that name by now.
    OSError
        No file can be made there.
    """
    try:
        try:
            os.link(made, path)
        except FileExistsError:
            raise
        except (OSError, AttributeError, NotImplementedError):  # each system says in its own way that it has no links
            _claim(made, path)
    except FileExistsError:
        raise exists(target) from None


def _claim(made: Path, path: Path) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        os.replace(made, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(path)
        raise


def exists(target: str) -> ExistsError:
    """The error that a default name is taken."""
    return ExistsError(
        f"output '{target}'", "exists", f"use {param('overwrite')}, or {param('output', target)} to replace it"
    )
