"""Numbers and arrays as text, and the lines that Python scripts share."""

from __future__ import annotations

import textwrap
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.kernels import weights
from convcli.pipeline import LUMA, LUMINANCE
from convcli.translate.request import Part, Request

PASTED = 1024
"""So many numbers are written out; more are read from a file."""

SEPARATED = 225
"""A kernel of more values, 15×15, is written as a column times a row, where it is that."""

LINE = 100
"""Characters of a line, where it can be helped."""

NUMPY_MODE = {
    "zeros": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
    "symmetric": "symmetric",
}


def lacking(what: str) -> str:
    """The line that says what cannot be expressed."""
    return f"# cannot be expressed: {what}"


# Numbers


def number(value: float) -> str:
    """All digits of a number, and no more: integers as integers."""
    value = float(value)
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def numbers(values: NDArray[np.float64], separator: str = ", ") -> str:
    """The numbers of a vector."""
    return separator.join(map(number, values))


def nested(values: NDArray[np.float64], indent: int = 0) -> str:
    """An array as nested lists, on several lines where it does not fit in one."""
    if values.ndim == 1:
        margin = " " * (indent + 1)
        return textwrap.fill(f"{margin}[{numbers(values)}]", LINE + 20, subsequent_indent=margin).strip()
    parts = [nested(part, indent + 1) for part in values]
    flat = f"[{', '.join(parts)}]"
    if len(flat) + indent <= LINE and "\n" not in flat:
        return flat
    return "[" + (",\n" + " " * (indent + 1)).join(parts) + "]"


