"""Files with tensors: which kind a file is, by its content, and what is in it. No code of a file is ever executed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import BinaryIO
from zipfile import BadZipFile, ZipFile

from convcli.errors import KernelError
from convcli.kernels.containers.tensors import Tensor
from convcli.system.files import reason

KINDS = {
    ".npy": "numpy_file", ".npz": "numpy_file", ".safetensors": "safetensors_file", ".pt": "torch_file", ".pth": "torch_file",
    ".ckpt": "torch_file", ".bin": "torch_file", ".onnx": "onnx_file", ".keras": "keras_file", ".h5": "keras_file",
    ".hdf5": "keras_file", ".json": "shards",
}  # fmt: skip
"""Endings of names, and the module that reads such a file if its content does not say what it is."""

SUFFIXES = (".npy", ".npz", ".safetensors", ".pt", ".onnx", ".keras", ".h5")
"""The endings that messages name."""

_HEAD = 512


def read(path: Path, key: str | None = None, *, whole: bool = True) -> Mapping[str, Tensor]:
    """The tensors in a file by name, at least those that belong to a key. Their values are read when they are needed.

    `whole`: it may be an index of shards, and is none of them.

    Raises
    ------
    KernelError
        It is not a file, is of no known kind, or is damaged.
    OSError
        It cannot be read.
    """
    with _stream(path) as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            rule = "are not in a file but in a device or a pipe"
            raise KernelError(f"weights '{path}'", rule, "save them to a file first")
        head = stream.read(_HEAD)
    module = _kind_of(path, head) or KINDS.get(path.suffix.lower())
    if module is None or (module == "shards" and not whole):
        remedy = f"save them as {', '.join(SUFFIXES)}"
        raise KernelError(f"weights '{path}'", "are a file of no known kind", remedy)
    reader: Callable[[Path, str | None], Mapping[str, Tensor]] = import_module(f"{__name__}.{module}").read
    return reader(path, key)


def _stream(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except ValueError as error:  # a NUL in the path
        raise KernelError(f"weights '{path}'", "cannot be read", **reason(error)._asdict()) from None


def _kind_of(path: Path, head: bytes) -> str | None:
    """The module that reads a file with this content, whatever its name is; None if the content does not say it."""
    if head.startswith(b"PK"):
        with suppress(BadZipFile, ValueError, NotImplementedError, OSError), ZipFile(path) as archive:
            return _kind_of_archive(archive.namelist())
        return None
    packed = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"(\xb5/\xfd": "zstd"}
    for magic, name in packed.items():
        if head.startswith(magic):
            raise KernelError(f"weights '{path}'", f"are packed by {name}", "unpack them first")
    if head[257:262] == b"ustar":
        raise KernelError(
            f"weights '{path}'", "are a tar archive", "unpack it, and name the file in it that has the weights"
        )
    if head.startswith(b"version https://git-lfs"):
        rule, remedy = "are a pointer of Git LFS and not the weights", "fetch the file with 'git lfs pull'"
        raise KernelError(f"weights '{path}'", rule, remedy)
    if head.startswith(b"\x93NUMPY"):
        return "numpy_file"
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return "keras_file"
    if head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        return "torch_file"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size:
        return "safetensors_file"
    if head.lstrip().startswith(b"{") and b'"weight_map"' in head:
        return "shards"
    if head[:1] == b"\x08" and head[2:3] in (
        b"\x12",
        b"\x1a",
        b"B",
        b":",
    ):  # a version, then the name of a program or an import
        return "onnx_file"
    return None


def _kind_of_archive(names: list[str]) -> str | None:
    if any(name == "data.pkl" or name.endswith("/data.pkl") for name in names):
        return "torch_file"
    if "model.weights.h5" in names:
        return "keras_file"
    return "numpy_file" if any(name.endswith(".npy") for name in names) else None
