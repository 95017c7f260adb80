"""Kernels as text and as files that `convcli.kernels` and other tools read: every value comes back as it was."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from convcli.errors import KernelError
from convcli.kernels.analysis import Analysis
from convcli.kernels.named import safe_label
from convcli.system import npy
from convcli.system.files import STDIO

FORMATS = ("npy", "json", "csv", "txt", "mat")
"""Endings of the files, as `convcli.kernels.files` reads them; ``txt`` is in ImageMagick's notation."""


def form_of(output: str, wanted: str | None, others: Sequence[str] = ()) -> str:
    """The format to write, one of `FORMATS` and `others`: what ``--format`` says, or the ending of the name.

    Raises
    ------
    KernelError
        None of them, or standard output without a format.
    """
    known = (*others, *FORMATS)
    if wanted is None and output == STDIO:
        raise KernelError(f"-o - needs a format: add --format with one of {', '.join(known)}")
    form = (wanted or Path(output).suffix).lower().lstrip(".")
    if form not in known:
        what = f"format '{wanted}'" if wanted else f"output '{output}'"
        raise KernelError(f"{what} is none that a kernel can be written as: use {', '.join(known)}")
    return form


def targets(found: Sequence[Analysis], output: str) -> list[str]:
    """A file for each kernel: ``{kernel}`` in `output` stands for its name.

    Raises
    ------
    KernelError
        One file for several.
    """
    paths = [output.replace("{kernel}", safe_label(one.name)) for one in found]
    if len(set(paths)) < len(paths):
        names = ", ".join(one.name for one in found)
        raise KernelError(
            f"output '{output}' is one file for {len(found)} kernels ({names}): name one of them, or write "
            "-o '{kernel}" + Path(output).suffix + "'"
        )
    return paths


def encode(found: Analysis, form: str) -> bytes:
    """A kernel as the content of a file of one of `FORMATS`."""
    if form == "npy":
        stream = io.BytesIO()
        npy.write(stream, np.ascontiguousarray(found.values))
        return stream.getvalue()
    text = {"json": _json, "csv": _csv, "txt": magick, "mat": _vips}[form](found)
    return f"{text}\n".encode()


def literal(found: Analysis) -> str:
    """A SPEC: rows by ``;``, values by ``,``, fractions as such where they are exact."""
    if found.values.size == 1:  # a fraction alone is no SPEC
        return _decimal(float(found.values[0, 0]))
    rows = zip(found.values.tolist(), found.integers or [()] * len(found.values), strict=True)
    return ";".join(",".join(_fractions(values, numbers, found.denominator)) for values, numbers in rows)


def magick(found: Analysis) -> str:
    """ImageMagick's notation, ``3x3: 0,1,0 1,-4,1 0,1,0``: width before height.

    The origin is ImageMagick's own default, ((W-1)/2, (H-1)/2), which is the tap that `same` padding centres. Its
    ``Correlate`` takes the kernel as it is, its ``Convolve`` turns it.
    """
    height, width = found.values.shape
    return f"{width}x{height}: " + " ".join(",".join(map(_decimal, row)) for row in found.values.tolist())


def _json(found: Analysis) -> str:
    return json.dumps(found.values.tolist())


def _csv(found: Analysis) -> str:
    return "\n".join(",".join(map(_decimal, row)) for row in found.values.tolist())


def _vips(found: Analysis) -> str:
    """``width height scale offset``, then the rows: whole numbers over a scale where that is exact."""
    height, width = found.values.shape
    scale, numbers = found.denominator, found.integers
    if scale is not None and numbers is not None and np.array_equal(np.array(numbers) / scale, found.values):
        rows = [" ".join(map(str, row)) for row in numbers]
    else:
        scale, rows = 1, [" ".join(map(_decimal, row)) for row in found.values.tolist()]
    return "\n".join([f"{width} {height} {scale} 0", *rows])


def _fractions(values: list[float], numbers: tuple[int, ...], denominator: int | None) -> list[str]:
    if denominator in (None, 1):
        return [_decimal(value) for value in values]
    fractions = [Fraction(number, denominator) for number in numbers]
    return [
        str(fraction) if fraction.numerator / fraction.denominator == value else _decimal(value)
        for fraction, value in zip(fractions, values, strict=True)
    ]


def _decimal(value: float) -> str:
    """The shortest decimal that is this float64."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
