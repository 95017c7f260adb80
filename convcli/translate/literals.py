"""Numbers, strings and arrays as text."""

from __future__ import annotations

import textwrap

import numpy as np

from convcli.kernels import weights
from convcli.records import NamedTuple
from convcli.translate.request import Array, Request

PASTED = 1024
"""The most numbers that are written in a script. If there are more, they are read from a file."""

SEPARATED = 225
"""A separable kernel with more values than this, 15×15, is written as a column times a row."""

LINE = 100
"""Characters of a line, if possible."""


def lacking(what: str) -> str:
    """The line about what cannot be expressed."""
    return f"# cannot be expressed: {what}"


def number(value: float) -> str:
    """A number with all its digits and no more. Integers are written as integers."""
    value = float(value)
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def numbers(values: Array, separator: str = ", ") -> str:
    """The numbers of a vector."""
    return separator.join(map(number, values))


def nested(values: Array, indent: int = 0) -> str:
    """An array as nested lists, on several lines where it does not fit in one."""
    if values.ndim == 1:
        margin = " " * (indent + 1)
        return textwrap.fill(f"{margin}[{numbers(values)}]", LINE + 20, subsequent_indent=margin).strip()
    parts = [nested(part, indent + 1) for part in values]
    flat = f"[{', '.join(parts)}]"
    if len(flat) + indent <= LINE and "\n" not in flat:
        return flat
    return "[" + (",\n" + " " * (indent + 1)).join(parts) + "]"


def fraction(values: Array) -> tuple[Array, int]:
    """Integers and a divisor that give exactly `values`, if they are easier to read; else the values and 1."""
    short = max(len(number(value)) for value in values.flat) <= 7
    for divisor in range(1, 257 if short else 2000):
        whole = np.round(values * divisor)
        if not (short and divisor in (10, 100)) and (whole / divisor == values).all():
            return whole, divisor
    return values, 1


def outer(values: Array) -> tuple[Array, Array] | None:
    """The column and the row whose product is the matrix, except for rounding; None if there are none."""
    i, j = np.unravel_index(np.abs(values).argmax(), values.shape)
    peak = float(values[i, j])
    if peak == 0:
        return None
    column, row = values[:, j] / peak, values[i]
    return (column, row) if np.abs(np.outer(column, row) - values).max() <= 1e-15 * abs(peak) else None


OF_NUMPY = "np.array({}, dtype=float)", "np.array({})", "{}"
"""How a library makes a float64 array: of nested lists, of nested lists before a division, and of an array of NumPy."""


def array(name: str, values: Array, make: tuple[str, str, str] = OF_NUMPY, stored: str = "") -> list[str]:
    """Lines that assign a float64 array of any shape to the variable `name`, as the library of `make` does it.

    `stored` is an expression that reads a long array from the user's file. Without one, the user has to save the array first.
    """
    lists, divided, numpy = make
    if values.ndim == 2 and values.size > SEPARATED and (factors := outer(values)) is not None:
        lines = []
        for key, vector in zip(("column", "row"), factors, strict=True):
            start = f"{key} = np.array("
            lines += f"{start}{nested(vector, len(start))})".splitlines()
        return [*lines, f"{name} = {numpy.format('np.outer(column, row)')}"]
    if values.size > PASTED:
        if stored:
            return [f"{name} = {numpy.format(stored)}"]
        shape = "×".join(map(str, values.shape))
        missing = lacking(f"{shape} numbers are too many for a script; save them, as applied, to {name}.npy")
        loaded = f'np.load("{name}.npy")'
        return [missing, f"{name} = {numpy.format(loaded)}"]
    whole, divisor = fraction(values)
    form = divided if divisor > 1 else lists
    start = f"{name} = {form.partition('{}')[0]}"
    ending = f" / {divisor}" if divisor > 1 else ""
    return (f"{name} = {form.format(nested(whole, len(start)))}" + ending).splitlines()


def quoted(text: str) -> str:
    """A string as a Python literal, in double quotes if possible."""
    return repr(text) if '"' in text else '"' + repr(f"{text}'")[1:-2] + '"'


class FromFile(NamedTuple):
    """An import and an expression that reads weights as float64. Both may be empty."""

    imported: str
    expression: str


def stored(request: Request) -> FromFile:
    """How a script reads the weights from the user's own file, if it can."""
    if not request.weights:
        return FromFile("", "")
    path, key = weights.split(request.weights)
    suffix = path.suffix.lower()
    if key is None and suffix != ".npy":
        return FromFile("", "")
    file, item = quoted(str(path)), f"[{quoted(key or '')}]"
    imported, read = {
        ".npy": ("", f"np.load({file}).astype(float)"),
        ".npz": ("", f"np.load({file}){item}.astype(float)"),
        ".safetensors": (
            "from safetensors.numpy import load_file  # pip install safetensors",
            f"load_file({file}){item}.astype(float)",
        ),
    }.get(suffix, ("import torch", f"torch.load({file}, weights_only=True){item}.double().numpy()"))
    return FromFile(imported, read + "[:, :, ::-1, ::-1].copy()" * request.flipped)
