"""The words of the command line, the code, the JSON and the docs: each list stands here and nowhere else. Standard library only."""

from __future__ import annotations

from typing import NamedTuple

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
COMBINES = ("none", "magnitude", "sum", "max")
RANGES = ("clip", "abs", "offset", "minmax", "raw")
STRETCH = "stretch"
"""What a contact sheet does where no range policy is asked for."""

SHELLS = ("bash", "zsh", "fish")
THEMES = ("light", "dark")
COLORS = ("auto", "always", "never")
ALPHAS = ("auto", "premultiply", "filter", "keep", "drop")
TOOLS = ("torch", "scipy", "opencv", "imagemagick", "vips", "onnx")
"""The tools that an operation can be written for."""


class Border(NamedTuple):
    """A padding mode: its name, what surrounds the image ``abcd``, and what others call it ("" where they lack it)."""

    name: str
    picture: str
    torch: str
    numpy: str
    scipy: str
    opencv: str


BORDERS = (
    Border("zeros", "00|abcd|00", "zeros, constant", "constant", "constant, grid-constant", "BORDER_CONSTANT"),
    Border("reflect", "cb|abcd|cb", "reflect", "reflect", "mirror", "BORDER_REFLECT_101, BORDER_DEFAULT"),
    Border("replicate", "aa|abcd|dd", "replicate", "edge", "nearest", "BORDER_REPLICATE"),
    Border("circular", "cd|abcd|ab", "circular", "wrap", "wrap, grid-wrap", "BORDER_WRAP"),
    Border("symmetric", "ba|abcd|dc", "", "symmetric", "reflect, grid-mirror", "BORDER_REFLECT"),
)
"""SciPy's ``reflect`` is `symmetric`: the plain word means what it means in PyTorch and NumPy."""

PADDING_MODES = tuple(border.name for border in BORDERS)


def padding_mode(name: str) -> str | None:
    """The padding mode that `name` stands for: ours, PyTorch's, NumPy's, SciPy's or OpenCV's; None if it is no such name.

    Upper and lower case, ``_`` and ``-`` are alike; ``BORDER_`` may be left out of ``BORDER_REFLECT_101``.
    """
    return _MODES.get(_plain(name))


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")


MOST_PIXELS = 10**12
"""More than any image has: what a limit on them may be."""


def _modes() -> dict[str, str]:
    modes = {border.name: border.name for border in BORDERS}  # first: an own name is never an alias
    for border in BORDERS:
        for names in border[2:]:
            for name in names.split(", "):
                modes.setdefault(_plain(name), border.name)
    modes |= {"zero": "zeros", "reflect-101": "reflect", "reflect101": "reflect", "border-reflect101": "reflect"}
    return modes


_MODES = _modes()
