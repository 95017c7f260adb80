"""OpenCV: `cv2.filter2D`, on a padded copy if its own borders do not fit."""

from __future__ import annotations

from convcli.translate import literals, script
from convcli.translate.request import Request

_BORDER = {
    "zeros": "cv2.BORDER_CONSTANT",
    "reflect": "cv2.BORDER_REFLECT_101",
    "replicate": "cv2.BORDER_REPLICATE",
    "circular": "cv2.BORDER_WRAP",
    "symmetric": "cv2.BORDER_REFLECT",
}

_FOURIER = 50
"""From this many taps on, filter2D computes float64 by a Fourier transform."""


def write(request: Request) -> list[str]:
    """The lines of the script."""
    kernels, stored = request.kernels, literals.stored(request)
    single = kernels is not None and len(kernels) == 1
    taps = request.weight if kernels is None else kernels[0] if single else kernels
    name = "weight" if kernels is None else "kernel" if single else "kernels"
    lines = script.spread(request, taps, name)
    high, wide = request.geometry.extent
    fourier = "so large a kernel goes through a Fourier transform" if high * wide >= _FOURIER else ""
    prepared, source, options, crop = _stuffed(request) if request.geometry.transpose else _padded(request)
    imported = stored.imported if stored.expression and stored.expression in "".join(lines) else ""
    if request.each is None and kernels is not None:
        prepared.insert(0, "image = image.sum(axis=0, keepdims=True)")
    return [
        *script.imports(request, "import cv2", imported, pillow=False),
        *script.not_numbers(request, fourier),
        *_image(request),
        *prepared,
        *lines,
        *(_layer if kernels is None else _bank)(request, source, options, crop),
        *script.finished(request),
    ]


def _image(request: Request) -> list[str]:
    """Lines that read the image as OpenCV decodes it, upright: ``image``, float64 ``(C, H, W)``."""
    if request.tensor:
        return script.image(request)
    name, colours = literals.quoted(script.path(request)), request.input_channels
    if colours == 3:
        depth = ", cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH" if request.full_scale != 255 else ""
        read = f"cv2.cvtColor(cv2.imread({name}{depth}), cv2.COLOR_BGR2RGB).transpose(2, 0, 1)"
    elif colours == 1:
        read = f"cv2.imread({name}, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)[None]"
    else:
        read = f"cv2.cvtColor(cv2.imread({name}, cv2.IMREAD_UNCHANGED), cv2.COLOR_BGRA2RGBA).transpose(2, 0, 1)"
    return [f"image = {read}.astype(float)", *script.prepared(request)]


def _padded(request: Request) -> tuple[list[str], str, list[str], str]:
    """Lines that pad, the planes to filter, filter2D's options, and the index of the part of its result to keep."""
    (top, bottom, left, right), (high, wide) = request.geometry.pads, request.geometry.extent
    mode, (s, t) = request.geometry.padding_mode, request.geometry.stride
    border = _BORDER[mode]
    if request.window.keeps_size and mode != "circular":  # filter2D has no such border
        anchor = [] if request.window.centred else [f"anchor=({left}, {top})"]
        thinned = "" if s == t == 1 else f"[::{s}, ::{t}]"
        return [], "image", [*anchor, f"borderType={border}"], thinned
    lines, source = [], "image"
    if any(request.geometry.pads):
        sides = f"{top}, {bottom}, {left}, {right}"
        lines, source = [f"padded = [cv2.copyMakeBorder(plane, {sides}, {border}) for plane in image]"], "padded"
    rows, columns = (
        _until(
            request.geometry.input[axis] + request.geometry.pads[2 * axis] + request.geometry.pads[2 * axis + 1], size
        )
        for axis, size in enumerate((high, wide))
    )
    steps = [f":{stop}" + (f":{step}" if step > 1 else "") for stop, step in ((rows, s), (columns, t))]
    return lines, source, ["anchor=(0, 0)"], f"[{', '.join(steps)}]"


def _until(size: int, extent: int) -> int:
    """The end of the positions at which windows begin."""
    return size - extent + 1


def _stuffed(request: Request) -> tuple[list[str], str, list[str], str]:
    """The same as `_padded` for the transposed operation: zeros between and around the pixels."""
    geometry = request.geometry
    (height, width), (s, t), (high, wide) = geometry.input, geometry.stride, geometry.extent
    lines, source = [], "image"
    if max(s, t) > 1:
        lines = [
            f"stuffed = np.zeros((len(image), {(height - 1) * s + 1}, {(width - 1) * t + 1}))",
            f"stuffed[:, ::{s}, ::{t}] = image",
        ]
        source = "stuffed"
    rows, columns = geometry.output_padding
    if max(high, wide) > 1 or rows or columns:
        sides = f"{high - 1}, {high - 1 + rows}, {wide - 1}, {wide - 1 + columns}"
        lines.append(f"padded = [cv2.copyMakeBorder(plane, {sides}, cv2.BORDER_CONSTANT) for plane in {source}]")
        source = "padded"
    (top, _, left, _), size = geometry.pads, geometry.output
    steps = [f"{start or ''}:{start + stop}" for start, stop in ((top, size.height), (left, size.width))]
    return lines, source, ["anchor=(0, 0)"], f"[{', '.join(steps)}]"


def _filtered(request: Request, plane: str, kernel: str, options: list[str]) -> str:
    """The call that filters a plane. The transposed operation is a convolution, and filter2D a correlation."""
    taps = f"cv2.flip({kernel}, -1)" if request.geometry.transpose and max(request.geometry.kernel) > 1 else kernel
    return f"cv2.filter2D({', '.join([plane, '-1', taps, *options])})"


def _bank(request: Request, source: str, options: list[str], crop: str) -> list[str]:
    kernels = request.kernels
    assert kernels is not None
    more = " for kernel in kernels" if len(kernels) > 1 else ""
    call = _filtered(request, "plane", "kernel", options)
    return [f"result = np.stack([{call}{crop} for plane in {source}{more}])"]


def _layer(request: Request, source: str, options: list[str], crop: str) -> list[str]:
    groups, transpose = request.groups, request.geometry.transpose
    inputs, per = request.planes // groups, request.outputs // groups
    c = "c" if inputs > 1 else "0"
    c = c if groups == 1 else f"g * {inputs} + c" if inputs > 1 else "g"
    o = "o" if groups == 1 else f"g * {per} + o"
    kernel = f"weight[{c}, o]" if transpose else f"weight[{o}, {'c' if inputs > 1 else '0'}]"
    call = _filtered(request, f"{source}[{c}]", kernel, options)
    loops = f"for o in range({per})" if groups == 1 else f"for g in range({groups}) for o in range({per})"
    return [
        "planes = [",
        (f"    sum({call} for c in range({inputs}))" if inputs > 1 else f"    {call}") + f"{crop}",
        f"    {loops}",
        "]",
        "result = np.stack(planes)",
    ]
