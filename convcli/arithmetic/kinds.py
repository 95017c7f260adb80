"""The kinds of layers that a chain may have, and what each is given. Standard library only."""

from __future__ import annotations

from fractions import Fraction

from convcli.convspec import ConvSpec
from convcli.geometry import Size
from convcli.records import NamedTuple

MOST = 2**31 - 1
"""The largest number in a layer."""

FLAGS = ("bias", "nobias", "ceil", "crop")
MODES = ("nearest", "bilinear", "bicubic")
"""How values between pixels are made: of one pixel, of 2×2, of 4×4."""

SETTINGS = {
    "conv": ("k", "s", "p", "d", "c", "g", "in", "bias", "nobias"),
    "depthwise": ("k", "s", "p", "d", "bias", "nobias"),
    "transpose": ("k", "s", "p", "d", "op2", "o", "c", "g", "in", "bias", "nobias"),
    "pool": ("k", "s", "p", "d", "ceil"),
    "unpool": ("k", "s", "p"),
    "adaptive": ("o",),
    "globalpool": (),
    "upsample": ("s", *MODES),
    "resize": ("o", *MODES),
    "shuffle": ("s",),
    "unshuffle": ("s",),
    "pad": ("p",),
    "flatten": (),
    "unflatten": ("o",),
    "linear": ("c", "bias", "nobias"),
}
"""The settings of each kind of layer. The defaults are PyTorch's."""

NEEDED = {
    "conv": ("k", "kernel size", "k3,p1"), "depthwise": ("k", "kernel size", "k3,p1"),
    "transpose": ("k", "kernel size", "k4,s2,p1"), "pool": ("k", "kernel size", "k2"),
    "unpool": ("k", "kernel size", "k2"), "adaptive": ("o", "output size", "7"), "upsample": ("s", "scale", "2"),
    "resize": ("o", "size", "224"), "shuffle": ("s", "factor", "2"), "unshuffle": ("s", "factor", "2"),
    "pad": ("p", "padding", "1"), "unflatten": ("o", "size", "64x7x7"), "linear": ("c", "number of outputs", "64"),
}  # fmt: skip
"""The setting that a kind needs, in words, and an example. Where the example is a number, it is written without its name."""

BARE = {kind: name for kind, (name, _, example) in NEEDED.items() if example[0].isdigit()}
"""The setting that a number alone is."""

JOINTS = ("save", "from", "cat", "add")
"""Steps that have a name instead of settings: keep a result, continue from it, concatenate it to a later one, or add it to one."""

FIXED = ("adaptive", "globalpool", "resize", "flatten", "unflatten", "linear")
"""Kinds whose output is the same for inputs of different sizes, or that fit only one size."""

NORMS = {
    "bn": 2, "batchnorm": 2, "batchnormalization": 2, "batchnorm1d": 2, "batchnorm2d": 2, "syncbatchnorm": 2, "layernorm": 2,
    "groupnorm": 2, "norm": 2, "instancenorm": 0, "instancenorm1d": 0, "instancenorm2d": 0, "frozenbatchnorm2d": 0, "lrn": 0,
    "localresponsenorm": 0,
}  # fmt: skip
"""Layers that keep the size, and their parameters for each channel by PyTorch's defaults."""

ACTIVATIONS = frozenset((
    "relu", "relu6", "leakyrelu", "prelu", "rrelu", "elu", "selu", "celu", "gelu", "silu", "swish", "mish", "sigmoid", "logsigmoid",
    "hardsigmoid", "hardswish", "hardtanh", "hardshrink", "softshrink", "tanh", "tanhshrink", "softplus", "softsign", "softmax",
    "softmax2d", "softmin", "logsoftmax", "threshold", "identity", "noop", "activation", "dropout", "dropout1d", "dropout2d",
    "spatialdropout2d", "alphadropout", "featurealphadropout", "channelshuffle", "gaussiandropout", "gaussiannoise",
    "droppath", "stochasticdepth",
    "clip", "clamp", "quantstub", "dequantstub",
))  # fmt: skip
"""Layers that change neither sizes nor the receptive field, and have no parameters, but for prelu, which has one."""

KINDS = (*SETTINGS, *JOINTS)


class Layer(NamedTuple):
    """One step of a chain.

    `text` is as the user wrote it, `kind` one of `SETTINGS` and `JOINTS`, or ``keep`` for what changes no size. `upsample`,
    `unpool` and `shuffle` are transposed convolutions for sizes and fields. Without `channels` the output has as many as the
    input, and without `in_channels` the input has as many as the step before gives; with `strict` it must have `in_channels`, of
    which a `keep` may leave the choice. `bias` is a convolution's. With `ceil` a pool rounds its size up. Kept results have a
    `name`; `crop` allows cat to crop them.
    """

    text: str
    kind: str
    spec: ConvSpec = ConvSpec()
    kernel: Size = Size(1, 1)
    channels: int | None = None
    in_channels: int | None = None
    bias: bool = False
    ceil: bool = False
    name: str = ""
    strict: bool = False
    crop: bool = False
    size: tuple[
        int, ...
    ] = ()  # of an output that is given: (height, width), or (channels, height, width) of `unflatten`
    scale: tuple[Fraction, Fraction] | None = None  # of `resize`, instead of `size`
    mode: str = "nearest"  # of `resize`, one of `MODES`; of `pad`, what PyTorch puts there, if that bounds it
    depthwise: int = 0  # a convolution with a group for each channel: outputs of each
    parameters: tuple[int, int] = (0, 0)  # of `keep`: in all, and for each channel


def plain(word: str) -> str:
    """A kind's name in lower case, without the dashes that some programs write in it."""
    return word.lower().replace("_", "").replace("-", "")


def keeping(word: str) -> tuple[int, int] | None:
    """The parameters, in all and for each channel, of a layer that changes no size; None if a word is none."""
    name = plain(word)
    if name in NORMS:
        return 0, NORMS[name]
    return (int(name == "prelu"), 0) if name in ACTIVATIONS else None
