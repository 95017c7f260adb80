"""``convcli kernel``: what a kernel is and does, the list of the named ones, and the filters in a file of weights."""

import click

from convcli import options
from convcli.commands.help import Documented
from convcli.commands.kernel_texts import ARGUMENTS, NAMES
from convcli.errors import ConvError
from convcli.folding import ReportingOptions, divisor_of, folded
from convcli.parameters.names import FileType, KernelType
from convcli.records import NamedTuple
from convcli.system.names import is_stream


class KernelOptions(NamedTuple):
    """What `kernel` is asked for."""

    specs: tuple[str, ...]
    kernels: tuple[str, ...]
    divisor: float | str | None
    normalize: bool
    weights: str | None
    layout: str | None
    op: str
    on: str | None
    output: str | None
    format_: str | None
    theme: str
    reporting: ReportingOptions


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
@options.divisor
@options.weights
@options.layout
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
    response. The gain is the largest |H|: the wave that grows most grows by this factor. The range is what values from 0 to 1 can
    become. A kernel that stays the same when it is turned by 180° makes convolution and correlation the same. -q prints the
    matrix so that -k takes it.

    With --weights, lists the weights in a file, or draws the filters of one of them.
    """
    from convcli.commands import kernel_results as results

    given, output = (*asked.specs, *asked.kernels), asked.output or ""
    form = "" if asked.output is None else results.form_of(output, asked.format_)
    if asked.weights is not None and given:
        raise ConvError(f"kernel {given[0]} and --weights {asked.weights} exclude each other: give one of them")
    if asked.layout is not None and asked.weights is None:
        raise ConvError(f"--layout {asked.layout} is for --weights: leave it out")
    divisor = divisor_of(asked.divisor, asked.normalize)
    if divisor is not None and (asked.on is not None or not given):
        raise ConvError(f"--divisor {divisor} is for kernels{' without --on' if given else ''}: leave it out")
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
        results.kernels(given, asked, form, divisor)
    elif output:
        example = f"convcli kernel sobel-x -o {output}"
        raise ConvError(f"-o {output} has no kernel to write: add one, as in '{example}'")
    else:
        results.named(asked.reporting)
