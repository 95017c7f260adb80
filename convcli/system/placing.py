"""Moving a finished file to its name without replacing another file. If several programs try at once, one succeeds."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from convcli.errors import ExistsError, param


def place(made: Path, path: Path, target: str) -> None:
    """Give a finished file the name `path`, which no file may have yet. The caller removes the old name, if it is still there.

    A hard link does it in one step. File systems without links (FAT, some network folders) need two: an empty file claims
    the name, then the finished file replaces it. For a moment others see the empty file.

    Raises
    ------
    ExistsError
        There is a file of that name. `target` is how the error names it.
    OSError
        No file can be made there.
    """
    try:
        try:
            os.link(made, path)
        except FileExistsError:
            raise
        except (OSError, AttributeError, NotImplementedError):  # systems without links differ in what they raise
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
    """The error that there is a file of this name already."""
    return ExistsError(
        f"output '{target}'", "exists", f"name another by {param('output')}, or use {param('overwrite')} to replace it"
    )
