"""PyTorch: `conv2d` and `conv_transpose2d` of `torch.nn.functional`."""

from __future__ import annotations

from convcli.translate import literals, script
from convcli.translate.request import Request

_TENSOR = literals.Make(
    "torch.tensor({}, dtype=torch.float64)", "torch.tensor({}, dtype=torch.float64)", "torch.from_numpy({})"
)

_TORCH = script.Dialect(
    "torch.linalg.vector_norm({bank}, dim=1{keep})",
    "{bank}.sum(dim=1{keep})",
    "{bank}.amax(dim=1{keep})",
    "torch.cat([{parts}], dim=1)",
    ", keepdim=True",
)


def write(request: Request) -> list[str]:
    """The lines of the script."""
    geometry, stored = request.geometry, literals.stored(request)
    lines, x, options = _transposed(request) if geometry.transpose else _padded(request)
    kernels, weight = _weight(request, stored.expression)
    for name, pair in (("stride", geometry.stride), ("dilation", geometry.dilation)):
        if max(pair) > 1:
            options.append(f"{name}={_pair(*pair)}")
    if request.groups > 1:
        options.append(f"groups={request.groups}")
    bias = []
    if request.bias is not None and request.offset is None:
        bias = literals.array("bias", request.bias, _TENSOR)
        options.insert(0, "bias=bias")
    call = "conv_transpose2d" if geometry.transpose else "conv2d"
    crop = _crop(request) if geometry.transpose else ""
    offset = f" + {literals.number(request.offset)}" if request.offset else ""
    after = script.joined(request, _TORCH)
    if request.linear:
        after += ["result = result.numpy()", *script.encoded(request)]
    return [
        *script.imports(
            request,
            "import torch",
            "import torch.nn.functional as F",
            stored.imported if stored.expression in "".join(kernels) else "",
        ),
        *script.image(request),
        *lines,
        *kernels,
        *bias,
        f"result = F.{call}({', '.join([x, weight, *options])}){crop}{offset}",
        *after,
    ]


def _pair(rows: int, columns: int) -> str:
    return str(rows) if rows == columns else f"({rows}, {columns})"


def _padded(request: Request) -> tuple[list[str], str, list[str]]:
    """Lines before a direct operation, the name of its input, and its padding argument if it pads itself."""
    (top, bottom, left, right), mode = request.geometry.pads, request.geometry.padding_mode
    image = "torch.from_numpy(image)"
    if not any(request.geometry.pads):
        return [], image, []
    if mode == "zeros" and top == bottom and left == right:
        return [], image, [f"padding={_pair(top, left)}"]
    height, width = request.geometry.input
    most = {"reflect": (height - 1, width - 1), "circular": (height, width)}.get(mode)
    if mode == "symmetric" or (most and (max(top, bottom) > most[0] or max(left, right) > most[1])):
        return [script.pad(request) + "  # torch has no such padding"], "torch.from_numpy(padded)", []
    how = "" if mode == "zeros" else f', mode="{mode}"'
    return [f"padded = F.pad({image}, ({left}, {right}, {top}, {bottom}){how})"], "padded", []


def _symmetric(request: Request) -> bool:
    """Whether a transposed operation crops the same on both sides, as torch needs it."""
    top, bottom, left, right = request.geometry.pads
    return top == bottom and left == right


def _transposed(request: Request) -> tuple[list[str], str, list[str]]:
    """The same as `_padded` for a transposed operation: it crops by its padding argument, or afterwards."""
    options = []
    top, _, left, _ = request.geometry.pads
    if _symmetric(request) and (top or left):
        options.append(f"padding={_pair(top, left)}")
    if any(request.geometry.output_padding):
        options.append(f"output_padding={_pair(*request.geometry.output_padding)}")
    return [], "torch.from_numpy(image)", options


def _crop(request: Request) -> str:
    if _symmetric(request):
        return ""
    (top, _, left, _), (height, width) = request.geometry.pads, request.geometry.output
    return f"[:, {top}:{top + height}, {left}:{left + width}]"


def _weight(request: Request, stored: str) -> tuple[list[str], str]:
    """Lines that assign the kernels and the 4-D weight made of them."""
    kernels, (kh, kw) = request.kernels, request.geometry.kernel
    if kernels is None:
        return literals.array("weight", request.weight, _TENSOR, stored), "weight"
    count, channels = len(kernels), request.planes
    if count == 1:
        lines = literals.array("kernel", kernels[0], _TENSOR)
        if channels == 1:
            return lines, "kernel[None, None]"
        shape = (1, channels) if request.each is None and not request.geometry.transpose else (channels, 1)
        return lines, f"kernel.expand({shape[0]}, {shape[1]}, {kh}, {kw})"
    lines = literals.array("kernels", kernels, _TENSOR)
    if request.geometry.transpose:
        weight = "kernels[None]" if channels == 1 else f"kernels.expand({channels}, {count}, {kh}, {kw})"
    elif channels == 1:
        weight = "kernels[:, None]"
    elif request.each is None:
        weight = f"kernels[:, None].expand({count}, {channels}, {kh}, {kw})"
    else:
        weight = f"kernels.repeat({channels}, 1, 1)[:, None]"
    return lines, weight
