"""The words that the command line, the code, the JSON and the docs share. Each list is only here. Standard library only."""

from convcli.records import NamedTuple

OPS = ("corr", "conv")
PADDING_RULES = ("valid", "same", "same-upper", "same-lower", "full")
BACKENDS = ("numpy", "torch", "reference")
DTYPES = {
    "numpy": ("float32", "float64"),
    "torch": ("float32", "float64", "float16", "bfloat16"),
    "reference": ("float64",),
}
"""The dtypes that each backend computes in."""

PLANS = ("taps", "prefix", "toeplitz", "separable", "fft", "gemm")
"""The strategies of the numpy backend."""

CHANNELS = ("each", "sum", "gray")
LAYOUTS = ("oihw", "iohw", "hwio", "hwoi", "hwcm")
"""The order of the axes of 4-D weights: outputs, inputs, height, width. ``hwcm`` is Keras's depthwise: channels, multiplier."""

COMBINES = ("none", "magnitude", "sum", "max")
RANGES = ("clip", "abs", "offset", "minmax", "raw")
STRETCH = "stretch"
"""The range policy of a contact sheet, if the user does not choose one."""

SHELLS = ("bash", "zsh", "fish")
THEMES = ("light", "dark")
COLORS = ("auto", "always", "never")
ALPHAS = ("auto", "premultiply", "filter", "keep", "drop")
TOOLS = ("torch", "scipy", "opencv", "imagemagick", "vips", "onnx", "keras")
"""The tools that an operation can be written for."""


class BorderNames(NamedTuple):
    """A padding mode: its name, a picture of it for the image ``abcd``, and its names elsewhere ("" if there is none)."""

    name: str
    picture: str
    torch: str
    numpy: str
    scipy: str
    opencv: str


BORDERS = (
    BorderNames("zeros", "00|abcd|00", "zeros, constant", "constant", "constant, grid-constant", "BORDER_CONSTANT"),
    BorderNames("reflect", "cb|abcd|cb", "reflect", "reflect", "mirror", "BORDER_REFLECT_101, BORDER_DEFAULT"),
    BorderNames("replicate", "aa|abcd|dd", "replicate", "edge", "nearest", "BORDER_REPLICATE"),
    BorderNames("circular", "cd|abcd|ab", "circular", "wrap", "wrap, grid-wrap", "BORDER_WRAP"),
    BorderNames("symmetric", "ba|abcd|dc", "", "symmetric", "reflect, grid-mirror", "BORDER_REFLECT"),
)
"""``reflect`` is PyTorch's and NumPy's. SciPy's ``reflect`` is `symmetric` here."""

PADDING_MODES = tuple(border.name for border in BORDERS)


def padding_rule(name: str) -> str | None:
    """The padding rule that `name` means, or None.

    ``same`` is PyTorch's; ``SAME``, all in capitals, is TensorFlow's. ONNX's are SAME_UPPER, SAME_LOWER and VALID. For other rules,
    upper or lower case and ``_`` or ``-`` make no difference.
    """
    if name in PADDING_RULES:
        return name
    plain = _plain(name.strip())
    return "same-upper" if name.strip() == "SAME" else plain if plain in PADDING_RULES else None


def padding_mode(name: str) -> str | None:
    """The padding mode that `name` means, or None. It may be our name, PyTorch's, NumPy's, SciPy's or OpenCV's.

    Upper or lower case and ``_`` or ``-`` make no difference. ``BORDER_REFLECT_101`` may be written without ``BORDER_``.
    """
    return _MODES.get(_plain(name))


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")


MOST_PIXELS = 10**12
"""The largest limit on an image's pixels that can be set. No image has more."""


def _modes() -> dict[str, str]:
    modes = {border.name: border.name for border in BORDERS}  # first, so that no alias replaces a name of ours
    for border in BORDERS:
        for names in border[2:]:
            for name in filter(None, names.split(", ")):
                modes.setdefault(_plain(name), border.name)
    modes |= {"zero": "zeros", "reflect-101": "reflect", "reflect101": "reflect", "border-reflect101": "reflect"}
    return modes


_MODES = _modes()
