"""How results are presented: a module for each kind of result, with its JSON and its tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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


def border_of(geometry: Geometry) -> str:
    """The padding mode, for a table; empty if a transposed operation reads no border."""
    if not geometry.transpose:
        return f", {geometry.padding_mode}"
    return "" if geometry.padding_mode == "zeros" else f"; the input is extended by {geometry.padding_mode}"


def one_or_all(entries: Sequence[Any]) -> Any:
    """The JSON of values: a list, unless there is only one."""
    return entries[0] if len(entries) == 1 else list(entries)
