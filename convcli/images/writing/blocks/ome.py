"""What a Zarr says of its picture: OME-Zarr 0.5, with a level of a pyramid in each array ``0``, ``1``, …

"Next-generation file formats (NGFF) 0.5": axes, multiscales, coordinate transformations, omero (the colours of channels).
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from convcli.images.directories import Entry
from convcli.images.metadata import RESOLUTION
from convcli.images.picture import Metadata
from convcli.images.writing.blocks import Layout

AXES = ("c", "y", "x")

_INCH = 25400.0
_UNITS = {2: _INCH, 3: 10000.0}
"""Micrometres of TIFF's units of a resolution: inches and centimetres."""

_COLOURS = {"Red": "FF0000", "Green": "00FF00", "Blue": "0000FF"}


def attributes(layout: Layout, levels: int) -> dict[str, Any]:
    """The attributes of the group."""
    pixel = layout.pixel or pixel_of(layout.metadata)
    axes: list[dict[str, str]] = [{"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space"} | ({"unit": "micrometer"} if pixel else {}) for name in AXES[1:]]
    scales = {
        "name": PurePath(layout.target).name.partition(".")[0],
        "axes": axes,
        "datasets": [
            {"path": str(level), "coordinateTransformations": _placed(level, pixel or (1.0, 1.0))}
            for level in range(levels)
        ],
        "type": "mean",
        "metadata": {"description": "means of 2×2 pixels"},
    }
    found: dict[str, Any] = {"version": "0.5", "multiscales": [scales]}
    if layout.space == "rgb":
        channels = [_channel(layout, *named) for named in _COLOURS.items()]
        if layout.shape[0] > len(channels):
            channels.append(_channel(layout, "Alpha", "FFFFFF") | {"active": False})
        found["omero"] = {"channels": channels}
    return {"ome": found}


def _placed(level: int, pixel: tuple[float, float]) -> list[dict[str, Any]]:
    """The size of a level's pixels, and where the centre of the first one lies: in the middle of those that it is the mean of."""
    factor = 2**level
    found: list[dict[str, Any]] = [{"type": "scale", "scale": [1.0, *(factor * side for side in pixel)]}]
    if level:
        found.append({"type": "translation", "translation": [0.0, *((factor - 1) / 2 * side for side in pixel)]})
    return found


def _channel(layout: Layout, label: str, colour: str) -> dict[str, Any]:
    window = {"start": 0, "end": layout.full_scale, "min": 0, "max": layout.full_scale}
    return {"label": label, "color": colour, "active": True, "window": window}


def pixel_of(metadata: Metadata) -> tuple[float, float] | None:
    """Height and width of a pixel in micrometres, from the resolution; None if it has no unit."""
    if metadata.resolution:
        across, down, unit = (metadata.resolution.get(tag) for tag in RESOLUTION)
        if not isinstance(across, Entry) or not isinstance(down, Entry):
            return None
        size = _UNITS.get(int(unit.numbers[0]) if isinstance(unit, Entry) else 2)
        return None if size is None else (size / down.numbers[0], size / across.numbers[0])
    if metadata.dpi:
        return _INCH / metadata.dpi[1], _INCH / metadata.dpi[0]
    return None
