"""``convcli shape``: the size arithmetic, without pixels."""

from collections.abc import Mapping

import click

from convcli import options, report
from convcli.commands.help import Documented, Section
from convcli.errors import ConvError, GeometryError
from convcli.folding import GeometryOptions, ReportingOptions, folded
from convcli.geometry import Geometry, Pads, Pair, Size
from convcli.parameters.names import FileType
from convcli.parameters.numbers import Asked, AskedType, CountType, KernelSizeType, SideType, known
from convcli.presenters import sized
from convcli.records import NamedTuple

_INPUT, _OUTPUT = SideType("--hin", "--win"), SideType("--hout", "--wout")


class LayerOptions(NamedTuple):
    """What `shape` is asked for a single layer. They cannot be used for a chain."""

    kernel_size: Pair | Asked | None
    stride: Pair | Asked
    padding: Pads | str | Asked
    dilation: Pair | Asked
    output_padding: Pair | Asked | None
    output_size: Size | None
    transpose: bool
    output: str | None
    everything: bool
    typed: Mapping[str, str]

    @property
    def geometry(self) -> GeometryOptions:
        """The geometry, with defaults for the parameters to solve for."""
        given = {name: known(value) for name, value in self._asdict().items() if name in GeometryOptions._fields}
        return GeometryOptions(**{name: value for name, value in given.items() if value is not None})


class OutputOptions(NamedTuple):
    """The output that the user wants. For a chain it is used to solve for the input."""

    hout: int | None
    wout: int | None
    typed: Mapping[str, str]


class ShapeOptions(NamedTuple):
    """What `shape` is asked for."""

    hin: int | Asked
    win: int | Asked | None
    layer: LayerOptions
    wanted: OutputOptions
    layers: str | None
    in_channels: int | None
    theme: str
    reporting: ReportingOptions

    @property
    def asked(self) -> dict[str, Asked]:
        """The parameters to solve for."""
        parameters = {**self._asdict(), **self.layer._asdict()}
        return {name: value for name, value in parameters.items() if isinstance(value, Asked)}

    @property
    def size(self) -> Size:
        """The size of the input, which must be known."""
        height, width = known(self.hin), known(self.win)
        assert height is not None
        return Size(height, height if width is None else width)


SOLVING = Section(
    "Solving for ?",
    "With --hout, each of --hin, --win, --k, --s, --p, --d and --op2 may be '?' (in quotes, for the shell), or one number of a "
    "pair may, as in '3,?'. A single ? is one number for rows and columns, '?,?' are two. All solutions are counted, the 1000 most "
    "usual are kept. These come first: small odd kernels, padding (k-1)/2·d, stride 1, then 2; transposed, kernels that the "
    "stride divides. Without a solution, the nearest sizes are shown, and the exit code is 2. -q prints the first "
    "solution as options. --hout without ? checks the output size. With --layers, only --hin can be ?.\n\n"
    "Kernels, strides and dilations are tried from 1 to 64 (to 32 if two of the three are unknown, 16 if all are; an unknown "
    "input with an unknown padding counts as one more: 32, 16, 8; one that is alone unknown to the size of the image), "
    "paddings from 0 to d(k-1), the same at both ends, and every allowed output padding. For '?,?' the 30 most usual values of "
    "rows are combined with the 30 of columns.",
)
LAYERS = Section(
    "Layers",
    "A chain is words KIND:SETTING,SETTING… with spaces between; or modules as PyTorch prints them, a Sequential whole; or a .txt "
    "file or standard input (-) with either; or a .json or .toml file with a list 'layers' of such words or of tables with type, "
    "kernel_size, stride, padding, dilation, output_padding, output_size, channels, groups, in_channels, bias, ceil, scale, name. "
    "Keras's and ONNX's layers are understood, too, by their names and arguments. Sizes are N or HxW. Field, jump and start are in "
    "pixels of the input. Field is the largest receptive field: after a transposed layer outputs differ. Start is the centre of "
    "the first output, from the centre of the first pixel. A MAC is one multiplication with its addition; FLOPs are twice that; "
    "pooling and normalisation count for neither. Parameters are what torch counts. Memory is that of the outputs in float32.",
    (
        ("conv:k3,s2,p1,d1,c64,g1", "Convolution: kernel, stride, padding (p1, p1x2, p1x2x1x2 or a rule: psame), dilation, output "
         "channels (default: as the input), groups; nobias; in=N if the input has other channels than the layer before gives."),
        ("depthwise:k3,s2,p1", "The same with a group for each channel."),
        ("transpose:k4,s2,p1", "Transposed convolution; also op2=1, or o=256 for the size of the output (ONNX's output_shape)."),
        ("pool:k3,s2,p1", "Maximum or average; the stride's default is the kernel's size; ceil rounds sizes up, as ceil_mode "
         "does in PyTorch."),
        ("adaptive:7, globalpool", "A pool to this size, or to one pixel."),
        ("upsample:2, resize:224", "Interpolate by a factor (2, 1.5), or to a size: nearest, or bilinear or bicubic after a comma. "
         "unpool:k2 puts maxima back."),
        ("shuffle:2, unshuffle:2", "PixelShuffle: channels become pixels; and back."),
        ("pad:1, pad:TxBxLxR", "Rows and columns around, of zeros or others."),
        ("flatten, linear:64", "Features without height and width; a fully connected layer. nobias. unflatten:CxHxW."),
        ("relu, bn, dropout, …", "What keeps the size: activations, normalisation (with its parameters), dropout, identity."),
        ("save:NAME, from:NAME", "Keep a result; continue from it, on another branch."),
        ("cat:NAME, add:NAME", "Join the channels of a kept result to these, which needs the same size (cat:NAME,crop takes its "
         "centre); add it."),
    ),
)  # fmt: skip


