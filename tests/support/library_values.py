"""How to ask each library for the values of its kernels.

What the libraries answered is kept in ``kernel_values.json``, so that the tests hold where they are not installed. To ask again
those that are (kornia and scikit-image come by pip; ``convert``, ``vips`` and ``gmic`` are commands):

    cd tests && python -m support.library_values
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from importlib import import_module, metadata, util
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from support.library_kernels import (
    GMIC,
    GMIC_LEFT_OUT,
    KORNIA,
    KORNIA_LEFT_OUT,
    MAGICK,
    MAGICK_LEFT_OUT,
    PILLOW,
    PILLOW_LEFT_OUT,
    SKIMAGE,
    SKIMAGE_LEFT_OUT,
    VIPS,
    VIPS_LEFT_OUT,
    Row,
)

Matrix = NDArray[np.float64]


VALUES = Path(__file__).with_name("kernel_values.json")


class Library(NamedTuple):
    """A library's kernels by their name in it, and how to get one.

    `flips`: it is made for true convolution, so that a correlation takes it turned by 180°. `within`: how exactly its values
    are known, relative to the largest. `slow`: every kernel takes a process.
    """

    rows: dict[str, Row]
    left_out: dict[str, str]
    read: Callable[[str], Matrix]
    version: Callable[[], str | None]
    flips: bool = False
    within: float = 1e-12
    slow: bool = False


def _run(*command: str) -> str:
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return ended.stdout + ended.stderr


# --- ImageMagick ---


def magick_version() -> str | None:
    """The version of ImageMagick, if its `convert` is here (Windows has another command of that name)."""
    found = re.search(r"ImageMagick ([\d.-]+)", _run("convert", "-version")) if shutil.which("convert") else None
    return found[1] if found else None


def magick_names() -> set[str]:
    """What ImageMagick lists."""
    return set(_run("convert", "-list", "kernel").split())


def _magick(name: str) -> Matrix:
    """The matrix that ImageMagick shows, holes 0, laid into zeros whose centre its origin is."""
    show = ("-define", "showkernel=1", "-define", "morphology:showkernel=1")
    text = _run("convert", "xc:", "-precision", "15", *show, "-morphology", "Convolve:0", name, "null:")
    size = re.search(r"of size (\d+)x(\d+)\+(\d+)\+(\d+)", text)
    assert size, text
    width, height, x, y = map(int, size.groups())
    rows = [line.split(":")[1].split() for line in text.splitlines() if re.match(r"\s*\d+:", line)]
    matrix = np.nan_to_num(np.array(rows, np.float64))
    assert matrix.shape == (height, width)
    left, right, top, bottom = width - 1 - x - x, x - (width - 1 - x), height - 1 - y - y, y - (height - 1 - y)
    return np.pad(matrix, ((max(0, top), max(0, bottom)), (max(0, left), max(0, right))))


# --- libvips ---


def _vips_version() -> str | None:
    found = re.search(r"vips-([\d.]+)", _run("vips", "--version")) if shutil.which("vips") else None
    return found[1] if found else None


def _vips(name: str) -> Matrix:
    command, *numbers = name.split()
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/kernel.mat"
        _run("vips", command, path, *numbers, "--precision", "float")
        rows = Path(path).read_text().splitlines()[1:]
    return np.array([row.split() for row in rows], np.float64)


# --- G'MIC ---


def _gmic_version() -> str | None:
    found = re.search(r"Version ([\d.]+)", _run("gmic", "version")) if shutil.which("gmic") else None
    return found[1] if found else None


def _gmic(name: str) -> Matrix:
    """The answer to an impulse, which is the kernel turned by 180°."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/answer.asc"
        _run("gmic", "-v", "-1", "13,13,1,1,x==6&&y==6", *name.split(), "-o", path)
        rows = Path(path).read_text().splitlines()[1:14]
    return np.array([row.split() for row in rows], np.float64)[::-1, ::-1]


def _pillow(name: str) -> Matrix:
    """The matrix over its scale; the rows are laid on the image bottom up."""
    (width, height), scale, _, values = getattr(import_module("PIL.ImageFilter"), name).filterargs
    matrix: Matrix = np.reshape(values, (height, width))[::-1] / scale
    return matrix


# --- Python's packages ---


def _installed(name: str) -> str | None:
    return (
        metadata.version(name) if util.find_spec({"scikit-image": "skimage", "pillow": "PIL"}.get(name, name)) else None
    )


