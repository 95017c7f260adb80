"""What ``convcli kernel -o`` writes, and where."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from convcli import report
from convcli.errors import ConvError, KernelError
from convcli.system.files import writing
from convcli.system.names import STDIO

if TYPE_CHECKING:
    from convcli.drawing.scene import Scene
    from convcli.kernels.analysis import Analysis

FIGURES = ("svg", "png")


def form_of(output: str, format_: str | None) -> str:
    """The format of the output. Names that cannot be files are refused, by the rules of apply's -o."""
    from convcli.kernels import export
    from convcli.runs.outputs import check_fields

    check_fields(output, ("kernel",))
    if output.endswith("/") or os.path.isdir(output):
        raise KernelError(
            f"output '{output}' is a folder: name a file in it, as in '{output.rstrip('/')}/{{kernel}}.csv'"
        )
    return export.form_of(output, format_, FIGURES)


def save(found: Sequence[Analysis], target: str, output: str, form: str, theme: str) -> None:
    """Write a figure of kernels, or the values of one. The folders of a template are made."""
    from convcli.kernels import export
    from convcli.runs.outputs import folder

    with folder(target, output):
        if form in FIGURES:
            write(_figure(found, theme), target, form)
            return
        with writing(target) as stream:
            for part in export.encode(found[0], form):
                stream.write(part)


def preview(spec: str, source: str, target: str, output: str, theme: str) -> None:
    """Write what a kernel does to a picture."""
    from convcli import images
    from convcli.runs import outputs
    from convcli.runs import preview as drawing
    from convcli.system.names import same_file

    if same_file(source, target):
        raise KernelError(f"output '{target}' is the picture that is read: name another")
    page, notes = drawing.draw(spec, source, theme)
    storage = images.storage_for(page, "rgb", page.shape, False, "PNG", None)
    with outputs.folder(target, output):
        images.save(page, target, storage)
    for text in notes:
        report.note(f"{source}: {text}")


def _figure(found: Sequence[Analysis], theme: str) -> Scene:
    from convcli.drawing.colors import PALETTES
    from convcli.kernels import kernel_figure
    from convcli.presenters import analysed

    return kernel_figure.draw(found, [analysed.caption(one) for one in found], PALETTES[theme])


def check(output: str, form: str, specs: Sequence[str]) -> None:
    """Refuse to write binary data to a terminal, or over a kernel file that is read."""
    from convcli.system.names import same_file

    if output == STDIO and form in ("png", "npy") and sys.stdout.isatty():
        raise ConvError(f"standard output is a terminal, which a {form} would garble: use -o FILE or a pipe")
    for spec in specs:
        if same_file(output, spec):
            raise KernelError(f"output '{output}' is the kernel that is read: name another")


def write(scene: Scene, target: str, form: str) -> None:
    """Write a figure, with a note on letters that are missing."""
    from convcli.images.figures import raster

    for text in raster.save(scene, target, form=form):
        report.note(f"{target}: {text}")
