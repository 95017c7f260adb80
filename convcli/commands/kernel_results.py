"""What ``convcli kernel`` shows and writes: the named kernels, the properties of some, and the filters in a file of weights."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from convcli import report
from convcli.drawing.colors import PALETTES
from convcli.errors import ConvError, KernelError
from convcli.folding import ReportingOptions
from convcli.images.formats import FIGURES
from convcli.kernels import export, kernel_figure, parse
from convcli.kernels.analysis import Analysis, analyse
from convcli.kernels.divisors import divided
from convcli.kernels.named import REGISTRY
from convcli.presenters import analysed, one_or_all
from convcli.runs.outputs import check_fields, check_terminal, make_folder
from convcli.system.files import writing
from convcli.system.names import STDIO, same_file

if TYPE_CHECKING:
    from convcli.commands.kernel import KernelOptions
    from convcli.drawing.scene import Scene

ART = 32
"""The most columns of a picture in a terminal."""

THUMBNAIL = 7
"""Columns of a picture in the list of kernels."""

SHOWN = 64
"""The most filters of a layer that are shown in a terminal."""


def named(reporting: ReportingOptions) -> None:
    """The named kernels."""
    recipes = list(REGISTRY.values())
    if reporting.as_json:
        report.json(analysed.list_document(recipes))
    elif reporting.quiet:
        report.lines(*(recipe.name for recipe in recipes))
    else:
        drawn = report.colourful()
        pictures = [kernel_figure.icon(recipe, THUMBNAIL) for recipe in recipes] if drawn else []
        report.table(analysed.list_table(recipes, pictures))


def kernels(specs: Sequence[str], asked: KernelOptions, form: str, divisor: float | str | None) -> None:
    """Everything about the kernels of some SPECs, each divided by the divisor."""
    output, as_json, quiet = asked.output or "", asked.reporting.as_json, asked.reporting.quiet
    filters = [parse(spec) for spec in specs]
    for text in (text for one in filters for text in one.notes):
        report.note(text)
    if divisor is not None:
        filters = [divided(one, divisor) for one in filters]
    if asked.op == "conv":
        filters = [
            one._replace(kernels=tuple(k._replace(values=k.values[::-1, ::-1].copy()) for k in one.kernels))
            for one in filters
        ]
    if quiet and not output and not as_json:
        for one in (one for each in filters for one in each.kernels):
            report.pieces(export.literal(one.values))
        return
    found = [[analyse(one) for one in each.kernels] for each in filters]
    flat = [one for each in found for one in each]
    targets = []
    if output:
        together = asked.on is not None or (f".{form}" in FIGURES and "{" not in output)  # all kernels in one file
        targets = export.targets([filters[0].label] if together else [one.name for one in flat], output)
        for target in targets:
            _check(target, form, specs)
        for target, those in zip(targets, [flat] if together else [[one] for one in flat], strict=True):
            _save(those, target, form, specs, asked)
    stream = sys.stderr if output == STDIO else sys.stdout
    if as_json:
        documents = [analysed.document(spec, one, each) for spec, one, each in zip(specs, filters, found, strict=True)]
        report.json(one_or_all(documents), stream)
    elif quiet:
        if output != STDIO:
            report.lines(*targets)
    else:
        for filter_, members in zip(filters, found, strict=True):
            for member in members:
                report.table(analysed.table(member, asked.op, filter_), stream)
                side = min(ART, (report.width(80) - kernel_figure.GAP) // 2 // 2 * 2)
                if not output and side >= 8 and report.colourful():  # heat map and frequency response
                    report.picture([*kernel_figure.terminal(member, side), ""])


def weights(source: str, asked: KernelOptions, form: str) -> None:
    """The tensors in a file. If a key names one, or if there is only one, also its filters."""
    from convcli.kernels import filter_sheet  # kernels need neither
    from convcli.kernels import weights as weights_

    output, as_json, quiet = asked.output or "", asked.reporting.as_json, asked.reporting.quiet
    palette, (path, key) = PALETTES[asked.theme], weights_.split(source)
    found = weights_.stored(path, key)
    drawn = None
    if output or (len(found) == 1 and not quiet and not as_json and report.colourful()):
        layer = weights_.load(source, False, asked.layout)
        drawn = filter_sheet.draw(layer.weight, palette, filter_sheet.MOST_TILES if output else SHOWN)
    if output and drawn is not None:
        if f".{form}" not in FIGURES:
            raise ConvError(f"output '{output}' is not a figure: use .svg or .png for filters")
        [output] = export.targets([found[0].name or path.stem], output)
        _check(output, form, (str(path),))
        title = f"{found[0].name or path.name}  {report.shape(found[0].shape)}"
        make_folder(output, asked.output)
        _draw(filter_sheet.sheet(drawn, title, palette), output, form)
    stream = sys.stderr if output == STDIO else sys.stdout
    if as_json:
        report.json(analysed.tensors_document(str(path), found), stream)
    elif quiet:
        if output != STDIO:
            report.lines(*([output] if output else (one.name or str(path) for one in found)))
    else:
        report.table(analysed.tensors_table(str(path), found), stream)
        if not output and drawn is not None:
            tiles = [picture for _, picture in drawn.tiles]
            report.picture([*kernel_figure.rows_of_tiles(tiles, report.width(80)), drawn.caption])


def form_of(output: str, format_: str | None) -> str:
    """The format of the output. Raises an ImageError or a KernelError if its name cannot be that of a file."""
    check_fields(output, ("kernel",))
    if output.endswith("/") or os.path.isdir(output):
        example = f"{output.rstrip('/')}/{{kernel}}.csv"
        raise KernelError(f"output '{output}' is a folder: use a file in it, as in '{example}'")
    return export.form_of(output, format_, [ending[1:] for ending in FIGURES])


def _check(output: str, form: str, specs: Sequence[str]) -> None:
    """Raise an error if binary data would go to a terminal, or would replace a kernel file that is read."""
    if output == STDIO and form in ("png", "npy"):
        check_terminal(f"a {form}", "use -o FILE or a pipe")
    for spec in specs:
        if same_file(output, spec):
            raise KernelError(f"output '{output}' is the kernel that is read: use another name")


def _save(found: Sequence[Analysis], target: str, form: str, specs: Sequence[str], asked: KernelOptions) -> None:
    """Write a figure of kernels, the values of one, or a preview."""
    if asked.on is not None and same_file(asked.on, target):
        raise KernelError(f"output '{target}' is the picture that is read: use another name")
    make_folder(target, asked.output)
    if asked.on is not None:
        from convcli import images
        from convcli.runs import preview

        page, notes = preview.draw(specs[0], asked.on, asked.theme)
        images.save(page, target, images.storage_for(page, "rgb", page.shape, False, "PNG", None))
        for text in notes:
            report.note(f"{asked.on}: {text}")
    elif f".{form}" in FIGURES:
        captions = [analysed.caption(one) for one in found]
        _draw(kernel_figure.draw(found, captions, PALETTES[asked.theme]), target, form)
    else:
        with writing(target) as stream:
            for part in export.encode(found[0], form):
                stream.write(part)


def _draw(scene: Scene, target: str, form: str) -> None:
    """Write a figure, with a note about letters that are missing."""
    from convcli.images.figures import raster

    for text in raster.save(scene, target, form=form):
        report.note(f"{target}: {text}")
