"""``convcli kernel``: what a kernel is and does, the list of the named ones, and the filters in a file of weights."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import click

from convcli import options, report
from convcli.commands import streams
from convcli.commands.help import Documented
from convcli.commands.kernel_texts import ARGUMENTS, NAMES
from convcli.errors import ConvError, KernelError
from convcli.folding import ReportingOptions, folded
from convcli.parameters import FileType, KernelType
from convcli.system.files import writing
from convcli.system.names import STDIO, is_stream, same_file

if TYPE_CHECKING:
    from convcli.drawing.scene import Scene
    from convcli.kernels.analysis import Analysis


class KernelOptions(NamedTuple):
    """What `kernel` is asked for."""

    specs: tuple[str, ...]
    kernels: tuple[str, ...]
    weights: str | None
    op: str
    on: str | None
    output: str | None
    format_: str | None
    theme: str
    reporting: ReportingOptions


ART = 32
"""The most columns of a picture in a terminal."""

THUMBNAIL = 7
"""Columns of a picture in the list of kernels."""

SHOWN = 64
"""The most filters of a layer that are shown in a terminal."""

FIGURES = ("svg", "png")


@click.command(
    cls=Documented,
    sections=(ARGUMENTS, NAMES),
    examples=(
        "convcli kernel                                  # the list of kernels",
        "convcli kernel sobel                            # its matrices, sums, gain, …",
        "convcli kernel sobel --on img.png -o seen.png   # a picture before and after",
        "convcli kernel gaussian:2 -o gaussian.svg       # values and response, drawn",
        "convcli kernel unsharp:2 -o unsharp.mat         # for vips conv",
        "convcli kernel --weights model.safetensors      # the weights in a file",
        "convcli kernel --weights model.safetensors:conv1.weight -o filters.png",
    ),
)
@options.argument(
    "Kernel", "specs", nargs=-1, metavar="[SPEC]…", type=KernelType(), brief="Kernels, as with -k",
    help="Kernels: names with arguments, matrices or files, as for -k.",
)  # fmt: skip
@options.kernel
@options.weights
@options.op
@options.option(
    "Input", "--on", type=FileType("IMAGE"), brief=True, help="Draw a picture before and after; needs -o FILE.png.",
)  # fmt: skip
@options.option(
    "Output", "-o", "--output", type=FileType("PATH|-"), brief="Figure (.svg, .png) or values (.npy, .csv, …)",
    help="Write a figure (.svg, .png), or the kernel itself: .npy, .json, .csv, .mat (vips) or .txt (ImageMagick's notation). "
    "{kernel} becomes the name of each kernel.",
)  # fmt: skip
@options.option(
    "Output",
    "--format",
    "format_",
    metavar="NAME",
    help="Format for -o -: svg, png, npy, json, csv, mat, txt.",
)
@options.theme
@options.reporting
@folded
def kernel(asked: KernelOptions) -> None:
    """List the kernels, or show what one does.

    Without arguments, lists the named kernels. With a kernel, shows its sums, gain, symmetry, rank, 1-D factors and frequency
    response. The gain is the largest |H|: how much the most amplified wave grows. The range is what values from 0 to 1 can
    become. A kernel that stays the same when it is turned by 180° makes convolution and correlation the same. -q prints the
    matrix so that -k takes it.

    With --weights, lists the weights in a file, or draws the filters of one of them.
    """
    given = (*asked.specs, *asked.kernels)
    form = None if asked.output is None else _form(asked.output, asked.format_)
    if asked.weights is not None and given:
        raise ConvError(f"kernel {given[0]} and --weights {asked.weights} exclude each other: give one of them")
    if asked.format_ is not None and (asked.output is None or not is_stream(asked.output)):
        raise ConvError(f"--format {asked.format_} is for -o -: the ending of the output's name says the format")
    if asked.on is not None:
        _check_preview(asked, given, form)
    if asked.weights is not None:
        _weights(asked.weights, asked, form)
    elif given:
        _kernels(given, asked, form)
    elif asked.output is not None:
        example = f"convcli kernel sobel-x -o {asked.output}"
        raise ConvError(f"-o {asked.output} has no kernel to write: name one, as in '{example}'")
    else:
        _list(asked.reporting)


def _check_preview(asked: KernelOptions, given: Sequence[str], form: str | None) -> None:
    """Refuse a preview of other than one kernel, or one that is not written as a picture."""
    if len(given) != 1:
        raise ConvError(
            f"--on {asked.on} is for one kernel: give its name, as in 'convcli kernel sobel --on IMAGE -o FILE.png'"
        )
    if asked.op != "corr":
        raise ConvError(f"--op {asked.op} and --on exclude each other: leave one of them out")
    if form is None:
        raise ConvError(f"--on {asked.on} has nowhere to be drawn: add -o FILE.png")
    if form != "png":
        raise ConvError(f"output '{asked.output}' is no picture: use .png for what a kernel does to one")


def _list(reporting: ReportingOptions) -> None:
    """The named kernels."""
    import convcli.kernels  # noqa: F401  (enters the kernels)
    from convcli.kernels.named import REGISTRY
    from convcli.presenters import analysed

    recipes = list(REGISTRY.values())
    if reporting.as_json:
        report.json(analysed.list_document(recipes))
    elif reporting.quiet:
        report.lines(*(recipe.name for recipe in recipes))
    else:
        from convcli.kernels import kernel_figure

        drawn = report.colourful()
        pictures = [kernel_figure.icon(recipe, THUMBNAIL) for recipe in recipes] if drawn else []
        report.table(analysed.list_table(recipes, pictures))


def _kernels(specs: Sequence[str], asked: KernelOptions, form: str | None) -> None:
    """Everything about the kernels of some SPECs."""
    from convcli.kernels import export, parse
    from convcli.kernels.analysis import analyse
    from convcli.kernels.bank import Kernel
    from convcli.presenters import analysed, one_or_all

    output, as_json, quiet = asked.output, asked.reporting.as_json, asked.reporting.quiet
    filters = [parse(spec) for spec in specs]
    if asked.op == "conv":
        filters = [
            replace(one, kernels=tuple(Kernel(k.name, k.values[::-1, ::-1].copy()) for k in one.kernels))
            for one in filters
        ]
    if quiet and output is None and not as_json:
        for one in (one for each in filters for one in each.kernels):
            report.pieces(export.literal(one.values))
        return
    found = [[analyse(one) for one in each.kernels] for each in filters]
    flat = [one for each in found for one in each]
    targets: list[str] = []
    if output is not None and form is not None and asked.on is not None:
        targets = export.targets([filters[0].label], output)
        _check(targets[0], form, specs)
        _preview(specs[0], asked.on, targets[0], output, asked.theme)
    elif output is not None and form is not None:
        joined = form in FIGURES and "{" not in output  # all kernels in one figure
        targets = [output] if joined else export.targets([one.name for one in flat], output)
        for target in targets:
            _check(target, form, specs)
        for target, those in zip(targets, [flat] if joined else [[one] for one in flat], strict=True):
            _save(those, target, output, form, asked.theme)
    stream_ = sys.stderr if output == STDIO else sys.stdout
    if as_json:
        documents = [analysed.document(spec, one, each) for spec, one, each in zip(specs, filters, found, strict=True)]
        report.json(one_or_all(documents), stream_)
    elif quiet:
        if output != STDIO:
            report.lines(*targets)
    else:
        for filter_, members in zip(filters, found, strict=True):
            for member in members:
                report.table(analysed.table(member, asked.op, filter_), stream_)
                if output is None:
                    _art(member)


def _weights(source: str, asked: KernelOptions, form: str | None) -> None:
    """The tensors in a file. If a key names one, or if there is only one, also its filters."""
    from convcli.drawing.colors import PALETTES
    from convcli.kernels import export, filter_sheet, weights
    from convcli.presenters import analysed
    from convcli.runs.outputs import folder

    output, as_json, quiet = asked.output, asked.reporting.as_json, asked.reporting.quiet
    path, key = weights.split(source)
    found = weights.stored(path, key)
    drawn = None
    if output is not None or (len(found) == 1 and not quiet and not as_json and report.colourful()):
        layer = weights.load(source)
        drawn = filter_sheet.draw(layer.weight, PALETTES[asked.theme], filter_sheet.MOST_TILES if output else SHOWN)
    if output is not None and form is not None and drawn is not None:
        if form not in FIGURES:
            raise ConvError(f"output '{output}' is no figure: filters are drawn as .svg or .png")
        [output] = export.targets([found[0].name or path.stem], output)
        _check(output, form, (str(path),))
        title = f"{found[0].name or path.name}  {report.shape(found[0].shape)}"
        with folder(output, asked.output):
            _write(filter_sheet.sheet(drawn, title, PALETTES[asked.theme]), output, form)
    stream = sys.stderr if output == STDIO else sys.stdout
    if as_json:
        report.json(analysed.tensors_document(str(path), found), stream)
    elif quiet:
        if output != STDIO:
            report.lines(*((one.name or str(path) for one in found) if output is None else (output,)))
    else:
        report.table(analysed.tensors_table(str(path), found), stream)
        if output is None and drawn is not None:
            from convcli.kernels import kernel_figure

            tiles = [picture for _, picture in drawn.tiles]
            report.picture([*kernel_figure.rows_of_tiles(tiles, report.width(80)), drawn.caption])


def _art(found: Analysis) -> None:
    """Heat map and frequency response below a table on a terminal that shows colours."""
    if report.colourful():
        from convcli.kernels import kernel_figure

        side = min(ART, (report.width(80) - kernel_figure.GAP) // 2 // 2 * 2)
        if side >= 8:
            report.picture([*kernel_figure.terminal(found, side), ""])


def _form(output: str, format_: str | None) -> str:
    """The format of the output. Names that cannot be files are refused, by the rules of apply's -o."""
    from convcli.kernels import export
    from convcli.runs.outputs import check_fields

    check_fields(output, ("kernel",))
    if output.endswith("/") or os.path.isdir(output):
        example = f"{output.rstrip('/')}/{{kernel}}.csv"
        raise KernelError(f"output '{output}' is a folder: name a file in it, as in '{example}'")
    return export.form_of(output, format_, FIGURES)


