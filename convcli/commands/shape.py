"""``convcli shape``: the size arithmetic, without pixels."""

from __future__ import annotations

from typing import Any

import click

from convcli import options, report
from convcli.arithmetic import sizes
from convcli.commands.help import Documented
from convcli.geometry import Geometry, Size
from convcli.parameters import CountType, PairType

_SIZE = CountType()


@click.command(
    cls=Documented,
    examples=(
        "convcli shape --hin 32 --k 3 --s 2 --op2 1",
        "convcli shape --hin 224 --k 7 --s 2 --p 3",
        "convcli shape --hin 480 --win 640 --k 3,5 --s 2,1 --p same-upper",
        "convcli shape --hin 16 --k 4 --s 2 --p 1 --transpose --output-size 32,32",
    ),
)
@click.option("--hin", type=_SIZE, required=True, metavar="N", help="Input height in pixels.")
@click.option("--win", type=_SIZE, default=None, metavar="N", help="Input width in pixels.  [default: the height]")
@click.option(
    "-k", "--k", "--kernel-size", "kernel_size", type=PairType(1), required=True, help="Kernel size in pixels."
)
@options.stride
@options.padding
@options.dilation
@options.output_padding
@options.output_size
@options.transpose
@options.reporting
def shape(hin: int, win: int | None, kernel_size: tuple[int, int], as_json: bool, quiet: bool, **values: Any) -> None:
    """Say what size comes out, by which formula, and what goes back.

    Answers for the direct convolution, or for the transposed one with --transpose, --op2 or --output-size; always shows
    the opposite direction, and which input sizes share one output size (the reason that output_padding exists).
    """
    spec = options.fold(values)
    geometry = spec.resolve((hin, hin if win is None else win), kernel_size)
    rule = spec.padding if isinstance(spec.padding, str) else None
    if as_json:
        report.json(sizes.document(geometry, rule))
    elif quiet:
        report.lines(
            str(geometry.output.height) if win is None else f"{geometry.output.height} {geometry.output.width}"
        )
    else:
        report.table(_table(geometry, rule, both=win is not None or _axes_differ(geometry)))


def _axes_differ(geometry: Geometry) -> bool:
    parameters = (geometry.kernel, geometry.stride, geometry.dilation, geometry.output_padding, geometry.output)
    return any(len(set(values)) > 1 for values in parameters) or geometry.pads[:2] != geometry.pads[2:]


def _table(geometry: Geometry, rule: str | None, both: bool) -> report.Table:
    axes = [sizes.axis(geometry, number, rule) for number in ((0, 1) if both else (0,))]
    direct, transposed = "direct", "transposed"
    here, there = (transposed, direct) if geometry.transpose else (direct, transposed)

    def size(value: Size) -> str:
        return str(value) if both else str(value.height)

    rows = [("input", size(geometry.input)), ("output", size(geometry.output))]
    if rule is not None or len(set(geometry.pads)) > 1:
        pads = report.pair((*geometry.pads,))
        order = " (top, bottom, left, right)" if len(set(geometry.pads)) > 1 else ""
        rows.append(("padding", (f"{rule} = " if rule else "") + pads + order))
    if geometry.transpose and max(geometry.output_padding):
        rows.append(("output_padding", f"{report.pair(geometry.output_padding)} (bottom, right)"))
    rows += [(here, part.formula) for part in axes]
    rows += [(f"{there}, back", part.opposite_formula) for part in axes]
    for number, (name, part) in enumerate(zip(("rows", "columns"), axes, strict=False)):
        if not part.sharing:  # cropped so far that no direct convolution leads here
            continue
        first, last = part.sharing[0], part.sharing[-1]
        inputs = str(first) if first == last else f"{first} and {last}" if last == first + 1 else f"{first} to {last}"
        small, large = (part.input, part.output) if geometry.transpose else (part.output, part.input)
        text = f"direct{f' with {rule}' if rule else ''}: {inputs} → {small}"
        if first != last:
            pads = f"padding {report.pair(geometry.pads[2 * number : 2 * number + 2])} and " if rule else ""
            text += f"; transposed: {small} → {large} needs {pads}output_padding {part.output_padding}"
        rows.append(("share one output", f"{name}: {text}" if both else text))
    return report.Table(f"convcli shape: {here} convolution", rows)
