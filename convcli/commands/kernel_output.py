"""What ``convcli kernel -o`` writes, and where."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from convcli import report
from convcli.commands import streams
from convcli.errors import KernelError
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


def _figure(found: Sequence[Analysis], theme: str) -> Scene:
    from convcli.drawing.colors import PALETTES
    from convcli.kernels import kernel_figure
    from convcli.presenters import analysed

    return kernel_figure.draw(found, [analysed.caption(one) for one in found], PALETTES[theme])


def check(output: str, form: str, specs: Sequence[str]) -> None:
    """Refuse to write binary data to a terminal, or over a kernel file that is read."""
    from convcli.system.names import same_file

    if output == STDIO and form in ("png", "npy"):
        streams.check_terminal(f"a {form}", "use -o FILE or a pipe")
    for spec in specs:
        if same_file(output, spec):
            raise KernelError(f"output '{output}' is the kernel that is read: name another")


def write(scene: Scene, target: str, form: str) -> None:
    """Write a figure, with a note on letters that are missing."""
    from convcli.images.figures import raster

    for text in raster.save(scene, target, form=form):
        report.note(f"{target}: {text}")
