"""Which axes of a Zarr array are rows, columns and channels, and how large its pixels are.

The Next Generation File Format of OME, "OME-Zarr", 0.4 and 0.5: ``multiscales`` with ``axes`` and ``coordinateTransformations``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcli.errors import ImageError
from convcli.records import NamedTuple

_NAMES = {
    "y": "y", "x": "x", "c": "c", "channel": "c", "channels": "c", "band": "c", "bands": "c", "row": "y", "rows": "y",
    "column": "x", "columns": "x", "height": "y", "width": "x",
}  # fmt: skip
"""Names of axes, and what they stand for."""

_METRES = {
    "angstrom": 1e-10, "nanometer": 1e-9, "micrometer": 1e-6, "millimeter": 1e-3, "centimeter": 1e-2, "meter": 1.0,
    "inch": 0.0254, "foot": 0.3048, "kilometer": 1e3,
}  # fmt: skip
"""OME's units of length."""


class Axes(NamedTuple):
    """The places of axes among those of an array. All others have one entry."""

    y: int
    x: int
    c: int | None
    last: bool  # whether channels are last by their shape, as an array of a picture has them

    def shape(self, shape: Sequence[int]) -> tuple[int, int, int]:
        """``(C, H, W)``."""
        return 1 if self.c is None else shape[self.c], shape[self.y], shape[self.x]


class Level(NamedTuple):
    """An array among those of an OME-Zarr."""

    path: str
    names: tuple[str, ...]  # of its axes; empty if nothing says them
    scale: dict[str, float]  # metres from one pixel to the next, by axis


def levels(attributes: Any) -> list[Level]:
    """The levels of the first picture that the attributes of a group describe, the largest first; none of another group."""
    try:
        inner = attributes.get("ome", attributes)
        found = inner["multiscales"][0]
        axes = [one if isinstance(one, dict) else {"name": one} for one in found.get("axes", ())]
        names = tuple(str(one["name"]).lower() for one in axes)
        units = [_METRES.get(str(one.get("unit"))) for one in axes]
        whole = _scale(found, len(axes))
        out = []
        for data in found["datasets"]:
            steps = [a * b for a, b in zip(whole, _scale(data, len(axes)), strict=True)]
            sizes = {
                _NAMES.get(name, name): step * unit
                for name, step, unit in zip(names, steps, units, strict=True)
                if unit is not None
            }
            out.append(Level(str(data["path"]), names, sizes))
        return out
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return []


def _scale(holder: Any, count: int) -> list[float]:
    for one in holder.get("coordinateTransformations", ()):
        if one.get("type") == "scale" and len(one.get("scale", ())) == count:
            return [float(value) for value in one["scale"]]
    return [1.0] * count


def axes_of(source: str, shape: Sequence[int], names: Sequence[str | None] | None) -> Axes:
    """The axes of an array, by their names or, without any, by its shape. Raises `ImageError`."""
    roles = [_NAMES.get(str(name).lower()) for name in names or ()]
    if len(roles) == len(shape) and roles.count("y") == roles.count("x") == 1 and roles.count("c") < 2:
        for place, (role, side) in enumerate(zip(roles, shape, strict=True)):
            if role is None and side != 1:
                raise _deep(source, f"{side} pictures along its axis '{(names or ())[place]}'")
        return Axes(roles.index("y"), roles.index("x"), roles.index("c") if "c" in roles else None, False)
    count = len(shape)
    deep = max(0, count - 3)
    if count < 2:
        raise ImageError(f"input '{source}'", f"has shape {tuple(shape)}", "use (H, W) or (C, H, W)")
    if any(side != 1 for side in shape[:deep]):
        raise _deep(source, f"shape {tuple(shape)}")
    if count == 2:
        return Axes(0, 1, None, False)
    if shape[-1] in (3, 4) and shape[-3] > 4:
        return Axes(deep, deep + 1, deep + 2, True)
    return Axes(deep + 1, deep + 2, deep, False)


def _deep(source: str, what: str) -> ImageError:
    return ImageError(f"input '{source}'", f"has {what}", "save one of them by itself", "one picture at a time is read")
