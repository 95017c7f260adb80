"""SciPy: `scipy.ndimage.correlate` if the size stays the same, else `scipy.signal`."""

from __future__ import annotations

from convcli.translate import literals, script
from convcli.translate.request import Request

_MODE = {
    "zeros": "constant",
    "reflect": "mirror",
    "replicate": "nearest",
    "circular": "wrap",
    "symmetric": "reflect",
}


def write(request: Request) -> list[str]:
    """The lines of the script."""
    kernels = request.kernels
    single = kernels is not None and len(kernels) == 1
    taps = request.weight if kernels is None else kernels[0] if single else kernels
    name = "weight" if kernels is None else "kernel" if single else "kernels"
    lines = script.spread(request, taps, name)
    if request.geometry.transpose:
        module, before, computed = _transposed(request, kernels is None, single)
    elif kernels is not None and request.window.keeps_size:
        module, before, computed = _same(request, single)
    else:
        module, before, computed = _valid(request, kernels is None, single)
    stored, zeros = literals.stored(request), "the zeros of the dilation read it, too"
    return [
        *script.imports(
            request,
            f"from scipy import {module}",
            stored.imported if stored.expression and stored.expression in "".join(lines) else "",
        ),
        *script.not_numbers(request, zeros if module == "signal" and max(request.geometry.dilation) > 1 else ""),
        *script.image(request),
        *before,
        *lines,
        *computed,
        *script.finished(request),
    ]


def _summed(request: Request) -> list[str]:
    """Every kernel on the sum of the channels: as on every channel, with the sum as the only channel."""
    return ["image = image.sum(axis=0, keepdims=True)"] if request.each is None and request.summed is not None else []


def _same(request: Request, single: bool) -> tuple[str, list[str], list[str]]:
    """Outputs on the image's own grid: ndimage has the border, and any origin of the kernel."""
    pads, extent = request.geometry.pads, request.geometry.extent
    origin = (pads.top - extent.height // 2, pads.left - extent.width // 2)
    mode = f'mode="{_MODE[request.geometry.padding_mode]}"'
    if single:
        shift = f", origin=(0, {origin[0]}, {origin[1]})" if any(origin) else ""
        computed = [f"result = ndimage.correlate(image, kernel[None], {mode}{shift}){script.strided(request)}"]
    else:
        shift = f", origin={origin}" if any(origin) else ""
        computed = [
            f"planes = [ndimage.correlate(plane, kernel, {mode}{shift}) for plane in image for kernel in kernels]",
            f"result = np.stack(planes){script.strided(request)}",
        ]
    return "ndimage", _summed(request), computed


def _valid(request: Request, layer: bool, single: bool) -> tuple[str, list[str], list[str]]:
    """Windows over an image that is padded first."""
    before = _summed(request)
    x = "image"
    if any(request.geometry.pads):
        before.append(script.pad(request))
        x = "padded"
    how, thinned = 'mode="valid", method="direct"', script.strided(request)
    if single:
        return "signal", before, [f"result = signal.correlate({x}, kernel[None], {how}){thinned}"]
    if layer:
        taken, outputs = request.weight.shape[1], len(request.weight) // request.groups
        seen = x if request.groups == 1 else f"{x}[o // {outputs} * {taken} :][:{taken}]"
        loop = "for w in weight" if request.groups == 1 else "for o, w in enumerate(weight)"
        planes = f"[signal.correlate({seen}, w, {how}) {loop}]"
        return "signal", before, [f"planes = {planes}", f"result = np.concatenate(planes){thinned}"]
    planes = f"[signal.correlate(plane, kernel, {how}) for plane in {x} for kernel in kernels]"
    return "signal", before, [f"planes = {planes}", f"result = np.stack(planes){thinned}"]


def _transposed(request: Request, layer: bool, single: bool) -> tuple[str, list[str], list[str]]:
    """The full convolution of the image with zeros between its pixels."""
    geometry = request.geometry
    (height, width), (s, t) = geometry.input, geometry.stride
    before = _summed(request)
    x = "image"
    if max(s, t) > 1:
        rows, columns = (height - 1) * s + 1, (width - 1) * t + 1
        before += [
            f"stuffed = np.zeros((len(image), {rows}, {columns}))",
            f"stuffed[:, ::{s}, ::{t}] = image",
        ]
        x = "stuffed"
    how = 'method="direct"'
    if single:
        computed = [f"result = signal.convolve({x}, kernel[None], {how})"]
    elif layer:
        inputs, per = request.planes // request.groups, request.weight.shape[1]
        c = "c" if inputs > 1 else "0"
        first = c if request.groups == 1 else f"g * {inputs} + c" if inputs > 1 else "g"
        call = f"signal.convolve({x}[{first}], weight[{first}, o], {how})"
        loops = (
            f"for o in range({per})"
            if request.groups == 1
            else f"for g in range({request.groups}) for o in range({per})"
        )
        computed = [
            "planes = [",
            f"    sum({call} for c in range({inputs}))" if inputs > 1 else f"    {call}",
            f"    {loops}",
            "]",
            "result = np.stack(planes)",
        ]
    else:
        planes = f"[signal.convolve(plane, kernel, {how}) for plane in {x} for kernel in kernels]"
        computed = [f"planes = {planes}", "result = np.stack(planes)"]
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
    elif any(op > 0 for op in geometry.output_padding) and not (rows or columns):
        raise AssertionError  # without pads there is always room
    return lines
