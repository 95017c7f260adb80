"""Parse a kernel SPEC: a name with arguments, a matrix literal, ImageMagick's notation, or a file."""

from __future__ import annotations

import os
import re
from pathlib import Path

from convcli.errors import KernelError
from convcli.kernels import catalogue, kernel_files, named, notation  # noqa: F401  (importing the catalogue enters the named kernels)
from convcli.kernels.kernel_types import Filter, Kernel

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_PICTURES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".gif", ".bmp", ".ppm", ".pgm"}


def parse(spec: str) -> Filter:
    """Turn a SPEC into a `Filter`.

    Parameters
    ----------
    spec : str
        ``NAME[:ARGS]``; a literal with rows separated by ``;`` and values by ``,`` (fractions such as ``1/9`` are allowed);
        ImageMagick's ``"WxH[+X+Y]: v,v …"``; or a path that ends in .npy, .json, .csv, .txt or .mat.

    Raises
    ------
    KernelError
        It is none of these, or the kernel is empty, not finite, or has rows of different lengths.
    """
    text = spec.strip()
    if not text:
        remedy = "give a name (sobel), a matrix ('0,1,0;1,-4,1;0,1,0') or a file"
        raise KernelError("the kernel", "is empty", remedy)
    if named.is_name(text):
        return named.build(text)
    if (path := Path(text)).suffix.lower() in kernel_files.SUFFIXES:
        return Filter(named.safe_label(path.stem), (Kernel(text, kernel_files.read(path)),), spec=text)
    if path.suffix.lower() in _PICTURES:
        remedy = f"kernels are {', '.join(kernel_files.SUFFIXES)} files, or names (sobel)"
        raise KernelError(f"kernel '{spec}'", "is an image", remedy)
    if (values := notation.magick(text)) is not None:
        return Filter("kernel", (Kernel(text, values),), spec=text)
    if re.search(r"\d", text) and ("," in text or ";" in text or re.fullmatch(rf"{_NUMBER}(\s+{_NUMBER})*", text)):
        return Filter("kernel", (Kernel(text, notation.literal(text)),), spec=text)
    if re.fullmatch(r"[,;\s]*", text):
        raise KernelError(f"kernel '{spec}'", "is empty", "give at least one number, or a name (sobel)")
    if os.path.exists(path) and not os.path.isdir(path):  # False for what cannot be a path
        rule = f"ends in none of {', '.join(kernel_files.SUFFIXES)}, which says how to read it"
        remedy = "rename it" if os.path.isfile(path) else "save it under such a name"
        raise KernelError(f"kernel file '{spec}'", rule, remedy)
    raise named.unknown(text)
