"""Parse a kernel SPEC: a name with arguments, a matrix literal, ImageMagick's notation, or a file."""

from __future__ import annotations

import os
import re
from math import isqrt

import numpy as np

from convcli.errors import KernelError, param
from convcli.images.formats import ENDINGS
from convcli.kernels import named
from convcli.kernels.bank import Filter, Kernel, Matrix, checked
from convcli.system.names import stem_and_ending

FILES = (".npy", ".json", ".csv", ".txt", ".mat")
"""Endings of files with a kernel, which `convcli.kernels.kernel_files` reads."""

MOST_SIDE, MOST_VALUES = 1 << 15, 1 << 22
"""The most rows and columns of a kernel in a file, and the most numbers. No picture takes more in reasonable time."""

LONGEST = 40
"""The most characters of a literal in a remark."""

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_MAGICK = r"(?s)\s*(\d+)(?:x(\d+))?(?:([+-]\d+)([+-]\d+))?\s*([@<>]*)\s*:(.*)"


def parse(spec: str) -> Filter:
    """Turn a SPEC into a `Filter`.

    It is ``NAME[:ARGS]``; a literal with rows separated by ``;`` and values by ``,`` (fractions like ``1/9`` are allowed, and
    ``(…)/16`` divides all); ImageMagick's ``"WxH[+X+Y]: v,v …"``; or a path that ends in .npy, .json, .csv, .txt or .mat, or
    as an image does.

    Raises `KernelError` if it is none of these, or if the kernel is empty, not finite, or has rows of different lengths.
    """
    text = spec.strip()
    if not text:
        remedy = "give a name (sobel), a matrix ('0,1,0;1,-4,1;0,1,0') or a file"
        raise KernelError("the kernel", "is empty", remedy)
    if (found := named.build(text)) is not None:
        return found
    stem, ending = stem_and_ending(text)
    if ending.lower() in FILES:
        from pathlib import Path

        from convcli.kernels import kernel_files

        values, notes = kernel_files.read(Path(text))
        return Filter(named.safe_label(stem), (Kernel(text, values),), spec=text, notes=notes)
    if ending.lower() in ENDINGS:
        from pathlib import Path

        from convcli.kernels import kernel_images

        label, kernel = named.safe_label(stem), Kernel(text, kernel_images.read(Path(text)))
        return Filter(label, (kernel,), spec=text, image=True)
    if (matrix := magick(text)) is not None:
        return Filter("kernel", (Kernel(text, matrix),), spec=text)
    if re.fullmatch(r"\d+", text) and int(text) > 1:
        remedy = f"use box:{text} for a size, or another kernel's name, or {text}.0 to multiply every pixel"
        raise KernelError(f"kernel '{spec}'", "may be a size or a factor", remedy)
    if re.search(r"\d", text) and ("," in text or ";" in text or re.fullmatch(rf"{_NUMBER}(\s+{_NUMBER})*", text)):
        values = literal(text)
        notes = half_divided(text, values.size) + one_row(text, values, "separate rows by ;")
        return Filter("kernel", (Kernel(text, values),), spec=text, notes=notes)
    if re.fullmatch(r"[,;\s]*", text):
        raise KernelError(f"kernel '{spec}'", "is empty", "give at least one number, or a name (sobel)")
    if os.path.exists(text) and not os.path.isdir(text):  # False if it cannot be a path
        rule = f"ends in none of {', '.join(FILES)}, which say how to read it"
        remedy = "rename it" if os.path.isfile(text) else "save it under such a name"
        raise KernelError(f"kernel file '{spec}'", rule, remedy)
    raise named.unknown(text)


def literal(text: str) -> Matrix:
    """A matrix literal as ``(kh, kw)`` in float64. Rows are separated by ``;``, values by ``,``; fractions are allowed.

    ``(…)/16`` divides all values by 16.
    """
    if (whole := re.fullmatch(DIVIDED, text)) is not None:
        by = _value(whole[2], text)
        if by == 0:
            raise KernelError(f"kernel '{text}'", "divides by zero", "every value must be finite")
        return checked(literal(whole[1].strip()) / by, f"'{text}'")
    rows = text.removesuffix(";").split(";")
    return checked([[_value(cell, text) for cell in row.split(",")] for row in rows], f"'{text}'")


DIVIDED = r"\s*\(([^()]*)\)\s*/\s*([^(),;]+)\s*"


