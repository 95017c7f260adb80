"""OpenCV: `cv2.filter2D`, on a padded copy if its own borders are not enough."""

from __future__ import annotations

from convcli.translate import literals, script
from convcli.translate.request import Request

_FOURIER = 50
"""With this number of taps or more, filter2D computes float64 by a Fourier transform."""


def write(request: Request) -> list[str]:
    """The lines of the script."""
    high, wide = request.geometry.extent
    fourier = "a kernel of this size is applied by a Fourier transform" if high * wide >= _FOURIER else ""
    lines = script.spread(request)
    prepared, source, options, crop = _stuffed(request) if request.geometry.transpose else _padded(request)

    def call(plane: str, kernel: str) -> str:
        """Filter a plane. The transposed operation is a convolution, and filter2D a correlation."""
        turned = request.geometry.transpose and max(request.geometry.kernel) > 1
        taps = f"cv2.flip({kernel}, -1)" if turned else kernel
        return f"cv2.filter2D({', '.join([plane, '-1', taps, *options])})"

    if request.kernels is None:
        computed = script.layer(request, source, call, crop)
    else:
        more = " for kernel in kernels" if len(request.kernels) > 1 else ""
        computed = [f"result = np.stack([{call('plane', 'kernel')}{crop} for plane in {source}{more}])"]
    return [
        *script.imports(request, lines, "import cv2", pillow=False),
        *script.not_numbers(request, fourier),
        *_image(request),
        *script.summed(request),
        *prepared,
        *lines,
        *computed,
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


def _padded(request: Request) -> script.Input:
    """The input of a direct operation, padded if filter2D cannot pad it."""
    (top, bottom, left, right), (s, t) = request.geometry.pads, request.geometry.stride
    border = f"cv2.{script.mode_in('opencv', request.geometry.padding_mode)}"
    if request.keeps_size and request.geometry.padding_mode != "circular":  # filter2D has no such border
        anchor = [] if request.centred else [f"anchor=({left}, {top})"]
        return [], "image", [*anchor, f"borderType={border}"], "" if s == t == 1 else f"[::{s}, ::{t}]"
    lines, source = [], "image"
    if any(request.geometry.pads):
        sides = f"{top}, {bottom}, {left}, {right}"
        lines, source = [f"padded = [cv2.copyMakeBorder(plane, {sides}, {border}) for plane in image]"], "padded"
    (height, width), (high, wide) = request.geometry.input, request.geometry.extent
    ends = height + top + bottom - high + 1, width + left + right - wide + 1
    steps = [f":{end}" + (f":{step}" if step > 1 else "") for end, step in zip(ends, (s, t), strict=True)]
    return lines, source, ["anchor=(0, 0)"], f"[{', '.join(steps)}]"


def _stuffed(request: Request) -> script.Input:
    """The input of a transposed operation: zeros between and around the pixels."""
    (high, wide), (rows, columns) = request.geometry.extent, request.geometry.output_padding
    lines, source = script.stuffed(request)
    if max(high, wide) > 1 or rows or columns:
        sides = f"{high - 1}, {high - 1 + rows}, {wide - 1}, {wide - 1 + columns}"
        lines.append(f"padded = [cv2.copyMakeBorder(plane, {sides}, cv2.BORDER_CONSTANT) for plane in {source}]")
        source = "padded"
    (top, _, left, _), size = request.geometry.pads, request.geometry.output
    steps = [f"{start or ''}:{start + stop}" for start, stop in ((top, size.height), (left, size.width))]
    return lines, source, ["anchor=(0, 0)"], f"[{', '.join(steps)}]"
