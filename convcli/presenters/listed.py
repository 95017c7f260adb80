"""The lists of ``convcli kernel``: the named kernels, and the tensors in a file of weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcli import report
from convcli.kernels.named import Recipe
from convcli.kernels.weights import Stored

WIDE = 140
"""In a terminal with at least this many columns, the list of kernels has four columns, else two."""

_KEYS = ("name", "usage", "about", "scale", "combine", "members", "aliases", "source")


def document(recipes: Sequence[Recipe]) -> list[dict[str, Any]]:
    """The JSON of the named kernels."""
    return [{key: getattr(recipe, key) for key in _KEYS} for recipe in recipes]


def table(recipes: Sequence[Recipe], pictures: Sequence[Sequence[str]]) -> report.Table:
    """The named kernels. In a narrow terminal, one column has everything about them."""
    title, about = "convcli kernel: the named kernels", "what it is"
    if report.width(WIDE) < WIDE:
        rows = [(one.usage, f"{one.about} Scale: {one.scale}. Source: {one.source}.") for one in recipes]
        return report.Table(title, rows, ("kernel", about), pictures=pictures)
    wide = [(one.usage, one.about, one.scale, one.source) for one in recipes]
    return report.Table(title, wide, ("kernel", about, "scale", "source"), pictures=pictures)


def tensors_document(path: str, found: Sequence[Stored]) -> dict[str, Any]:
    """The JSON of a file's tensors."""
    return {"file": path, "tensors": [_tensor(one) for one in found]}


def _tensor(one: Stored) -> dict[str, Any]:
    return {
        "name": one.name,
        "shape": list(one.shape),
        "dtype": one.dtype,
        "parameters": one.parameters,
        "min": one.low,
        "max": one.high,
        "mean": one.mean,
        "bias": one.bias,
    }


def tensors_table(path: str, found: Sequence[Stored]) -> report.Table:
    """A line for each tensor."""
    header = ("tensor", "shape", "dtype", "parameters", "min", "max", "mean", "bias")
    rows = [
        (
            one.name or "(the array)",
            report.shape(one.shape),
            one.dtype,
            f"{one.parameters}",
            *(f"{value:.3g}" for value in (one.low, one.high, one.mean)),
            one.bias or "none",
        )
        for one in found
    ]
    return report.Table(f"convcli kernel: {path}", rows, header, right=frozenset({3, 4, 5, 6}))
