"""A contact sheet: all channels of a result in one picture, with labels."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli import images
from convcli.drawing import heatmap
from convcli.drawing.colors import PALETTES, Palette
from convcli.drawing.grid import number
from convcli.drawing.heatmap import Colors
from convcli.drawing.sheet import GAP, MARGIN, STRIP, Thumbnail, columns_of, lay_out
from convcli.errors import ImageError, param
from convcli.images import Picture
from convcli.images.figures import raster
from convcli.images.formats import TENSOR
from convcli.kernels import filter_sheet
from convcli.kernels.analysis import reduced
from convcli.kernels.bank import Matrix
from convcli.pointwise.ranges import Clipped, rule_of, store
from convcli.runs import pipeline
from convcli.runs.operation import Operation
from convcli.runs.pipeline import Outcome
from convcli.vocabulary import STRETCH

WIDTH = 1600
"""The largest width in pixels, unless the user gives another."""

SMALL = 96
"""A tile with fewer pixels than this on both sides is enlarged by a whole factor, at most to about this size."""

_RULES = {
    "clip": "0 is black, full scale white, the rest is clipped",
    "abs": "magnitudes: 0 is black, full scale white",
    "offset": "0 is mid-gray, half of full scale away from it white and black",
    "minmax": "each channel from its least (black) to its greatest value (white)",
}
PEAK = 0.995
"""The share of a channel's values that stay below white when the channel is stretched: otherwise, a few peaks would
leave the rest gray."""

_KEPT = "Kernels that sum to 1: 0 is black, full scale white, the rest is clipped."
_SIGNED = (
    f"0 is mid-gray where a channel has both signs, else black; each is stretched until {1 - PEAK:.1%} is clipped."
)


def run(
    picture: Picture, operation: Operation, source: str, container: str, policy: str | None, width: int, theme: str
) -> Outcome:
    """Apply an operation to a picture, and make a contact sheet of the result, at most `width` pixels wide.

    `source` is the picture's name, for the title, and `container` the format of the sheet. Without a range policy every channel
    is stretched: 0 becomes black, or mid-gray if there are negative values. But what a kernel of sum 1 makes stays as bright as
    it is. `theme` is one of `convcli.drawing.colors.PALETTES`.
    The policy and the clipped values of the outcome are those of the channels on the sheet.

    Raises
    ------
    ConvError
        The picture is a batch, the format or the policy is not for a sheet, or the operation does not fit the picture.
    """
    check(container, policy)
    if picture.colour.ndim == 4 and len(picture.colour) > 1:
        raise ImageError(param("montage"), f"draws one image, this is a batch of {len(picture.colour)}", "split it")
    outcome = pipeline.run(picture, operation, TENSOR)
    page, clipped, remarks = _page(outcome, operation, source, policy, width, PALETTES[theme])
    drawn = Picture(np.moveaxis(page, -1, 0), None, "rgb", 255.0)
    storage = images.storage_for(drawn, "rgb", drawn.shape, False, container, None)
    # The page already holds the file's integers: the policy here is the one used for the channels.
    storage = storage._replace(notes=(*outcome.storage.notes, *storage.notes, *remarks), policy=policy or STRETCH)
    result = outcome.result._replace(clipped=clipped)
    return Outcome(drawn, result, storage, outcome.groups, None, outcome.picture.shape)


def check(container: str, policy: str | None) -> None:
    """Raise an ImageError if a format or a range policy is not for contact sheets."""
    if images.row_of(container).tensor:
        rule = "draws a picture, and .npy holds the channels as they are"
        raise ImageError(param("montage"), rule, "use png, or leave it out")
    if policy == "raw":
        rule = "draws gray levels"
        raise ImageError(param("montage"), rule, f"use another {param('range')} than raw, or leave it out")


def _page(
    outcome: Outcome, operation: Operation, source: str, policy: str | None, width: int, palette: Palette
) -> tuple[NDArray[np.uint8], Clipped, tuple[str, ...]]:
    """The contact sheet ``(H, W, 3)``, counts of the values that were clipped in it, and remarks about its letters."""
    colour = outcome.picture.colour
    if colour.ndim == 4:
        colour = colour[0]
    count, height, across = colour.shape
    columns = columns_of(count)
    room = max(8, (width - 2 * MARGIN - (columns - 1) * GAP) // columns)
    shrink = max(1, ceil(across / room))
    grow = max(1, min(room // across, SMALL // max(height, across))) if shrink == 1 else 1
    size = ceil(height / shrink) * grow, ceil(across / shrink) * grow
    labels, icons = _labels(operation, count, outcome.picture.space), _icons(operation, count, palette)
    policies = [policy or kept for kept in _kept(operation, outcome.picture, count)]
    spans = [_span(channel) for channel in colour]
    tiles = [Thumbnail(label, None, span, icon) for label, span, icon in zip(labels, spans, icons, strict=True)]
    drawn = f", drawn at 1/{shrink}" if shrink > 1 else f", every pixel as {grow}×{grow}" if grow > 1 else ""
    caption = f"{count} channels of {height}×{across}{drawn}. {_rule(policy, policies)}"
    laid = lay_out(tiles, size, f"{operation.written} on {Path(source).name}", caption, columns, palette)
    page = raster.paint(laid.scene).copy()
    counts = []
    for channel, (x, y), how in zip(colour, laid.places, policies, strict=True):
        gray, clipped = _gray(_averaged(channel, shrink), how, outcome.picture.full_scale)
        counts.append(clipped)
        page[y : y + size[0], x : x + size[1]] = gray.repeat(grow, 0).repeat(grow, 1)[..., np.newaxis]
    remarks = raster.remarks(laid.scene.shapes, "")
    if page.shape[1] > width:
        remarks = (*remarks, f"the sheet is {page.shape[1]} pixels wide: its tiles and labels take more than {width}")
    return page, Clipped.sum(*counts), remarks


def _averaged(channel: NDArray[Any], factor: int) -> NDArray[np.float64]:
    """Means of blocks of `factor` × `factor` pixels. Blocks at the bottom and at the right may be smaller."""
    real = channel.astype(np.float64)
    if factor == 1:
        return real
    starts = [np.arange(0, side, factor) for side in channel.shape]
    counts = [np.diff([*start, side]) for start, side in zip(starts, channel.shape, strict=True)]
    sums = np.add.reduceat(np.add.reduceat(real, starts[0], 0), starts[1], 1)
    means: NDArray[np.float64] = sums / np.outer(*counts)
    return means


def _gray(values: NDArray[np.float64], policy: str | None, full_scale: float) -> tuple[NDArray[np.uint8], Clipped]:
    """Gray levels of a channel, and counts of the values that were clipped."""
    out = np.empty(values.shape, np.uint8)
    if policy is not None:
        scale = 255 / full_scale
        rule, span = rule_of(policy, scale)
        return out, store(values * scale, 255.0, rule, out, span=span)
    finite = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    sizes = np.abs(finite)
    peak = float(np.quantile(sizes, PEAK)) or float(sizes.max()) or 1.0
    stretched = finite * (255 / peak) if finite.min() >= 0 else 128 + finite * (127 / peak)
    clipped = store(stretched, 255.0, "clip", out)
    return out, clipped._replace(nan=int(np.count_nonzero(np.isnan(values))))


def _span(channel: NDArray[Any]) -> str:
    """The least and the greatest value of a channel, as a short text."""
    ends = float(channel.min()), float(channel.max())
    return "…".join(f"{end:.0f}".replace("-", "−") if 10 <= abs(end) < 1e6 else number(end, 2) for end in ends)


def _labels(operation: Operation, count: int, space: str) -> list[str]:
    """A label for each channel: the name of its kernel, with the image's channel if there are several; a number for a layer."""
    bank = operation.bank
    if bank is None:
        return [str(place) for place in range(count)]
    names = [f"{bank.combine} of {bank.label}"]
    if bank.combine in (None, "none"):
        apart = [(one, "none" in (bank.combine, one.combine)) for one in bank.filters]
        names = [name for one, alone in apart for name in ([k.name for k in one.kernels] if alone else [one.label])]
    blocks = count // len(names)
    if blocks == 1:
        return names
    letters = "RGB" if blocks == 3 and space in ("rgb", "tensor") else None
    return [f"{letters[block] if letters else block} {name}" for block in range(blocks) for name in names]


