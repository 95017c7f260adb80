"""``convcli apply``: convolve or correlate images. `run` is what it shares with `transpose`."""

import os
import sys
from typing import TYPE_CHECKING

import click

from convcli import folding, options, report
from convcli.commands.help import Documented, Section
from convcli.errors import ConvError, ImageError
from convcli.images.formats import format_of
from convcli.records import NamedTuple
from convcli.runs import outputs
from convcli.system.names import STDIO, is_stream, is_there

if TYPE_CHECKING:
    from convcli.commands.reporters import Reporter
    from convcli.runs.batch import Batch, Outcome
    from convcli.runs.inputs import Inputs
    from convcli.runs.portions import Portions
    from convcli.runs.stream import Stream


class ImagesOptions(NamedTuple):
    """What `apply` and `transpose` are asked for."""

    inputs: folding.InputOptions
    reading: folding.ReadingOptions
    operation: folding.OperationOptions
    geometry: folding.GeometryOptions
    compute: folding.ComputeOptions
    writing: folding.WritingOptions
    reporting: folding.ReportingOptions


STRIDED_SUM = Section(
    "A stride that thins the kernel",
    "--stride thins the output, as in PyTorch. Some texts print another sum, R(x,y) = bias + Σ_{m=-a/s..a/s} Σ_{n=-b/s..b/s} "
    "k(sn,sm) I(x+sn, y+sm), where the stride thins the kernel and the output keeps its size. That is a correlation with every "
    "s-th tap of the kernel, counted from its centre, and --dilation s: for s = 2 and a 5×5 kernel, give its taps 0, 2 and 4 as a "
    "3×3 kernel with --dilation 2 and --stride 1.",
)


LARGE = Section(
    "Pictures larger than memory",
    "--memory does a picture in blocks, --on does so on a Dask cluster; the pixels are the same. What is interrupted goes on with "
    "--skip-existing. docs/scale.md tells of formats, sizes, clusters, encryption and failures.",
)


@click.command(
    cls=Documented,
    sections=(LARGE, STRIDED_SUM),
    examples=(
        "convcli apply img.png --kernel sobel --stride 2",
        "convcli apply img.png -k gaussian:2 -p same --padding-mode reflect -o soft.png",
        "convcli apply photos --recursive -k sharpen -p same -o sharp/ --skip-existing",
        "convcli apply img.png --kernel='-1,0,1;-2,0,2;-1,0,1' --range offset -o x.png",
        "convcli apply img.png --weights model.pt:conv1.weight -s 2 -o maps.npy",
        "curl -s URL | convcli apply - -k gaussian:2 -o - \\\n  | convcli apply - -k sobel -o edges.png",
    ),
)
@options.images
@options.many
@options.bank
@options.geometry
@options.image_output
@options.compute
@options.image_reporting
@folding.folded
def apply(asked: ImagesOptions) -> None:
    """Convolve images with kernels or with a layer's weights.

    This is torch.nn.Conv2d: every output pixel is the bias plus the sum of the kernel times the input pixels under it. All
    defaults are PyTorch's: stride 1, padding 0, dilation 1, groups 1, and the kernel is not flipped.
    """
    run(asked, transposed=False)


