"""``convcli explain``: the sum behind one pixel, or the outputs behind one input."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import click

from convcli import folding, options, report
from convcli.commands.help import KERNELS, MODES, Documented
from convcli.commands.synonyms import check_images
from convcli.errors import ConvError
from convcli.parameters.names import FileType
from convcli.parameters.numbers import IndexType, PointType
from convcli.vocabulary import TOOLS

if TYPE_CHECKING:
    from convcli.explanation.pixel import Pixel
    from convcli.explanation.subject import Subject
    from convcli.explanation.touched import Touched


class ExplainOptions(NamedTuple):
    """What `explain` is asked for."""

    image: str
    at: tuple[int, int] | None
    input_at: tuple[int, int] | None
    channel: int
    item: int | None
    operation: folding.OperationOptions
    geometry: folding.GeometryOptions
    range_: str | None
    reading: folding.ReadingOptions
    format_: str | None
    output: str | None
    theme: str
    tool: str | None
    compute: folding.ComputeOptions
    reporting: folding.ReportingOptions


@click.command(
    cls=Documented,
    sections=(KERNELS, MODES),
    examples=(
        "convcli explain img.png -k sobel --at 10,12",
        "convcli explain img.png -k gaussian:1 -p same --padding-mode reflect --at 0,0 --channel 2 -o corner.svg",
        "convcli explain img.png -k bilinear:2 -s 2 -p 1 --transpose --at 7,8",
        "convcli explain img.png -k box:3 -s 2 -p 1 --input-at 4,4",
        "convcli explain img.png -k sobel-x -s 2 --as torch",
    ),
)
@click.argument(
    "image", metavar="IMAGE", type=FileType("IMAGE"),
    help="A path, or - for standard input; .npy files are tensors (H, W), (C, H, W) or (N, C, H, W).",
)  # fmt: skip
@click.option(
    "--at", type=PointType(),
    help="The output pixel to explain: row and column from 0; below 0 they count from the end.",
)  # fmt: skip
@click.option(
    "--input-at", type=PointType(),
    help="The inverse: the input pixel whose outputs are wanted.",
)  # fmt: skip
@click.option(
    "--channel", type=IndexType(), default=0, show_default=True, metavar="C",
    help="Of the result; with --input-at, of the input.",
)  # fmt: skip
@click.option("--item", type=IndexType(), help="Which image of a batch (N, C, H, W).")
@options.bank
@options.geometry
@options.output_padding
@options.output_size
@options.transpose
@options.linear
@options.alpha
@options.range_
@options.full_scale
@options.max_pixels
@click.option(
    "--format", "format_", metavar="NAME",
    help="The format that the result would be written in: png, jpg, tif, npy, …  [default: the input's, as for apply]",
)  # fmt: skip
@click.option(
    "-o", "--output", type=FileType("FILE"), metavar="FILE.svg|FILE.png", help="Draw the answer as a figure."
)  # fmt: skip
@options.theme
@click.option(
    "--as", "tool", type=click.Choice(TOOLS),
    help="Instead of a pixel: the operation written for another tool, ready to paste.",
)  # fmt: skip
@options.compute
@options.reporting
@folding.folded
def explain(asked: ExplainOptions) -> None:
    """Explain any pixel: what the kernel saw, the products, the sum, and what is written.

    Takes every operation option of apply and of transpose (with --transpose, or implied by --op2 and --output-size). Shows
    the window of the input under the kernel with the padding marked, the kernel as it is applied, the products, bias and
    sum, and the value before and after the range policy: the numbers that apply and transpose compute. Of the transposed
    operation it shows which input pixels reach the output through which taps. With --input-at: which outputs an input
    pixel reaches, and with what weight.

    --backend, --device, --dtype, --threads and --plan change nothing: what is shown is always computed in float64. They are
    accepted so that a command line of apply can be used as it is.
    """
    from convcli.explanation import pixel, subject, touched

    if asked.at is not None and asked.input_at is not None:
        raise ConvError("--at and --input-at exclude each other: give one of them")
    if asked.at is None and asked.input_at is None and asked.tool is None:
        raise ConvError("no pixel is given: add --at Y,X, or --input-at Y,X for a pixel of the input, or --as TOOL")
    if asked.tool is not None and asked.output is not None:
        raise ConvError(f"-o {asked.output} is for the figure of a pixel, and --as prints a script: use '> FILE'")
    check_images([asked.image], asked.operation.kernels, asked.operation.weights)
    operation = asked.operation.operation(asked.geometry.spec(), asked.compute.choice())
    if asked.tool is not None and operation.bank is not None:
        operation = replace(operation, alpha="drop")
    reading = asked.reading.max_pixels, asked.reading.full_scale
    fitted = subject.load(asked.image, operation, asked.format_, asked.range_, asked.item, *reading)
    if asked.tool is not None:
        _translate(fitted, asked.tool, asked.operation.weights, asked.reporting.as_json)
    elif asked.at is not None:
        _show(pixel.explain(fitted, asked.at, asked.channel), asked)
    elif asked.input_at is not None:
        _show(touched.touched(fitted, asked.input_at, asked.channel), asked)


def _show(answer: Pixel | Touched, asked: ExplainOptions) -> None:
    """Draw the answer if the user asks for it, and print it."""
    from convcli.presenters import explained

    if (output := asked.output) is not None:
        from convcli.drawing.colors import PALETTES
        from convcli.explanation import illustration
        from convcli.images.figures import raster
        from convcli.runs import outputs

        if not output:
            raise ConvError("output '' is empty: use a .svg or .png file, or a folder that ends in '/'")
        source, operation = answer.subject.source, answer.subject.operation
        [target] = outputs.resolve([source], output, operation.label, in_place=None, read=operation.files)
        outputs.make_folder(target, output)
        for text in raster.save(illustration.draw(answer, PALETTES[asked.theme]), target):
            report.note(f"{target}: {text}")
    if asked.reporting.as_json:
        report.json(explained.document(answer))
        return
    for text in answer.subject.notes:
        report.note(text)
    if asked.reporting.quiet:
        report.lines(*explained.lines(answer))
        return
    for block in explained.blocks(answer, report.width()):
        report.block(block)


def _translate(fitted: Subject, tool: str, weights: str | None, as_json: bool) -> None:
    """Print the operation as a script for another tool."""
    from convcli.images import row_of
    from convcli.translate import Request, translate

    ready, operation, picture = fitted.ready, fitted.operation, fitted.picture
    drops_alpha = picture.alpha is not None and ready.alpha != "filter"
    if drops_alpha:
        report.note(f"{fitted.source}: its alpha is left out of the script")
    row = row_of(picture.metadata.format)
    request = Request(
        source=fitted.source,
        layer=fitted.layer,
        geometry=fitted.geometry,
        parts=ready.finish.parts,
        channels=operation.channels if operation.bank is not None or operation.channels == "gray" else None,
        input_channels=picture.colour.shape[-3] + (ready.alpha == "filter"),
        flipped=operation.spec.op == "conv",
        label=operation.label,
        linear=operation.linear,
        full_scale=picture.full_scale,
        weights=weights or "",
        turned=row.turned or picture.metadata.turned,
        tensor=row.tensor,
        item=fitted.item if picture.colour.ndim == 4 else None,
        frames=picture.metadata.frames,
        drops_alpha=drops_alpha,
    )
    code = translate(request, tool)
    if as_json:
        report.json({"tool": tool, "code": code})
    else:
        report.lines(code.rstrip("\n"))
