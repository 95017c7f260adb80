"""What a kernel does to a picture: before and after, with the kernel between them."""

from __future__ import annotations

import shlex
from dataclasses import replace
from math import ceil, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convcli import images
from convcli.convspec import ConvSpec
from convcli.drawing import heatmap
from convcli.drawing.colors import PALETTES, Palette
from convcli.drawing.grid import Cell, cells, pixels
from convcli.drawing.scene import Rect, Shape, Text, fitting_size
from convcli.drawing.sheet import Thumbnail, lay_out
from convcli.errors import ImageError
from convcli.geometry import Pair, Size
from convcli.images import Picture
from convcli.images.figures import raster, screen
from convcli.kernels import kernel_figure, parse
from convcli.kernels.analysis import analyse, reduced
from convcli.kernels.bank import Kernel
from convcli.runs import pipeline
from convcli.runs.operation import Operation, assemble

SIDE = 400
"""The most pixels of a tile. The middle of a larger picture is shown, because reducing it would hide what a kernel does."""

SMALL = 200
"""Smaller pictures are enlarged by a whole factor, at most to this size."""

INSET = 0.15
"""The share of their tile that stays free around kernels, above and below together: room for the factor of their numbers."""

READABLE = 10.0
"""The least font size of the numbers in a kernel."""


