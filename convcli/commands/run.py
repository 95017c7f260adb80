"""What `apply` and `transpose` share: fold the options, run the images, render what came of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from convcli import options, outputs, report
from convcli.convspec import ConvSpec
from convcli.errors import ImageError, one_line
from convcli.files import STDIO, is_stream

if TYPE_CHECKING:
    from convcli.single import Done


def run_images(values: Mapping[str, Any], spec: ConvSpec) -> None:
    """Run one operation over the images named on the command line and report each.

    Ends with exit code 1 when one or more of several images failed.
    """
    from convcli import batch
    from convcli.images import Settings
    from convcli.single import Writing

    sources = values["images"]
    operation = options.fold_operation(values, spec)
    targets = outputs.resolve(
        sources,
        values["output"],
        operation.label,
        overwrite=values["overwrite"],
        in_place=values["in_place"],
        read=operation.files,
    )
    if values["format_"] is not None and not any(map(is_stream, targets)):
        raise ImageError(f"--format {values['format_']} is for -o -: the ending of the output's name says the format")
    if STDIO in targets and sys.stdout.isatty():
        raise ImageError("standard output is a terminal, which an image would garble: use -o FILE or a pipe")
    if STDIO in targets and getattr(sys.stdout, "name", None) == os.devnull:  # which the program opens in its place
        raise ImageError("standard output is closed, where the image was to go: use -o FILE or a pipe")
    stream = sys.stderr if STDIO in targets else sys.stdout
    documents = []
    failures = 0
    notes = operation.notes  # said once, and not before an error
    how = Writing(
        values["format_"],
        values["range_"],
        values["output"],
        Settings(values["quality"], values["compression"]),
        values["max_pixels"],
    )
    for item in batch.run(sources, targets, operation, how):
        documents.append(item.document())
        if isinstance(item, batch.Failed):
            if len(sources) == 1:
                raise item.error
            failures += 1
            report.note(one_line(f"error: {item.message}"))
            continue
        if values["verbose"]:
            for plan in item.result.considered:
                report.note(f"{item.source}: {plan.name}, predicted {report.seconds(plan.seconds)}: {plan.reason}")
        if values["as_json"]:  # has the remarks in it
            continue
        for text in notes:
            report.note(text)
        notes = ()
        _remarks(item)
        try:
            if not values["quiet"]:
                report.table(_table(item), stream)
            elif item.target != STDIO:
                report.lines(item.target)
        except BrokenPipeError:  # nobody listens any more; the images are wanted all the same
            report.give_up(stream)
    if values["as_json"]:
        report.json(documents if len(sources) > 1 else documents[0], stream)
    if failures:
        report.note(f"{failures} of {len(sources)} images failed")
        click.get_current_context().exit(1)


def _remarks(item: Done) -> None:
    """What the user should know, on standard error."""
    for text in item.notes:
        report.note(f"{item.source}: {text}")
    below, above, total, nan = item.clipped
    if below + above:
        sides = " and ".join(f"{count} {side}" for count, side in ((below, "below"), (above, "above")) if count)
        share = 100 * (below + above) / total
        report.note(f"{item.target}: {share:.3g} % of the values were clipped ({sides} the range); see --range")
    if nan:
        report.note(f"{item.target}: {nan} NaN {'was' if nan == 1 else 'were'} written as 0")


def _table(item: Done) -> report.Table:
    """The summary of one image."""
    operation, result = item.operation, item.result
    spec, geometry = operation.spec, result.geometry
    name = "transpose" if spec.transpose else spec.op
    if spec.transpose and spec.op == "conv":
        name += ", kernel flipped"
    kernels = f"{operation.label}, {geometry.kernel}"
    if operation.bank is not None:
        rules = ", ".join(f"{count} kernels by {rule}" for count, rule in operation.bank.parts if rule != "none")
        kernels += f", {rules}" if rules else ""
    else:
        assert operation.weight is not None
        kernels = f"{operation.label}, {report.shape(operation.weight.shape)}"
    pads = geometry.pads
    padding = report.pair((*pads,))
    if isinstance(spec.padding, str):
        padding = f"{spec.padding} = {padding}"
    if len(set(pads)) > 1:
        padding += " (top, bottom, left, right)"
    if not spec.transpose:
        padding += f", {spec.padding_mode}"
    rows = [
        ("input", f"{item.source}  {report.shape(item.input_shape)}  {item.mode}"),
        ("output", f"{item.target}  {report.shape(item.output_shape)}  {item.container}"),
        ("operation", name),
        ("kernel", kernels),
        ("stride, dilation", f"{report.pair(geometry.stride)}, {report.pair(geometry.dilation)}"),
        ("padding", padding),
    ]
    if spec.transpose:
        rows.append(("output_padding", report.pair(geometry.output_padding)))
    rows += _unusual(item)
    where = result.backend if result.device == "cpu" else f"{result.backend} on {result.device}"
    rows += [
        ("backend", where + (f" ({result.reason})" if result.reason else "")),
        ("plan", result.plan),
        (
            "time",
            f"load {report.seconds(item.load_seconds)}, import {report.seconds(item.import_seconds)}, "
            f"compute {report.seconds(item.compute_seconds)}, "
            f"save {report.seconds(item.save_seconds)}",
        ),
    ]
    return report.Table(f"convcli {'transpose' if spec.transpose else 'apply'}", rows)


def _unusual(item: Done) -> list[tuple[str, str]]:
    """What is not at its default."""
    operation = item.operation
    rows = []
    if item.frames > 1:
        rows.append(("frames", f"{item.frames}, of which the sizes and the plan are the first's"))
    if operation.spec.groups > 1:
        rows.append(("groups", str(operation.spec.groups)))
    if operation.channels != "each":
        rows.append(("channels", operation.channels))
    if item.bias is not None:
        rows.append(("bias", ", ".join(f"{value:g}" for value in item.bias)))
    if operation.linear:
        rows.append(("linear", "computed in linear light"))
    if item.policy != ("raw" if item.container == "NPY" else "clip"):
        rows.append(("range", item.policy))
    if item.alpha is not None:
        rows.append(("alpha", item.alpha))
    if operation.compute.dtype is not None:
        rows.append(("dtype", operation.compute.dtype))
    return rows
