"""Kernels in files: .npy, .json (nested list), .csv, .txt (rows, or ImageMagick's notation) and .mat (libvips matrix)."""

from __future__ import annotations

import codecs
import io
import re
from pathlib import Path
from typing import Any

from convcli.errors import KernelError, param
from convcli.kernels import rows
from convcli.kernels.bank import Matrix, checked
from convcli.kernels.spec import magick, one_row
from convcli.system import npy
from convcli.system.bounded import contents

MAX_BYTES, MAX_TEXT_BYTES = 256 << 20, 64 << 20
"""The most bytes of a kernel in .npy, and in text."""

NOTATION = re.compile(r"\s*\d[^:;,]{0,80}:")
"""The beginning of ImageMagick's notation."""


def read(path: Path) -> tuple[Matrix, tuple[str, ...]]:
    """The kernel in a file, ``(kh, kw)`` in float64, and remarks. The suffix decides how the file is read.

    Raises `KernelError` if there is no such file, it cannot be read, or is not a matrix of finite numbers.
    """
    source, suffix = f"'{path}'", path.suffix.lower()
    try:
        most = MAX_BYTES if suffix == ".npy" else MAX_TEXT_BYTES
        data = contents(path, most, f"kernel {source}", "is it a kernel?", KernelError)
        if suffix == ".npy":
            return checked(npy.read(io.BytesIO(data), len(data)), source), ()
        text = _text(data)
    except npy.NpyError as error:
        raise KernelError(f"kernel {source}", *error.args) from None
    except UnicodeDecodeError:
        raise KernelError(f"kernel {source}", "is not text", "write numbers, with a row on each line") from None
    if suffix == ".json":
        return _of_json(text, source)
    if suffix == ".mat":
        return _vips_matrix(text, source), ()
    if NOTATION.match(text) and (values := magick(text)) is not None:
        return values, ()
    found = rows.parse(text, source)
    return checked(found.values, source), found.notes


def _of_json(text: str, source: str) -> tuple[Matrix, tuple[str, ...]]:
    """A nested list; or an object with one, as the JSON of ``convcli kernel`` has it under ``kernel``."""
    import json

    try:
        value = json.loads(text)
        if isinstance(value, dict):
            value = _member(value, source)
        values = checked(value, source)
    except (ValueError, RecursionError):
        remedy = "write a nested list, [[0,1,0],[1,-4,1],[0,1,0]]"
        raise KernelError(f"kernel {source}", "is not valid JSON", remedy) from None
    flat = isinstance(value, list) and not isinstance(value[0], list)
    return values, one_row(source.strip("'"), values, "write a list for each row") if flat else ()


def _member(value: dict[str, Any], source: str) -> Any:
    """The one member of a JSON object that is a kernel."""
    lists = [name for name, member in value.items() if isinstance(member, list)]
    if isinstance(several := value.get("kernels"), list):
        rule = f"has {len(several)} kernels"
        raise KernelError(
            f"kernel {source}", rule, f"give each in a file of its own, or by its name, with {param('kernel')}"
        )
    name = "kernel" if "kernel" in lists else lists[0] if len(lists) == 1 else None
    if name is None:
        known = ", ".join(map(str, list(value)[:6])) or "nothing"
        remedy = 'write a nested list, or {"kernel": [[0,1,0],[1,-4,1],[0,1,0]]}'
        raise KernelError(f"kernel {source}", f"is a JSON object of {known}, and no matrix", remedy)
    return value[name]


def _text(data: bytes) -> str:
    """Text in UTF-8, or in the encoding of its byte order mark. Spreadsheets and Windows write such marks."""
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if utf16 else "utf-8-sig")


def _vips_matrix(text: str, source: str) -> Matrix:
    """The matrix in libvips's format: ``width height [scale [offset]]``, then the rows. The values are divided by scale."""
    lines = rows.parse(text, source).values
    if not lines or not 2 <= len(lines[0]) <= 4:
        remedy = "a vips matrix begins with 'width height [scale [offset]]'"
        raise KernelError(f"kernel {source}", "has no header", remedy)
    width, height, scale, offset = [*map(float, lines[0]), *(1.0, 0.0)[len(lines[0]) - 2 :]]
    values = checked(lines[1:], source)
    if values.shape != (height, width):
        said = f"announces {width:g}×{height:g} (width × height) but holds {values.shape[1]}×{values.shape[0]}"
        raise KernelError(f"kernel {source}", said, "change its first line")
    if scale == 0:
        raise KernelError(f"kernel {source}", "has scale 0", "use another number in its first line")
    if offset != 0:
        remedy = f"set it to 0 and use {param('bias', f'{offset:g}')}"
        raise KernelError(f"kernel {source}", f"has offset {offset:g}", remedy)
    return checked(values / scale, source)