def run(asked: ImagesOptions, transposed: bool) -> None:
    """Run one operation over the images named on the command line, and report each.

    Ends with exit code 1 when one or more of several images failed.
    """
    inputs, reading, writing = asked.inputs, asked.reading, asked.writing
    spec = asked.geometry.spec(transposed)
    if not all(word == STDIO or is_there(word) for word in inputs.images):
        from convcli.commands.synonyms import check_images

        check_images(inputs.images, asked.operation, writing.output)
    from convcli.images import prefetch

    if len(inputs.images) == 1 and inputs.from_file is None:
        begun = prefetch.decoding_of(inputs.images[0], reading.max_pixels)  # while what follows is imported
        click.get_current_context().with_resource(begun)

    from convcli.commands.reporters import Reporter, Several
    from convcli.runs.batch import Batch, check
    from convcli.runs.inputs import Inputs, jobs_of

    _check(writing)
    found = Inputs(inputs.images, inputs.from_file, null=inputs.null, recursive=inputs.recursive, output=writing.output)
    first, more = found.first(max(FEW, len(inputs.images)))
    operation = asked.operation.operation(spec, asked.compute.choice())
    if not first:
        report.note(f"list '{inputs.from_file}' is empty: nothing to do")
        return
    rules = writing.rules(operation)
    stream = None
    if more:
        from convcli.runs.stream import Stream

        stream = Stream(found, rules)
        jobs = stream.begin(first)
    else:
        jobs = jobs_of(first, rules)
    targets = [job.target for job in jobs]
    if STDIO in targets:
        _check_stdout(writing)
    to = sys.stderr if STDIO in targets else sys.stdout
    by_line = found.searched or asked.reporting.json_lines
    told = Reporter(asked.reporting, operation, to)
    if len(targets) > 1 or more or by_line:
        told = Several(asked.reporting, operation, to, by_line)
    how = writing.writing(reading)
    check(targets, operation, how)
    watched = len(targets) == 1 and sys.stderr.isatty() and not asked.reporting.quiet
    how = how._replace(
        blocks=how.blocks._replace(
            watch=report.progress if watched else None, say=None if asked.reporting.quiet else report.note
        )
    )
    kind: type[Batch | Portions] = Batch
    if how.blocks.on is not None:
        from convcli.runs import portions

        if stream is not None or len(jobs) != 1 or not portions.in_parts(jobs[0].source):
            kind = portions.Portions
    with kind(jobs, operation, how, writing.skip_existing, stream) as batch:
        _follow(batch, told, found, len(jobs), stream)
    told.end(batch.tally, batch.tally.total)
    if batch.bug is not None:
        raise batch.bug
    if batch.tally.failed:
        click.get_current_context().exit(1)


FEW, WINDOW = 1 << 12, 1 << 10
"""So many images are known before the first is written; with more, the others are found as the run goes on. So many results of
these wait for one that comes before them."""


def _check(writing: folding.WritingOptions) -> None:
    """Raise a ConvError if options exclude each other, or if a format cannot be written or has no place."""
    if writing.in_place and writing.sheet_width is not None:
        raise ConvError("--montage with --in-place would replace the image by a contact sheet: use -o")
    for option, given in (("--overwrite", writing.overwrite), ("--in-place", writing.in_place)):
        if writing.skip_existing and given:
            raise ConvError(f"--skip-existing and {option} exclude each other: give one of them")
    name, output = writing.format_, writing.output
    if name is None:
        return
    if writing.in_place:
        raise ImageError(f"--format {name} and --in-place exclude each other: give one of them")
    if not (output in (None, outputs.STDOUT) or is_stream(output) or outputs.is_several(output)):
        folder = "" if os.path.splitext(str(output))[1] else f", or write -o {output}/ for a folder"
        raise ImageError(
            f"--format {name} is for -o -, a folder or a template: leave it out, as the ending of the output is the format{folder}"
        )
    format_of("x", name, None)


def _check_stdout(writing: folding.WritingOptions) -> None:
    """Raise an ImageError if standard output cannot take an image."""
    if writing.output != outputs.STDOUT:
        outputs.check_terminal("an image", f"use -o FILE or a pipe, or -o {outputs.STDOUT} to write it all the same")
    outputs.check_closed()


def _follow(batch: "Batch | Portions", told: "Reporter", found: "Inputs", count: int, stream: "Stream | None") -> None:
    """Report images as they are finished, in the order of the inputs; of very many, as far as few results have to wait for that."""
    waiting: dict[int, Outcome] = {}
    following = 0

    def total() -> int | None:
        return count if stream is None else stream.total

    about = total() or (found.expected if told.bar else None)
    try:
        with report.progress(about, told.bar) as advance:
            for number, outcome in batch:
                advance(total())
                if number < following:  # it was not waited for any longer
                    told.tell(outcome)
                    continue
                waiting[number] = outcome
                if stream is not None and len(waiting) > WINDOW:
                    following = min(waiting)
                while following in waiting:
                    told.tell(waiting.pop(following))
                    following += 1
            for number in sorted(waiting):
                told.tell(waiting.pop(number))
    except (KeyboardInterrupt, SystemExit):
        waiting.update(batch.stop())
        for number in sorted(waiting):
            told.tell(waiting[number])
        told.end(batch.tally, total(), interrupted=True)
        raise
