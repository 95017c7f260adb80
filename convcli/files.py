"""Files and standard streams: outputs that are whole or not there at all."""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from time import monotonic_ns
from typing import Any, BinaryIO, cast

from convcli.errors import ImageError

STDIO = "-"
MAX_BYTES = 4 << 30
"""An input is read no further than this: a device or a runaway pipe has no end."""


@contextmanager
def reading(source: str) -> Iterator[BinaryIO]:
    """A path, or standard input for ``-``, as a stream that can be gone back in; what is no file is read to its end first.

    Raises
    ------
    ImageError
        It cannot be read, is empty, or has no end.
    """
    try:
        stream, size = _seekable(source)
    except IsADirectoryError:
        raise ImageError(f"input '{source}' is a folder: name the images in it") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise ImageError(f"input '{source}' cannot be read: {reason(error)}") from None
    with stream:
        if size > MAX_BYTES:
            raise ImageError(f"input '{source}' is larger than {MAX_BYTES >> 30} GiB: cut it into smaller images")
        if not size:
            raise ImageError(f"input '{source}' is empty: name a file that holds an image")
        yield stream


def _seekable(source: str) -> tuple[BinaryIO, int]:
    """A stream and its size."""
    if source != STDIO:
        stream: BinaryIO = open(source, "rb")  # noqa: SIM115
        status = os.fstat(stream.fileno())
        if stat.S_ISREG(status.st_mode) and status.st_size:  # those of /proc say 0
            return stream, status.st_size
    with nullcontext(sys.stdin.buffer) if source == STDIO else stream as endless:
        data = endless.read(MAX_BYTES + 1)
    if data is None:
        raise ImageError(f"input '{source}' cannot be read: the pipe does not wait for its writer; put 'cat |' before")
    return io.BytesIO(data), len(data)


@contextmanager
def silent() -> Iterator[None]:
    """Keep C libraries from writing to standard error, past Python: libtiff and libjpeg do it before they fail.

    For short calls of the main thread alone: the stream is the whole process's.
    """
    try:
        kept = os.dup(2)
    except OSError:  # closed: there is nothing to keep quiet
        yield
        return
    try:
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 2)
        os.close(sink)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def writing(target: str) -> Iterator[BinaryIO]:
    """A stream whose content becomes `target` when the block ends well, and leaves nothing when it does not.

    The bytes go to a temporary file beside the target, which is renamed over it: nobody ever sees a part of it. The
    target's permissions stay; a new file has the umask's. A symlink is followed; a device or pipe is written directly.

    Raises
    ------
    ImageError
        The folder does not exist or cannot be written, or the disk is full.
    """
    if is_stream(target):
        try:
            if target == STDIO:
                whole = _Whole(sys.stdout.buffer)
                yield cast("BinaryIO", whole)
                whole.flush()
            else:
                with open(target, "wb") as stream:
                    yield stream
        except BrokenPipeError:
            raise
        except OSError as error:
            raise ImageError(f"output '{target}' cannot be written: {reason(error)}") from None
        return
    path = Path(target)
    try:
        path = Path(os.path.realpath(target))
        if path.is_dir():
            raise ImageError(f"output '{target}' is a folder: end it in '/' to write into it, or name a file")
        if path.exists() and not os.access(path, os.W_OK):  # renaming would replace it all the same
            raise ImageError(f"output '{target}' cannot be written: it is read-only; make it writable, or name another")
    except (OSError, ValueError) as error:
        raise ImageError(f"output '{target}' cannot be written: {reason(error, path.parent)}") from None
    name = path.parent / f".{path.name[:40]}.{os.getpid()}-{monotonic_ns()}.tmp"
    try:
        with _new(name, target) as stream:
            yield stream
            os.fchmod(stream.fileno(), _permissions(path))
        os.replace(name, path)
    except OSError as error:
        raise ImageError(f"output '{target}' cannot be written: {reason(error)}") from None
    finally:
        with suppress(OSError, ValueError):  # renamed, or never made
            os.unlink(name)


def _new(name: Path, target: str) -> BinaryIO:
    """A file that was not there before, which nobody else may read yet."""
    try:
        return os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600), "wb")
    except (OSError, ValueError) as error:
        raise ImageError(f"output '{target}' cannot be written: {reason(error, name.parent)}") from None


class _Whole:
    """A stream that takes all that it is given, where an unbuffered one (``python -u``) may take a part.

    It has no file descriptor: Pillow would write to that, in parts as well.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream

    def write(self, data: Any) -> int:
        """Write all of `data`."""
        rest = memoryview(data).cast("B")
        count = len(rest)
        while rest:
            written = self.stream.write(rest)
            if written is None:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            rest = rest[written:]
        return count

    def writelines(self, parts: Iterable[Any]) -> None:
        """Write all of every part."""
        for part in parts:
            self.write(part)

    def flush(self) -> None:
        """Pass on what is buffered below."""
        self.stream.flush()


def _permissions(path: Path) -> int:
    """The mode of the file that is replaced, or what the umask leaves of rw-rw-rw-."""
    with suppress(FileNotFoundError):
        return stat.S_IMODE(path.stat().st_mode)
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


def reason(error: Exception, folder: Path | None = None) -> str:
    """Why, and the remedy; `folder` is where a new file was to go."""
    if isinstance(error, FileNotFoundError):
        if folder is None:
            return "there is no such file; check the path"
        if folder.is_dir():  # in /proc, for one
            return f"no file can be made in '{folder}'; use another folder"
        return f"there is no folder '{folder}'; make it first"
    if isinstance(error, IsADirectoryError):
        return "it is a folder; name a file"
    if isinstance(error, PermissionError):
        return "permission denied; check the permissions, or use another path"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "the disk is full; free some room, or use another disk"
    if isinstance(error, BlockingIOError):
        return "its reader is slower than a non-blocking pipe allows; put '| cat' between, or write a file"
    if isinstance(error, NotADirectoryError):
        return "a part of the path is a file, not a folder; check the path"
    return f"{getattr(error, 'strerror', None) or error}; check the path, or use another"


def is_stream(target: str) -> bool:
    """Whether a target is no file but standard output, a device or a pipe: it is written to, never replaced."""
    try:
        return target == STDIO or not (stat.S_ISREG(mode := os.stat(target).st_mode) or stat.S_ISDIR(mode))
    except (OSError, ValueError):
        return False


def same_file(one: str, other: str) -> bool:
    """Whether two paths are the same existing file (links and spelling aside)."""
    try:
        return STDIO not in (one, other) and os.path.samefile(one, other)
    except (OSError, ValueError):
        return False