def kornia_names() -> set[str]:
    """Every function of kornia that makes a kernel."""
    modules = (import_module(f"kornia.filters.{name}") for name in ("kernels", "kernels_geometry"))
    return {name for module in modules for name in vars(module) if re.match(r"get_.*_kernel", name)}


def _kornia(name: str) -> Matrix:
    import torch

    call = re.fullmatch(r"(\w+)\((.*)\)(?:\[(\d+)\])?", name)
    assert call
    arguments = json.loads(f"[{call[2].replace('(', '[').replace(')', ']')}]")
    module = "kernels_geometry" if "motion" in name else "kernels"
    function = getattr(import_module(f"kornia.filters.{module}"), call[1])
    if "motion" in name:
        arguments = [arguments[0], *(torch.tensor([one], dtype=torch.float64) for one in arguments[1:])]
    else:
        arguments = [tuple(one) if isinstance(one, list) else one for one in arguments]
    more = {} if "motion" in name else {"dtype": torch.float64}
    values = function(*arguments, **more).numpy().astype(np.float64)
    if call[3]:
        values = values[int(call[3])]
    values = values.squeeze()
    return np.outer(values, values) if values.ndim == 1 else values


def skimage_names() -> set[str]:
    """Every public name of scikit-image's filters."""
    return set(import_module("skimage.filters").__all__)


def _skimage(name: str) -> Matrix:
    """As scikit-image convolves with it; what is applied to an image is read off an impulse."""
    edges = import_module("skimage.filters.edges")
    if name.endswith("WEIGHTS"):
        return np.array(getattr(edges, name), np.float64)
    filters: Any = import_module("skimage.filters")
    numbers = [float(one) for one in re.findall(r"\d[\d.]*", name.partition("(")[2])]
    if name.startswith("gabor"):
        made = filters.gabor_kernel(numbers[0], np.radians(numbers[1]), numbers[2])
        turned: Matrix = (made.real if name.endswith("real") else made.imag)[
            ::-1, ::-1
        ]  # a kernel to be looked at, not convolved
        return turned
    impulse = np.zeros((41, 41))
    impulse[20, 20] = 1
    answers: dict[str, Callable[[], tuple[Any, int]]] = {
        "laplace": lambda: (filters.laplace(impulse), 1),
        "difference_of_gaussians": lambda: (filters.difference_of_gaussians(impulse, *numbers, truncate=8), 6),
        "gaussian": lambda: (filters.gaussian(impulse, *numbers, truncate=4.6), 6),
        "unsharp_mask": lambda: (filters.unsharp_mask(impulse, *numbers, preserve_range=True), 4),
    }
    answer, reach = answers[name.partition("(")[0]]()
    part: Matrix = answer[20 - reach : 21 + reach, 20 - reach : 21 + reach]
    return part


LIBRARIES = {
    "ImageMagick": Library(MAGICK, MAGICK_LEFT_OUT, _magick, magick_version, flips=True, slow=True),
    "libvips": Library(VIPS, VIPS_LEFT_OUT, _vips, _vips_version, within=1e-5, slow=True),
    "G'MIC": Library(GMIC, GMIC_LEFT_OUT, _gmic, _gmic_version, within=1e-7, slow=True),
    "Pillow": Library(PILLOW, PILLOW_LEFT_OUT, _pillow, lambda: _installed("pillow")),
    "kornia": Library(KORNIA, KORNIA_LEFT_OUT, _kornia, lambda: _installed("kornia"), within=1e-7),
    "scikit-image": Library(
        SKIMAGE, SKIMAGE_LEFT_OUT, _skimage, lambda: _installed("scikit-image"), flips=True, within=1e-12
    ),
}


def main() -> None:
    """Ask every library that is installed, and write down what it answers; the others' values stay."""
    kept = json.loads(VALUES.read_text()) if VALUES.exists() else {}
    for name, library in LIBRARIES.items():
        if (version := library.version()) is not None:
            values = {kernel: library.read(kernel).tolist() for kernel in library.rows}
            kept[name] = {"version": version, "values": values}
    text = json.dumps(kept, indent=1, ensure_ascii=False)
    text = re.sub(r"\[\s+([^][]*?)\s+\]", lambda row: "[" + re.sub(r"\s+", " ", row[1]) + "]", text)
    VALUES.write_text(text + "\n")


if __name__ == "__main__":
    main()
