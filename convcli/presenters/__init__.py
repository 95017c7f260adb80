"""What results are told as: of each kind of result a module with its JSON and its tables, side by side."""

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


def one_or_all(entries: Sequence[Any]) -> Any:
    """The JSON of what is told by itself where there is one of it, and as a list where there are several."""
    return entries[0] if len(entries) == 1 else list(entries)
