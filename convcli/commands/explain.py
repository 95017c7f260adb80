"""``convcli explain``: the sum behind one pixel, or the outputs behind one input."""

from typing import TYPE_CHECKING

import click

from convcli import folding, options, report
from convcli.commands.help import Documented
from convcli.commands.synonyms import check_images
from convcli.errors import ConvError
from convcli.parameters import ChoiceType
from convcli.parameters.names import FileType
from convcli.parameters.numbers import IndexType, PointType
from convcli.records import NamedTuple
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
    channel: int | None
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
    examples=(
        "convcli explain img.png -k sobel --at 10,12",
        "convcli explain img.png -k box:3 -s 2 -p 1 --input-at 4,4",
        "convcli explain img.png -k sobel-x -s 2 --as torch",
        "convcli explain img.png -k bilinear:2 -s 2 -p 1 --transpose --at 7,8",
        "convcli explain img.png -k gaussian:1 -p same --padding-mode reflect \\\n  --at 0,0 --channel 2 -o corner.svg",
    ),
)
@options.argument(
    "Input", "image", metavar="IMAGE", type=FileType("IMAGE"), brief=True,
    help="A file, or - for standard input. A .npy file is a tensor: (H, W), (C, H, W) or (N, C, H, W).",
)  # fmt: skip
@options.option(
    "Input", "--at", type=PointType(), brief=True,
    help="Output pixel to explain: row and column, from 0. Negative numbers count from the end.",
)  # fmt: skip
@options.option(
    "Input", "--input-at", type=PointType(), brief=True, help="Input pixel: show which outputs it reaches.",
)  # fmt: skip
@options.option(
    "Input", "--channel", type=IndexType(), metavar="C", show_default="0", brief=True,
    help="Channel of the pixel, from 0.",
)  # fmt: skip
@options.option("Input", "--item", type=IndexType(), metavar="N", help="Which image of a batch (N, C, H, W).")
@options.bank
@options.geometry
@options.output_padding
@options.output_size
@options.transpose
@options.linear
@options.alpha
@options.option(
    "Output", "-o", "--output", type=FileType("FILE"), metavar="FILE.svg|FILE.png",
    brief=True, help="Draw the answer as a figure.",
)  # fmt: skip
@options.option(
    "Output", "--as", "tool", type=ChoiceType(TOOLS), brief="Write it for torch, scipy, opencv, onnx, …",
    help="Write the operation for another tool, ready to paste, instead of explaining a pixel.",
)  # fmt: skip
@options.range_
@options.full_scale
@options.max_pixels
@options.option(
    "Output", "--format", "format_", metavar="NAME", show_default="the input's, as in apply",
    help="The format that apply would write: png, jpg, tif, npy.",
)  # fmt: skip
@options.theme
@options.ignored_compute
@options.reporting
@folding.folded
def explain(asked: ExplainOptions) -> None:
    """Explain a pixel: window, kernel, products and their sum.

    Shows the window of the input under the kernel with its padding marked, the kernel as it is applied, the products, bias
    and sum, and the value before and after --range: the numbers that apply and transpose compute. For the transposed
    convolution it shows which input pixels reach the output through which taps. With --input-at it shows which outputs an
    input pixel reaches, and with which weight.

    Takes all options of apply and transpose that say what is computed, so that a line can be run again with explain. The
    options under Engine change nothing here: everything is computed in float64.
    """
    from convcli.explanation import pixel, subject, touched

    if asked.at is not None and asked.input_at is not None:
        raise ConvError("--at and --input-at exclude each other: give one of them")
    if asked.at is None and asked.input_at is None and asked.tool is None:
        raise ConvError("no pixel is given: add --at Y,X, or --input-at Y,X for a pixel of the input, or --as TOOL")
    if asked.tool is not None and asked.output is not None:
        raise ConvError(f"-o {asked.output} is for the figure of a pixel, and --as prints a script: use '> FILE'")
    check_images([asked.image], asked.operation)
    operation = asked.operation.operation(asked.geometry.spec(), asked.compute.choice())
    if asked.tool is not None and operation.bank is not None:
        operation = operation._replace(alpha="drop")
    reading = asked.reading.max_pixels, asked.reading.full_scale
    fitted = subject.load(asked.image, operation, asked.format_, asked.range_, asked.item, *reading)
    if asked.tool is not None:
        _translate(fitted, asked.tool, asked.reporting.as_json)
    elif asked.at is not None:
        _show(pixel.explain(_chosen(fitted, asked), asked.at, asked.channel or 0), asked)
    elif asked.input_at is not None:
        _show(touched.touched(_chosen(fitted, asked), asked.input_at, asked.channel or 0), asked)


def _chosen(fitted: "Subject", asked: ExplainOptions) -> "Subject":
    """The subject, with a note if one of several colours is explained that nobody asked for."""
    first = fitted.input_name(0)
    if asked.channel is not None or fitted.layer.inputs == 1 or not first.endswith(")") or asked.operation.weights:
        return fitted
    note = f"this is {first.removeprefix('input ')}: --channel takes another, --channels gray their luma, as in animate"
    return fitted._replace(notes=(*fitted.notes, note))


def _show(answer: "Pixel | Touched", asked: ExplainOptions) -> None:
    """Draw the answer if the user asks for it, and print it."""
    from convcli.presenters import explained

    figure = None if asked.output is None else _draw(answer, asked.output, asked.theme)
    if asked.reporting.as_json:
        report.json(explained.document(answer))
        return
    for text in answer.subject.notes:
        report.note(text)
    if asked.reporting.quiet:
        report.lines(*explained.lines(answer))
        return
    for block in explained.blocks(answer, report.width(), figure):
        report.block(block)


def _draw(answer: "Pixel | Touched", output: str, theme: str) -> str:
    """Draw the figure. Returns the name of its file."""
    from convcli.drawing.colors import PALETTES
    from convcli.explanation import illustration
    from convcli.images.figures import raster
    from convcli.runs import outputs

    subject = answer.subject
    read = subject.operation.files
    if not output:
        raise ConvError("output '' is empty: use a .svg or .png file, or a folder that ends in '/'")
    [target] = outputs.resolve([subject.source], output, subject.operation.label, in_place=None, read=read)
    outputs.make_folder(target, output)
    for text in raster.save(illustration.draw(answer, PALETTES[theme]), target):
        report.note(f"{target}: {text}")
    return target


def _translate(fitted: "Subject", tool: str, as_json: bool) -> None:
    """Print the operation as a script for another tool."""
    from convcli.images import row_of
    from convcli.translate import Request, translate

    ready, operation, picture = fitted.ready, fitted.operation, fitted.picture
    drops_alpha = picture.alpha is not None and ready.alpha != "filter"
    if drops_alpha:
        report.note(f"{fitted.source}: its alpha is left out of the script")
    if ready.lift is not None and ready.lift.gamma:
        report.note(
            f"{fitted.source}: its values have gamma {ready.lift.gamma:.4g}, but the script decodes them as sRGB"
        )
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
        weights=operation.stored,
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
