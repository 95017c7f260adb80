"""How results are presented: a module for each kind of result, with its JSON and its tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcli import report
from convcli.geometry import Geometry


def fields(record: object, names: str) -> dict[str, Any]:
    """The JSON of those attributes of a record that have the names of their keys."""
    return {name: getattr(record, name) for name in names.split()}


def parameters(geometry: Geometry, **more: str | None) -> dict[str, Any]:
    """The JSON of a geometry's parameters. `more` are further keys about the padding."""
    padding = {"padding": geometry.pads._asdict(), **more}
    return {
        "kernel_size": geometry.kernel,
        "stride": geometry.stride,
        **padding,
        **fields(geometry, "dilation output_padding"),
    }


def geometry_rows(geometry: Geometry, rule: str | None = None) -> list[tuple[str, str]]:
    """The rows of a table for stride, dilation and padding. A transposed operation may extend the input by a padding mode."""
    border = f", {geometry.padding_mode}"
    if geometry.transpose:
        border = f"; the input is extended by {geometry.padding_mode}" if geometry.padding_mode != "zeros" else ""
    rows = [
        ("stride, dilation", f"{report.pair(geometry.stride)}, {report.pair(geometry.dilation)}"),
        ("padding", report.padding(geometry.pads, rule) + border),
    ]
    return [*rows, ("output_padding", report.pair(geometry.output_padding))] if geometry.transpose else rows


def one_or_all(entries: Sequence[Any]) -> Any:
    """The JSON of values: a list, unless there is only one."""
    return entries[0] if len(entries) == 1 else list(entries)
