"""Every shared option and parameter type, and how they fold into one `ConvSpec`. Neither NumPy nor Pillow is needed here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from convcli.convspec import OPS, PADDING_RULES, ConvSpec
from convcli.geometry import PADDING_MODES, Pads, Pair, Size

if TYPE_CHECKING:
    ParamType = click.ParamType[Any]  # generic since Click 8.5
else:
    ParamType = click.ParamType

F = TypeVar("F", bound=Callable[..., Any])

MAX_NUMBER = 2**31 - 1
"""No size, stride or padding is larger: beyond it a wrong number is likelier than a wish."""

PLANS = ("taps", "toeplitz", "separable", "fft", "gemm")
"""The strategies of the numpy backend."""

MODE_ALIASES = {
    "zero": "zeros",
    "constant": "zeros",
    "edge": "replicate",
    "nearest": "replicate",
    "wrap": "circular",
    "grid-wrap": "circular",
    "mirror": "reflect",
    "reflect101": "reflect",
    "reflect_101": "reflect",
    "reflect-101": "reflect",
}
"""numpy's, scipy's and OpenCV's names of the borders. scipy's and OpenCV's ``reflect`` is `symmetric` here: ``reflect``
alone means what it means in PyTorch and NumPy."""


class PairType(ParamType):
    """``N`` or ``H,W``: rows, then columns."""

    def __init__(self, least: int) -> None:
        self.least = least
        self.name = "N|H,W"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Pair:
        """Parse; a single number counts for both axes."""
        if isinstance(value, tuple):
            return Pair(*value)
        parts = [whole(part, self.least) for part in str(value).split(",")]
        if None in parts or len(parts) not in (1, 2):
            self.fail(
                f"'{value}' is not N or H,W with whole numbers of at least {self.least}, as in 2 or 2,1", param, ctx
            )
        numbers = [part for part in parts if part is not None]
        return Pair(numbers[0], numbers[-1])


class SizeType(PairType):
    """``H,W``."""

    def __init__(self) -> None:
        super().__init__(1)
        self.name = "H,W"


class PaddingType(ParamType):
    """``N``, ``H,W``, ``T,B,L,R`` or a rule."""

    name = "N|H,W|T,B,L,R|RULE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Pads | str:
        """Parse into explicit pads, or keep the rule's name."""
        if isinstance(value, Pads) or value in PADDING_RULES:
            return value  # type: ignore[no-any-return]
        parts = [whole(part, 0) for part in str(value).split(",")]
        if None in parts or len(parts) not in (1, 2, 4):
            self.fail(
                f"'{value}' is not N, H,W or T,B,L,R with whole numbers of at least 0, nor one of {', '.join(PADDING_RULES)}",
                param,
                ctx,
            )
        numbers = [part for part in parts if part is not None]
        if len(numbers) == 4:
            return Pads(*numbers)
        return Pads(numbers[0], numbers[0], numbers[-1], numbers[-1])


class CountType(ParamType):
    """A whole number from 1 to `most`."""

    name = "N"

    def __init__(self, most: int = MAX_NUMBER) -> None:
        self.most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse."""
        number = whole(str(value), 1)
        if number is None or number > self.most:
            self.fail(f"'{value}' is not a whole number from 1 to {self.most}", param, ctx)
        return number


class ModeType(ParamType):
    """A padding mode or one of its aliases."""

    name = "MODE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Resolve aliases."""
        mode = MODE_ALIASES.get(str(value).lower(), str(value).lower())
        if mode not in PADDING_MODES:
            self.fail(
                f"'{value}' is not one of {', '.join(PADDING_MODES)} (aliases: {', '.join(sorted(MODE_ALIASES))})",
                param,
                ctx,
            )
        return mode


class BiasType(ParamType):
    """``B`` or ``B1,B2,…``: numbers in pixel units or ``N%`` of full scale."""

    name = "B[,B…]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[tuple[float, ...], tuple[bool, ...]]:
        """Parse into values and whether each is a percentage."""
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in str(value).split(",")]
        pattern = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?%?")
        for part in parts:
            if not pattern.fullmatch(part):
                self.fail(f"'{value}' is not B or B1,B2,… with numbers or percentages, as in 128 or 50%", param, ctx)
        return tuple(float(part.rstrip("%")) for part in parts), tuple(part.endswith("%") for part in parts)


class DeviceType(ParamType):
    """``cpu``, ``cuda`` or ``cuda:N``."""

    name = "DEVICE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the form; whether the device is there is the backend's to say."""
        if not re.fullmatch(r"cpu|cuda(:\d{1,3})?", str(value)):
            self.fail(f"'{value}' is not cpu, cuda or cuda:N", param, ctx)
        return str(value)


def whole(text: str, least: int) -> int | None:
    """The whole number in `text`, or None if it is none or out of range."""
    text = text.strip()
    if not re.fullmatch(r"[+-]?[0-9]{1,12}", text):
        return None
    number = int(text)
    return number if least <= number <= MAX_NUMBER else None


