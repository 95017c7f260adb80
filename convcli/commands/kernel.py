"""``convcli kernel``: what a kernel is and does, the list of the named ones, and the filters in a file of weights."""

from __future__ import annotations

from typing import NamedTuple

import click

from convcli import options
from convcli.commands.help import KERNELS, Documented
from convcli.errors import ConvError
from convcli.folding import ReportingOptions, folded
from convcli.parameters.names import FileType, KernelType
from convcli.system.names import is_stream
from convcli.vocabulary import OPS


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


@click.command(
    cls=Documented,
    sections=(KERNELS._replace(rows=list),),
    examples=(
        "convcli kernel                                    # the named kernels",
        "convcli kernel sobel                              # matrices, sums, gain, rank, frequency response",
        "convcli kernel gaussian:2 -o gaussian.svg         # heat map and frequency response as a figure",
        "convcli kernel unsharp:2 -o unsharp.mat           # for vips conv",
        "convcli kernel sobel --on img.png -o seen.png     # the picture before and after, beside the kernel",
        "convcli kernel --weights model.safetensors        # the 4-D tensors in a file",
        "convcli kernel --weights model.safetensors:conv1.weight -o filters.png",
    ),
)
@click.argument("specs", nargs=-1, metavar="[SPEC]…", type=KernelType(), help="A kernel, as for -k.")
@options.kernel
@options.weights
@click.option(
    "--op", type=click.Choice(OPS), default="corr", show_default=True,
    help="conv: show the kernel flipped, as a convolution applies it.",
)  # fmt: skip
@click.option(
    "--on", type=FileType("IMAGE"),
    help="With -o FILE.png: what the kernel does to a picture, before and after side by side.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=FileType("PATH|-"),
    help="Write a figure (.svg, .png), or the kernel itself: .npy, .json, .csv, .mat (vips) or .txt (ImageMagick's "
    "notation). {kernel} is replaced by the name of each kernel of a bank.",
)  # fmt: skip
@click.option("--format", "format_", metavar="NAME", help="The format of -o -: svg, png, npy, json, csv, mat, txt.")
@options.theme
@options.reporting
@folded
def kernel(asked: KernelOptions) -> None:
    """Say what a kernel does: its sums, gain, symmetry, rank and 1-D factors, and its frequency response.

    Without arguments, lists the named kernels. The gain is the largest |H|: how much the wave grows that a kernel
    amplifies most. The range is what values from 0 to 1 can become. A kernel that stays the same when it is turned by
    180° makes convolution and correlation the same. With --weights, lists the 4-D tensors in a file, or draws the filters
    of one of them. -q prints the matrix as a SPEC that -k takes.
    """
    from convcli.commands import kernel_results as results

    given, output = (*asked.specs, *asked.kernels), asked.output or ""
    form = "" if asked.output is None else results.form_of(output, asked.format_)
    if asked.weights is not None and given:
        raise ConvError(f"kernel {given[0]} and --weights {asked.weights} exclude each other: give one of them")
    if asked.format_ is not None and not is_stream(output):
        raise ConvError(f"--format {asked.format_} is for -o -: leave it out, the ending of the output is the format")
    if asked.on is not None:
        if len(given) != 1:
            raise ConvError(
                f"--on {asked.on} is for one kernel: give one, as in 'convcli kernel sobel --on IMAGE -o FILE.png'"
            )
        if asked.op != "corr":
            raise ConvError(f"--op {asked.op} and --on exclude each other: leave one of them out")
        if not form:
            raise ConvError(f"--on {asked.on} has no output: add -o FILE.png")
        if form != "png":
            raise ConvError(f"output '{asked.output}' is not a picture: use .png for a preview")
    if asked.weights is not None:
        results.weights(asked.weights, asked, form)
    elif given:
        results.kernels(given, asked, form)
    elif output:
        example = f"convcli kernel sobel-x -o {output}"
        raise ConvError(f"-o {output} has no kernel to write: add one, as in '{example}'")
    else:
        results.named(asked.reporting)
