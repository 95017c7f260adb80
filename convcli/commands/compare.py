"""``convcli compare``: one operation on every backend side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from convcli import options, report
from convcli.commands.help import WithExamples
from convcli.convspec import ConvSpec
from convcli.errors import ConvError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from convcli.comparison import Comparison, Row

    Job = tuple[NDArray[np.generic], NDArray[np.floating], ConvSpec, NDArray[np.float64] | None]

_COUNT = options.CountType(65536)


@click.command(
    cls=WithExamples,
    examples=(
        "convcli compare img.png -k gaussian:5 -p same",
        "convcli compare --size 512,512 --in-channels 64 --out-channels 64",
        "convcli compare --size 64,64 --in-channels 8 --kernel-size 4 --transpose -s 2 -p 1 --json",
    ),
)
@click.argument("image", required=False, metavar="[IMAGE]")
@options.bank
@options.geometry
@options.output_padding
@options.output_size
@options.transpose
@click.option("--size", type=options.SizeType(), default=None, help="Without IMAGE: its size.  [default: 512,512]")
@click.option(
    "--in-channels", type=_COUNT, default=None, metavar="N", help="Without IMAGE: its channels.  [default: 3]"
)
@click.option(
    "--out-channels", type=_COUNT, default=None, metavar="N",
    help="Without -k and --weights: output channels of random weights.  [default: as the input]",
)  # fmt: skip
@click.option(
    "--kernel-size",
    type=options.PairType(1),
    default=None,
    help="Without -k and --weights: size of random weights.  [default: 3]",
)
@click.option(
    "--repeats", type=options.CountType(10000), default=5, show_default=True, metavar="N", help="Timed calls."
)
@click.option(
    "--tolerance", type=click.FloatRange(min=0), default=None, metavar="E",
    help="Allowed error relative to the largest Σ|x·w|.  [default: by dtype and count of terms]",
)  # fmt: skip
@options.compute
@options.reporting
def compare(image: str | None, as_json: bool, quiet: bool, **values: Any) -> None:
    """Run one operation on every backend: shapes, errors, timings.

    Errors are against the float64 reference: the largest absolute one, and the same relative to the largest sum of
    absolute products, by which backends agree or not. Times are medians of repeated calls after a warm-up, array in to
    array out (on CUDA between two events, the data on the device); speed-ups are against the reference. Without IMAGE the
    input is a random tensor, without -k and --weights the weights are random. Exit code 1 if a backend differs.
    """
    from convcli import comparison, operation

    spec = options.fold(values)
    job = _job(image, values, spec)
    compute = operation.compute_from(values)
    result = comparison.compare(*job, compute, values["repeats"], values["tolerance"])
    if as_json and not quiet:
        report.json(
            {
                "auto": result.auto,
                "reason": result.reason,
                "missing": list(result.missing),
                "rows": [row.document() for row in result.rows],
                "agree": result.agree,
            }
        )
    elif not quiet:
        for line in result.missing:
            report.note(line)
        report.table(_table(result))
        report.note(f"auto takes {result.auto}" + (f": {result.reason}" if result.reason else ""))
    if not result.agree:
        click.get_current_context().exit(1)


def _job(image: str | None, values: dict[str, Any], spec: ConvSpec) -> Job:
    """Image, weights, specification and bias: read, or random where they are not given."""
    import numpy as np

    from convcli import comparison, images, operation, pipeline

    given = bool(values["kernels"]) or values["weights"] is not None
    if given and (values["out_channels"] is not None or values["kernel_size"] is not None):
        option = "--out-channels" if values["out_channels"] is not None else "--kernel-size"
        raise ConvError(f"{option} is for random weights: leave it out, or leave out -k and --weights")
    if image is not None:
        for option in ("in_channels", "size"):
            if values[option] is not None:
                raise ConvError(
                    f"--{option.replace('_', '-')} is for a random tensor: leave it out, or leave out '{image}'"
                )
    if image is None:
        channels = values["in_channels"] or 3
        picture = images.Picture(np.empty((channels, 0, 0), np.float32), None, "tensor", 1.0)
    else:
        picture = images.load(image)
    channels = picture.colour.shape[-3]
    out_channels = values["out_channels"] or channels
    pixels, weight = comparison.random_layer(
        values["size"] or (512, 512) if image is None else (1, 1), channels, out_channels, values["kernel_size"] or (3, 3),
        spec if not given else ConvSpec(transpose=spec.transpose),
    )  # fmt: skip
    colour = pixels if image is None else picture.colour
    if not given:
        bias = operation.bias_from(values)
        return colour, weight, spec, None if bias is None else bias.array(out_channels, picture.full_scale)
    from dataclasses import replace

    job = operation.from_options(values, spec)
    for text in job.notes:
        report.note(text)
    picture = replace(picture, colour=colour)
    if job.channels == "gray" and channels > 1:
        picture = picture.with_pixels(pipeline.to_gray(picture), None)
    fitted = pipeline.prepare(picture, job)
    return fitted.image, fitted.weight, fitted.spec, fitted.bias


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
