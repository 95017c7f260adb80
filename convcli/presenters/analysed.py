"""Kernels as ``convcli kernel`` shows them: the properties of one, the named ones, and the tensors in a file of weights."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli import report
from convcli.kernels import Filter, export, kernel_figure
from convcli.kernels.analysis import Analysis
from convcli.kernels.factors import Factor
from convcli.kernels.named import Recipe
from convcli.kernels.response import magnitude
from convcli.presenters import fields

if TYPE_CHECKING:
    from convcli.kernels.weights import Stored

FEW = 3
"""The most factors of a kernel that are written out."""

TALL = 31
"""The most rows of a matrix that is written out."""

MARGIN = 24
"""Columns of the terminal for the names in a table."""

WIDE = 140
"""In a terminal with at least this many columns, the list of kernels has four columns, else two."""


def document(spec: str, one: Filter, found: Sequence[Analysis]) -> dict[str, Any]:
    """The JSON of a SPEC. A bank has the largest rank and gain of its kernels."""
    said, members = {"spec": spec, "combine": one.combine}, [_member(member) for member in found]
    if len(found) == 1:
        return {**members[0], **said}
    ranks = [member.rank for member in found if member.rank is not None]
    rank = max(ranks) if len(ranks) == len(found) else None
    gain = max(member.gain for member in found)
    return {"name": one.label, **said, "rank": rank, "gain": gain, "kernels": members}


def _member(found: Analysis) -> dict[str, Any]:
    """The JSON of one kernel. Its values are written row by row."""
    frequencies = np.linspace(0, 0.5, 33)
    zero = np.zeros(1)
    return {
        "name": found.name,
        "kernel": report.Encoded(export.json(found)),
        "height": found.values.shape[0],
        "width": found.values.shape[1],
        **fields(found, "denominator sum abs_sum"),
        "range": [found.low, found.high],
        **fields(found, "gain gain_at zero_sum symmetric antisymmetric"),
        "mirror": fields(found, "left_right top_bottom"),
        "separable": None if found.rank is None else found.rank <= 1,
        "rank": found.rank,
        "factors": [fields(factor, "scale column row") for factor in found.factors],
        **fields(found, "centre offset"),
        "response": {
            "frequency": frequencies.tolist(),
            "vertical": magnitude(found.values, frequencies, zero)[:, 0].tolist(),
            "horizontal": magnitude(found.values, zero, frequencies)[0].tolist(),
        },
    }


def table(found: Analysis, op: str, one: Filter) -> report.Table:
    """The table of a kernel. `op` is how it is applied, `one` the bank that it belongs to."""
    height, width = found.values.shape
    room = report.width(160) - MARGIN
    forms = ([" ".join(row) for row in kernel_figure.matrix(found, digits)] for digits in (4, 3, 2))
    lines = next((lines for lines in forms if len(lines[0]) <= room), []) if height <= TALL else []
    scale = kernel_figure.scale(found) if lines and kernel_figure.readable(found) else ""
    lines = lines or [f"{height}×{width} values are too many to show: see -q, --json and -o"]
    names = [f"matrix {scale}".strip(), *[""] * (len(lines) - 1)]
    rows = [("size", f"{height}×{width}"), *zip(names, lines, strict=True)]
    if len(one.kernels) > 1:
        rows.append(("combined", f"{len(one.kernels)} kernels of {one.label}, by {one.combine}"))
    rows += [
        ("sum", _number(found.sum) + (", zero-sum: flat areas become 0" if found.zero_sum else "")),
        ("Σ|k|", _number(found.abs_sum)),
        ("range", _range(found)),
        ("gain", _gain(found)),
        ("symmetry", _symmetry(found)),
        ("rank", _rank(found)),
    ]
    for number, factor in enumerate(found.factors if len(found.factors) <= FEW else (), 1):
        rows.append(("factors" if len(found.factors) == 1 else f"factors {number}", _factor(factor, room)))
    rows.append(("centre", _centre(found)))
    flipped = ", flipped" if op == "conv" else ""
    return report.Table(f"convcli kernel: {found.name}{flipped}", rows)


def caption(found: Analysis) -> str:
    """The most important numbers, on one line."""
    height, width = found.values.shape
    rank = "" if found.rank is None else f", rank {found.rank}"
    return (
        f"{height}×{width}, sum {_number(found.sum)}, Σ|k| {_number(found.abs_sum)}, gain {_number(found.gain)}{rank}"
    )


def _range(found: Analysis) -> str:
    """The range of possible results, and which part of it is clipped."""
    low, high = found.low, found.high
    text = f"0…1 becomes {_number(low)}…{_number(high)}, 0…255 {_number(255 * low)}…{_number(255 * high)}"
    below, above = low < -1e-9, high > 1 + 1e-9
    if not below and not above:
        return f"{text}: never clipped"
    sides = " and ".join(["below black"] * below + ["above white"] * above)
    return f"{text}: {sides} is clipped, see --range"


def _gain(found: Analysis) -> str:
    fy, fx = found.gain_at
    if not fy and not fx:
        return f"{_number(found.gain)}, for flat areas"
    return f"{_number(found.gain)}, for waves of {fy:.3g} cycles per pixel down and {fx:.3g} across"


def _symmetry(found: Analysis) -> str:
    if found.symmetric:
        text = "the same when turned by 180°: convolution = correlation"
    elif found.antisymmetric:
        text = "changes its sign when turned by 180°: convolution = −correlation"
    else:
        text = "differs when turned by 180°: convolution and correlation differ (--op)"
    mirrors = [name for name, holds in (("left-right", found.left_right), ("top-bottom", found.top_bottom)) if holds]
    return text + (f"; mirrored {' and '.join(mirrors)} the same" if mirrors else "")


def _rank(found: Analysis) -> str:
    if found.rank is None:
        return "not computed for a kernel of this size"
    if found.rank == 0:
        return "0: every value is 0"
    if found.rank == 1:
        return "1: separable, a column times a row"
    return f"{found.rank}: the sum of {found.rank} separable kernels"


def _factor(factor: Factor, room: int) -> str:
    """A factor as text: ``1/4 × (1, 2, 1)ᵀ (-1, 0, 1)``."""
    near = Fraction(factor.scale).limit_denominator(10**6)
    exact = near if abs(float(near) - factor.scale) < 1e-12 * abs(factor.scale) else None
    scale = "" if factor.scale == 1 else f"{exact if exact is not None else _number(factor.scale)} × "
    column, row = (", ".join(f"{value + 0.0:.4g}" for value in values) for values in (factor.column, factor.row))
    text = f"{scale}({column})ᵀ ({row})"
    short = f"a column of {len(factor.column)} and a row of {len(factor.row)}: see --json"
    return text if len(text) <= 3 * room else short


def _centre(found: Analysis) -> str:
    """The tap on the output pixel, and how an even size moves the result."""
    (y, x), (down, right) = found.centre, found.offset
    text = f"tap {y},{x} (row, column)"
    if not down and not right:
        return text
    shift = " and ".join(["½ pixel up"] * bool(down) + ["½ pixel to the left"] * bool(right))
    return f"{text} with padding same, as PyTorch; an even size has no middle: the result moves {shift}"


def _number(value: float) -> str:
    """A number with up to six digits. Rounding errors around 0 become 0."""
    return f"{0.0 if abs(value) < 1e-12 else value:.6g}"


def list_document(recipes: Sequence[Recipe]) -> list[dict[str, Any]]:
    """The JSON of the named kernels."""
    return [fields(recipe, "name usage about scale combine members aliases source") for recipe in recipes]


def list_table(recipes: Sequence[Recipe], pictures: Sequence[Sequence[str]]) -> report.Table:
    """The named kernels. In a narrow terminal, everything about a kernel is in one column."""
    title, about = "convcli kernel: the named kernels (-q: the names alone)", "what it is"
    if report.width(WIDE) < WIDE:
        rows = [(one.usage, f"{one.about} Scale: {one.scale}. Source: {one.source}.") for one in recipes]
        return report.Table(title, rows, ("kernel", about), pictures=pictures)
    wide = [(one.usage, one.about, one.scale, one.source) for one in recipes]
    return report.Table(title, wide, ("kernel", about, "scale", "source"), pictures=pictures)


def tensors_document(path: str, found: Sequence[Stored]) -> dict[str, Any]:
    """The JSON of a file's tensors."""
    tensors = [
        {**fields(one, "name shape dtype parameters"), "min": one.low, "max": one.high, **fields(one, "mean bias")}
        for one in found
    ]
    return {"file": path, "tensors": tensors}


def tensors_table(path: str, found: Sequence[Stored]) -> report.Table:
    """A line for each tensor."""
    header = ("tensor", "shape", "dtype", "parameters", "min", "max", "mean", "bias")
    rows = [
        (one.name or "(the array)", report.shape(one.shape), one.dtype, f"{one.parameters}",
         *(f"{value:.3g}" for value in (one.low, one.high, one.mean)), one.bias or "none")
        for one in found
    ]  # fmt: skip
    return report.Table(f"convcli kernel: {path}", rows, header, right=frozenset({3, 4, 5, 6}))
