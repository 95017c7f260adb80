"""``convcli compare``: one operation on every backend side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from convcli import folding, options, report
from convcli.commands.help import MODES, Documented
from convcli.convspec import ConvSpec
from convcli.errors import ConvError
from convcli.parameters import CountType, FileType, PairType, SizeType, ToleranceType
from convcli.spelling import as_options

if TYPE_CHECKING:
    from convcli.runs.compared import Compared
    from convcli.runs.comparison import Comparison, Row

_COUNT = CountType(65536)


@click.command(
    cls=Documented,
    sections=(MODES,),
    examples=(
        "convcli compare img.png -k gaussian:5 -p same",
        "convcli compare --size 512,512 --in-channels 64 --out-channels 64",
        "convcli compare --size 64,64 --in-channels 8 --kernel-size 4 --transpose -s 2 -p 1 --json",
    ),
)
@click.argument(
    "image",
    required=False,
    metavar="[IMAGE]",
    type=FileType("IMAGE"),
    help="A path, or - for standard input.  [default: a random tensor]",
)
@options.kernel
@options.weights
@options.channels
@options.bias
@options.geometry
@options.output_padding
@options.output_size
@options.transpose
@click.option("--size", type=SizeType(), default=None, help="Without IMAGE: its size.  [default: 512,512]")
@click.option(
    "--in-channels", type=_COUNT, default=None, metavar="N", help="Without IMAGE: its channels.  [default: 3]"
)
@click.option(
    "--out-channels", type=_COUNT, default=None, metavar="N",
    help="Without -k and --weights: output channels of random weights.  [default: as the input]",
)  # fmt: skip
@click.option(
    "--kernel-size",
    type=PairType(1),
    default=None,
    help="Without -k and --weights: size of random weights.  [default: 3]",
)
@click.option("--repeats", type=CountType(10000), default=5, show_default=True, metavar="N", help="Timed calls.")
@click.option(
    "--tolerance", type=ToleranceType(), default=None,
    help="Allowed error relative to the largest Σ|x·w|.  [default: by dtype and count of terms]",
)  # fmt: skip
@options.full_scale
@options.max_pixels
@options.compute
@options.reporting
def compare(image: str | None, as_json: bool, quiet: bool, **values: Any) -> None:
    """Run one operation on every backend: shapes, errors, timings.

    Errors are against the float64 reference: the largest absolute one, and the same relative to the largest sum of
    absolute products Σ|x·w| of an output, by which backends agree or not; for the plans fft and separable, whose errors
    spread over many outputs, relative to the largest |x| times Σ|w|. Times are medians of repeated calls after a warm-up,
    array in to array out (on CUDA between two events, the data on the device); speed-ups are against the reference.
    Without IMAGE the input is a random tensor, without -k and --weights the weights are random. The kernels of a bank
    such as sobel are compared one by one, before they are combined. Exit code 1 if a backend differs.
    """
    from convcli.runs import comparison

    compared, notes = _compared(image, values, folding.fold(values))
    result = comparison.compare(*compared, folding.fold_compute(values), values["repeats"], values["tolerance"])
    missing = [as_options(line) for line in result.missing]
    if as_json:
        report.json(
            {
                "auto": result.auto,
                "reason": result.reason,
                "missing": missing,
                "notes": list(notes),
                "rows": [row.document() for row in result.rows],
                "agree": result.agree,
            }
        )
    elif not quiet:
        for line in (*notes, *missing):
            report.note(line)
        report.table(_table(result))
        report.note(f"auto takes {result.auto}" + (f": {result.reason}" if result.reason else ""))
    if not result.agree:
        click.get_current_context().exit(1)


def _compared(image: str | None, values: dict[str, Any], spec: ConvSpec) -> tuple[Compared, tuple[str, ...]]:
    """Image and weights, read, or random where they are not given; and what the user should know of them."""
    from convcli import images
    from convcli.runs import compared

    given = bool(values["kernels"]) or values["weights"] is not None
    _refuse(values, ("out_channels", "kernel_size"), given, "random weights", "-k and --weights")
    _refuse(values, ("in_channels", "size"), image is not None, "a random tensor", f"'{image}'")
    if image is None:
        if values["full_scale"] is not None:
            raise ConvError(f"--full-scale {values['full_scale']:g} is for an IMAGE: name one, or leave it out")
        picture = compared.random_picture(values["size"] or (512, 512), values["in_channels"] or 3)
    else:
        picture = images.load(image, values["max_pixels"], values["full_scale"])
    notes = picture.notes
    if picture.alpha is not None:
        notes = (*notes, f"{image}: its opacity is left out")
    if given:
        operation = folding.fold_operation(values, spec)
        return compared.of_operation(picture, operation), (*operation.notes, *notes)
    kernel = values["kernel_size"] or (3, 3)
    bias = folding.fold_bias(values)
    return compared.of_random_weights(picture, values["out_channels"], kernel, spec, bias), notes


def _refuse(values: dict[str, Any], names: tuple[str, ...], given: bool, what: str, instead: str) -> None:
    """Refuse options that say how to make at random what is given."""
    for name in names:
        if given and values[name] is not None:
            raise ConvError(f"--{name.replace('_', '-')} is for {what}: leave it out, or leave out {instead}")


def _table(result: Comparison) -> report.Table:
    rows = [
        (
            _name(row),
            report.shape(row.output_shape),
            f"{row.max_abs_error:.1e}",
            f"{row.relative_error:.1e}",
            report.seconds(row.median_ms / 1e3),
            f"{100 * (row.max_ms - row.min_ms) / row.median_ms:.0f} %" if row.repeats > 1 else "once",
            f"{row.speedup:.3g}×",
            "yes" if row.agree else "NO",
        )
        for row in result.rows
    ]
    verdict = "all agree" if result.agree else "they DIFFER"
    dtypes = ", ".join(dict.fromkeys(row.dtype for row in result.rows if row.backend != "reference"))
    header = ("backend", "output", "error", "relative", "median", "spread", "speed-up", "agrees")
    strong = next((i for i, row in enumerate(result.rows) if row.backend == result.auto), None)
    title = f"convcli compare: {verdict}" + (f" ({dtypes} against float64)" if dtypes else "")
    return report.Table(title, rows, header, strong, frozenset({2, 3, 4, 5, 6}))


def _name(row: Row) -> str:
    """``numpy separable``, ``torch``, ``torch cuda tf32``."""
    if row.backend == "numpy":
        return f"numpy {row.plan.partition(':')[0]}"
    return " ".join(
        [row.backend, *([row.device] if row.device != "cpu" else []), *(["tf32"] if row.dtype == "tf32" else [])]
    )
