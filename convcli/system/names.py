"""What the names of files mean: standard streams, and several names of one file. Standard library only.

On macOS and Windows ``A.png`` and ``a.png`` are usually the same file.
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from typing import BinaryIO

from convcli.errors import ExistsError, ImageError, param
from convcli.system.context import current

STDIO = "-"
"""Standard input or output."""


def standard_input() -> BinaryIO:
    """Standard input, for ``-``. In a batch, its commands may be there, and what one command has read is not there for the next.

    Raises an `ImageError` if it is not free.
    """
    if (batch := current().batch) is not None:
        if batch.stdin:
            raise ImageError("standard input", batch.stdin, "name a file")
        batch.stdin = "was read by an earlier command of this batch"
    return sys.stdin.buffer


def check_standard_output(target: str) -> None:
    """Raise an `ImageError` if a target is standard output, and that is used for something else."""
    batch = current().batch
    if batch is None or not batch.stdout:
        return
    with suppress(OSError, ValueError):  # nothing has this name, or standard output is closed
        if target == STDIO or os.path.samestat(os.stat(target), os.fstat(1)):
            raise ImageError(f"output '{target}'", batch.stdout, "name a file")


def name_of(path: str) -> str:
    """The last part of a path, as `pathlib` has it: of ``a/x.png/`` and of ``a/x.png/.`` it is ``x.png``."""
    parts = os.path.splitdrive(path)[1].replace(os.altsep or os.sep, os.sep).split(os.sep)
    return next((part for part in reversed(parts) if part not in ("", ".")), "")


def stem_and_ending(path: str) -> tuple[str, str]:
    """The name of a file without its ending, and the ending with its dot, or "": `pathlib`'s, which takes three milliseconds."""
    name = name_of(path)
    dot = name.rfind(".")
    return (name[:dot], name[dot:]) if 0 < dot < len(name) - 1 else (name, "")


def ending_of(path: str) -> str:
    """The ending of a file's name in lower case, with its dot, or ""."""
    return stem_and_ending(path)[1].lower()


def is_stream(target: str) -> bool:
    """Whether a target is standard output, a device or a pipe rather than a file. A stream is written to, never replaced."""
    try:
        return target == STDIO or not (stat.S_ISREG(mode := os.stat(target).st_mode) or stat.S_ISDIR(mode))
    except (OSError, ValueError):
        return False


def is_url(path: str) -> bool:
    """Whether a path is an address: of an object in a store, or on the web."""
    return "://" in path


def is_store(path: str) -> bool:
    """Whether a path is no single local file, but an address, or a Zarr or a part of one, which is a folder."""
    return is_url(path) or (".zarr" in path and any(part.lower().endswith(".zarr") for part in path.split("/")))


def is_folder(path: str) -> bool:
    """Whether a path is a folder of files, or an address is a prefix of objects, which ends in ``/``. A Zarr is one picture."""
    if is_url(path):
        return path.endswith("/") and not path.lower().endswith(".zarr/")
    return not is_store(path) and os.path.isdir(path)


def is_there(path: str) -> bool:
    """Whether a file or a link has this name; of an address nothing is known yet."""
    return is_url(path) or os.path.lexists(path)


def identity(path: str) -> tuple[int, int] | None:
    """Device and inode of an existing file, which all its names share; None if there is no such file."""
    if path == STDIO:
        return None
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def same_file(one: str, other: str) -> bool:
    """Whether two paths are the same existing file."""
    return (key := identity(one)) is not None and key == identity(other)


def folded(path: str) -> str:
    """A form that is the same for all paths which a file system could treat as one: by case, and by composed letters."""
    if path.isascii():
        return path.lower()
    import unicodedata  # most names do not need it

    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", path).casefold())


def one_place(one: str, other: str) -> bool:
    """Whether two absolute paths with the same `folded` form are one file on this file system.

    For each part in which they differ, the nearest folder that exists is asked.
    """
    names, others = one.split(os.sep), other.split(os.sep)
    if len(names) != len(others) or not os.path.isabs(one):
        return False
    for depth, (name, another) in enumerate(zip(names, others, strict=True)):
        if name != another and not taken_for_one(existing(os.sep.join(names[:depth])), name, another):
            return False
    return True


def taken_for_one(folder: str, one: str, other: str) -> bool:
    """Whether two names are the same file in a folder.

    If both exist, the two files are compared. Otherwise the folder is asked.
    """
    both = os.path.join(folder, one), os.path.join(folder, other)
    if None not in map(identity, both):
        return same_file(*both)
    # a run asks a folder only once about each pair, and only once about ASCII letters
    pair = ("A", "a") if (one + other).isascii() and folded(one) == folded(other) else (one, other)
    try:
        return one == other or current().kept((_probed, folder, pair), lambda: _probed(folder, *pair))
    except (OSError, ValueError):  # nothing can be written here: writing the output will fail with an error
        return False


def _probed(folder: str, one: str, other: str) -> bool:
    """Whether a file whose name contains one text is found under the name with the other."""
    probe, found = (os.path.join(folder, f".{os.getpid()}-{text}.tmp") for text in (one, other))
    os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        return os.path.lexists(found)
    finally:
        with suppress(OSError):
            os.unlink(probe)


def existing(folder: str) -> str:
    """The folder, or the nearest folder above it that exists."""
    while folder and not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder or os.sep


def place(made: str | os.PathLike[str], path: str | os.PathLike[str], target: str) -> None:
    """Give a finished file the name `path`, if no file has it yet. The caller removes the old name, if it still exists.

    A hard link does this in one step. File systems without links (FAT, some network folders) need two: an empty file reserves
    the name, then the finished file replaces it. For a moment others see the empty file.

    Raises `ExistsError`, which calls the file `target`, if a file has that name, and `OSError` if no file can be made there.
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


def _claim(made: str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        os.replace(made, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(path)
        raise


def exists(target: str) -> ExistsError:
    """The error for a file that exists already."""
    remedy = f"use another name with {param('output')}, or {param('overwrite')} to replace it"
    return ExistsError(f"output '{target}'", "exists", remedy)
