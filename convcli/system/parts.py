"""An output that takes long to write: ``.NAME.part`` beside it, a file or a folder, gets its name when it is complete.

Unlike the files of `convcli.system.files.writing`, it stays after an error or a kill, so that another run can go on with it. Other
processes have parts of their own, ``.NAME.part-ID``. Standard library only.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock

from convcli.errors import ImageError, param
from convcli.system import names
from convcli.system.files import make_like, permissions, settled, status_of, telling
from convcli.system.shared_file import File

_BINARY = getattr(os, "O_BINARY", 0)


class Part:
    """An unfinished output. Only one run at a time can have it: it is locked where the system has locks.

    Parameters
    ----------
    target : str
        The path of the output.
    source : str, optional
        The file that the output is made from: a new file gets its permissions (see `convcli.system.files.writing`).
    replace : bool
        Whether an output that exists may be replaced.
    folder : bool
        Whether the output is a folder.

    Attributes
    ----------
    path : Path
        Where the output will be.
    name : Path
        Where it is until then.
    """

    def __init__(self, target: str, source: str | None = None, replace: bool = True, folder: bool = False) -> None:
        self.target, self.replace, self.folder, self._source = target, replace, folder, source
        self.path = Path(os.path.realpath(target))
        self.name = self.path.parent / f".{self.path.name}.part"
        self._descriptor: int | None = None
        self._held = False

    @property
    def descriptor(self) -> int:
        """The open file, for reading and writing."""
        assert self._descriptor is not None, "begin or resume comes first"
        return self._descriptor

    def begin(self) -> None:
        """Make it anew. What an earlier run left is deleted.

        Raises
        ------
        ImageError
            It cannot be made, another run has it, or the target exists and may not be replaced.
        """
        if names.is_stream(self.target):
            raise ImageError(f"output '{self.target}'", "is written from front to back", "name a file for blocks")
        settled(self.target, self.replace, self.folder)
        with telling(self.target, self.path.parent):
            before = status_of(self.path)
            mode = stat.S_IMODE(before.st_mode) if before else permissions(self._source)
            while True:
                try:
                    if self.folder:
                        os.mkdir(self.name, mode | (mode & 0o444) >> 2)  # who may read it may enter it
                    else:
                        mode = 0o600 if before else mode
                        os.close(os.open(self.name, os.O_CREAT | os.O_EXCL | os.O_RDWR | _BINARY, mode))
                except FileExistsError:
                    with suppress(FileNotFoundError):  # the run that had it has ended
                        self._open()
                        self.abandon()
                    continue
                with suppress(FileNotFoundError):  # another run took it for one that was left, and deleted it
                    self._open()
                    return

    def resume(self) -> None:
        """Go on with what an earlier run left.

        Raises `ImageError` if there is nothing, if another run has it, or if the target may not be replaced.
        """
        settled(self.target, self.replace, self.folder)
        with telling(self.target):
            try:
                self._open()
            except FileNotFoundError:
                remedy = f"begin again, without {param('skip_existing')}"
                raise ImageError(
                    f"output '{self.target}'", "cannot go on", remedy, f"there is no '{self.name}'"
                ) from None

    def _open(self) -> None:
        """Open and lock it."""
        while True:
            if self.folder and os.name != "posix":
                os.stat(self.name)
                self._held = True
                return
            descriptor = os.open(self.name, (os.O_RDONLY if self.folder else os.O_RDWR) | _BINARY)
            try:
                _lock(descriptor, self.target, self.name)
                here = status_of(self.name)
            except BaseException:
                os.close(descriptor)
                raise
            if here is not None and os.path.samestat(here, os.fstat(descriptor)):
                self._descriptor, self._held = descriptor, True
                return
            os.close(descriptor)  # another run has renamed or deleted it since
            if here is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.name))

    def others(self) -> Iterator[Path]:
        """The parts of other processes."""
        belongs = re.compile(re.escape(self.name.name) + "-[0-9a-f]+")
        with suppress(OSError), os.scandir(self.path.parent) as entries:
            for found in entries:
                if belongs.fullmatch(found.name):
                    yield Path(found.path)

    def other(self, number: str) -> Path:
        """The part of another process, by its ID of hexadecimal digits."""
        return self.name.with_name(f"{self.name.name}-{number}")

    def commit(self) -> None:
        """Give it its name. Nobody sees an incomplete output; a folder that is replaced is away for a moment.

        Raises `ImageError` if this is not possible.
        """
        settled(self.target, self.replace, self.folder)
        with telling(self.target):
            before = status_of(self.path)
            if before and self._descriptor is not None:
                make_like(self._descriptor, before)
            if os.name != "posix":  # which cannot rename what is open
                self.close()
            if self.folder and before:
                self._swap()
            elif self.replace or self.folder:
                os.replace(self.name, self.path)
            else:
                names.place(self.name, self.path, self.target)
                with suppress(OSError):
                    os.unlink(self.name)
        self.close()
        self._clear()

    def _swap(self) -> None:
        """Put the folder in place of one that is there."""
        old = self.name.with_name(f"{self.name.name}-{os.getpid():x}")
        os.replace(self.path, old)
        try:
            os.replace(self.name, self.path)
        except BaseException:
            os.replace(old, self.path)
            raise

    def abandon(self) -> None:
        """Delete it, with the parts of other processes. Nothing is done if another run has it."""
        if not self._held:
            return
        with suppress(OSError):
            if self.folder:
                shutil.rmtree(self.name)
            else:
                if os.name != "posix":
                    self.close()
                os.unlink(self.name)
        self.close()
        self._clear()

    def _clear(self) -> None:
        for other in self.others():
            with suppress(OSError):
                if other.is_dir():
                    shutil.rmtree(other)
                else:
                    other.unlink()

    def close(self) -> None:
        """Let go of it. It stays as it is, for another run."""
        self._held = False
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Joined:
    """A file of an unfinished output, as another process than that of the `Part` has it.

    Parameters
    ----------
    part : Part
        The output. It was begun elsewhere.
    own : bool
        Whether this process gets a file of its own, instead of the one that all write.
    """

    def __init__(self, part: Part, own: bool) -> None:
        self._part, self._own = part, own
        self._lock = Lock()
        self._file: File | None = None

    def file(self) -> File:
        """The open file: another one, if that of the last call was deleted since."""
        with self._lock, telling(self._part.target):
            found = self._file
            here = status_of(self._path(found.name)) if found else None
            if found and here and os.path.samestat(here, os.fstat(found.descriptor)):
                return found
            self._close()
            os.stat(self._part.name)  # of an output that was not begun, or not here, nothing is left behind
            name = os.urandom(8).hex() if self._own else ""
            flags = os.O_RDWR | _BINARY | (os.O_CREAT | os.O_EXCL if self._own else 0)
            self._file = File(os.open(self._path(name), flags, 0o600), name)
            return self._file

    def _path(self, name: str) -> Path:
        return self._part.other(name) if name else self._part.name

    def sync(self) -> None:
        """Wait until what was written is on the disk: the machine may be lost, and the others go on."""
        if self._file:
            with telling(self._part.target):
                getattr(os, "fdatasync", os.fsync)(self._file.descriptor)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._file:
            os.close(self._file.descriptor)
            self._file = None


def nothing_left(target: str, missing: str) -> ImageError:
    """The error that a run cannot go on."""
    remedy = f"begin again, without {param('skip_existing')}"
    return ImageError(f"output '{target}'", "cannot go on", remedy, f"there is no {missing}")


def _lock(descriptor: int, target: str, name: Path) -> None:
    """Lock an open file or folder until it is closed, where there are such locks."""
    try:
        import fcntl
    except ImportError:  # not on Windows
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        rule, remedy = "is being written by another run", "wait until it ends, or use another name"
        raise ImageError(f"output '{target}'", rule, remedy, f"it has '{name}'") from None
    except OSError:  # a file system without locks
        pass
