"""Every option that several commands share, as a decorator. `convcli.folding` has the records that take their values.

An option says its group in the help where it is declared, and, if it is among the most used, its text in ``-h``: `brief`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.types import OptionHelpExtra

from convcli import report
from convcli.parameters import ChoiceType
from convcli.parameters.names import DeviceType, FileType, KernelType, ModeType
from convcli.parameters.numbers import (
    AskedType,
    BiasType,
    BytesType,
    CountType,
    DivisorType,
    PaddingType,
    PairType,
    PixelsType,
    RangeType,
    RealType,
    SizeType,
)
from convcli.vocabulary import (
    ALPHAS,
    BACKENDS,
    BORDERS,
    CHANNELS,
    COLORS,
    COMBINES,
    DTYPES,
    LAYOUTS,
    OPS,
    PLANS,
    RANGES,
    THEMES,
)

F = TypeVar("F", bound=Callable[..., Any])

GROUPS = (
    "Input", "Kernel", "Geometry", "Border", "Solving", "Output", "Figure", "Colour", "Engine", "Report", "Help",
)  # fmt: skip
"""The headings of options, in the order of help texts and man pages."""

TERM = 26
"""The width of the left column of ``-h``."""


class Grouped(click.Parameter):
    """A parameter with its group, one of `GROUPS`, and its text in ``-h``: True is the help's first sentence, "" leaves it out."""

    def __init__(self, *args: Any, group: str, brief: str | bool = "", **attrs: Any) -> None:
        super().__init__(*args, **attrs)
        self.group, self.brief = group, self.first_sentence if brief is True else brief or ""

    @property
    def first_sentence(self) -> str:
        """The first sentence of the help, without its full stop."""
        return (self.help or "").partition(". ")[0].partition("  [")[0].removesuffix(".")

    def brief_term(self, ctx: click.Context) -> str:
        """The left column of ``-h``."""
        return self.make_metavar(ctx)


class Argument(Grouped, click.Argument):
    """An argument with its group."""


class Option(Grouped, click.Option):
    """An option with its group."""

    def brief_term(self, ctx: click.Context) -> str:
        """The left column of ``-h``: where it is too long, with the first form of the value, and with two spellings."""
        metavar = "WORD" if isinstance(self.type, click.Choice) else self.make_metavar(ctx).partition("|")[0]
        terms = self.get_help_spec(ctx), f"{', '.join(self.opts)} {metavar}"
        return next((term for term in terms if len(term) <= TERM), f"{self.opts[0]}, {self.opts[-1]} {metavar}")

    def get_help_extra(self, ctx: click.Context) -> OptionHelpExtra:
        """The default and the environment variable. The range stands in the metavar."""
        extra = super().get_help_extra(ctx)
        extra.pop("range", None)
        if isinstance(self.show_default, str):
            extra["default"] = self.show_default  # Click has it in brackets
        return extra


def option(group: str, *names: str, cls: type[Option] = Option, **attrs: Any) -> Callable[[F], F]:
    """The decorator of an option: as `click.option`, with its `group`, and `brief` if it is among the most used."""
    return click.option(*names, cls=cls, group=group, **{"show_default": True, "show_envvar": True, **attrs})


def argument(group: str, name: str, **attrs: Any) -> Callable[[F], F]:
    """The decorator of an argument: as `click.argument`, with its `group` and its `brief`."""
    return click.argument(name, cls=Argument, group=group, **attrs)