def combined(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Several option decorators as one, listed in the help in the order given."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


stride = click.option(
    "-s",
    "--s",
    "--stride",
    "stride",
    type=PairType(1),
    default="1",
    show_default=True,
    help="Step between outputs, in pixels.",
)
padding = click.option(
    "-p", "--p", "--p1", "--padding", "padding", type=PaddingType(), default="0", show_default=True,
    help="Padding in pixels, or a rule: valid (none), same (PyTorch's, stride 1), same-upper and same-lower (TensorFlow's "
    "and ONNX's), full. Of the transposed operation it crops the output.",
)  # fmt: skip
padding_mode = click.option(
    "--padding-mode", type=ModeType(), default="zeros", show_default=True,
    help="What lies beyond the border, abcd being the image: zeros 00|abcd|00, reflect cb|abcd|cb, replicate aa|abcd|dd, "
    "circular cd|abcd|ab, symmetric ba|abcd|dc.",
)  # fmt: skip
dilation = click.option(
    "-d", "--d", "--dilation", "dilation", type=PairType(1), default="1", show_default=True,
    help="Distance between the kernel's taps, in pixels.",
)  # fmt: skip
output_padding = click.option(
    "--op2", "--p2", "--output-padding", "output_padding", type=PairType(0), default=None,
    help="Transposed only: extra rows at the bottom and columns at the right; smaller than stride or dilation.",
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
    "--weights", metavar="FILE[:KEY]",
    help="4-D weights (C_out, C_in/groups, kh, kw), transposed (C_in, C_out/groups, kh, kw), from .npy, .npz, .safetensors or .pt.",
)  # fmt: skip
kernel = click.option(
    "-k", "--kernel", "kernels", multiple=True, metavar="SPEC",
    help="A kernel: NAME[:ARGS], a matrix '0,1,0;1,-4,1;0,1,0' (write --kernel=… when it begins with a minus), ImageMagick's "
    "'3x3: 0,1,0 …', or a file (.npy .json .csv .txt .mat). Repeat it for a bank.",
)  # fmt: skip
bank = combined(
    kernel,
    weights,
    click.option(
        "--channels",
        type=click.Choice(["each", "sum", "gray"]),
        default="each",
        show_default=True,
        help="How a kernel meets the channels: each on its own, summed (a Conv2d with one output), or luma first.",
    ),
    click.option(
        "--combine",
        type=click.Choice(["none", "magnitude", "sum", "max"]),
        default=None,
        help="Join the outputs of all kernels. By default pairs such as sobel are joined by magnitude, the rest stay apart.",
    ),
    click.option(
        "--bias",
        type=BiasType(),
        default=None,
        help="Added to every output channel, one value or one for each: in pixel units, or percent of full scale (50%).",
    ),
)
geometry = combined(stride, padding, padding_mode, dilation, groups, op)
compute = combined(
    click.option(
        "--backend",
        type=click.Choice(["auto", "numpy", "torch", "reference"]),
        default="auto",
        show_default=True,
        help="What computes; auto takes the one that should finish first.",
    ),
    click.option(
        "--device",
        type=DeviceType(),
        default="cpu",
        show_default=True,
        help="Where torch computes: cpu, cuda or cuda:N.",
    ),
    click.option(
        "--dtype",
        type=click.Choice(["float32", "float64", "float16", "bfloat16"]),
        default=None,
        help="Arithmetic; float16 and bfloat16 need torch.  [default: float32, float64 for float64 .npy]",
    ),
    click.option(
        "--threads",
        type=CountType(1024),
        default=None,
        metavar="N",
        help="Threads.  [default: one for each core]",
    ),
    click.option(
        "--plan",
        type=click.Choice(PLANS),
        default=None,
        help="Force a strategy of the numpy backend.  [default: the one predicted to be fastest]",
    ),
)
reporting = combined(
    click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout instead of a table."),
    click.option("-q", "--quiet", is_flag=True, help="Print only what a script wants."),
)
image_output = combined(
    click.option(
        "-o",
        "--output",
        metavar="PATH|-|DIR/|TEMPLATE",
        default=None,
        help="Where to write; {stem}, {name}, {ext} and {kernel} are replaced, - is stdout.  [default: STEM-KERNEL.EXT]",
    ),
    click.option("--overwrite", is_flag=True, help="Replace an existing file when -o is not given."),
    click.option("--in-place", is_flag=True, help="Write the result over the input."),
    click.option("--format", "format_", metavar="NAME", default=None, help="The format of -o -: png, jpg, tif, npy, …"),
    click.option(
        "--range",
        "range_",
        type=click.Choice(["clip", "abs", "offset", "minmax", "raw"]),
        default=None,
        help="How results become the output's integers: clip to 0–full scale, absolute value, 0 at mid-gray, stretch, or "
        "not at all.  [default: clip; raw for .npy]",
    ),
    click.option("-v", "--verbose", is_flag=True, help="Say on stderr which plans were weighed, and why."),
    click.option("--linear", is_flag=True, help="Compute in linear light: sRGB is decoded before and encoded after."),
    click.option(
        "--alpha",
        type=click.Choice(["auto", "premultiply", "filter", "keep", "drop"]),
        default="auto",
        show_default=True,
        help="Transparency: auto weighs colours by opacity where the kernel averages, else keeps it.",
    ),
)


def fold(values: Mapping[str, Any], transposed: bool | None = None) -> ConvSpec:
    """Fold the options of a command into one `ConvSpec`.

    Parameters
    ----------
    values : mapping
        The command's parameters by name; what a command does not have stays PyTorch's default.
    transposed : bool, optional
        Whether the operation is the transposed one; None: ``--transpose``, or implied by the transposed options.
    """
    if transposed is None:
        implied = values.get("output_padding") is not None or values.get("output_size") is not None
        transposed = bool(values.get("transpose")) or implied
    names = ("op", "stride", "padding", "padding_mode", "dilation", "groups", "output_padding", "output_size")
    given = {name: values[name] for name in names if values.get(name) is not None}
    if "output_size" in given:
        given["output_size"] = Size(*given["output_size"])
    return ConvSpec(transpose=transposed, **given)