def draw(spec: str, source: str, theme: str) -> tuple[Picture, tuple[str, ...]]:
    """A figure of a kernel on the picture at a path or ``-``: RGB, and notes for the user.

    Several kernels that are not combined have a tile each. `theme` is one of `convcli.drawing.colors.PALETTES`.

    Raises
    ------
    ConvError
        The kernel cannot be built; the picture cannot be read, or is neither gray nor RGB.
    """
    given, palette = parse(spec), PALETTES[theme]
    picture = images.load(source)
    if picture.space not in ("gray", "rgb") or picture.colour.ndim != 3:
        raise ImageError(f"'{source}'", f"is {picture.space}", "use a picture that is gray or RGB for a preview")
    picture = replace(picture, full_scale=images.white_of(picture, "PNG"))
    apart = given.combine == "none" and len(given.kernels) > 1
    operations = [_operation(one) for one in ([kernel.name for kernel in given.kernels] if apart else [spec])]
    results = [pipeline.run(picture, operation, "PNG", _policy(operation)) for operation in operations]
    steps = operations[0].spec.stride.rows
    before = (
        _cropped(screen.levels(picture, palette.background), SIDE // steps, SIDE // steps)
        .repeat(steps, 0)
        .repeat(steps, 1)
    )
    shown = (replace(one.picture, full_scale=one.storage.full_scale) for one in results)
    after = [screen.levels(one, palette.background) for one in shown]
    grow = max(1, SMALL // max(before.shape[:2]))
    size = before.shape[0] * grow, before.shape[1] * grow
    tiles = [Thumbnail("before"), Thumbnail("kernel"), Thumbnail("after")]
    if apart:
        icons = ((one.name, heatmap.signed(reduced(one.values, 15).tolist(), palette)) for one in given.kernels)
        tiles[1:] = [Thumbnail(name, icon=icon) for name, icon in icons]
    columns = max(3, ceil(sqrt(len(tiles))))
    caption = _caption(source, operations, picture, before.shape, grow)
    laid = lay_out(tiles, size, f"{spec} on {Path(source).name}", caption, columns, palette)
    scene, places = laid.scene, list(laid.places)
    if not apart:
        scene = scene.plus(_kernels(given.kernels, places.pop(1), size, palette))
    page = raster.paint(scene).copy()
    for levels, (x, y) in zip([before, *after], places, strict=True):
        page[y : y + size[0], x : x + size[1]] = _cropped(levels, *before.shape[:2]).repeat(grow, 0).repeat(grow, 1)
    notes = (*picture.notes, *raster.remarks(scene.shapes, ""))
    return Picture(np.moveaxis(page, -1, 0), None, "rgb", 255.0), notes


def _operation(spec: str) -> Operation:
    """The operation that keeps the size; for a kernel that is made to enlarge, the transposed one with its factor."""
    factor = parse(spec).factor
    geometry = ConvSpec(padding="same", padding_mode="replicate")
    if factor > 1:
        geometry = ConvSpec(transpose=True, stride=Pair(factor, factor), padding="same-upper", padding_mode="replicate")
    return assemble(geometry, [spec])


def _policy(operation: Operation) -> str:
    """The range policy: 0 is mid-gray if results have both signs."""
    assert operation.bank is not None
    signed = operation.bank.parts[0][1] == "none" and not operation.bank.averages
    return "offset" if signed else "clip"


def _caption(source: str, operations: list[Operation], picture: Picture, shown: tuple[int, ...], grow: int) -> str:
    """The command that makes the result, and which part of it is shown."""
    spec, policies = operations[0].spec, [_policy(operation) for operation in operations]
    stride = f" -s {spec.stride.rows}" if spec.transpose else ""
    command = "transpose" if spec.transpose else "apply"
    mode = "" if set(policies) == {"clip"} else f" --range {policies[-1]}"
    which = shlex.quote(operations[0].files[0]) if len(operations) == 1 else "KERNEL"
    line = f"convcli {command} {shlex.quote(source)} -k {which}{stride} -p {spec.padding} --padding-mode {spec.padding_mode}{mode}"
    size, whole = Size(shown[0] // spec.stride.rows, shown[1] // spec.stride.rows), Size(*picture.size)
    part = "" if size == whole else f"The middle {size} of {whole}. "
    return f"{part}{f'Every pixel as {grow}×{grow}. ' if grow > 1 else ''}{line}"


def _cropped(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """The middle of a picture, at most this high and wide."""
    top, left = max(0, (pixels.shape[0] - height) // 2), max(0, (pixels.shape[1] - width) // 2)
    return pixels[top : top + height, left : left + width]


def _kernels(
    kernels: tuple[Kernel, ...], place: tuple[int, int], size: tuple[int, int], palette: Palette
) -> list[Shape]:
    """Heat maps of kernels in their tile, beside or below each other, with numbers where they can be read."""
    (x, y), (height, width), count = place, size, len(kernels)
    across = max(range(1, count + 1), key=lambda n: min(width / n, height / ceil(count / n)))
    down = ceil(count / across)
    side = min(width / across, height / down) * (1 - INSET)
    margin = side * INSET / 2
    shapes: list[Shape] = [Rect(x, y, width, height, fill=palette.background)]
    for number, kernel in enumerate(kernels):
        values = reduced(kernel.values, max(1, int(side)))
        cell = side / max(values.shape)
        cell = float(int(cell)) if cell >= 1 else cell
        high, wide = cell * values.shape[0], cell * values.shape[1]
        middle = x + (number % across + 0.5) * width / across
        left, top = middle - wide / 2, y + (number // across + 0.5) * height / down - high / 2
        colors = heatmap.signed(values.tolist(), palette)
        small = max(values.shape) <= heatmap.NUMBERED
        texts, factor = kernel_figure.numbers(analyse(kernel)) if small else ([], "")
        longest = max((text for row in texts for text in row), key=len, default="")
        if longest and fitting_size(longest, 0.76 * cell, cell) >= READABLE:
            rows = [
                [Cell(fill, text, palette.faint) for fill, text in zip(*row, strict=True)]
                for row in zip(colors, texts, strict=True)
            ]
            shapes += cells(left, top, cell, rows, palette.ink)
            size_ = max(READABLE, 0.7 * margin)
            shapes += [Text(middle, top + high + margin * 0.55, factor, size_, palette.ink, "middle")] if factor else []
        else:
            shapes += pixels(left, top, cell, colors, palette.faint)
    return shapes
