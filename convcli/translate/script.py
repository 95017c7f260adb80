"""The lines that Python scripts share: imports, reading the image, padding, joining a bank's outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from convcli.pointwise.lift import LUMA, LUMINANCE
from convcli.translate.literals import array, lacking, number, numbers, quoted, stored
from convcli.translate.request import Array, Extension, Request
from convcli.vocabulary import BORDERS, PADDING_MODES

Input = tuple[list[str], str, list[str], str]
"""Lines before an operation, its input, its options, and the index of the part of its result to keep."""


def mode_in(library: str, mode: str) -> str:
    """The name of a padding mode in NumPy, SciPy or OpenCV."""
    row = BORDERS[PADDING_MODES.index(mode)]
    return str(getattr(row, library)).partition(", ")[0]


def path(request: Request) -> str:
    """The image's path, which does not look like an option. An image from a pipe gets an invented name."""
    if request.source == "-":
        return "image.npy" if request.tensor else "image.png"
    return f"./{request.source}" if request.source.startswith("-") else request.source


def imports(request: Request, lines: list[str], *own: str, pillow: bool = True) -> list[str]:
    """The import lines of a script, in order, and an empty line. `lines` may read the weights from the user's file."""
    found = {"import numpy as np", *own}
    if pillow and not request.tensor:
        found.add("from PIL import Image" + (", ImageOps" if request.turned else ""))
    file = stored(request)
    if file.imported and file.expression in "".join(lines):
        found.add(file.imported)
    return [*sorted(found, key=lambda line: (line.startswith("from"), line.lower())), ""]


def image(request: Request) -> list[str]:
    """Lines that read the image as Pillow decodes it: ``image``, float64 ``(C, H, W)``."""
    if request.tensor:
        shape = (request.input_channels, *request.size)
        item = "" if request.item is None else f"[{request.item}]"
        return [f"image = np.load({quoted(path(request))}){item}.astype(float).reshape{shape}", *prepared(request)]
    opened = f"Image.open({quoted(path(request))})"
    if request.turned:
        opened = f"ImageOps.exif_transpose({opened})"
    colours, lines = request.input_channels, []
    if colours == 3:
        opened += '.convert("RGB")'
    elif colours == 1 and request.full_scale == 255:  # of more bits, Pillow would leave 8
        opened += '.convert("L")'
    axes = ".transpose(2, 0, 1)" if colours > 1 else "[None]"
    lines.append(f"image = np.asarray({opened}, dtype=float){axes}")
    if colours == 3 and request.full_scale == 65535:
        lines.insert(0, lacking("16 bits of each colour: Pillow reads 8, which are scaled"))
        lines[-1] += " * 257"
    return [*lines, *prepared(request)]


def prepared(request: Request) -> list[str]:
    """What happens to ``image`` before the operation: linear light, gray."""
    lines = []
    if request.linear:
        white = number(request.full_scale)
        lines += [
            f"light = np.abs(image) / {white}  # sRGB to linear light",
            "light = np.where(light <= 0.04045, light / 12.92, ((light + 0.055) / 1.055) ** 2.4)",
            f"image = {white} * np.copysign(light, image)",
        ]
    if request.gray:
        lines.append(f"image = np.tensordot([{numbers(luma(request))}], image, 1)[None]  # gray")
    if request.border is not None:
        lines.append(pad("image", request.border) + "  # padding mode")
    return lines


def luma(request: Request) -> Array:
    """The share of each colour in gray."""
    if request.input_channels != len(LUMA):
        return np.full(request.input_channels, 1 / request.input_channels)
    return np.array(LUMINANCE if request.linear else LUMA)


def pad(target: str, border: Extension) -> str:
    """A line that makes `target` of ``image``, by NumPy."""
    (top, bottom, left, right), mode = border
    how = "" if mode == "zeros" else f', mode="{mode_in("numpy", mode)}"'
    return f"{target} = np.pad(image, ((0, 0), ({top}, {bottom}), ({left}, {right})){how})"


def spread(request: Request) -> list[str]:
    """Lines that assign the weights, with the zeros of their dilation, by NumPy."""
    (name, taps), (d, e) = request.named, request.geometry.dilation
    file = stored(request).expression
    if request.geometry.extent == request.geometry.kernel:
        return array(name, taps, stored=file)
    shape = ", ".join(map(str, (*taps.shape[:-2], *request.geometry.extent)))
    steps = f"{'..., ' if taps.ndim > 2 else ''}::{d}, ::{e}"
    return [
        *array("taps", taps, stored=file),
        f"{name} = np.zeros(({shape}))  # dilation",
        f"{name}[{steps}] = taps",
    ]


