"""ImageMagick: ``-morphology Correlate``, whose border is its virtual pixels.

The origin of a kernel can be any of its taps. The origin is put where the padding begins, and then no larger image is needed
if every window touches the image. If the output is larger than that, ``-distort`` with a viewport enlarges the image first.
``-sample`` applies the stride.
"""

from __future__ import annotations

import shlex

import numpy as np
from numpy.typing import NDArray

from convcli.translate import literals, script
from convcli.translate.request import Part, Request

_VIRTUAL = {"zeros": "black", "replicate": "edge", "circular": "tile", "symmetric": "mirror", "reflect": "mirror"}


def write(request: Request) -> list[str]:
    """The lines of the shell script."""
    kernels, geometry = request.kernels, request.geometry
    if geometry.transpose:
        return [literals.lacking("the transposed operation, which ImageMagick lacks; there is no text")]
    if request.tensor:
        return [literals.lacking("a .npy file, which ImageMagick cannot read; there is no text")]
    if kernels is None:
        return [literals.lacking("a layer that weighs each channel in its own way; there is no text")]
    offsets = _offsets(request, len(kernels))
    if offsets is None:
        return [literals.lacking("a bias of its own for each channel; there is no text")]
    if request.summed is not None:
        kernels = kernels * request.planes  # on the mean of the channels
    notes = ["# ImageMagick 7; for version 6 write convert for magick"]
    if geometry.padding_mode == "reflect" and any(geometry.pads):
        notes.append(literals.lacking("padding mode reflect; 'mirror' is symmetric, which has the edge pixel twice"))
    commands = _commands(request, kernels, offsets)
    if len(commands) > 1:
        notes.append(literals.lacking(f"{len(commands)} results in one picture; each is a file"))
    return [*notes, *commands]


def _offsets(request: Request, count: int) -> list[float] | None:
    """The bias of each kernel, if it is the same on all channels."""
    if request.bias is None:
        return [0.0] * count
    blocks = request.bias.reshape(-1, count)
    return [float(b) for b in blocks[0]] if (blocks == blocks[0]).all() else None


def _commands(request: Request, kernels: NDArray[np.float64], offsets: list[float]) -> list[str]:
    """A command for each result of the bank."""
    start, end = _before(request), _after(request)
    parts = request.joined or tuple(Part(k, k + 1, "none") for k in range(len(kernels)))
    bodies = []
    for first, stop, rule in parts:
        each = [_morphology(request, kernels[k], offsets[k]) for k in range(first, stop)]
        if rule == "none":
            bodies += [[one] for one in each]
        elif rule == "sum":
            bodies.append([_morphology(request, kernels[first:stop].sum(axis=0), sum(offsets[first:stop]))])
        elif rule == "max":
            bodies.append([*_copies(each), "-evaluate-sequence Max"])
        else:
            # Negative results are lost, so each kernel is used with its negative: one of the two results is zero.
            both = each + [_morphology(request, -kernels[k], -offsets[k]) for k in range(first, stop)]
            bodies.append([*_copies(both, " -evaluate Pow 2"), "-evaluate-sequence Add -evaluate Pow 0.5"])
    names = ["out.png"] if len(bodies) == 1 else [f"out-{n}.png" for n in range(1, len(bodies) + 1)]
    frame = "[0]" if request.frames > 1 else ""
    source = shlex.quote(script.path(request) + frame)
    return [
        " \\\n  ".join([f"magick {source}", *start, *body, *end, name])
        for body, name in zip(bodies, names, strict=True)
    ]


def _copies(operations: list[str], then: str = "") -> list[str]:
    """Each operation on a copy of the image. Only the results are kept."""
    return [*(f"\\( -clone 0 {operation} -clamp{then} \\)" for operation in operations), "-delete 0"]


def _before(request: Request) -> list[str]:
    """Orientation, opacity, light, gray, virtual pixels, and a larger image if the padding needs one."""
    found = ["-auto-orient"] if request.turned else []
    if request.transparent:
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


def _morphology(request: Request, kernel: NDArray[np.float64], offset: float) -> str:
    """The operator, with its kernel's zeros of dilation, its origin and its bias."""
    (high, wide), (d, e) = request.geometry.extent, request.geometry.dilation
    taps = np.zeros((high, wide))
    taps[::d, ::e] = kernel
    top, _, left, _ = (0, 0, 0, 0) if _enlarged(request) else request.geometry.pads
    place = "" if (top, left) == ((high - 1) // 2, (wide - 1) // 2) else f"+{left}+{top}"
    whole, divisor = literals.fraction(taps)
    scale = f"-define convolve:scale={literals.number(1 / divisor)} " if divisor > 1 else ""
    bias = f"-define convolve:bias={literals.number(100 * offset / request.full_scale)}% " if offset else ""
    rows = " ".join(literals.numbers(row, ",") for row in whole)
    return f"{scale}{bias}-morphology Correlate '{wide}x{high}{place}: {rows}'"


def _after(request: Request) -> list[str]:
    """The crop of the result, the stride, and the way back from linear light."""
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
