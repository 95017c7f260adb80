"""``convcli kernel``: what a kernel is and does, the list of the named ones, and the filters in a file of weights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from convcli import options, report
from convcli.commands.help import KERNELS, Documented
from convcli.errors import ConvError, KernelError
from convcli.files import STDIO
from convcli.parameters import FileType, KernelType
from convcli.vocabulary import OPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from convcli.drawing.scene import Scene
    from convcli.kernels import Filter
    from convcli.kernels.analysis import Analysis

FIGURES = ("svg", "png")


@click.command(
    cls=Documented,
    sections=(KERNELS,),
    examples=(
        "convcli kernel                                  # the named kernels",
        "convcli kernel sobel                            # its two matrices, sums, gain, rank, frequency response",
        "convcli kernel gaussian:2 -o gaussian.svg       # heat map and frequency response as a figure",
        "convcli kernel 'unsharp:2' -o unsharp.mat       # for vips conv",
        "convcli kernel --weights model.safetensors      # the 4-D tensors in a file",
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
@click.option(
    "--theme", type=click.Choice(["light", "dark"]), default="light", show_default=True, help="Colours of the figure."
)
@options.reporting
def kernel(
    specs: tuple[str, ...], kernels: tuple[str, ...], weights: str | None, op: str,
    output: str | None, format_: str | None, theme: str, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Say what a kernel does: sums, gain, symmetry, rank, 1-D factors, frequency response.

    Without arguments, lists the named kernels. The gain is the largest |H|, by which the wave that a kernel amplifies most
    grows; the range is what values from 0 to 1 can become. A kernel that is symmetric under a turn by 180° makes
    convolution and correlation the same. With --weights, lists the 4-D tensors in a file, or draws the filters of one.
    -q prints the matrix as a SPEC that -k takes.
    """
    from convcli.commands import kernel_parts as parts

    given = (*specs, *kernels)
    form = _form(output, format_)
    if weights is not None:
        if given:
            raise ConvError(f"kernel {given[0]} and --weights {weights} exclude each other: give one of them")
        parts.show_weights(weights, output, form, theme, as_json, quiet)
    elif given:
        parts.show_kernels(given, op, output, form, theme, as_json, quiet)
    elif output is not None:
        raise ConvError(f"-o {output} has no kernel to write: name one, as in 'convcli kernel sobel-x -o {output}'")
    else:
        parts.show_list(as_json, quiet)
