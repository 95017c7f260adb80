"""PyTorch: `conv2d` and `conv_transpose2d` of `torch.nn.functional`."""

from __future__ import annotations

from convcli.translate import literals, script
from convcli.translate.request import Request

_TENSOR = "torch.tensor({}, dtype=torch.float64)", "torch.tensor({}, dtype=torch.float64)", "torch.from_numpy({})"

_TORCH = {
    "magnitude": "torch.linalg.vector_norm({bank}, dim=1{keep})",
    "sum": "{bank}.sum(dim=1{keep})",
    "max": "{bank}.amax(dim=1{keep})",
    "none": "{bank}",
    "together": "torch.cat([{parts}], dim=1)",
    "keep": ", keepdim=True",
}


def write(request: Request) -> list[str]:
    """The lines of the script."""
    geometry = request.geometry
    lines, x, options, crop = _transposed(request) if geometry.transpose else _padded(request)
    kernels, weight = _weight(request)
    for name, pair in (("stride", geometry.stride), ("dilation", geometry.dilation)):
        if max(pair) > 1:
            options.append(f"{name}={_pair(*pair)}")
    if request.layer.groups > 1:
        options.append(f"groups={request.layer.groups}")
    bias = []
    if request.layer.bias is not None and request.offset is None:
        bias = literals.array("bias", request.layer.bias, _TENSOR)
        options.insert(0, "bias=bias")
    call = "conv_transpose2d" if geometry.transpose else "conv2d"
    offset = f" + {literals.number(request.offset)}" if request.offset else ""
    return [
        *script.imports(request, kernels, "import torch", "import torch.nn.functional as F"),
        *script.image(request),
        *lines,
        *kernels,
        *bias,
        f"result = F.{call}({', '.join([x, weight, *options])}){crop}{offset}",
        *script.joined(request, _TORCH),
        *(["result = result.numpy()", *script.encoded(request)] if request.linear else []),
    ]


def _pair(rows: int, columns: int) -> str:
    return str(rows) if rows == columns else f"({rows}, {columns})"


def _padded(request: Request) -> script.Input:
    """The input of a direct operation, padded if conv2d cannot pad it."""
    (top, bottom, left, right), mode = request.geometry.pads, request.geometry.padding_mode
    image = "torch.from_numpy(image)"
    if not any(request.geometry.pads):
        return [], image, [], ""
    if mode == "zeros" and top == bottom and left == right:
        return [], image, [f"padding={_pair(top, left)}"], ""
    height, width = request.geometry.input
    most = {"reflect": (height - 1, width - 1), "circular": (height, width)}.get(mode)
    if mode == "symmetric" or (most and (max(top, bottom) > most[0] or max(left, right) > most[1])):
        return (
            [script.pad("padded", request.padding) + "  # torch has no such padding"],
            "torch.from_numpy(padded)",
            [],
            "",
        )
    how = "" if mode == "zeros" else f', mode="{mode}"'
    return [f"padded = F.pad({image}, ({left}, {right}, {top}, {bottom}){how})"], "padded", [], ""


def _transposed(request: Request) -> script.Input:
    """The input of a transposed operation. Its padding argument crops if both sides are the same, else the result is cropped."""
    (top, bottom, left, right), (height, width) = request.geometry.pads, request.geometry.output
    options, crop = [], ""
    if (top, left) != (bottom, right):
        crop = f"[:, {top}:{top + height}, {left}:{left + width}]"
    elif top or left:
        options.append(f"padding={_pair(top, left)}")
    if any(request.geometry.output_padding):
        options.append(f"output_padding={_pair(*request.geometry.output_padding)}")
    return [], "torch.from_numpy(image)", options, crop


def _weight(request: Request) -> tuple[list[str], str]:
    """Lines that assign the kernels, and the 4-D weight made of them."""
    (name, taps), (kh, kw) = request.named, request.geometry.kernel
    if name == "weight":
        return literals.array(name, taps, _TENSOR, literals.stored(request).expression), name
    lines, channels, count = literals.array(name, taps, _TENSOR), request.layer.inputs, len(taps)
    transpose, across = request.layer.transpose, request.each is None
    if channels == 1:
        return lines, "kernel[None, None]" if name == "kernel" else "kernels[None]" if transpose else "kernels[:, None]"
    if name == "kernel":
        shape = (1, channels, kh, kw) if across and not transpose else (channels, 1, kh, kw)
        return lines, f"kernel.expand{shape}"
    if transpose:
        return lines, f"kernels.expand({channels}, {count}, {kh}, {kw})"
    if across:
        return lines, f"kernels[:, None].expand({count}, {channels}, {kh}, {kw})"
    return lines, f"kernels.repeat({channels}, 1, 1)[:, None]"
