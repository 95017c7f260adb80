"""Files and standard streams. An output is either complete or does not exist."""

import errno
import io
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from threading import get_ident
from time import monotonic_ns
from typing import Any, BinaryIO, cast

from convcli.errors import ExhaustedError, ImageError, param
from convcli.records import NamedTuple
from convcli.system.context import Unfinished, current
from convcli.system.names import STDIO, check_standard_output, exists, is_stream, place, standard_input

MAX_BYTES = 4 << 30
"""The most bytes that are read from an input. A device or a pipe may have no end."""


BEGINNING = 1 << 16
"""How many bytes of a pipe or a device are looked at before the others are read."""

_BLOCK = 1 << 20


@contextmanager
def reading(source: str, check: Callable[[BinaryIO], None] | None = None) -> Iterator[BinaryIO]:
    """A path, or standard input for ``-``, as a binary stream that can seek. Pipes and devices are first read to their end.

    `check` sees what a pipe or a device begins with, `BEGINNING` bytes of it, before more is read. It raises an error if this
    cannot be an image: the device may have no end.

    Raises `ImageError` if it cannot be read, is empty, is larger than `MAX_BYTES`, or changed while it was read.
    """
    try:
        stream, size = _seekable(source, check)
    except IsADirectoryError:
        raise ImageError(f"input '{source}'", "is a folder", "name the images in it") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        if isinstance(error, FileNotFoundError) and re.match("https?://", source):
            from shlex import quote

            remedy = f"fetch it first, as in: curl {quote(source)} | convcli apply - …"
            raise ImageError(f"input '{source}'", "cannot be read", remedy, "it is an address") from None
        if isinstance(error, FileNotFoundError) and source.startswith("~"):
            why = "the shell did not replace the ~"
            raise ImageError(f"input '{source}'", "cannot be read", "write it without quotes", why) from None
        raise refusal(f"input '{source}'", "cannot be read", error) from None
    with stream:
        if size > MAX_BYTES:
            rule = f"is larger than {MAX_BYTES >> 30} GiB"
            raise ImageError(f"input '{source}'", rule, "cut it into smaller images")
        if not size and source == STDIO:
            remedy = "check the command before the pipe"
            raise ImageError(f"input '{source}'", "is empty", remedy, "nothing came through standard input")
        if not size:
            raise ImageError(f"input '{source}'", "is empty", "name a file with an image")
        before = version(stream)
        try:
            yield stream
        except ImageError:  # maybe the file is not damaged, but still being written
            _check_unchanged(stream, before, source)
            raise
        _check_unchanged(stream, before, source)


def version(stream: BinaryIO) -> tuple[int, ...] | None:
    """Which file it is, its size and its time of change, to tell whether it was written to; None if the stream is in memory."""
    try:
        status = os.fstat(stream.fileno())
    except io.UnsupportedOperation:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _check_unchanged(stream: BinaryIO, before: tuple[int, ...] | None, source: str) -> None:
    if before is not None and not stream.closed and version(stream) != before:
        raise ImageError(f"input '{source}'", "changed while it was read", "run it again when the file is complete")


def _seekable(source: str, check: Callable[[BinaryIO], None] | None) -> tuple[BinaryIO, int]:
    """A stream that can seek, and its size in bytes."""
    if source != STDIO:
        stream: BinaryIO = open(source, "rb")  # noqa: SIM115
        status = os.fstat(stream.fileno())
        if stat.S_ISREG(status.st_mode) and status.st_size:  # files in /proc say 0
            return stream, status.st_size
    with nullcontext(standard_input()) if source == STDIO else stream as endless:
        data = io.BytesIO()
        block = endless.read(BEGINNING)
        if check is not None and block and len(block) == BEGINNING:
            check(io.BytesIO(block))
        while block:
            data.write(block)
            block = endless.read(min(_BLOCK, MAX_BYTES + 1 - data.tell()))
    if block is None:
        why = "the pipe is non-blocking"
        raise ImageError(f"input '{source}'", "cannot be read", "put 'cat |' before", why)
    size = data.tell()
    data.seek(0)
    return data, size


