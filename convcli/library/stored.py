"""Where images and outputs are stored: whether two of them are one, and how another process opens the same."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from convcli.errors import ConvError, param
from convcli.records import NamedTuple
from convcli.windows import Array


class Mapped(NamedTuple):
    """A memmap as plain data."""

    path: str
    dtype: str
    mode: str
    offset: int
    shape: tuple[int, ...]
    order: str

    def opened(self) -> Any:
        """The memmap."""
        return np.memmap(self.path, self.dtype, self.mode, self.offset, self.shape, self.order)  # type: ignore[call-overload]


def sendable(one: Any, name: str, writes: bool) -> Any:
    """What a worker opens the same from. Raises a ConvError if it is in this process alone."""
    if isinstance(one, np.ndarray):
        if (found := _mapped(one, writes)) is not None:
            return found
        remedy = "use a Zarr array or a memmap, or leave client out"
        raise ConvError(param(name), "is in the memory of this process", remedy)
    if type(getattr(one, "store", None)).__name__ in ("MemoryStore", "dict", "KVStore"):
        remedy = "use a store that all workers see, or leave client out"
        raise ConvError(param(name), "is in the memory of this process", remedy)
    return one


def _map_of(array: Any) -> Any:
    """The memmap that an array is, or is a part of; None for other arrays."""
    found = None
    while isinstance(array, np.ndarray):
        found = array if isinstance(array, np.memmap) and array.filename is not None else found
        array = array.base
    return found


def _mapped(array: Array, writes: bool) -> Mapped | None:
    """A memmap, or a contiguous part of one, as plain data; None for other arrays."""
    whole = _map_of(array)
    order = "C" if array.flags.c_contiguous else "F" if array.flags.f_contiguous else ""
    if whole is None or not order:
        return None
    offset = whole.offset + array.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    path = os.path.abspath(whole.filename)
    return Mapped(path, array.dtype.str, "r+" if writes else "r", offset, array.shape, order)


def folder(one: Any) -> str:
    """Where an array of Zarr is, if that is a folder of this machine."""
    store = getattr(one, "store", None)
    root = getattr(store, "root", None)
    return os.path.join(str(root), str(getattr(one, "path", ""))) if root is not None and store is not None else ""


def same(image: Any, out: Any) -> bool:
    """Whether an image and `out` are the same, or parts of the same memory or file."""
    if image is out:
        return True
    if isinstance(image, np.ndarray) and isinstance(out, np.ndarray):
        one, other = _map_of(image), _map_of(out)
        files = (
            one is not None and other is not None and os.path.realpath(one.filename) == os.path.realpath(other.filename)
        )
        return bool(np.may_share_memory(image, out) or files)
    where = _place(image), _place(out)
    return where[0] is not None and where[0] == where[1]


def _place(one: Any) -> tuple[str, str] | None:
    """Where an array of Zarr is stored."""
    store = getattr(one, "store", None)
    return None if store is None else (str(store), str(getattr(one, "path", "")))
