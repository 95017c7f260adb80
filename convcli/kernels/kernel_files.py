"""Kernels in files: .npy, .json (nested list), .csv, .txt (rows, or ImageMagick's notation) and .mat (libvips matrix)."""

from __future__ import annotations

import codecs
import io
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convcli.errors import KernelError, param
from convcli.kernels.bank import Matrix, checked
from convcli.kernels.spec import magick, number
from convcli.system import npy
from convcli.system.bounded import contents

MAX_BYTES, MAX_TEXT_BYTES = 256 << 20, 64 << 20
"""The most bytes of a kernel in .npy, and in text."""

MOST_NOTATION = 1 << 20
"""A longer text is not looked at as ImageMagick's notation."""

MOST_SIDE, MOST_VALUES = 1 << 15, 1 << 22
"""The most rows and columns of a kernel in text, and the most numbers. No picture takes more in reasonable time."""


def read(path: Path) -> Matrix:
    """The kernel in a file, ``(kh, kw)`` in float64. The suffix decides how the file is read.

    Raises `KernelError` if there is no such file, it cannot be read, or is not a matrix of finite numbers.
    """
    source, suffix = f"'{path}'", path.suffix.lower()
    try:
        most = MAX_BYTES if suffix == ".npy" else MAX_TEXT_BYTES
        data = contents(path, most, f"kernel {source}", "is it a kernel?", KernelError)
        if suffix == ".npy":
            return checked(npy.read(io.BytesIO(data), len(data)), source)
        text = _text(data)
    except npy.NpyError as error:
        raise KernelError(f"kernel {source}", *error.args) from None
    except UnicodeDecodeError:
        raise KernelError(f"kernel {source}", "is not text", "write numbers, with a row on each line") from None
    if suffix == ".json":
        import json

        try:
            return checked(json.loads(text), source)
        except (ValueError, RecursionError):
            remedy = "write a nested list, [[0,1,0],[1,-4,1],[0,1,0]]"
            raise KernelError(f"kernel {source}", "is not valid JSON", remedy) from None
    if suffix == ".mat":
        return _vips_matrix(text, source)
    if len(text) <= MOST_NOTATION and ":" in text and (values := magick(text)) is not None:
        return values
    return checked(_rows(text, source), source)


def _text(data: bytes) -> str:
    """Text in UTF-8, or in the encoding of its byte order mark. Spreadsheets and Windows write such marks."""
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if utf16 else "utf-8-sig")


def _rows(text: str, source: str) -> list[NDArray[np.float64]]:
    """The numbers of every line that is neither empty nor a comment, up to the limits. A line may end with separators."""
    rows: list[NDArray[np.float64]] = []
    count = 0
    for place, whole in enumerate(io.StringIO(text, None), 1):
        line = whole.strip()
        if not line.strip(",;") or line.startswith("#"):
            continue
        if ";" in line and "," in line:
            remedy = "write decimals with a point and each row on a line, with commas between its numbers"
            raise KernelError(f"kernel {source}", f"has both ; and , in line {place}", remedy)
        cells = re.split("[,;]", line.rstrip(",;")) if re.search("[,;]", line) else line.split()
        try:
            rows.append(np.array([number(cell) for cell in cells]))
        except (ValueError, ZeroDivisionError):
            raise _refused(cells, place, not rows, source) from None
        count += len(cells)
        if max(len(rows), len(cells)) > MOST_SIDE or count > MOST_VALUES:
            rule = f"has more than {MOST_SIDE} rows or columns, or more than {MOST_VALUES} numbers"
            raise KernelError(f"kernel {source}", rule, "is it a kernel?")
    return rows


def _refused(cells: list[str], place: int, first: bool, source: str) -> KernelError:
    """The error for a line with something that is not a number."""
    bad = next(cell.strip() for cell in cells if not _is_number(cell))
    remedy = "write numbers, a row on each line"
    if '"' in bad:
        remedy = "write numbers without quotes, and decimals with a point"
    elif first and not any(map(_is_number, cells)):
        remedy = "leave out the header, or begin it with #"
    return KernelError(f"kernel {source}", f"contains '{bad}' in line {place}, not a number", remedy)


def _is_number(cell: str) -> bool:
    try:
        number(cell)
    except (ValueError, ZeroDivisionError):
        return False
    return True


def _vips_matrix(text: str, source: str) -> Matrix:
    """The matrix in libvips's format: ``width height [scale [offset]]``, then the rows. The values are divided by scale."""
    rows = _rows(text, source)
    if not rows or not 2 <= len(rows[0]) <= 4:
        remedy = "a vips matrix begins with 'width height [scale [offset]]'"
        raise KernelError(f"kernel {source}", "has no header", remedy)
    width, height, scale, offset = [*map(float, rows[0]), *(1.0, 0.0)[len(rows[0]) - 2 :]]
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