def combined(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Several option decorators as one. The help lists them in this order."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


images = argument(
    "Input", "images", nargs=-1, metavar="IMAGE…", type=FileType("IMAGE"), brief=True,
    help="Files, folders of images, - for standard input. A .npy file is a tensor: (H, W), (C, H, W) or (N, C, H, W).",
)  # fmt: skip
many = combined(
    option(
        "Input", "--recursive", is_flag=True, brief=True,
        help="Search the subfolders of folders too. -o DIR/ gets the same subfolders.",
    ),
    option("Input", "--from-file", type=FileType("LIST|-"), help="Read paths from a list, one per line."),
    option("Input", "-0", "--null", is_flag=True, help="Paths in the list end in NUL, as find -print0 writes them."),
)  # fmt: skip


def _stride(kind: click.ParamType[Any]) -> Callable[[F], F]:
    return option(
        "Geometry", "-s", "--s", "--stride", "stride", type=kind, default="1",
        brief=True, help="Step between outputs, in pixels.",
    )  # fmt: skip


def _padding(kind: click.ParamType[Any]) -> Callable[[F], F]:
    return option(
        "Geometry", "-p", "--p", "--p1", "--padding", "padding", type=kind, default="0",
        brief="Pixels, or: same, same-upper, full, …",
        help="Padding in pixels, or a rule: valid (none), same (PyTorch's, for stride 1), same-upper and same-lower "
        "(ONNX's; SAME in capitals is TensorFlow's, and means same-upper), full. In a transposed convolution it crops the output.",
    )  # fmt: skip


def _dilation(kind: click.ParamType[Any]) -> Callable[[F], F]:
    return option(
        "Geometry", "-d", "--d", "--dilation", "dilation", type=kind, default="1",
        brief=True, help="Distance between the kernel's taps, in pixels.",
    )  # fmt: skip


def _output_padding(kind: click.ParamType[Any]) -> Callable[[F], F]:
    return option(
        "Geometry", "--op2", "--p2", "--output-padding", "output_padding", type=kind,
        brief="Rows added at the bottom, columns at the right",
        help="Transposed only: rows to add at the bottom and columns at the right, fewer than the stride or the dilation.",
    )  # fmt: skip


stride, padding = _stride(PairType(1)), _padding(PaddingType())
dilation, output_padding = _dilation(PairType(1)), _output_padding(PairType(0))
asked_geometry = combined(
    _stride(AskedType(PairType(1))),
    _padding(AskedType(PaddingType())),
    _dilation(AskedType(PairType(1))),
    _output_padding(AskedType(PairType(0))),
)
"""The same options for a command that solves for those that are given as ``?``."""


def _border(what: str) -> Callable[[F], F]:
    pictures = ", ".join(f"{border.name} {border.picture}" for border in BORDERS)
    return option(
        "Border", "--padding-mode", type=ModeType(), default="zeros",
        brief=", ".join(border.name for border in BORDERS),
        help=f"{what} With abcd as the image: {pictures}. Other libraries' names work too.",
    )  # fmt: skip


padding_mode = _border("What lies beyond the border of the image.")
border_mode = _border("How the input continues beyond its border; the output's size stays the same.")
output_size = option(
    "Geometry", "--output-size", type=SizeType(),
    help="Transposed only: the wanted size of the output; --output-padding is chosen for it.",
)  # fmt: skip
transpose = option(
    "Geometry", "--transpose", is_flag=True, brief=True,
    help="Use the transposed convolution. --output-padding and --output-size imply it.",
)  # fmt: skip
op = option(
    "Kernel", "--op", type=ChoiceType(OPS), default="corr", brief="Use the kernel as it is, or flipped",
    help="corr: use the kernel as it is, as neural networks do; conv: flip it, as in mathematics.",
)  # fmt: skip
groups = option(
    "Kernel", "--groups", type=CountType(), default=1, metavar="N",
    help="Split the channels into N groups that do not see each other.",
)  # fmt: skip

weights = option(
    "Kernel", "--weights", type=FileType("FILE[:KEY]"), brief="Of a layer: .npy, .safetensors, .pt, .onnx, …",
    help="A layer's weights: .npy, .npz, .safetensors, .pt and other files of PyTorch, .onnx, .keras or .h5, or an "
    ".index.json of shards. Shape (C_out, C_in/groups, kh, kw); transposed (C_in, C_out/groups, kh, kw); see --layout.",
)  # fmt: skip
layout = option(
    "Kernel", "--layout", type=ChoiceType(LAYOUTS), show_default="oihw, transposed iohw; in files of Keras what it saves",
    help="Order of the axes of --weights: outputs, inputs, height, width. hwio is TensorFlow's, Keras's and Flax's; hwoi that of "
    "their transposed layers; hwcm that of depthwise ones (kh, kw, C, multiplier).",
)  # fmt: skip
kernel = option(
    "Kernel", "-k", "--kernel", "kernels", multiple=True, type=KernelType(),
    brief="sobel, gaussian:2, '0,1,0;1,-4,1;0,1,0', a file",
    help="A name, with arguments if it takes any (gaussian:2), a matrix ('0,1,0;1,-4,1;0,1,0'), ImageMagick's notation "
    "('3x3: 0,1,0 …') or a file (.npy .json .csv .txt .mat, or an image of one channel). Repeat it for several kernels.",
)  # fmt: skip
divisor = combined(
    option(
        "Kernel", "--divisor", type=DivisorType(),
        help="Divide every kernel of -k by a number, by its own sum, or by the sum of its magnitudes (abs), which is never 0.",
    ),
    option("Kernel", "--normalize", is_flag=True, help="The same as --divisor sum: the kernel sums to 1 then."),
)  # fmt: skip
channels = option(
    "Kernel", "--channels", type=ChoiceType(CHANNELS), default="each",
    help="each: the kernel runs on every channel; sum: the channels are summed, as in a Conv2d with one output; gray: the "
    "image becomes gray first (luma; luminance with --linear).",
)  # fmt: skip
bias = option(
    "Kernel", "--bias", type=BiasType(), brief=True,
    help="Add this to every output: 128 or 50%. One value, or one for each output channel. It is in pixel units or percent of "
    "full scale, and is added before outputs are combined; with --linear, in linear light.",
)  # fmt: skip
combine = option(
    "Kernel", "--combine", type=ChoiceType(COMBINES), show_default="magnitude for pairs such as sobel, else none",
    help="How to join the outputs of several kernels.",
)  # fmt: skip
bank = combined(kernel, divisor, weights, layout, channels, combine, bias)
geometry = combined(stride, padding, padding_mode, dilation, groups, op)
transposed_geometry = combined(stride, padding, border_mode, dilation, groups, op, output_padding, output_size)


def _compute(brief: bool) -> Callable[[F], F]:
    return combined(
        option(
            "Engine", "--backend", type=ChoiceType(["auto", *BACKENDS]), default="auto",
            envvar="CONVCLI_BACKEND", brief=f"What computes: {', '.join(['auto', *BACKENDS])}" if brief else "",
            help="What computes. auto takes the one that should finish first.",
        ),
        option(
            "Engine", "--device", type=DeviceType(), default="cpu",
            envvar="CONVCLI_DEVICE", help="Where torch computes: cpu, cuda or cuda:N.",
        ),
        option(
            "Engine", "--dtype", type=ChoiceType(DTYPES["torch"]),
            envvar="CONVCLI_DTYPE", show_default="float32, or float64 for 16-bit images (numpy) and float64 .npy",
            help="Precision of the arithmetic. float16 and bfloat16 need torch.",
        ),
        option(
            "Engine", "--threads", type=CountType(1024), metavar="N",
            envvar="CONVCLI_THREADS", show_default="one per core", help="Number of threads.",
        ),
        option(
            "Engine", "--plan", type=ChoiceType(PLANS), show_default="the one that should be fastest",
            help="Force a strategy of the numpy backend.",
        ),
    )  # fmt: skip


compute = _compute(True)
ignored_compute = _compute(False)
"""The same options for a command where they change nothing."""


def _reporting(kind: type[Option]) -> Callable[[F], F]:
    return combined(
        option(
            "Report", "--json", "as_json", is_flag=True, brief=True,
            help="Print JSON instead of a table. It has notes on what was clipped or lost.",
        ),
        option(
            "Report", "-q", "--quiet", is_flag=True, brief=True,
            help="Print only what a script needs. Notes on what was clipped or lost still go to stderr.",
        ),
        option(
            "Report", "--color", cls=kind, type=ChoiceType(COLORS), default="auto", expose_value=False,
            envvar="CONVCLI_COLOR", callback=lambda _context, _option, value: report.color.set(value),
            help="Colours in tables. auto: on a terminal, unless NO_COLOR is set.",
        ),
    )  # fmt: skip


class _ForgivingOption(Option):
    """An option that ignores its environment variable if the value is not one of the choices."""

    def value_from_envvar(self, ctx: click.Context) -> Any:
        """The variable's value, if it is a choice."""
        value = super().value_from_envvar(ctx)
        assert isinstance(self.type, click.Choice)
        return value if value in self.type.choices else None


reporting = _reporting(Option)
forgiving_reporting = _reporting(_ForgivingOption)
"""The same options for the command that says what is wrong with the variables."""

image_reporting = combined(
    reporting,
    option(
        "Report", "--json-lines", is_flag=True,
        help="Print one JSON document per line as images are finished. With folders and lists, --json does this too.",
    ),
    option(
        "Report", "-v", "--verbose", is_flag=True,
        help="Say on stderr which plans were considered, and why one was chosen. With several images, print every remark.",
    ),
)  # fmt: skip

range_ = option(
    "Output", "--range", "range_", type=RangeType(RANGES), brief=f"To integers: {', '.join(RANGES[:-1])}, LO,HI",
    show_default="clip; raw for .npy and for gray .tif of real numbers",
    help="How results become integers. clip: cut off below 0 and above full scale; abs: absolute value; offset: 0 becomes "
    "mid-gray; minmax: stretch; raw: no change; LO,HI: stretch what is from LO to HI, in the input's units, and clip the rest "
    "(--range=-1,1).",
)  # fmt: skip
full_scale = option(
    "Input", "--full-scale", type=RealType(1e-6, 1e12), metavar="N",
    show_default="255 for uint8, 65535 for uint16, else 1 in .tif and from .npy to .npy, 255 elsewhere",
    help="The value of white in a .npy, or in real numbers of a .tif that does not say: 255, 65535, 1. The output gets "
    "this depth.",
)  # fmt: skip
linear = option(
    "Colour", "--linear", is_flag=True, brief=True, help="Compute in linear light. sRGB is decoded first and encoded at the end.",
)  # fmt: skip
alpha = option(
    "Colour", "--alpha", type=ChoiceType(ALPHAS), default="auto",
    brief="auto, or: premultiply, filter, keep, drop",
    help="What to do with alpha (transparency). premultiply: weigh colours by alpha; filter: a channel like the others; keep: "
    "as it is; drop: leave it out; auto: premultiply where the kernel averages, else keep.",
)  # fmt: skip
theme = option(
    "Figure", "--theme", type=ChoiceType(THEMES), default="light",
    help="Colours of figures and contact sheets.",
)  # fmt: skip
max_pixels = option(
    "Input", "--max-pixels", type=PixelsType(), envvar="CONVCLI_MAX_PIXELS",
    show_default="178956970", help="Refuse inputs with more pixels than this, all frames counted: 500M, 2G.",
)  # fmt: skip
image_output = combined(
    option(
        "Output", "-o", "--output", type=FileType("PATH|-|DIR/|TEMPLATE"),
        show_default="STEM-KERNEL.EXT; standard output for the image -",
        brief=True, help="A file, a folder/, a template, or - for stdout. In a template, {stem}, {name}, {ext}, {kernel}, "
        "{parent} (the input's folder) and {dir} (its folder below the one that was searched) are replaced.",
    ),
    option("Output", "--overwrite", is_flag=True, help="Replace an existing file when -o is not given."),
    option("Output", "--in-place", is_flag=True, help="Write the result over the input."),
    option(
        "Output", "--skip-existing", is_flag=True, brief="Skip images whose output exists",
        help="Skip images whose output exists: continues an interrupted run."
    ),
    option(
        "Output", "--format", "format_", metavar="NAME", brief=True,
        help="Format for -o - or a folder: png, jpg, tif, npy. {name} and {ext} of a template end in it.",
    ),
    range_,
    full_scale,
    option(
        "Figure", "--montage", is_flag=True,
        help="Write all output channels as one labelled contact sheet in gray. Each is stretched, unless --range is given or its "
        "kernel sums to 1.",
    ),
    option(
        "Figure", "--montage-width", type=CountType(65535), metavar="N", show_default="1600",
        help="Largest width of the contact sheet, in pixels. Implies --montage.",
    ),
    theme,
    option(
        "Output", "--quality", type=CountType(100), metavar="1-100",
        show_default="a JPEG's own, else 92; lossless WebP if the input is",
        help="Quality of JPEG, WebP (100: lossless) and AVIF.",
    ),
    option(
        "Output", "--compression", type=CountType(9, 0), metavar="0-9", show_default="fast for this image",
        help="Compression of PNG, TIFF and Zarr: 0 is none, 9 gives the smallest files.",
    ),
    option(
        "Output", "--pyramid", is_flag=True,
        help="Also write smaller copies, each half as large as the one before, as viewers of slides and maps want them. For .tif "
        "and .zarr.",
    ),
    max_pixels,
    linear,
    alpha,
    option(
        "Engine", "--memory", type=BytesType(), show_default="half of what there is, 2G at most",
        help="Compute in blocks, with about this much memory in all: 512M, 2G. For pictures larger than memory, from .tif, .zarr, "
        ".npy and .ppm to the same.",
    ),
    option(
        "Engine", "--on", metavar="WHERE", envvar="CONVCLI_ON",
        help="Compute on a Dask cluster: local or local:N (processes here), tcp://HOST:PORT, tls://HOST:PORT, or a scheduler's "
        "file. A single picture is done in blocks, several files each as a whole. Whoever reaches a tcp:// scheduler can run "
        "code on its workers.",
    ),
)  # fmt: skip
