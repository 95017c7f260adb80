"""How results are presented. There is a module for each kind of result, with its JSON and its tables side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcli.geometry import Geometry


def parameters(geometry: Geometry) -> dict[str, Any]:
    """The JSON of a geometry's parameters."""
    return {
        "kernel_size": list(geometry.kernel),
        "stride": list(geometry.stride),
        "padding": geometry.pads._asdict(),
        "padding_mode": geometry.padding_mode,
        "dilation": list(geometry.dilation),
        "output_padding": list(geometry.output_padding),
    }


def border_of(geometry: Geometry) -> str:
    """The padding mode as it follows the padding in a table; empty where a transposed operation reads no border."""
    if not geometry.transpose:
        return f", {geometry.padding_mode}"
    return "" if geometry.padding_mode == "zeros" else f"; the input goes on by {geometry.padding_mode}"


def one_or_all(entries: Sequence[Any]) -> Any:
    """The JSON of values of which a single one stands alone, and several are a list."""
    return entries[0] if len(entries) == 1 else list(entries)