@contextmanager
def writing(target: str, source: str | None = None, replace: bool = True) -> Iterator[BinaryIO]:
    """A binary stream whose content becomes the file `target` when the block ends without an error.

    The bytes go to a file without a name, or to a temporary file beside the target, which then gets the target's name: nobody
    sees an incomplete file, and after an error nothing is left. A symlink is followed. A device or a pipe is written directly.

    Parameters
    ----------
    target : str
        A path, or ``-`` for standard output. If the file exists, it keeps its permissions and its owner.
    source : str, optional
        The file that the output is made from. A new file gets its permissions, as far as the umask allows: the result of a
        private file is private. By default only the umask decides.
    replace : bool
        Whether a file that exists when the block ends may be replaced.

    Raises
    ------
    ImageError
        The folder does not exist or cannot be written, or the disk is full.
    ExistsError
        The target exists and may not be replaced.
    """
    check_standard_output(target)
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
            raise unwritable(target, error) from None
        return
    path = settled(target, replace)
    unfinished = current().unfinished
    folder, own = os.path.split(path)
    name = os.path.join(folder, f".{own[:40]}.convcli-{os.getpid()}-{monotonic_ns()}-{get_ident()}.tmp")
    before = status_of(path)
    try:
        with _new(name, target, 0o600 if before else permissions(source), unfinished) as stream:
            yield stream
            stream.flush()
            if before:
                make_like(stream.fileno(), before)
            with unfinished.step(target):
                done = _named(stream, name, path, unfinished)
        if not done:
            with unfinished.step(target):
                if replace:
                    os.replace(name, path)
                else:
                    place(name, path, target)
    except OSError as error:
        raise unwritable(target, error) from None
    finally:
        with suppress(OSError, ValueError):  # renamed, or never made
            os.unlink(name)
        unfinished.remove(name)


def settled(target: str, replace: bool, folder: bool = False) -> str:
    """The path that an output gets, after all symlinks.

    Parameters
    ----------
    target : str
        A path as the user wrote it.
    replace : bool
        Whether a file that exists may be replaced.
    folder : bool
        Whether the output is a folder itself.

    Raises
    ------
    ImageError
        The target is a folder, is read-only, or the path is not possible.
    ExistsError
        The target exists and may not be replaced.
    """
    path = target
    try:
        path = os.path.realpath(target)
        found = _found(path)
        if found is not None and not folder and stat.S_ISDIR(found.st_mode):
            remedy = "end it in '/' to write into it, or name a file"
            raise ImageError(f"output '{target}'", "is a folder", remedy)
        if found is not None and not replace:
            raise exists(target)
        if found is not None and not os.access(path, os.W_OK):  # renaming would replace even a read-only file
            remedy = "make it writable, or name another"
            raise ImageError(f"output '{target}'", "cannot be written", remedy, "it is read-only")
    except (OSError, ValueError) as error:
        raise unwritable(target, error, os.path.dirname(path) or os.curdir) from None
    return path


def _found(path: str) -> os.stat_result | None:
    """The status of a file; None if there is none. Raises an `OSError` if that cannot be found out."""
    try:
        return os.stat(path)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EBADF, errno.ELOOP):
            return None
        raise


def make_like(descriptor: int, before: os.stat_result) -> None:
    """Give an open file the owner and the mode of the file that it replaces."""
    if hasattr(os, "fchown"):  # not on Windows
        with suppress(
            OSError
        ):  # only root may change the owner; the change clears set-user-ID, so it comes before the mode
            os.fchown(descriptor, before.st_uid, before.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(before.st_mode))


def _new(name: str, target: str, mode: int, unfinished: Unfinished) -> BinaryIO:
    """A new file, opened for writing: on Linux one without a name, of which nothing stays if the program is killed.

    Elsewhere, and in file systems that have no such files, it gets the name `name`; an error if there is one of that name.
    Those that a killed program has left in the folder are deleted.
    """
    folder = os.path.dirname(name)
    flags = os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with unfinished.step(target):
            descriptor = _unnamed(folder, mode)
            if descriptor is None:
                current().kept((_clear, folder), partial(_clear, folder))
                descriptor = os.open(name, os.O_WRONLY | flags, mode)
                unfinished.add(name)
        return os.fdopen(descriptor, "wb")
    except (OSError, ValueError) as error:
        raise unwritable(target, error, folder) from None


_NO_UNNAMED = errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT
"""What systems without unnamed files answer: the file system, the kernel, or that there is no such folder, which is told later."""


def _unnamed(folder: str, mode: int) -> int | None:
    """A file without a name in a folder; None where there are none, or where they cannot get a name."""
    if not hasattr(os, "O_TMPFILE"):
        return None
    try:
        descriptor = os.open(folder, os.O_WRONLY | os.O_TMPFILE, mode)
    except OSError as error:
        if error.errno in _NO_UNNAMED:
            return None
        raise
    if os.path.exists(f"/proc/self/fd/{descriptor}"):
        return descriptor
    os.close(descriptor)
    return None


def _named(stream: BinaryIO, name: str, path: str, unfinished: Unfinished) -> bool:
    """Give an unnamed file the name `path`, or, if there is a file of that name, `name`. Whether it is `path`."""
    if os.path.lexists(name):
        return False
    descriptors = os.open("/proc/self/fd", os.O_RDONLY)  # with a folder, `os.link` follows the link that stands in it
    link = partial(os.link, str(stream.fileno()), src_dir_fd=descriptors)
    try:
        with suppress(FileExistsError):
            link(path)
            return True
        unfinished.add(name)
        link(name)
        return False
    finally:
        os.close(descriptors)