def as_layer(request: Request, lines: list[str]) -> list[str]:
    """Lines that make the 4-D ``weight`` of PyTorch's of what `lines` assign: a kernel, kernels, or the weight itself."""
    name, channels, transpose = request.named[0], request.layer.inputs, request.layer.transpose
    if name == "weight":
        return lines
    if channels == 1:
        taps = "kernel[None, None]" if name == "kernel" else "kernels[None]" if transpose else "kernels[:, None]"
        return [*lines, f"weight = {taps}"]
    taps = name if name == "kernel" or transpose else "kernels[:, None]"
    across = request.each is None and not transpose
    return [*lines, f"weight = np.tile({taps}, {(1, channels, 1, 1) if across else (channels, 1, 1, 1)})"]


def summed(request: Request) -> list[str]:
    """A line that makes the sum of the channels the only channel, if every kernel is applied to the sum."""
    return ["image = image.sum(axis=0, keepdims=True)"] if request.each is None and request.summed is not None else []


def stuffed(request: Request) -> tuple[list[str], str]:
    """Lines that put the zeros of a transposed operation between the pixels, and the name of the result."""
    (height, width), (s, t) = request.geometry.input, request.geometry.stride
    if max(s, t) == 1:
        return [], "image"
    lines = [
        f"stuffed = np.zeros((len(image), {(height - 1) * s + 1}, {(width - 1) * t + 1}))",
        f"stuffed[:, ::{s}, ::{t}] = image",
    ]
    return lines, "stuffed"


def layer(request: Request, source: str, call: Callable[[str, str], str], crop: str = "") -> list[str]:
    """Lines for a layer: each output is the sum of what `call` makes of the planes of its group and of their kernels."""
    groups = request.layer.groups
    inputs, outputs = request.layer.inputs // groups, request.layer.outputs // groups
    one = "c" if inputs > 1 else "0"
    c = one if groups == 1 else f"g * {inputs} + c" if inputs > 1 else "g"
    o = "o" if groups == 1 else f"g * {outputs} + o"
    made = call(f"{source}[{c}]", f"weight[{c}, o]" if request.layer.transpose else f"weight[{o}, {one}]")
    return [
        "planes = [",
        (f"    sum({made} for c in range({inputs}))" if inputs > 1 else f"    {made}") + crop,
        "    " + (f"for g in range({groups}) " if groups > 1 else "") + f"for o in range({outputs})",
        "]",
        "result = np.stack(planes)",
    ]


def not_numbers(request: Request, why: str) -> list[str]:
    """A remark on NaN in tensors, if it also reaches outputs whose window has none. Else empty."""
    return [lacking(f"a NaN that affects only the taps that read it ({why})")] if why and request.tensor else []


def strided(request: Request) -> str:
    """The index that applies the stride to rows and columns; empty for stride 1."""
    s, t = request.geometry.stride
    return "" if s == t == 1 else f"[:, ::{s}, ::{t}]"


NUMPY = {
    "magnitude": "np.linalg.norm({bank}, axis=1{keep})",
    "sum": "{bank}.sum(axis=1{keep})",
    "max": "{bank}.max(axis=1{keep})",
    "none": "{bank}",
    "together": "np.concatenate([{parts}], axis=1)",
    "keep": ", keepdims=True",
}
"""How NumPy combines arrays along their second axis. ``{keep}`` is where that axis is kept."""


def joined(request: Request, words: Mapping[str, str] = NUMPY) -> list[str]:
    """Lines that join the outputs of a bank, as the library of `words` does it."""
    parts = request.joined
    if not parts:
        return []
    height, width = request.geometry.output
    bank = f"result.reshape({request.blocks}, {parts[-1].stop}, {height}, {width})"
    if len(parts) == 1:
        return ["result = " + words[parts[0].rule].format(bank=bank, keep="")]
    pieces = [words[rule].format(bank=f"bank[:, {start}:{stop}]", keep=words["keep"]) for start, stop, rule in parts]
    together = words["together"].format(parts=", ".join(pieces))
    return [f"bank = {bank}", f"result = {together}.reshape(-1, {height}, {width})"]


def finished(request: Request) -> list[str]:
    """What happens to ``result``, all outputs as NumPy's array: bias, joining, back from linear light."""
    lines = []
    if request.offset is None:
        assert request.layer.bias is not None
        lines.append(f"result += np.array([{numbers(request.layer.bias)}])[:, None, None]")
    elif request.offset:
        lines.append(f"result += {number(request.offset)}")
    return [*lines, *joined(request), *encoded(request)]


def encoded(request: Request) -> list[str]:
    """Back from linear light, if it was used."""
    if not request.linear:
        return []
    white = number(request.full_scale)
    return [
        f"light = np.abs(result) / {white}  # linear light to sRGB",
        "light = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)",
        f"result = {white} * np.copysign(light, result)",
    ]
