"""Parse a kernel SPEC: a name with arguments, a matrix literal, ImageMagick's notation, or a file."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convcli.errors import KernelError
from convcli.kernels import catalogue, files, named  # noqa: F401  (importing the catalogue enters the named kernels)
from convcli.kernels.kernel import Filter, Kernel, checked

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_PICTURES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".gif", ".bmp", ".ppm", ".pgm"}
_MAGICK = re.compile(r"\s*(\d+)(?:x(\d+))?(?:([+-]\d+)([+-]\d+))?\s*([@<>]*)\s*:(.*)", re.DOTALL)


def parse(spec: str) -> Filter:
    """Turn a SPEC into a `Filter`.

    Parameters
    ----------
    spec : str
        ``NAME[:ARGS]``; a literal with rows by ``;`` and values by ``,`` (fractions such as ``1/9`` are allowed);
        ImageMagick's ``"WxH[+X+Y]: v,v …"``; or a path that ends in .npy, .json, .csv, .txt or .mat.

    Raises
    ------
    KernelError
        Nothing of these, or a kernel that is ragged, empty or not finite.
    """
    text = spec.strip()
    if not text:
        raise KernelError("the kernel is empty: give a name (sobel), a matrix ('0,1,0;1,-4,1;0,1,0') or a file")
    if named.is_name(text):
        return named.build(text)
    if (path := Path(text)).suffix.lower() in files.SUFFIXES:
        return Filter(named.safe_label(path.stem), (Kernel(text, files.read(path)),))
    if path.suffix.lower() in _PICTURES:
        raise KernelError(
            f"kernel '{spec}' is an image: kernels are {', '.join(files.SUFFIXES)} files, or names (sobel)"
        )
    if match := _MAGICK.fullmatch(text):
        return Filter("kernel", (Kernel(text, _magick(text, match)),))
    if re.search(r"\d", text) and ("," in text or ";" in text or re.fullmatch(rf"{_NUMBER}(\s+{_NUMBER})*", text)):
        return Filter("kernel", (Kernel(text, _literal(text)),))
    if re.fullmatch(r"[,;\s]*", text):
        raise KernelError(f"kernel '{spec}' is empty: give at least one number, or a name (sobel)")
    if os.path.isfile(path):  # says no to what can be no path
        raise KernelError(f"kernel file '{spec}' ends in none of {', '.join(files.SUFFIXES)}: rename it")
    raise KernelError(named.unknown(text))


def _literal(text: str) -> NDArray[np.float64]:
    rows = text.removesuffix(";").split(";")
    values = [[_value(cell, text) for cell in row.split(",")] for row in rows]
    lengths = [len(row) for row in values]
    for number, length in enumerate(lengths, 1):
        if length != lengths[0]:
            raise KernelError(
                f"kernel '{text}' is ragged: row {number} has {length} value{'s' * (length != 1)}, row 1 has {lengths[0]}: "
                "give every row the same count"
            )
    return checked(values, f"'{text}'")


def _value(cell: str, text: str) -> float:
    numerator, slash, denominator = cell.strip().partition("/")
    try:
        return float(numerator) / (float(denominator) if slash else 1.0)
    except ValueError:
        if len(cell.split()) > 1:
            raise KernelError(
                f"kernel '{text}' separates values by spaces: separate them by commas, '0,1,0;1,-4,1;0,1,0'"
            ) from None
        what = f"'{cell.strip()}'" if cell.strip() else "an empty cell"
        raise KernelError(
            f"kernel '{text}' contains {what}, not a number: write rows as '0,1,0;1,-4,1;0,1,0'"
        ) from None
    except ZeroDivisionError:
        raise KernelError(f"kernel '{text}' divides by zero in '{cell.strip()}': every value must be finite") from None


def _magick(text: str, match: re.Match[str]) -> NDArray[np.float64]:
    """ImageMagick's user-defined kernel, ``[WxH[+X+Y]:] v,v …``: width before height, ``nan`` or ``-`` a hole.

    Its origin (+X+Y) is kept by laying the values into zeros whose centre it is.
    """
    width, height = int(match[1]), int(match[2] or match[1])
    if match[5]:
        raise KernelError(
            f"kernel '{text}' asks for rotations ('{match[5]}'): give each rotated kernel with a -k of its own"
        )
    if not width * height:
        raise KernelError(f"kernel '{text}' is {width}x{height}, without values: both sides must be at least 1")
    cells = re.split(r"[\s,]+", match[6].strip().strip(","))
    values = [0.0 if cell.lower() in ("-", "nan") else _value(cell, text) for cell in cells if cell]
    if len(values) != width * height or not values:
        raise KernelError(
            f"kernel '{text}' has {len(values)} values, {width}x{height} (width x height) needs {width * height}: "
            "separate them by commas or spaces"
        )
    matrix = checked(np.reshape(values, (height, width)), f"'{text}'")
    x, y = (int(match[3]), int(match[4])) if match[3] else ((width - 1) // 2, (height - 1) // 2)
    if not (0 <= x < width and 0 <= y < height):
        raise KernelError(f"kernel '{text}' has its origin at +{x}+{y}, outside {width}x{height}: move it inside")
    if (x, y) == ((width - 1) // 2, (height - 1) // 2):
        return matrix
    reach_y, reach_x = max(y, height - 1 - y), max(x, width - 1 - x)
    out = np.zeros((2 * reach_y + 1, 2 * reach_x + 1))
    out[reach_y - y : reach_y - y + height, reach_x - x : reach_x - x + width] = matrix
    return out