class _Shape(Documented):
    """A command that says how to write a size which stands alone."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse."""
        first = args[0] if args else ""
        try:
            return super().parse_args(ctx, args)
        except click.MissingParameter:
            if not first.isdigit():
                raise
            raise click.UsageError(f"'{first}' has no option: write --hin {first}", ctx) from None


@click.command(
    cls=_Shape,
    sections=(SOLVING, LAYERS),
    examples=(
        "convcli shape --hin 32 --k 3 --s 2 --op2 1",
        "convcli shape --hin 224 --hout 112 --k '?' --s '?' --p '?'",
        "convcli shape --hin 224 --layers 'conv:k7,s2,p3,c64 pool:k3,s2,p1 conv:k3,p1'",
        "convcli shape --hin 480 --win 640 --k 3,5 --s 2,1 --p same-upper",
        "convcli shape --hin 16 --k 4 --s 2 --p 1 --transpose --output-size 32,32",
        "convcli shape --hin 8 --k 3 --s 2 --p 1 --op2 1 -o checkerboard.png",
    ),
)
@options.option("Input", "--hin", type=AskedType(_INPUT), required=True, brief=True, help="Input height in pixels.")
@options.option(
    "Input", "--win", type=AskedType(_INPUT), show_default="the height", brief=True, help="Input width in pixels.",
)  # fmt: skip
@options.option(
    "Kernel", "-k", "--k", "--kernel-size", "kernel_size", type=AskedType(KernelSizeType(1)),
    brief=True, help="Kernel size in pixels.",
)  # fmt: skip
@options.asked_geometry
@options.output_size
@options.transpose
@options.option(
    "Solving", "--hout", type=_OUTPUT, metavar="N", brief=True,
    help="Output height: solves for options that are '?'. See Solving for ?.",
)  # fmt: skip
@options.option(
    "Solving",
    "--wout",
    type=_OUTPUT,
    metavar="N",
    show_default="--hout",
    help="Output width.",
)
@options.option(
    "Solving",
    "--all",
    "everything",
    is_flag=True,
    help="Show all solutions that are kept, up to 1000, instead of twelve.",
)
@options.option(
    "Input", "--layers", type=FileType("LAYERS|FILE"),
    brief="A chain: 'conv:k3,s2,p1 pool:k2', a print, a file",
    help="A chain: 'conv:k3,s2,p1 relu pool:k2', modules as PyTorch prints them, or a file. See Layers.",
)  # fmt: skip
@options.option(
    "Input", "--in-channels", type=CountType(1 << 20), metavar="N", show_default="3",
    help="Channels of the chain's input.",
)  # fmt: skip
@options.option(
    "Output", "-o", "--output", type=FileType("FILE"), metavar="FILE.svg|FILE.png",
    brief=True, help="Draw how many taps meet in each pixel. Pixels are outputs of the transposed convolution, else inputs.",
)  # fmt: skip
@options.theme
@options.reporting
@folded
def shape(asked: ShapeOptions) -> None:
    """Show what size comes out, by which formula, and what goes back.

    Answers for the convolution, or for the transposed one with --transpose, --op2 or --output-size. It always shows the opposite
    direction, which input sizes give the same output size (why output padding exists), and what is lost: rows and columns that
    are not used, outputs that see padding, outputs that fewer taps reach than others.
    """
    _INPUT.check(asked.hin, asked.win)
    _OUTPUT.check(asked.wanted.hout, asked.wanted.wout)
    if asked.layers is not None:
        _chain(asked, asked.layers)
        return
    if asked.in_channels is not None:
        raise ConvError(f"--in-channels {asked.in_channels} is for a chain: add --layers, or leave it out")
    if asked.layer.kernel_size is None:  # without --layers, the option is required
        raise ConvError("no --kernel-size is given: add --k N, or --k '?' with --hout to find it")
    if asked.asked:
        from convcli.commands import shape_solving

        shape_solving.solve(asked)
    else:
        _size(asked)