def _save(found: Sequence[Analysis], target: str, output: str, form: str, theme: str) -> None:
    """Write a figure of kernels, or the values of one. The folders of a template are made."""
    from convcli.drawing.colors import PALETTES
    from convcli.kernels import export, kernel_figure
    from convcli.presenters import analysed
    from convcli.runs.outputs import folder

    with folder(target, output):
        if form in FIGURES:
            captions = [analysed.caption(one) for one in found]
            _write(kernel_figure.draw(found, captions, PALETTES[theme]), target, form)
            return
        with writing(target) as stream:
            for part in export.encode(found[0], form):
                stream.write(part)


def _preview(spec: str, source: str, target: str, output: str, theme: str) -> None:
    """Write what a kernel does to a picture."""
    from convcli import images
    from convcli.runs import preview
    from convcli.runs.outputs import folder

    if same_file(source, target):
        raise KernelError(f"output '{target}' is the picture that is read: name another")
    page, notes = preview.draw(spec, source, theme)
    storage = images.storage_for(page, "rgb", page.shape, False, "PNG", None)
    with folder(target, output):
        images.save(page, target, storage)
    for text in notes:
        report.note(f"{source}: {text}")


def _check(output: str, form: str, specs: Sequence[str]) -> None:
    """Refuse to write binary data to a terminal, or over a kernel file that is read."""
    if output == STDIO and form in ("png", "npy"):
        streams.check_terminal(f"a {form}", "use -o FILE or a pipe")
    for spec in specs:
        if same_file(output, spec):
            raise KernelError(f"output '{output}' is the kernel that is read: name another")


def _write(scene: Scene, target: str, form: str) -> None:
    """Write a figure, with a note on letters that are missing."""
    from convcli.images.figures import raster

    for text in raster.save(scene, target, form=form):
        report.note(f"{target}: {text}")
