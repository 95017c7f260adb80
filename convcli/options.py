"""Every option that several commands share, as a decorator. `convcli.folding` has the records that take their values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from convcli import report
from convcli.parameters.names import DeviceType, FileType, KernelType, ModeType
from convcli.parameters.numbers import (
    AskedType,
    BiasType,
    CountType,
    PaddingType,
    PairType,
    PixelsType,
    RealType,
    SizeType,
)
from convcli.vocabulary import ALPHAS, BACKENDS, BORDERS, CHANNELS, COLORS, COMBINES, DTYPES, OPS, PLANS, RANGES, THEMES

F = TypeVar("F", bound=Callable[..., Any])


def combined(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Several option decorators as one. The help lists them in this order."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


images = click.argument(
    "images", nargs=-1, metavar="IMAGE…", type=FileType("IMAGE"),
    help="A path, a folder for the images in it, or - for standard input; .npy files are tensors (H, W), (C, H, W) or "
    "(N, C, H, W).",
)  # fmt: skip
many = combined(
    click.option("--recursive", is_flag=True, help="Search folders with all their subfolders, which -o DIR/ gets as well."),
    click.option(
        "--from-file", type=FileType("LIST|-"), default=None, help="Images and folders from a list too, one path a line."
    ),
    click.option("-0", "--null", is_flag=True, help="The paths of the list end in NUL, as find -print0 writes them."),
    click.option(
        "--skip-existing", is_flag=True, help="Leave out images whose output is there: resumes what was interrupted."
    ),
    click.option(
        "--json-lines", is_flag=True,
        help="Print one JSON document a line, as images are finished: what --json does for folders and lists.",
    ),
)  # fmt: skip


def _stride(kind: click.ParamType[Any]) -> Callable[[F], F]:
    return click.option(
        "-s", "--s", "--stride", "stride", type=kind, default="1", show_default=True,
        help="Step between outputs, in pixels.",
    )  # fmt: skip


def _padding(kind: click.ParamType[Any]) -> Callable[[F], F]:
    return click.option(
        "-p", "--p", "--p1", "--padding", "padding", type=kind, default="0", show_default=True,
        help="Padding in pixels, or a rule: valid (none), same (PyTorch's, stride 1), same-upper and same-lower "
        "(TensorFlow's and ONNX's, also SAME, SAME_UPPER and SAME_LOWER), full. Of the transposed operation it crops the "
        "output.",
    )  # fmt: skip


def _dilation(kind: click.ParamType[Any]) -> Callable[[F], F]:
    return click.option(
        "-d", "--d", "--dilation", "dilation", type=kind, default="1", show_default=True,
        help="Distance between the kernel's taps, in pixels.",
    )  # fmt: skip


def _output_padding(kind: click.ParamType[Any]) -> Callable[[F], F]:
    return click.option(
        "--op2", "--p2", "--output-padding", "output_padding", type=kind, default=None,
        help="Transposed only: extra rows at the bottom and columns at the right; smaller than stride or dilation.",
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

padding_mode = click.option(
    "--padding-mode", type=ModeType(), default="zeros", show_default=True,
    help="What lies beyond the border, abcd being the image: "
    + ", ".join(f"{border.name} {border.picture}" for border in BORDERS) + ". Other libraries' names: see Borders.",
)  # fmt: skip
border_mode = click.option(
    "--padding-mode", type=ModeType(), default="zeros", show_default=True,
    help="What lies beyond the border of the input, which goes on there as far as the kernel reaches; sizes stay as they are: "
    + ", ".join(border.name for border in BORDERS) + ". See Borders.",
)  # fmt: skip
output_size = click.option(
    "--output-size",
    type=SizeType(),
    default=None,
    help="Transposed only: the output size to solve --output-padding for.",
)
transpose = click.option(
    "--transpose", is_flag=True, help="The transposed operation; --op2 and --output-size imply it."
)
op = click.option(
    "--op", type=click.Choice(OPS), default="corr", show_default=True,
    help="corr: the kernel as it is (a network's convolution); conv: the kernel flipped (the mathematician's).",
)  # fmt: skip
groups = click.option(
    "--groups", type=CountType(), default=1, show_default=True, metavar="N",
    help="Blocks of channels that do not see each other.",
)  # fmt: skip

weights = click.option(
    "--weights", type=FileType("FILE[:KEY]"),
    help="4-D weights (C_out, C_in/groups, kh, kw), transposed (C_in, C_out/groups, kh, kw), from .npy, .npz, .safetensors or .pt.",
)  # fmt: skip
kernel = click.option(
    "-k", "--kernel", "kernels", multiple=True, type=KernelType(),
    help="A kernel: NAME[:ARGS], a matrix '0,1,0;1,-4,1;0,1,0', ImageMagick's '3x3: 0,1,0 …', or a file (.npy .json .csv "
    ".txt .mat). Repeat it for a bank.",
)  # fmt: skip
channels = click.option(
    "--channels", type=click.Choice(CHANNELS), default="each", show_default=True,
    help="How a kernel meets the channels: each on its own, summed (a Conv2d with one output), or gray first: "
    "luma, or luminance in linear light.",
)  # fmt: skip
bias = click.option(
    "--bias", type=BiasType(), default=None,
    help="Added to every output channel, one value or one for each: in pixel units, or percent of full scale (50%); "
    "before outputs are combined, and in linear light where that is computed in.",
)  # fmt: skip
combine = click.option(
    "--combine", type=click.Choice(COMBINES), default=None,
    help="Join the outputs of all kernels. By default pairs such as sobel are joined by magnitude, the rest stay apart.",
)  # fmt: skip
bank = combined(kernel, weights, channels, combine, bias)
geometry = combined(stride, padding, padding_mode, dilation, groups, op)
transposed_geometry = combined(stride, padding, border_mode, dilation, groups, op, output_padding, output_size)
compute = combined(
    click.option(
        "--backend",
        type=click.Choice(["auto", *BACKENDS]),
        default="auto",
        show_default=True,
        envvar="CONVCLI_BACKEND",
        show_envvar=True,
        help="What computes; auto takes the one that should finish first.",
    ),
    click.option(
        "--device",
        type=DeviceType(),
        default="cpu",
        show_default=True,
        envvar="CONVCLI_DEVICE",
        show_envvar=True,
        help="Where torch computes: cpu, cuda or cuda:N.",
    ),
    click.option(
        "--dtype",
        type=click.Choice(DTYPES["torch"]),
        default=None,
        envvar="CONVCLI_DTYPE",
        show_envvar=True,
        help="Arithmetic; float16 and bfloat16 need torch.  [default: float32; float64 for 16-bit images (numpy) and float64 .npy]",
    ),
    click.option(
        "--threads",
        type=CountType(1024),
        default=None,
        metavar="N",
        envvar="CONVCLI_THREADS",
        show_envvar=True,
        help="Threads.  [default: one for each core]",
    ),
    click.option(
        "--plan",
        type=click.Choice(PLANS),
        default=None,
        help="Force a strategy of the numpy backend.  [default: the one predicted to be fastest]",
    ),
)


def _reporting(kind: type[click.Option]) -> Callable[[F], F]:
    return combined(
        click.option(
            "--json", "as_json", is_flag=True,
            help="Print one JSON document on stdout instead of a table; what was clipped or lost stands in it.",
        ),
        click.option(
            "-q", "--quiet", is_flag=True,
            help="Print only what a script wants: what was clipped or lost is still said on stderr. With --json, the JSON.",
        ),
        click.option(
            "--color", cls=kind, type=click.Choice(COLORS), default="auto", show_default=True, expose_value=False,
            envvar="CONVCLI_COLOR", show_envvar=True, callback=lambda _context, _option, value: report.color.set(value),
            help="Colours in tables: auto on a terminal, unless NO_COLOR is set.",
        ),
    )  # fmt: skip


class _ForgivingOption(click.Option):
    """An option that ignores its environment variable if the value is not one of the choices."""

    def value_from_envvar(self, ctx: click.Context) -> Any:
        """The variable's value, if it is a choice."""
        value = super().value_from_envvar(ctx)
        assert isinstance(self.type, click.Choice)
        return value if value in self.type.choices else None