def _size(asked: ShapeOptions) -> None:
    """One layer whose parameters are all known."""
    spec, kernel = asked.layer.geometry.spec(), known(asked.layer.kernel_size)
    assert kernel is not None
    geometry = spec.resolve(asked.size, kernel)
    if asked.wanted.typed:
        from convcli.commands import shape_solving

        shape_solving.check(asked, spec, geometry)
    if asked.layer.output is not None:
        _draw(geometry, asked.layer.output, asked.theme)
    if asked.reporting.as_json:
        report.json({**sized.document(geometry, spec.rule), **sized.losses_document(geometry)})
    elif asked.reporting.quiet:
        report.lines(_sides(geometry.output, asked))
    else:
        report.table(sized.table(geometry, spec.rule, asked.win is not None, asked.layer.output))


def _sides(output: Size, asked: ShapeOptions) -> str:
    """The output for ``-q``: its height, and its width if a width was given."""
    return str(output.height) if asked.win is None else f"{output.height} {output.width}"


def _draw(geometry: Geometry, target: str, theme: str) -> None:
    from convcli.arithmetic import losses
    from convcli.drawing import count_map
    from convcli.drawing.colors import PALETTES

    found = losses.overlap(geometry)
    if found is None:
        raise GeometryError("a kernel or stride of this size cannot be drawn: use one below a thousand")
    height, width = geometry.output if geometry.transpose else geometry.input
    counts = losses.overlap_map(geometry, min(height, count_map.MOST), min(width, count_map.MOST))
    text = sized.overlap_text(found, geometry.transpose)
    title = sized.picture_title(geometry)
    page = count_map.scene(counts, (height, width), title, text, PALETTES[theme])
    if target.lower().endswith(".svg"):
        from convcli.drawing import svg
        from convcli.system import files

        with files.writing(target) as stream:
            stream.write(svg.render(page).encode())
    else:
        from convcli.images.figures import raster  # loads NumPy and Pillow

        raster.save(page, target)


def _chain(asked: ShapeOptions, source: str) -> None:
    """A chain of layers."""
    from convcli.arithmetic import chain, chain_inputs
    from convcli.arithmetic.layers import load
    from convcli.presenters import chained

    single = [*asked.layer.typed.values(), *([] if asked.asked else asked.wanted.typed.values())]
    if single:
        raise ConvError(f"{single[0]} is for a single layer: leave it out, or leave out --layers")
    layers, stored, remarks = load(source)
    for remark in remarks:
        report.note(remark)
    channels = asked.in_channels or stored or 3
    if asked.asked:
        from convcli.commands import shape_solving

        shape_solving.solve_chain(asked, layers, channels)
        return
    size = asked.size
    try:
        nodes = chain.trace(layers, size, channels)
    except GeometryError as error:
        if (near := chain_inputs.fitting(layers, size, channels)) is None:
            raise
        remedy = "; ".join(filter(None, (error.remedy, f"an input of {near} fits")))
        raise GeometryError(error.value, error.rule, remedy, error.why) from None
    if asked.reporting.quiet and not asked.reporting.as_json:
        last = nodes[-1]
        report.lines(str(last.channels) if last.flat else _sides(last.size, asked))
        return
    result = chain.walk(layers, size, channels)
    returning = chain_inputs.returning(layers, result)
    if asked.reporting.as_json:
        report.json(chained.document(result, returning))
    else:
        report.table(chained.table(result, returning))
