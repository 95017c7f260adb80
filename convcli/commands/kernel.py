"""``convcli kernel``: what a kernel is and does, the list of the named ones, and the filters in a file of weights."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from convcli import options, report
from convcli.commands import kernel_output
from convcli.commands.help import KERNELS, Documented, kernel_rows, kernel_table
from convcli.errors import ConvError
from convcli.parameters import FileType, KernelType
from convcli.spelling import as_options
from convcli.system.names import STDIO, is_stream
from convcli.vocabulary import OPS

if TYPE_CHECKING:
    from convcli.kernels import Filter
    from convcli.kernels.analysis import Analysis
    from convcli.kernels.stored_tensors import Stored


ART = 32
"""Columns of a picture in a terminal, where there is room."""

TALL = 31
"""Rows of a matrix that is written out."""

MARGIN = 24
"""Columns of a terminal that the names in a table may take."""

WIDE = 140
"""Columns of a terminal from which on the list of kernels has more than two."""

THUMBNAIL = 7
"""Columns of a picture in the list of kernels."""

SHOWN = 64
"""Filters of a layer in a terminal."""


@click.command(
    cls=Documented,
    sections=(KERNELS._replace(rows=list),),
    examples=(
        "convcli kernel                                    # the named kernels",
        "convcli kernel sobel                              # matrices, sums, gain, rank, frequency response",
        "convcli kernel gaussian:2 -o gaussian.svg         # heat map and frequency response as a figure",
        "convcli kernel unsharp:2 -o unsharp.mat           # for vips conv",
        "convcli kernel --weights model.safetensors        # the 4-D tensors in a file",
        "convcli kernel --weights model.safetensors:conv1.weight -o filters.png",
    ),
)
@click.argument("specs", nargs=-1, metavar="[SPEC]…", type=KernelType(), help="A kernel, as of -k.")
@options.kernel
@options.weights
@click.option(
    "--op", type=click.Choice(OPS), default="corr", show_default=True,
    help="conv: show the kernel flipped, as a convolution lays it on the image.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=FileType("PATH|-"), default=None,
    help="Write a figure (.svg, .png), or the kernel itself: .npy, .json, .csv, .mat (vips) or .txt (ImageMagick's "
    "notation). {kernel} stands for the name of each kernel of a bank.",
)  # fmt: skip
@click.option(
    "--format", "format_", metavar="NAME", default=None, help="The format of -o -: svg, png, npy, json, csv, mat, txt."
)
@options.theme
@options.reporting
def kernel(
    specs: tuple[str, ...], kernels: tuple[str, ...], weights: str | None, op: str,
    output: str | None, format_: str | None, theme: str, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Say what a kernel does: its sums, gain, symmetry, rank and 1-D factors, and its frequency response.

    Without arguments, lists the named kernels. The gain is the largest |H|: how much the wave grows that a kernel
    amplifies most. The range is what values from 0 to 1 can become. A kernel that stays the same when it is turned by
    180° makes convolution and correlation the same. With --weights, lists the 4-D tensors in a file, or draws the filters
    of one of them. -q prints the matrix as a SPEC that -k takes.
    """
    given = (*specs, *kernels)
    form = None if output is None else kernel_output.form_of(output, format_)
    if weights is not None and given:
        raise ConvError(f"kernel {given[0]} and --weights {weights} exclude each other: give one of them")
    if format_ is not None and (output is None or not is_stream(output)):
        raise ConvError(f"--format {format_} is for -o -: the ending of the output's name says the format")
    if weights is not None:
        _weights(weights, output, form, theme, as_json, quiet)
    elif given:
        _kernels(given, op, output, form, theme, as_json, quiet)
    elif output is not None:
        raise ConvError(f"-o {output} has no kernel to write: name one, as in 'convcli kernel sobel-x -o {output}'")
    else:
        _list(as_json, quiet)


def _list(as_json: bool, quiet: bool) -> None:
    """The named kernels."""
    import convcli.kernels  # noqa: F401  (enters the kernels)
    from convcli.kernels.named import REGISTRY

    recipes = list(REGISTRY.values())
    if as_json:
        keys = ("name", "usage", "about", "scale", "combine", "members", "aliases", "source")
        documents = [{key: getattr(recipe, key) for key in keys} for recipe in recipes]
        report.json([{**document, "about": as_options(document["about"])} for document in documents])
    elif quiet:
        report.lines(*(recipe.name for recipe in recipes))
    else:
        from convcli.kernels import kernel_figure

        drawn = report.colourful()
        pictures = [kernel_figure.icon(recipe, THUMBNAIL) for recipe in recipes] if drawn else []
        report.table(_named(pictures))


def _named(pictures: Sequence[Sequence[str]]) -> report.Table:
    """The named kernels; where there is no room for columns, all that is said of them in one."""
    title, about = "convcli kernel: the named kernels", "what it is"
    if report.width(WIDE) < WIDE:
        return report.Table(title, kernel_rows(), ("kernel", about), pictures=pictures)
    return report.Table(title, kernel_table(), ("kernel", about, "scale", "source"), pictures=pictures)


