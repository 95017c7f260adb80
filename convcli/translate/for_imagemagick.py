"""ImageMagick: ``-morphology Correlate``, whose border is its virtual pixels.

The origin of a kernel can be any of its taps. Here it is the tap where the padding begins, so that no larger image is needed
if every window touches the image. For larger outputs, ``-distort`` with a viewport enlarges the image first. ``-sample`` applies
the stride.
"""

from __future__ import annotations

import shlex

import numpy as np

from convcli.translate import literals, script, shell
from convcli.translate.request import Array, Request

_VIRTUAL = {"zeros": "black", "replicate": "edge", "circular": "tile", "symmetric": "mirror", "reflect": "mirror"}


def write(request: Request) -> list[str]:
    """The lines of the shell script."""
    if what := shell.lacks(request, "ImageMagick"):
        return [literals.lacking(what)]
    commands = _commands(request)
    return [
        "# ImageMagick 7; for version 6 write convert for magick",
        *shell.mirrored(request),
        *shell.several(len(commands)),
        *commands,
    ]


def _commands(request: Request) -> list[str]:
    """A command for each result of the bank."""
    factor = 1 if request.summed is None else request.layer.inputs  # the mean of the channels is filtered
    start, end = _before(request), _after(request)
    bodies = []
    for kernels, biases, rule in shell.results(request):
        if rule == "magnitude":
            # Negative results are lost. So each kernel and its negative are used: one of the two results is zero.
            kernels, biases = np.concatenate([kernels, -kernels]), np.concatenate([biases, -biases])
        each = [_morphology(request, kernel * factor, bias) for kernel, bias in zip(kernels, biases, strict=True)]
        if rule == "max":
            each = [*_copies(each), "-evaluate-sequence Max"]
        elif rule == "magnitude":
            each = [*_copies(each, " -evaluate Pow 2"), "-evaluate-sequence Add -evaluate Pow 0.5"]
        bodies.append(each)
    names = ["out.png"] if len(bodies) == 1 else [f"out-{n}.png" for n in range(1, len(bodies) + 1)]
    source = shlex.quote(script.path(request) + ("[0]" if request.frames > 1 else ""))
    return [
        " \\\n  ".join([f"magick {source}", *start, *body, *end, name])
        for body, name in zip(bodies, names, strict=True)
    ]


def _copies(operations: list[str], then: str = "") -> list[str]:
    """Each operation on a copy of the image; only the results are kept."""
    return [*(f"\\( -clone 0 {operation} -clamp{then} \\)" for operation in operations), "-delete 0"]


def _before(request: Request) -> list[str]:
    """Orientation, alpha, light, gray, virtual pixels, and a larger image if the padding needs one."""
    found = ["-auto-orient"] if request.turned else []
    if request.drops_alpha:
        found.append("-alpha off")
    if request.linear:
        found.append("-colorspace RGB")
    if request.gray:
        found.append(f"-grayscale {'Rec709Luminance' if request.linear else 'Rec601Luma'}")
    elif request.summed is not None:
        found.append("-separate -evaluate-sequence Mean")
    geometry = request.geometry
    if any(geometry.pads):
        found.append(f"-virtual-pixel {_VIRTUAL[geometry.padding_mode]}")
    if _enlarged(request):
        (top, bottom, left, right), (height, width) = geometry.pads, geometry.input
        viewport = f"{width + left + right}x{height + top + bottom}-{left}-{top}"
        found.append(f"-set option:distort:viewport {viewport} -filter Point -distort SRT 0 +repage")
    return found


def _enlarged(request: Request) -> bool:
    """Whether some window cannot be reached by an origin inside the image."""
    geometry = request.geometry
    top, bottom, left, right = geometry.pads
    high, wide = geometry.extent
    return top > high - 1 or left > wide - 1 or top + bottom > high - 1 or left + right > wide - 1


def _morphology(request: Request, kernel: Array, offset: float) -> str:
    """The operator, with its kernel's zeros of dilation, its origin and its bias."""
    high, wide = request.geometry.extent
    top, _, left, _ = (0, 0, 0, 0) if _enlarged(request) else request.geometry.pads
    place = "" if (top, left) == ((high - 1) // 2, (wide - 1) // 2) else f"+{left}+{top}"
    whole, divisor = literals.fraction(shell.spread(request, kernel))
    scale = f"-define convolve:scale={literals.number(1 / divisor)} " if divisor > 1 else ""
    bias = f"-define convolve:bias={literals.number(100 * offset / request.full_scale)}% " if offset else ""
    rows = " ".join(literals.numbers(row, ",") for row in whole)
    return f"{scale}{bias}-morphology Correlate '{wide}x{high}{place}: {rows}'"


def _after(request: Request) -> list[str]:
    """The crop of the result, the stride, and the conversion from linear light."""
    geometry, found = request.geometry, []
    (s, t), (height, width) = geometry.stride, geometry.output
    if s > 1 or t > 1:
        found.append(
            f"-gravity NorthWest -extent {width * t}x{height * s} "
            f"-define sample:offset={50 // max(s, t)} -sample {width}x{height}!"
        )
    elif geometry.output != geometry.input or _enlarged(request):
        found.append(f"-crop {width}x{height}+0+0 +repage")
    if request.linear:
        found.append("-colorspace sRGB")
    return found
