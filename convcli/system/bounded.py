"""Files that are read whole, with a bound, or in pieces: a device has no end, and a file may not be what its name says. Standard
library only.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import nullcontext
from typing import BinaryIO

from convcli.errors import ConvError
from convcli.system.files import reason
from convcli.system.names import STDIO, standard_input

PIECE_BYTES = 1 << 16
"""How much of a file is read at once."""


def contents(
    path: str | os.PathLike[str], most: int, what: str, remedy: str, kind: type[ConvError] = ConvError
) -> bytes:
    """All bytes of a file, or of standard input for ``-``. What is larger is not read: of a pipe or a device, not further.

    Parameters
    ----------
    path : path-like
    most : int
        The limit, in bytes.
    what : str
        Names the file in messages: ``list 'names.txt'``.
    remedy : str
        What to do about a file that is larger.
    kind : type
        Of the error.

    Raises
    ------
    ConvError
        Of this `kind`: the file cannot be read, or is larger.
    """
    try:
        with nullcontext(standard_input()) if path == STDIO else open(path, "rb") as stream:
            data = _at_most(stream, most)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise kind(what, "cannot be read", **reason(error)._asdict()) from None
    if data is None:
        raise kind(what, "cannot be read", "put 'cat |' before", "the pipe does not wait for its writer")
    if len(data) > most:
        size = f"{most >> 20} MiB" if most >= 1 << 20 else f"{most} bytes"
        raise kind(what, f"is larger than {size}", remedy)
    return data


def pieces(path: str, what: str, kind: type[ConvError] = ConvError) -> Iterator[bytes]:
    """The bytes of a file, or of standard input for ``-``, as they come; the parameters and errors are as in `contents`."""
    try:
        with nullcontext(standard_input()) if path == STDIO else open(path, "rb") as stream:
            while data := stream.read1(PIECE_BYTES):  # type: ignore[attr-defined]
                yield data
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise kind(what, "cannot be read", **reason(error)._asdict()) from None
    if data is None:
        raise kind(what, "cannot be read", "put 'cat |' before", "the pipe does not wait for its writer")


def _at_most(stream: BinaryIO, most: int) -> bytes | None:
    """The bytes of a stream, one more than `most` if there are more; None from a pipe that has none yet and does not wait."""
    try:
        status = os.fstat(stream.fileno())
    except OSError:  # it is in memory
        return stream.read(most + 1)
    if stat.S_ISREG(status.st_mode) and status.st_size > most:
        return bytes(most + 1)
    return stream.read(most + 1)
