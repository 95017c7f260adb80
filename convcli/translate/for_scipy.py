"""SciPy: `scipy.ndimage.correlate` if the size stays the same, else `scipy.signal`."""

from __future__ import annotations

from convcli.translate import script
from convcli.translate.request import Request


def write(request: Request) -> list[str]:
    """The lines of the script."""
    lines = script.spread(request)
    if request.geometry.transpose:
        module, before, computed = _transposed(request)
    elif request.kernels is not None and request.keeps_size:
        module, before, computed = _same(request)
    else:
        module, before, computed = _valid(request)
    zeros = "the zeros of the dilation read it, too"
    return [
        *script.imports(request, lines, f"from scipy import {module}"),
        *script.not_numbers(request, zeros if module == "signal" and max(request.geometry.dilation) > 1 else ""),
        *script.image(request),
        *script.summed(request),
        *before,
        *lines,
        *computed,
        *script.finished(request),
    ]


def _bank(request: Request, call: str, source: str, options: str, thinned: str = "") -> list[str]:
    """Lines that apply a bank. A single kernel is applied to all planes at once."""
    if request.named[0] == "kernel":
        return [f"result = {call}({source}, kernel[None], {options}){thinned}"]
    planes = f"[{call}(plane, kernel, {options}) for plane in {source} for kernel in kernels]"
    return [f"planes = {planes}", f"result = np.stack(planes){thinned}"]


def _same(request: Request) -> tuple[str, list[str], list[str]]:
    """Outputs on the grid of the image: ndimage has the border, and any origin of the kernel."""
    pads, extent = request.geometry.pads, request.geometry.extent
    origin = (pads.top - extent.height // 2, pads.left - extent.width // 2)
    places = (0, *origin) if request.named[0] == "kernel" else origin
    how = f'mode="{script.mode_in("scipy", request.geometry.padding_mode)}"' + (
        f", origin={places}" if any(origin) else ""
    )
    return "ndimage", [], _bank(request, "ndimage.correlate", "image", how, script.strided(request))


def _valid(request: Request) -> tuple[str, list[str], list[str]]:
    """Windows over an image that is padded first."""
    before, x = ([script.pad("padded", request.padding)], "padded") if any(request.geometry.pads) else ([], "image")
    how, thinned = 'mode="valid", method="direct"', script.strided(request)
    if request.kernels is not None:
        return "signal", before, _bank(request, "signal.correlate", x, how, thinned)
    groups, taken = request.layer.groups, request.layer.weight.shape[1]
    seen = x if groups == 1 else f"{x}[o // {request.layer.outputs // groups} * {taken} :][:{taken}]"
    loop = "for w in weight" if groups == 1 else "for o, w in enumerate(weight)"
    planes = f"[signal.correlate({seen}, w, {how}) {loop}]"
    return "signal", before, [f"planes = {planes}", f"result = np.concatenate(planes){thinned}"]


def _transposed(request: Request) -> tuple[str, list[str], list[str]]:
    """The full convolution of the image with zeros between its pixels."""
    before, x = script.stuffed(request)
    how = 'method="direct"'
    if request.kernels is not None:
        computed = _bank(request, "signal.convolve", x, how)
    else:
        computed = script.layer(request, x, lambda plane, kernel: f"signal.convolve({plane}, {kernel}, {how})")
    return "signal", before, [*computed, *_cropped(request)]


def _cropped(request: Request) -> list[str]:
    """Lines that add the output padding and crop the padding."""
    geometry = request.geometry
    rows, columns = (max(0, op - end) for op, end in zip(geometry.output_padding, geometry.pads[1::2], strict=True))
    lines = []
    if rows or columns:
        lines.append(f"result = np.pad(result, ((0, 0), (0, {rows}), (0, {columns})))  # output padding")
    if any(geometry.pads):
        (top, _, left, _), (height, width) = geometry.pads, geometry.output
        lines.append(f"result = result[:, {top}:{top + height}, {left}:{left + width}]")
    return lines