def _kept(operation: Operation, result: Picture, count: int) -> list[str | None]:
    """For each channel the range policy if the user asks for none: ``clip`` if its kernel keeps the brightness, else None."""
    bank, spec = operation.bank, operation.spec
    if bank is None or spec.transpose or operation.channels == "sum" or operation.bias is not None or result.assumed:
        return [None] * count
    rules = ["clip" if abs(kernel.values.sum() - 1) < 1e-6 else None for kernel in bank.kernels]
    return rules * (count // len(rules)) if {rule for _, rule in bank.parts} == {"none"} else [None] * count


def _rule(policy: str | None, policies: Sequence[str | None]) -> str:
    """What black, gray and white are on the sheet, in words."""
    if policy is not None:
        low, _, high = policy.partition(",")
        return f"{_RULES.get(policy, f'{low} is black, {high} white, the rest is clipped')}."
    if None not in policies:
        return _KEPT
    return f"{_KEPT} Others: {_SIGNED}" if "clip" in policies else _SIGNED


def _icons(operation: Operation, count: int, palette: Palette) -> list[Colors | None]:
    """A picture of the filter of each channel, if the filter can be drawn as one picture."""
    drawn: Sequence[Colors | None] = [None]
    bank, weight = operation.bank, operation.weight
    if bank is not None and {rule for _, rule in bank.parts} == {"none"}:
        drawn = [heatmap.signed(_icon(kernel.values).tolist(), palette) for kernel in bank.kernels]
    elif (
        weight is not None and not operation.spec.transpose and weight.shape[1] in (1, 3) and weight.shape[2:] != (1, 1)
    ):
        drawn = [picture for _, picture in filter_sheet.draw(weight, palette, count).tiles]
    return [*drawn] * (count // len(drawn)) if count % len(drawn) == 0 else [None] * count


def _icon(values: Matrix) -> Matrix:
    """A kernel as it is drawn before a label: a large one is reduced, and a single value has zeros around it."""
    small = np.pad(values, 1) if values.size == 1 else values
    return reduced(small, STRIP - 3)
