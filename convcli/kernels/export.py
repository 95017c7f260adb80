"""Kernels as text and as files for `convcli.kernels` and other tools. Reading them gives exactly the same values."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import lru_cache

import numpy as np

from convcli.errors import KernelError, param
from convcli.kernels.analysis import Analysis
from convcli.kernels.bank import Matrix
from convcli.kernels.factors import common_denominator
from convcli.kernels.named import safe_label
from convcli.kernels.rows import DECIMAL
from convcli.kernels.spec import FILES
from convcli.system import npy
from convcli.system.names import STDIO, ending_of, stem_and_ending

FORMATS = tuple(ending.removeprefix(".") for ending in FILES)
"""Endings of the files, which `convcli.kernels.kernel_files` can read. ``txt`` is ImageMagick's notation."""

KNOWN = 1 << 16
"""The texts of this many values are kept, because values often repeat."""


def form_of(output: str, wanted: str | None, others: Sequence[str] = ()) -> str:
    """The format to write, one of `FORMATS` or `others`: the `wanted` one, or the ending of the file's name.

    Raises `KernelError` if it is another one, or if the output is standard output and no format is given.
    """
    known = (*others, *FORMATS)
    if wanted is None and output == STDIO:
        rule = "needs a format"
        raise KernelError(param("output", STDIO), rule, f"add {param('format')} with one of {', '.join(known)}")
    form = (wanted or ending_of(output)).lower().lstrip(".")
    if form not in known:
        what = f"format '{wanted}'" if wanted else f"output '{output}'"
        raise KernelError(what, "is not a format that a kernel can be written in", f"use {', '.join(known)}")
    return form


def targets(names: Sequence[str], output: str) -> list[str]:
    """The path of a file for each kernel. ``{kernel}`` in `output` stands for its name.

    Raises `KernelError` if several kernels would be written to the same file.
    """
    paths = [output.replace("{kernel}", safe_label(name)) for name in names]
    if len(set(paths)) < len(paths):
        template = "{kernel}" + (stem_and_ending(output)[1] or ".csv")
        rule = f"is one file for {len(names)} kernels ({', '.join(names)})"
        raise KernelError(f"output '{output}'", rule, f"name one of them, or write {param('output', repr(template))}")
    return paths


def encode(found: Analysis, form: str) -> Iterator[bytes]:
    """The content of a file with this kernel, in parts. `form` is one of `FORMATS`."""
    if form == "npy":
        stream = io.BytesIO()
        npy.write(stream, np.ascontiguousarray(found.values))
        yield stream.getvalue()
        return
    for part in {"json": json, "csv": _csv, "txt": _magick, "mat": _vips}[form](found):
        yield part.encode()
    yield b"\n"


def literal(values: Matrix) -> Iterator[str]:
    """A SPEC with the values, in parts. Rows are separated by ``;``, values by ``,``. Exact fractions are written as fractions.

    A file with this text is the same kernel. So a column is in ImageMagick's notation, because ``;`` alone separates the numbers of
    a row in a file; and two columns never look like numbers with decimal commas.
    """
    denominator = 1 if values.size == 1 else common_denominator(values) or 1  # a single fraction is not a SPEC

    def fraction(value: float) -> str:
        nearest = Fraction(round(value * denominator), denominator)
        return str(nearest) if nearest.numerator / nearest.denominator == value else _decimal(value)

    if values.size == 1 and values[0, 0] > 1:  # a whole number could be a size
        return iter([f"{float(values[0, 0])!r}"])
    form: Callable[[float], str] = _decimal if denominator == 1 else fraction
    if values.shape[1] == 1 < len(values):
        return _text(values, form, "", ",", f"1x{len(values)}: ")
    if values.shape[1] == 2 <= len(values) and all(
        DECIMAL.fullmatch(",".join(map(form, row))) for row in values.tolist()
    ):
        form = repr
    return _text(values, form, ",", ";")


def json(found: Analysis) -> Iterator[str]:
    """JSON with nested lists, in parts."""
    return _text(found.values, float.__repr__, ", ", "], [", "[[", "]]")


def _magick(found: Analysis) -> Iterator[str]:
    """ImageMagick's notation, ``3x3: 0,1,0 1,-4,1 0,1,0``: width before height.

    The origin is ImageMagick's default, ((W-1)/2, (H-1)/2): the tap on the output pixel with the padding ``same``.
    ImageMagick's ``Correlate`` uses the kernel as it is, its ``Convolve`` turns it by 180°.
    """
    height, width = found.values.shape
    return _text(found.values, _decimal, ",", " ", f"{width}x{height}: ")


def _csv(found: Analysis) -> Iterator[str]:
    return _text(found.values, _decimal, ",", "\n")


def _vips(found: Analysis) -> Iterator[str]:
    """``width height scale offset``, then the rows. They are whole numbers with a scale, if that is exact."""
    (height, width), values, scale = found.values.shape, found.values, found.denominator or 1
    if np.array_equal((whole := np.rint(values * scale)) / scale, values):
        values = whole
    else:
        scale = 1
    return _text(values, _decimal, " ", "\n", f"{width} {height} {scale} 0\n")


def _text(
    values: Matrix, form: Callable[[float], str], between: str, rows: str, begin: str = "", end: str = ""
) -> Iterator[str]:
    """A matrix as text, row by row, with `between` between values and `rows` between rows.

    In large kernels most values, and often whole rows, repeat: their texts are reused.
    """
    form, before, text = lru_cache(KNOWN)(form), None, ""
    yield begin
    for number, row in enumerate(values):
        if before is None or not np.array_equal(row, before):
            text = between.join(map(form, row.tolist()))
        before = row
        yield rows + text if number else text
    yield end


def _decimal(value: float) -> str:
    """The shortest decimal number that reads as exactly this float64."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
