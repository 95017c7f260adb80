"""``convcli compare``: one operation on every backend side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from convcli import folding, options, report
from convcli.commands.help import Documented
from convcli.convspec import ConvSpec
from convcli.errors import ConvError
from convcli.geometry import Pair, Size
from convcli.parameters.names import FileType
from convcli.parameters.numbers import CountType, PairType, RealType, SizeType
from convcli.records import NamedTuple

if TYPE_CHECKING:
    from convcli.engine import Compute
    from convcli.runs.comparison_input import Compared

_COUNT = CountType(65536)


class CompareOptions(NamedTuple):
    """What `compare` is asked for."""

    image: str | None
    operation: folding.OperationOptions
    geometry: folding.GeometryOptions
    size: Size | None
    in_channels: int | None
    out_channels: int | None
    kernel_size: Pair | None
    repeats: int
    tolerance: float | None
    reading: folding.ReadingOptions
    compute: folding.ComputeOptions
    reporting: folding.ReportingOptions


@click.command(
    cls=Documented,
    examples=(
        "convcli compare img.png -k gaussian:5 -p same",
        "convcli compare --size 512,512 --in-channels 64 --out-channels 64",
        "convcli compare --size 64,64 --kernel-size 4 --transpose -s 2 -p 1 --json",
    ),
)
@options.argument(
    "Input", "image", required=False, metavar="[IMAGE]", type=FileType("IMAGE"),
    brief="A file, - for standard input, or random numbers",
    help="A file, or - for standard input.  [default: a random tensor]",
)  # fmt: skip
@options.option(
    "Input", "--size", type=SizeType(), show_default="512,512", brief=True, help="Without IMAGE: size of the random input.",
)  # fmt: skip
@options.option(
    "Input", "--in-channels", type=_COUNT, metavar="N", show_default="3", brief=True,
    help="Without IMAGE: channels of the random input.",
)  # fmt: skip
@options.full_scale
@options.max_pixels
@options.kernel
@options.divisor
@options.weights
@options.layout
@options.option(
    "Kernel", "--kernel-size", type=PairType(1), show_default="3", brief=True, help="Without -k and --weights: size of the kernel.",
)  # fmt: skip
@options.option(
    "Kernel", "--out-channels", type=_COUNT, metavar="N", show_default="as the input",
    brief=True, help="Without -k and --weights: output channels.",
)  # fmt: skip
@options.channels
@options.bias
@options.geometry
@options.output_padding
@options.output_size
@options.transpose
@options.compute
@options.option(
    "Engine", "--repeats", type=CountType(10000), default=5, metavar="N", brief=True,
    help="Number of timed calls.",
)  # fmt: skip
@options.option(
    "Engine", "--tolerance", type=RealType(0), metavar="E", show_default="from the dtype and the number of terms",
    help="Largest allowed error, relative to the largest Σ|x·w|.",
)  # fmt: skip
@options.reporting
@folding.folded
def compare(asked: CompareOptions) -> None:
    """Run one operation on every backend: shapes, errors, timings.

    Without IMAGE the input is a random tensor; without -k and --weights the weights are random. The kernels of a pair such as
    sobel are compared one by one. Exit code 1 if a backend differs.

    Errors are differences from the float64 reference: the largest one, and the largest one relative to the largest Σ|x·w| of
    an output, which decides whether backends agree. The plans fft and separable spread their errors over many outputs: theirs
    is relative to the largest |x| times Σ|w|.

    Times are medians of repeated calls after a first one, from array to array; on CUDA between two events, with the data on
    the device. Speed-ups are relative to the reference.
    """
    from convcli.presenters import compared_backends
    from convcli.runs import comparison

    compute = asked.compute.choice()
    given, notes = _compared(asked, asked.geometry.spec(), compute)
    result = comparison.compare(*given, compute, asked.repeats, asked.tolerance)
    if asked.reporting.as_json:
        report.json(compared_backends.document(result, notes))
    elif not asked.reporting.quiet:
        for line in (*notes, *result.missing):
            report.note(line)
        report.table(compared_backends.table(result))
        report.note(f"auto takes {result.auto}" + (f": {result.reason}" if result.reason else ""))
    if not result.agree:
        click.get_current_context().exit(1)


def _compared(asked: CompareOptions, spec: ConvSpec, compute: Compute) -> tuple[Compared, tuple[str, ...]]:
    """The image and the weights, from files or random, and notes for the user."""
    from convcli import images
    from convcli.runs import comparison_input
    from convcli.runs.hints import hints

    image, reading, operation = asked.image, asked.reading, asked.operation
    given = bool(operation.kernels) or operation.weights is not None
    if given:
        refused = {"--out-channels": asked.out_channels, "--kernel-size": asked.kernel_size}
        _refuse(refused, "random weights", "-k and --weights")
    if image is not None:
        _refuse({"--in-channels": asked.in_channels, "--size": asked.size}, "a random tensor", f"'{image}'")
        picture = images.load(image, reading.max_pixels, reading.full_scale)
    else:
        if reading.full_scale is not None:
            raise ConvError(f"--full-scale {reading.full_scale:g} is for an IMAGE: add one, or leave it out")
        picture = comparison_input.random_picture(asked.size or (512, 512), asked.in_channels or 3)
    notes = picture.notes
    if picture.alpha is not None:
        notes = (*notes, f"{image}: its alpha is left out")
    if given:
        made = operation.operation(spec, compute)
        return comparison_input.of_operation(picture, made), (*made.notes, *notes)
    kernel = asked.kernel_size or (3, 3)
    notes = (*hints(spec, kernel), *notes)
    return comparison_input.of_random_weights(picture, asked.out_channels, kernel, spec, operation.bias), notes


def _refuse(options: Mapping[str, object], what: str, instead: str) -> None:
    """Raise a ConvError if there is an option for random data that is not needed."""
    for option, value in options.items():
        if value is not None:
            raise ConvError(f"{option} is for {what}: leave it out, or leave out {instead}")
