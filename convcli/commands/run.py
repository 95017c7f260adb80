"""What `apply` and `transpose` share: fold the options, run the images, render what came of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from convcli import folding, report
from convcli.commands.summary import One, Reporter, Several
from convcli.convspec import ConvSpec
from convcli.errors import ConvError, ImageError
from convcli.runs import outputs
from convcli.system.names import STDIO, is_stream

if TYPE_CHECKING:
    from convcli.runs.batch import Batch, Outcome


def run_images(values: Mapping[str, Any], spec: ConvSpec) -> None:
    """Run one operation over the images named on the command line and report each.

    Ends with exit code 1 when one or more of several images failed.
    """
    from convcli.images import prefetch

    if len(values["images"]) == 1 and values["from_file"] is None:
        begun = prefetch.decoding_of(values["images"][0], values["max_pixels"])  # while what follows is imported
        click.get_current_context().with_resource(begun)

    from convcli.images import Settings
    from convcli.runs import inputs
    from convcli.runs.batch import Batch, check
    from convcli.runs.single import Writing

    _check(values)
    found = inputs.collect(
        values["images"],
        values["from_file"],
        null=values["null"],
        recursive=values["recursive"],
        output=values["output"],
    )
    operation = folding.fold_operation(values, spec)
    if values["skip_existing"]:
        found = found.without_results(outputs.named(found.paths, values["output"], operation.label, found.below))
    targets = outputs.resolve(
        found.paths,
        values["output"],
        operation.label,
        below=found.below,
        overwrite=values["overwrite"] or values["skip_existing"],
        in_place=values["in_place"],
        read=operation.files,
    )
    _check_streams(values, targets)
    stream = sys.stderr if STDIO in targets else sys.stdout
    by_line = found.searched or values["json_lines"]
    told: Reporter = One(values, operation, stream)
    if len(targets) > 1 or by_line:
        told = Several(values, operation, stream, len(targets), by_line)
    how = Writing(
        values["format_"],
        values["range_"],
        values["output"],
        Settings(values["quality"], values["compression"]),
        values["max_pixels"],
        values["full_scale"],
        folding.fold_montage(values),
        values["theme"],
        replace=values["overwrite"] or values["in_place"] or not (values["output"] is None or values["skip_existing"]),
    )
    check(targets, operation, how)
    with Batch(found.paths, targets, operation, how, values["skip_existing"]) as batch:
        _follow(batch, told)
    told.end(batch.tally)
    if batch.bug is not None:
        raise batch.bug
    if batch.tally.failed:
        click.get_current_context().exit(1)


def _check(values: Mapping[str, Any]) -> None:
    """Refuse options that exclude each other."""
    if values["in_place"] and folding.fold_montage(values) is not None:
        raise ConvError("--montage would put a contact sheet in the place of the image: use -o, not --in-place")
    if values["skip_existing"]:
        for option in ("overwrite", "in_place"):
            if values[option]:
                raise ConvError(
                    f"--skip-existing and --{option.replace('_', '-')} exclude each other: give one of them"
                )


def _check_streams(values: Mapping[str, Any], targets: Sequence[str]) -> None:
    """Refuse a format that says nothing, and a standard output that is not to have an image."""
    if values["format_"] is not None and not any(map(is_stream, targets)):
        raise ImageError(f"--format {values['format_']} is for -o -: the ending of the output's name says the format")
    if STDIO not in targets:
        return
    if sys.stdout.isatty() and values["output"] != outputs.STDOUT:
        raise ImageError(
            "standard output is a terminal, which an image would garble: use -o FILE or a pipe, or insist on it with "
            f"-o {outputs.STDOUT}"
        )
    if getattr(sys.stdout, "name", None) == os.devnull:  # which the program opens in its place
        raise ImageError("standard output is closed, where the image was to go: use -o FILE or a pipe")


def _follow(batch: Batch, told: Reporter) -> None:
    """Report images as they are finished, in the order of the inputs."""
    waiting: dict[int, Outcome] = {}
    following = 0
    try:
        with report.progress(len(batch.jobs), told.bar) as advance:
            for number, outcome in batch:
                advance()
                waiting[number] = outcome
                while following in waiting:
                    told.tell(waiting.pop(following))
                    following += 1
    except (KeyboardInterrupt, SystemExit):
        waiting.update(batch.stop())
        for number in sorted(waiting):
            told.tell(waiting[number])
        told.end(batch.tally, interrupted=True)
        raise