def _kernels(
    specs: Sequence[str], op: str, output: str | None, form: str | None, theme: str, as_json: bool, quiet: bool
) -> None:
    """Everything about the kernels of some SPECs."""
    from convcli.kernels import export, parse
    from convcli.kernels.analysis import analyse
    from convcli.kernels.kernel_types import Kernel

    filters = [parse(spec) for spec in specs]
    if op == "conv":
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
    if output is not None and form is not None:
        joined = form in kernel_output.FIGURES and "{" not in output  # all kernels in one figure
        targets = [output] if joined else export.targets([one.name for one in flat], output)
        for target in targets:
            kernel_output.check(target, form, specs)
        for target, those in zip(targets, [flat] if joined else [[one] for one in flat], strict=True):
            kernel_output.save(those, target, output, form, theme)
    stream_ = sys.stderr if output == STDIO else sys.stdout
    if as_json:
        documents = [_document(spec, one, each) for spec, one, each in zip(specs, filters, found, strict=True)]
        report.json(documents if len(documents) > 1 else documents[0], stream_)
    elif quiet:
        if output != STDIO:
            report.lines(*targets)
    else:
        for filter_, members in zip(filters, found, strict=True):
            for member in members:
                report.table(_table(member, op, filter_), stream_)
                if output is None:
                    _art(member)


def _weights(source: str, output: str | None, form: str | None, theme: str, as_json: bool, quiet: bool) -> None:
    """The tensors in a file, and the filters of the one that a key names or that is the only one."""
    from convcli.drawing.colors import PALETTES
    from convcli.kernels import export, filter_sheet, stored_tensors, weights
    from convcli.runs.outputs import folder

    given = output
    path, key = weights.split(source)
    found = stored_tensors.stored(path, key)
    drawn = None
    if output is not None or (len(found) == 1 and not quiet and not as_json and report.colourful()):
        layer = weights.load(source)
        drawn = filter_sheet.draw(layer.weight, PALETTES[theme], filter_sheet.MOST_TILES if output else SHOWN)
    if output is not None and form is not None and drawn is not None:
        if form not in kernel_output.FIGURES:
            raise ConvError(f"output '{output}' is no figure: filters are drawn as .svg or .png")
        [output] = export.targets([found[0].name or path.stem], output)
        kernel_output.check(output, form, (str(path),))
        title = f"{found[0].name or path.name}  {report.shape(found[0].shape)}"
        with folder(output, given):
            kernel_output.write(filter_sheet.sheet(drawn, title, PALETTES[theme]), output, form)
    stream = sys.stderr if output == STDIO else sys.stdout
    if as_json:
        report.json({"file": str(path), "tensors": [one.document() for one in found]}, stream)
    elif quiet:
        if output != STDIO:
            report.lines(*((one.name or str(path) for one in found) if output is None else (output,)))
    else:
        report.table(_listing(str(path), found), stream)
        if output is None and drawn is not None:
            from convcli.kernels import kernel_figure

            tiles = [picture for _, picture in drawn.tiles]
            report.picture([*kernel_figure.rows_of_tiles(tiles, report.width(80)), drawn.caption])


def _listing(path: str, found: Sequence[Stored]) -> report.Table:
    header = ("tensor", "shape", "dtype", "parameters", "min", "max", "mean", "bias")
    rows = [
        (
            one.name or "(the array)",
            report.shape(one.shape),
            one.dtype,
            f"{one.parameters}",
            *(f"{value:.3g}" for value in (one.low, one.high, one.mean)),
            one.bias or "none",
        )
        for one in found
    ]
    return report.Table(f"convcli kernel: {path}", rows, header, right=frozenset({3, 4, 5, 6}))


def _document(spec: str, one: Filter, found: Sequence[Analysis]) -> dict[str, Any]:
    """The JSON of a SPEC; of a bank with the largest rank and gain of its members."""
    if len(found) == 1:
        return {**_member(found[0]), "spec": spec, "combine": one.combine}
    ranks = [member.rank for member in found]
    return {
        "name": one.label,
        "spec": spec,
        "combine": one.combine,
        "rank": None if None in ranks else max(rank for rank in ranks if rank is not None),
        "gain": max(member.gain for member in found),
        "kernels": [_member(member) for member in found],
    }


def _member(found: Analysis) -> dict[str, Any]:
    """The JSON of one kernel, whose values are written row by row."""
    from convcli.kernels import export

    return found.document(report.Encoded(export.json(found)))


def _art(found: Analysis) -> None:
    """Heat map and frequency response below a table on a terminal that shows colours."""
    if report.colourful():
        from convcli.kernels import kernel_figure

        side = min(ART, (report.width(80) - kernel_figure.GAP) // 2 // 2 * 2)
        if side >= 8:
            report.picture([*kernel_figure.terminal(found, side), ""])


def _table(found: Analysis, op: str, one: Filter) -> report.Table:
    from convcli.kernels import description, kernel_figure

    height, width = found.values.shape
    room = report.width(160) - MARGIN
    forms = ([" ".join(row) for row in kernel_figure.matrix(found, digits)] for digits in (4, 3, 2))
    lines = next((lines for lines in forms if len(lines[0]) <= room), []) if height <= TALL else []
    scale = kernel_figure.scale(found) if lines and kernel_figure.readable(found) else ""
    lines = lines or [f"{height}×{width} values are too many to be shown: see -q, --json and -o"]
    names = [f"matrix {scale}".strip(), *[""] * (len(lines) - 1)]
    rows = [("size", f"{height}×{width}"), *zip(names, lines, strict=True)]
    if len(one.kernels) > 1:
        rows.append(("combined", f"{len(one.kernels)} kernels of {one.label}, by {one.combine}"))
    rows += [(name, as_options(text)) for name, text in description.rows(found, room)]
    flipped = ", flipped" if op == "conv" else ""
    return report.Table(f"convcli kernel: {found.name}{flipped}", rows)
