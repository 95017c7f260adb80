"""Kernels in files: .npy, .json (nested list), .csv, .txt (rows, or ImageMagick's notation) and .mat (libvips matrix)."""

from __future__ import annotations

import codecs
from pathlib import Path

from convcli.errors import KernelError, param
from convcli.kernels.bank import Matrix, checked
from convcli.kernels.spec import magick
from convcli.system import npy
from convcli.system.files import reason

MAX_BYTES = 256 << 20


def read(path: Path) -> Matrix:
    """The kernel in a file, ``(kh, kw)`` in float64. The suffix decides how the file is read.

    Raises `KernelError` if there is no such file, it cannot be read, or is not a matrix of finite numbers.
    """
    source, suffix = f"'{path}'", path.suffix.lower()
    try:
        if path.stat().st_size > MAX_BYTES:
            raise KernelError(f"kernel {source}", f"is a file of {path.stat().st_size >> 20} MiB", "is it a kernel?")
        if suffix == ".npy":
            with path.open("rb") as stream:
                return checked(npy.read(stream), source)
        text = _text(path.read_bytes())
    except npy.NpyError as error:
        raise KernelError(f"kernel {source}", *error.args) from None
    except UnicodeDecodeError:
        raise KernelError(f"kernel {source}", "is not text", "write numbers, with a row on each line") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise KernelError(f"kernel {source}", "cannot be read", **reason(error)._asdict()) from None
    if suffix == ".json":
        import json

        try:
            return checked(json.loads(text), source)
        except (ValueError, RecursionError):
            remedy = "write a nested list, [[0,1,0],[1,-4,1],[0,1,0]]"
            raise KernelError(f"kernel {source}", "is not valid JSON", remedy) from None
    if suffix == ".mat":
        return _vips_matrix(text, source)
    if ":" in text and (values := magick(text)) is not None:
        return values
    return checked(_rows(text, source), source)


def _text(data: bytes) -> str:
    """Text in UTF-8, or in the encoding of its byte order mark. Spreadsheets and Windows write such marks."""
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if utf16 else "utf-8-sig")


def _rows(text: str, source: str) -> list[list[float]]:
    lines = [line.strip().replace(";", ",") for line in text.splitlines()]
    rows = [[cell.strip() for cell in line.split(",")] if "," in line else line.split() for line in lines]
    try:
        return [[float(value) for value in row] for row in rows if row and not row[0].startswith("#")]
    except ValueError as error:
        value = str(error).rpartition(": ")[2]
        remedy = "write numbers, with a row on each line"
        raise KernelError(f"kernel {source}", f"contains {value}, not a number", remedy) from None


def _vips_matrix(text: str, source: str) -> Matrix:
    """The matrix in libvips's format: ``width height [scale [offset]]``, then the rows. The values are divided by scale."""
    rows = _rows(text, source)
    if not rows or not 2 <= len(rows[0]) <= 4:
        remedy = "a vips matrix begins with 'width height [scale [offset]]'"
        raise KernelError(f"kernel {source}", "has no header", remedy)
    width, height, scale, offset = (*rows[0], *(1.0, 0.0)[len(rows[0]) - 2 :])
    values = checked(rows[1:], source)
    if values.shape != (height, width):
        said = f"announces {width:g}×{height:g} (width × height) but holds {values.shape[1]}×{values.shape[0]}"
        raise KernelError(f"kernel {source}", said, "change its first line")
    if scale == 0:
        raise KernelError(f"kernel {source}", "has scale 0", "use another number in its first line")
    if offset != 0:
        remedy = f"set it to 0 and use {param('bias', f'{offset:g}')}"
        raise KernelError(f"kernel {source}", f"has offset {offset:g}", remedy)
    return checked(values / scale, source)
