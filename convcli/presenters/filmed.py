"""An animation, as ``convcli animate`` describes it."""

from __future__ import annotations

from typing import Any

from convcli import report
from convcli.animation.timeline import Kind, Timeline, Values, WindowStep, equivalent_pads
from convcli.presenters import sized


def document(timeline: Timeline, values: Values, rule: str | None = None, frame: int | None = None) -> dict[str, Any]:
    """The JSON: the sizes as in `shape`, the grid, and what every frame shows, or one of them.

    Windows and taps are in rows and columns of the grid: the input with its padding, or with zeros between its pixels.
    `input` is the pixel that a tap reads, or null if it reads a zero that is not a pixel. The `value` of a frame is the output.
    """
    geometry = timeline.geometry
    shown = range(len(timeline.steps)) if frame is None else range(frame, frame + 1)
    grid: dict[str, Any] = {
        **timeline.size._asdict(),
        "cells": [[str(cell.kind) for cell in row] for row in timeline.grid],
    }
    if geometry.transpose:
        grid["zeros_between"] = [s - 1 for s in geometry.stride]
        pads = (*equivalent_pads(geometry, 0), *equivalent_pads(geometry, 1))
        grid["padding"] = dict(zip(("top", "bottom", "left", "right"), pads, strict=True))
        grid["output_padding"] = list(geometry.output_padding)  # more of it, at the bottom and at the right
    return {
        **sized.document(geometry, rule),
        "kernel_flipped": timeline.flipped,
        "grid": grid,
        "frames": [_frame(timeline, values, number, timeline.steps[number]) for number in shown],
    }


def _frame(timeline: Timeline, values: Values, number: int, step: WindowStep) -> dict[str, Any]:
    y, x = step.output
    height, width = timeline.geometry.extent
    taps = []
    for tap in step.taps:
        field, value = timeline.grid[tap.row][tap.column], timeline.value(tap, values)
        weight = None if values.kernel is None else values.kernel[tap.kernel[0]][tap.kernel[1]]
        product = None if value is None or weight is None else value * weight + 0.0  # no -0
        taps.append(
            {"at": [tap.row, tap.column], "kind": str(field.kind), "input": field.source, "kernel": tap.kernel,
             "value": value, "weight": weight, "product": product}
        )  # fmt: skip
    return {
        "frame": number,
        "output": step.output,
        "window": {"top": step.top, "left": step.left, "height": height, "width": width},
        "taps": taps,
        "value": None if values.output is None else values.output[y][x],
    }


def table(timeline: Timeline, target: str, frame: int | None) -> report.Table:
    """The sizes, and what was written."""
    geometry, kinds = timeline.geometry, {field.kind for row in timeline.grid for field in row}
    done = {"zero-stuffed": Kind.INSERTED in kinds, "padded": not kinds <= {Kind.INPUT, Kind.INSERTED}}
    made = " and ".join(what for what, holds in done.items() if holds)
    rows = [
        ("input", str(geometry.input)),
        ("grid", ", ".join([str(timeline.size), *([made] if made else [])])),
        ("output", str(geometry.output)),
        ("frames", str(len(timeline.steps)) if frame is None else f"{frame} of 0 to {len(timeline.steps) - 1}"),
        ("written", target),
    ]
    return report.Table("convcli animate", rows)
