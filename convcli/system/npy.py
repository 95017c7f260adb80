"""Read .npy streams without ever unpickling, and write them. Used for kernels, weights and tensors."""

import io
import tokenize
from math import prod
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.lib import format as npy_format

from convcli.records import NamedTuple
from convcli.system import memory

if TYPE_CHECKING:
    from numpy.typing import NDArray


class NpyError(ValueError):
    """A stream without a usable array. Its `args` are the rule and the remedy of an error; the caller adds the name of the file."""


MOST_HEADER_BYTES = 1 << 16
"""A longer header is not read: NumPy refuses most of them, but reads them first."""

_DAMAGED = EOFError, OverflowError, TypeError, SyntaxError, RecursionError, tokenize.TokenError
"""What NumPy raises in addition to ValueError."""


_PARSING = Lock()
"""Held while NumPy parses a header with `ast`. In Python 3.11 two threads that do this at the same time can end in a SystemError
(CPython's issue 106905)."""


def _invalid() -> NpyError:
    return NpyError("is not a valid .npy file", "is it truncated, or of another format?")


class Header(NamedTuple):
    """What a .npy stream announces."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    place: int  # of the first value, in bytes
    by_columns: bool = False  # Fortran's order: the first index changes first

    @property
    def end(self) -> int:
        """The place behind the last value."""
        return self.place + prod(self.shape) * self.dtype.itemsize

    @property
    def pixels(self) -> int:
        """``N·H·W``."""
        return prod(self.shape) if len(self.shape) < 3 else prod(self.shape[:-3]) * prod(self.shape[-2:])


def header(stream: BinaryIO) -> Header:
    """The header of a .npy stream, at whose start it is read. Of its values nothing is read.

    Raises `NpyError` if it is not an array of real numbers.
    """
    try:
        major, minor = npy_format.read_magic(stream)
        size = 2 if major == 1 else 4
        length = int.from_bytes(stream.read(size), "little")
        if length > MOST_HEADER_BYTES or (major, minor) not in ((1, 0), (2, 0), (3, 0)):
            raise _invalid()
        text = io.BytesIO(length.to_bytes(size, "little") + stream.read(length))
        parse = npy_format.read_array_header_1_0 if major == 1 else npy_format.read_array_header_2_0
        with _PARSING:
            shape, by_columns, dtype = parse(text)
    except NpyError:
        raise
    except (ValueError, MemoryError, *_DAMAGED):
        raise _invalid() from None
    if dtype.hasobject:
        raise NpyError("has pickled objects, which can run code", "save a plain array of numbers")
    if dtype.kind not in "biuf":
        raise NpyError(f"has values of type {dtype}", "save real numbers")
    return Header(shape, dtype, 6 + 2 + size + length, by_columns)


def check(found: Header, size: int) -> None:
    """Hold what a header announces against the `size` of the stream. Raises `NpyError`."""
    if not all(0 <= side < 1 << 63 for side in found.shape) or found.end > size:
        raise _invalid()


def read(stream: BinaryIO, size: int) -> "NDArray[np.generic]":
    """The array in a .npy stream, of its own shape and dtype, in native byte order. Long doubles become float64.

    `size` is the length of the stream. Before anything is read, what the header announces is compared with it, and with the
    memory.

    Raises
    ------
    NpyError
        It is not an array of real numbers, or too large.
    """
    stream.seek(0)
    found = header(stream)
    check(found, size)
    if memory.refuses(need := found.end - found.place):
        raise NpyError(f"needs {need / 2**30:.1f} GiB, {memory.share()}", "save a smaller array")
    stream.seek(found.place)
    array: NDArray[np.generic] = np.empty(prod(found.shape), found.dtype)
    rest = array.view(np.uint8).data
    while rest:
        count = stream.readinto(rest)  # type: ignore[attr-defined]
        if not count:
            raise _invalid()
        rest = rest[count:]
    array = array.reshape(found.shape[::-1]).T if found.by_columns else array.reshape(found.shape)
    if array.dtype.itemsize > 8:
        return array.astype(np.float64)  # the format of long doubles depends on the machine
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def head(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    """What comes before the values of a C-contiguous array."""
    header = io.BytesIO()
    descr = npy_format.dtype_to_descr(dtype)
    npy_format.write_array_header_1_0(header, {"shape": shape, "fortran_order": False, "descr": descr})
    return header.getvalue()


def write(stream: BinaryIO, array: "NDArray[Any]") -> None:
    """Write a C-contiguous array like `numpy.save`, whose own errors do not say why writing failed."""
    stream.write(head(array.shape, array.dtype))
    stream.write(array.data.cast("B") if array.size else b"")