_LEFT = r"\..*\.convcli-([0-9]+)-[0-9]+-[0-9]+\.tmp"


def _clear(folder: str) -> None:
    """Delete the temporary files that programs have left in a folder which do not run any more. Windows keeps what is open."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = re.fullmatch(_LEFT, entry.name)
            if found and not (os.name == "posix" and _runs(int(found[1]))):
                with suppress(OSError):
                    os.unlink(entry.path)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


class _Whole:
    """A stream that always writes all bytes. An unbuffered one (``python -u``) may write only some of them.

    It has no file descriptor, because Pillow would write to that directly, with the same problem.
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
        """Flush the stream below."""
        self.stream.flush()


def status_of(path: str | os.PathLike[str]) -> os.stat_result | None:
    """Owner and mode of the file that is replaced; None if the target is a new file."""
    with suppress(FileNotFoundError):
        return os.stat(path)
    return None


def permissions(source: str | None) -> int:
    """The mode of a new file that is made from `source`, before the umask. Its owner can always write it."""
    if source is None or is_stream(source):
        return 0o666
    with suppress(OSError, ValueError):
        return os.stat(source).st_mode & 0o666 | 0o200
    return 0o666


class Reason(NamedTuple):
    """Why a file cannot be read or written, and what to do about it: `why` and `remedy` of a `ConvError`."""

    why: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.why}; {self.remedy}"


OPEN_FILES = errno.EMFILE, errno.ENFILE
"""The numbers of errors that too many files are open, in the process or in the system."""


def reason(error: Exception, folder: str | os.PathLike[str] | None = None) -> Reason:
    """What an `OSError` means, or the `ValueError` for a path that contains a NUL.

    `folder` is the folder of a file that should have been created. Leave it out for errors of reading.
    """
    if isinstance(error, FileNotFoundError):
        if (lost := _lost_folder()) and not os.path.isabs(error.filename or ""):
            return Reason(f"{lost} does not exist any more", "change to another with cd")
        if folder is None:
            return Reason("there is no such file", "check the path")
        if os.path.isdir(folder):  # in /proc, for one
            return Reason(f"no file can be made in '{folder}'", "use another folder")
        return Reason(f"there is no folder '{folder}'", "make it first")
    if isinstance(error, IsADirectoryError):
        return Reason("it is a folder", "name a file")
    if isinstance(error, PermissionError):
        return Reason("permission denied", "check the permissions, or use another path")
    if isinstance(error, BlockingIOError):
        why = "its reader is slower than a non-blocking pipe allows"
        return Reason(why, "put '| cat' between, or write a file")
    if isinstance(error, NotADirectoryError):
        return Reason("a part of the path is a file, not a folder", "check the path")
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ENOSPC:
        return Reason("the disk is full", "free some room, or use another disk")
    if number == errno.EFBIG:
        remedy = "raise the limit (ulimit -f), or write a smaller image"
        return Reason("it is larger than a file may be here", remedy)
    if number in OPEN_FILES:
        remedy = f"raise the limit (ulimit -n), or use fewer {param('threads')}"
        return Reason("too many files are open", remedy)
    return Reason(f"{getattr(error, 'strerror', None) or error}", "check the path, or use another")


def _lost_folder() -> str:
    """The working folder, in words, if it was deleted; else empty."""
    try:
        os.getcwd()
    except FileNotFoundError:
        try:
            name: str | None = os.readlink("/proc/self/cwd").removesuffix(" (deleted)")
        except OSError:  # not on Linux; the variable may be old
            name = os.environ.get("PWD")
        return f"the working folder '{name}'" if name else "the working folder"
    return ""


def refusal(what: str, rule: str, error: Exception, folder: str | os.PathLike[str] | None = None) -> ImageError:
    """The error that `what` breaks a rule, for the `reason` that an error of the operating system has."""
    kind = ExhaustedError if getattr(error, "errno", None) in OPEN_FILES else ImageError
    return kind(what, rule, **reason(error, folder)._asdict())


def unwritable(target: str, error: Exception, folder: str | os.PathLike[str] | None = None) -> ImageError:
    """The error that an output cannot be written; see `reason`."""
    return refusal(f"output '{target}'", "cannot be written", error, folder)


@contextmanager
def telling(target: str, folder: str | os.PathLike[str] | None = None) -> Iterator[None]:
    """Turn errors of the system into the `ImageError` that the output cannot be written."""
    try:
        yield
    except OSError as error:
        raise unwritable(target, error, folder) from None
