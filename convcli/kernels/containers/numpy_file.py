"""Arrays in .npy and .npz files."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from convcli.errors import KernelError
from convcli.kernels.containers.archives import check_inflation
from convcli.kernels.containers.tensors import Tensor, invalid, of_array
from convcli.system import npy


def read(path: Path, key: str | None) -> Mapping[str, Tensor]:
    """The array of a .npy file, under the name "", or the arrays of a .npz file, of which only the headers are read."""
    with path.open("rb") as stream:
        head = stream.read(2)
    if head == b"PK" or (path.suffix.lower() != ".npy" and head != b"\x93N"):
        return _read_npz(path, key)
    if key is not None:
        raise KernelError(f"weights '{path}'", f"are one array and have no key '{key}'", f"write {path}")
    try:
        with path.open("rb") as stream:
            return {"": of_array(npy.read(stream, stream.seek(0, 2)))}
    except npy.NpyError as error:
        raise KernelError(f"weights '{path}': the file", *error.args) from None


def _read_npz(path: Path, key: str | None) -> Mapping[str, Tensor]:
    with _archive(path) as archive:
        found: dict[str, Tensor] = {}
        for member in archive.namelist():
            if not member.endswith(".npy"):
                continue
            with archive.open(member) as stream:
                try:
                    header = npy.header(cast("BinaryIO", stream))
                except npy.NpyError as error:
                    if key in (None, member.removesuffix(".npy")):
                        raise
                    found[member.removesuffix(".npy")] = _unusable(path, error)
                    continue
            dtype = header.dtype.newbyteorder("=") if header.dtype.itemsize <= 8 else np.dtype(np.float64)
            found[member.removesuffix(".npy")] = Tensor(header.shape, str(dtype), partial(_member, path, member))
        return found


def _unusable(path: Path, error: npy.NpyError) -> Tensor:
    """An array that cannot be used: among others, only its use is an error."""

    def refuse() -> NDArray[Any]:
        raise KernelError(f"weights '{path}': the file", *error.args)

    return Tensor((), "", refuse)


def _member(path: Path, member: str) -> NDArray[Any]:
    """The array of a member of a .npz file."""
    with _archive(path) as archive, archive.open(member) as stream:
        check_inflation(path, [archive.getinfo(member)])
        return npy.read(cast("BinaryIO", stream), archive.getinfo(member).file_size)


@contextmanager
def _archive(path: Path) -> Iterator[ZipFile]:
    """A .npz file. What is wrong with it, or with an array in it, becomes a `KernelError`."""
    try:
        with ZipFile(path) as archive:
            yield archive
    except npy.NpyError as error:
        raise KernelError(f"weights '{path}': the file", *error.args) from None
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError):
        raise invalid(path, ".npz") from None