def fraction(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Integers, and the number below 2,000 that divides them into exactly `values`; else the values, and 1."""
    for divisor in range(1, 2000):
        whole = np.round(values * divisor)
        if (whole / divisor == values).all():
            return whole, divisor
    return values, 1


def outer(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """The column and the row whose product a matrix is, but for rounding; None where it is none."""
    i, j = np.unravel_index(np.abs(values).argmax(), values.shape)
    peak = float(values[i, j])
    if peak == 0:
        return None
    column, row = values[:, j] / peak, values[i]
    return (column, row) if np.abs(np.outer(column, row) - values).max() <= 1e-15 * abs(peak) else None


class Make(NamedTuple):
    """How a library makes a float64 array: of nested lists, of those before a division, and of NumPy's array."""

    lists: str
    divided: str
    numpy: str


OF_NUMPY = Make("np.array({}, dtype=float)", "np.array({})", "{}")


def array(name: str, values: NDArray[np.float64], make: Make = OF_NUMPY, stored: str = "") -> list[str]:
    """Lines that assign an array.

    Parameters
    ----------
    name : str
        Of the variable.
    values : ndarray
        float64, any shape.
    make : Make
        The library.
    stored : str
        An expression that reads too long an array from the user's file; empty: it has to be saved first.
    """
    if values.ndim == 2 and values.size > SEPARATED and (factors := outer(values)) is not None:
        lines = []
        for key, vector in zip(("column", "row"), factors, strict=True):
            start = f"{key} = np.array("
            lines += f"{start}{nested(vector, len(start))})".splitlines()
        return [*lines, f"{name} = {make.numpy.format('np.outer(column, row)')}"]
    if values.size > PASTED:
        if stored:
            return [f"{name} = {make.numpy.format(stored)}"]
        shape = "×".join(map(str, values.shape))
        missing = lacking(f"{shape} numbers are too many to paste; save them, as applied, to {name}.npy")
        loaded = f'np.load("{name}.npy")'
        return [missing, f"{name} = {make.numpy.format(loaded)}"]
    whole, divisor = fraction(values)
    form = make.divided if divisor > 1 else make.lists
    start = f"{name} = {form.partition('{}')[0]}"
    ending = f" / {divisor}" if divisor > 1 else ""
    return (f"{name} = {form.format(nested(whole, len(start)))}" + ending).splitlines()


def quoted(text: str) -> str:
    """A string as Python writes it, in double quotes where it can."""
    return repr(text) if '"' in text else '"' + repr(f"{text}'")[1:-2] + '"'


class Stored(NamedTuple):
    """An import, and an expression that reads weights as float64; both may be empty."""

    imported: str
    expression: str


def stored(request: Request) -> Stored:
    """How a script reads the weights from the user's own file, where it can know it."""
    if not request.weights:
        return Stored("", "")
    path, key = weights.split(request.weights)
    file, flip = quoted(str(path)), "[:, :, ::-1, ::-1].copy()" if request.flipped else ""
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return Stored("", f"np.load({file}).astype(float){flip}")
    if key is None:
        return Stored("", "")
    if suffix == ".npz":
        return Stored("", f"np.load({file})[{quoted(key)}].astype(float){flip}")
    if suffix == ".safetensors":
        imported = "from safetensors.numpy import load_file"
        return Stored(imported, f"load_file({file})[{quoted(key)}].astype(float){flip}")
    return Stored("import torch", f"torch.load({file}, weights_only=True)[{quoted(key)}].double().numpy(){flip}")


# Scripts


def path(request: Request) -> str:
    """The image's path; a stand-in where it came through a pipe."""
    return "image.png" if request.source == "-" else request.source


def tensor(request: Request) -> bool:
    """Whether the image is a .npy file."""
    return request.source.lower().endswith(".npy")


def _turned(request: Request) -> bool:
    """Whether the image may have an EXIF orientation: what cameras write."""
    return request.source.lower().endswith((".jpg", ".jpeg"))


def imports(request: Request, *own: str, pillow: bool = True) -> list[str]:
    """The import lines of a script, in order, and an empty line."""
    lines = {"import numpy as np", *own}
    if pillow and not tensor(request):
        lines.add("from PIL import Image" + (", ImageOps" if _turned(request) else ""))
    lines.discard("")
    return [*sorted(lines, key=lambda line: (line.startswith("from"), line.lower())), ""]


def image(request: Request) -> list[str]:
    """Lines that read the image as Pillow decodes it: ``image``, float64 ``(C, H, W)``."""
    if tensor(request):
        height, width = request.geometry.input
        shape = f"({request.input_channels}, {height}, {width})"
        return [f"image = np.load({quoted(path(request))}).astype(float).reshape{shape}", *prepared(request)]
    opened = f"Image.open({quoted(path(request))})"
    if _turned(request):
        opened = f"ImageOps.exif_transpose({opened})"
    if request.input_channels == 3:
        opened += '.convert("RGB")'
    axes = ".transpose(2, 0, 1)" if request.input_channels > 1 else "[None]"
    return [f"image = np.asarray({opened}, dtype=float){axes}", *prepared(request)]


def prepared(request: Request) -> list[str]:
    """What happens to ``image`` before the operation: linear light, gray."""
    lines = []
    if request.linear:
        white = number(request.full_scale)
        lines += [
            f"light = np.abs(image) / {white}  # sRGB to linear light",
            "light = np.where(light <= 0.04045, light / 12.92, ((light + 0.055) / 1.055) ** 2.4)",
            f"image = {white} * np.copysign(light, image)",
        ]
    if request.gray:
        lines.append(f"image = np.tensordot([{numbers(luma(request))}], image, 1)[None]  # gray")
    return lines


def luma(request: Request) -> NDArray[np.float64]:
    """What gray takes of each colour."""
    if request.input_channels != len(LUMA):
        return np.full(request.input_channels, 1 / request.input_channels)
    return np.array(LUMINANCE if request.linear else LUMA)


def pad(request: Request, name: str = "image") -> str:
    """A line that makes ``padded`` of an image ``(C, H, W)``, by NumPy."""
    top, bottom, left, right = request.geometry.pads
    mode = request.geometry.padding_mode
    how = "" if mode == "zeros" else f', mode="{NUMPY_MODE[mode]}"'
    return f"padded = np.pad({name}, ((0, 0), ({top}, {bottom}), ({left}, {right})){how})"


def spread(request: Request, kernels: NDArray[np.float64], name: str) -> list[str]:
    """Lines that assign the kernels, by NumPy, with the zeros of their dilation."""
    (high, wide), (d, e) = request.geometry.extent, request.geometry.dilation
    if (high, wide) == request.geometry.kernel:
        return array(name, kernels, stored=stored(request).expression)
    shape = ", ".join(map(str, (*kernels.shape[:-2], high, wide)))
    steps = f"{'..., ' if kernels.ndim > 2 else ''}::{d}, ::{e}"
    return [
        *array("taps", kernels, stored=stored(request).expression),
        f"{name} = np.zeros(({shape}))  # dilation",
        f"{name}[{steps}] = taps",
    ]


def strided(request: Request) -> str:
    """The index of rows and columns that thins by the stride; empty for stride 1."""
    s, t = request.geometry.stride
    return "" if s == t == 1 else f"[:, ::{s}, ::{t}]"


class Dialect(NamedTuple):
    """How a library joins arrays along their second axis; ``{keep}`` is where it keeps that axis."""

    magnitude: str
    sum: str
    max: str
    concatenate: str
    keep: str


NUMPY = Dialect(
    "np.linalg.norm({bank}, axis=1{keep})",
    "{bank}.sum(axis=1{keep})",
    "{bank}.max(axis=1{keep})",
    "np.concatenate([{parts}], axis=1)",
    ", keepdims=True",
)


def joined(request: Request, dialect: Dialect = NUMPY) -> list[str]:
    """Lines that join the outputs of a bank."""
    parts = request.joined
    if not parts:
        return []
    height, width = request.geometry.output
    bank = f"result.reshape({request.blocks}, {parts[-1].stop}, {height}, {width})"
    if len(parts) == 1:
        return ["result = " + getattr(dialect, parts[0].rule).format(bank=bank, keep="")]

    def piece(part: Part) -> str:
        outputs = f"bank[:, {part.start}:{part.stop}]"
        return outputs if part.rule == "none" else getattr(dialect, part.rule).format(bank=outputs, keep=dialect.keep)

    together = dialect.concatenate.format(parts=", ".join(map(piece, parts)))
    return [f"bank = {bank}", f"result = {together}.reshape(-1, {height}, {width})"]


def finished(request: Request) -> list[str]:
    """What happens to ``result``, all outputs as NumPy's array: bias, joining, back from linear light."""
    lines = []
    if request.offset is None:
        assert request.bias is not None
        lines.append(f"result += np.array([{numbers(request.bias)}])[:, None, None]")
    elif request.offset:
        lines.append(f"result += {number(request.offset)}")
    return [*lines, *joined(request), *encoded(request)]


def encoded(request: Request) -> list[str]:
    """Back from linear light, where it was left."""
    if not request.linear:
        return []
    white = number(request.full_scale)
    return [
        f"light = np.abs(result) / {white}  # linear light to sRGB",
        "light = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)",
        f"result = {white} * np.copysign(light, result)",
    ]