def half_divided(text: str, size: int) -> tuple[str, ...]:
    """A remark if only the last of `size` values is a fraction: all of them may be meant."""
    last = text.rpartition(",")[2].strip()
    if size < 3 or "(" in text or ";" in last or not text.count("/") == last.count("/") == 1:
        return ()
    shown, by = text if len(text) <= LONGEST else f"…{text[-LONGEST:]}", last.partition("/")[2]
    whole = f"write '(…)/{by}' or {param('divisor', by)}"
    return (f"kernel '{shown}': only its last value is divided by {by}; to divide all of them, {whole}",)


def one_row(name: str, values: Matrix, remedy: str) -> tuple[str, ...]:
    """A remark if a single row has as many values as a square. `remedy` says how to write rows."""
    side, steps = isqrt(values.size), np.diff(values[0])
    if len(values) > 1 or side == 1 or side % 2 == 0 or side * side != values.size:
        return ()
    if (steps[: steps.size // 2] > 0).all() and (steps[steps.size // 2 :] < 0).all():  # as a Gaussian of one dimension
        return ()
    shown = name if len(name) <= LONGEST else f"{name[:LONGEST]}…"
    return (f"kernel '{shown}' is one row of {values.size} values: if {side}×{side} is meant, {remedy}",)


def number(cell: str) -> float:
    """The number in a cell; it may be a fraction, ``1/9``. Raises a ValueError, or a ZeroDivisionError."""
    numerator, slash, denominator = cell.strip().partition("/")
    return float(numerator) / (float(denominator) if slash else 1.0)


def _value(cell: str, text: str) -> float:
    try:
        return number(cell)
    except ValueError:
        if len(cell.split()) > 1:
            remedy = "separate them by commas, '0,1,0;1,-4,1;0,1,0'"
            raise KernelError(f"kernel '{text}'", "separates values by spaces", remedy) from None
        what = f"'{cell.strip()}'" if cell.strip() else "an empty cell"
        remedy = "write rows as '0,1,0;1,-4,1;0,1,0'"
        raise KernelError(f"kernel '{text}'", f"contains {what}, not a number", remedy) from None
    except ZeroDivisionError:
        rule = f"divides by zero in '{cell.strip()}'"
        raise KernelError(f"kernel '{text}'", rule, "every value must be finite") from None


def magick(text: str) -> Matrix | None:
    """ImageMagick's user-defined kernel as ``(kh, kw)`` in float64; None if `text` is not in this notation.

    It is ``WxH[+X+Y]: v,v …``, with the width before the height. ``nan`` or ``-`` is a hole and becomes 0. If the origin
    (+X+Y) is not the centre, zeros are added around the values until it is.
    """
    match = re.fullmatch(_MAGICK, text)
    if match is None:
        return None
    width, height = int(match[1]), int(match[2] or match[1])
    if match[5]:
        remedy = f"give each rotated kernel with its own {param('kernel')}"
        raise KernelError(f"kernel '{text}'", f"asks for rotations ('{match[5]}')", remedy)
    if not width * height:
        rule = f"is {width}x{height}, without values"
        raise KernelError(f"kernel '{text}'", rule, "both sides must be at least 1")
    if max(width, height) > MOST_SIDE or width * height > MOST_VALUES:
        raise KernelError(f"kernel '{text[:40]}'", f"is {width}x{height}, which is too large", "is it a kernel?")
    cells = re.split(r"[\s,]+", match[6].strip().strip(","), maxsplit=width * height + 1000)
    holes = ("-", "nan")
    if cells != [""] and all(cell.lower() in holes for cell in cells):
        raise KernelError(f"kernel '{text}'", "has holes only", "give at least one number")
    values = [0.0 if cell.lower() in holes else _value(cell, text) for cell in cells if cell]
    if len(values) != width * height or not values:
        rule = f"has {len(values)} values, {width}x{height} (width x height) needs {width * height}"
        raise KernelError(f"kernel '{text}'", rule, "separate them by commas or spaces")
    matrix = checked(np.reshape(values, (height, width)), f"'{text}'")
    x, y = (int(match[3]), int(match[4])) if match[3] else ((width - 1) // 2, (height - 1) // 2)
    if not (0 <= x < width and 0 <= y < height):
        rule = f"has its origin at +{x}+{y}, outside {width}x{height}"
        raise KernelError(f"kernel '{text}'", rule, "move it inside")
    if (x, y) == ((width - 1) // 2, (height - 1) // 2):
        return matrix
    return np.pad(
        matrix, [(max(0, side - 1 - 2 * at), max(0, 2 * at - side + 1)) for side, at in ((height, y), (width, x))]
    )
