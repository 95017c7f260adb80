"""What standard output can take: errors before an image is written to it."""

from __future__ import annotations

import os
import sys

from convcli.errors import ImageError


def check_terminal(what: str, remedy: str) -> None:
    """Refuse to write binary data to a terminal.

    Parameters
    ----------
    what : str
        What would be written: ``an image``.
    remedy : str
        What to do instead.
    """
    if sys.stdout.isatty():
        raise ImageError("standard output", f"is a terminal, which {what} would garble", remedy)


def check_closed() -> None:
    """Refuse to write an image to a standard output that the caller closed. The program opens the null device in its place."""
    if getattr(sys.stdout, "name", None) == os.devnull:
        raise ImageError("standard output", "is closed, where the image was to go", "use -o FILE or a pipe")