reporting = _reporting(click.Option)
forgiving_reporting = _reporting(_ForgivingOption)
"""The same options for the command that says what is wrong with the variables."""

range_ = click.option(
    "--range",
    "range_",
    type=click.Choice(RANGES),
    default=None,
    help="How results become the output's integers: clip to 0–full scale, absolute value, 0 at mid-gray, stretch, or "
    "not at all.  [default: clip; raw for .npy, and for gray .tif of real numbers]",
)
full_scale = click.option(
    "--full-scale",
    type=RealType(1e-6, 1e12),
    default=None,
    metavar="N",
    help="The value of white in a .npy, or in real numbers of a .tif that does not say: 255, 65535, 1. What is written has its "
    "depth.  [default: 255 for uint8, 65535 for uint16; for other types 1 in .tif and from .npy to .npy, else 255]",
)
linear = click.option(
    "--linear", is_flag=True, help="Compute in linear light: sRGB is decoded before and encoded after."
)
alpha = click.option(
    "--alpha",
    type=click.Choice(ALPHAS),
    default="auto",
    show_default=True,
    help="Transparency: auto weighs colours by opacity where the kernel averages, else keeps it.",
)
theme = click.option(
    "--theme",
    type=click.Choice(THEMES),
    default="light",
    show_default=True,
    help="Colours of figures and of contact sheets.",
)
max_pixels = click.option(
    "--max-pixels",
    type=PixelsType(),
    default=None,
    envvar="CONVCLI_MAX_PIXELS",
    show_envvar=True,
    help="Refuse inputs beyond so many pixels, all frames counted: 500M, 2G.  [default: 178956970]",
)
image_output = combined(
    click.option(
        "-o",
        "--output",
        type=FileType("PATH|-|DIR/|TEMPLATE"),
        default=None,
        help="Where to write; {stem}, {name}, {ext}, {kernel}, {parent} (the input's folder) and {dir} (the folder below the "
        "one that was searched) are replaced, - is stdout.  [default: STEM-KERNEL.EXT]",
    ),
    click.option("--overwrite", is_flag=True, help="Replace an existing file when -o is not given."),
    click.option("--in-place", is_flag=True, help="Write the result over the input."),
    click.option(
        "--format",
        "format_",
        metavar="NAME",
        default=None,
        help="The format of -o -, or of all files that go to a folder or by a template: png, jpg, tif, npy, … {name} and {ext} "
        "then end in it.",
    ),
    range_,
    full_scale,
    click.option(
        "--montage",
        is_flag=True,
        help="Write all output channels as one labelled contact sheet, in gray: each stretched, or as --range says.",
    ),
    click.option(
        "--montage-width",
        type=CountType(65535),
        default=None,
        metavar="N",
        help="Pixels across of the contact sheet, at most; implies --montage.  [default: 1600]",
    ),
    theme,
    click.option(
        "--quality",
        type=click.IntRange(1, 100),
        metavar="1-100",
        default=None,
        help="Of JPEG, WebP (100: without loss) and AVIF.  [default: a JPEG's own, else 92; without loss in WebP if the input is]",
    ),
    click.option(
        "--compression",
        type=click.IntRange(0, 9),
        metavar="0-9",
        default=None,
        help="Of PNG and TIFF: 0 none, 9 smallest.  [default: fast for this image]",
    ),
    max_pixels,
    click.option(
        "-v",
        "--verbose",
        is_flag=True,
        help="Say on stderr which plans were weighed, and why; of many images, every remark.",
    ),
    linear,
    alpha,
)
