"""Libvips: ``vips conv``, on an image enlarged by ``vips embed`` if its own border does not fit.

Intermediate files are ``.v``, vips' own format. Results are TIFF, as PNG and JPEG cannot hold real or negative values.
"""

from __future__ import annotations

import shlex
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.geometry import Size
from convcli.translate import literals, script
from convcli.translate.request import Part, Request

_EXTEND = {"zeros": "black", "replicate": "copy", "circular": "repeat", "symmetric": "mirror", "reflect": "mirror"}


class Step(NamedTuple):
    """A call of vips: ``vips OPERATION INPUT TARGET OPTIONS``. An empty input means the target before it."""

    operation: str
    target: str
    options: str = ""
    input: str = ""


def write(request: Request) -> list[str]:
    """The lines of the shell script."""
    kernels, geometry = request.kernels, request.geometry
    if geometry.transpose:
        return [literals.lacking("the transposed operation, which vips lacks; there is no text")]
    if request.tensor:
        return [literals.lacking("a .npy file, which vips cannot read; there is no text")]
    if request.linear:
        return [literals.lacking("linear light in pixel units, which vips scales to 0 … 1; there is no text")]
    if kernels is None:
        return [literals.lacking("a layer that weighs each channel in its own way; there is no text")]
    offsets = np.zeros(request.outputs) if request.bias is None else request.bias
    blocks = offsets.reshape(-1, len(kernels))
    if (blocks != blocks[0]).any():
        return [literals.lacking("a bias of its own for each channel; there is no text")]
    notes = []
    if geometry.padding_mode == "reflect" and any(geometry.pads):
        notes.append(literals.lacking("padding mode reflect; 'mirror' is symmetric, which has the edge pixel twice"))
    return [*notes, *_lines(request, kernels, blocks[0])]


def _lines(request: Request, kernels: NDArray[np.float64], offsets: NDArray[np.float64]) -> list[str]:
    parts = request.joined or tuple(Part(k, k + 1, "none") for k in range(len(kernels)))
    runs = []
    for first, stop, rule in parts:
        taps, bias = kernels[first:stop], offsets[first:stop]
        if rule == "none":
            runs += [(rule, taps[k : k + 1], bias[k : k + 1]) for k in range(len(taps))]
        elif rule == "sum":
            runs.append((rule, taps.sum(axis=0, keepdims=True), bias.sum(keepdims=True)))
        else:
            runs.append((rule, taps, bias))
    matrices, before = _before(request)
    start, total, number = shlex.quote(script.path(request)), sum(len(taps) for _, taps, _ in runs), 0
    lines, after = [], _after(request)
    if before and total > 1:
        lines, start, before = _chain(before, start, before[-1].target), before[-1].target, []
    for place, (rule, taps, bias) in enumerate(runs, 1):
        steps = list(before)
        files = []
        for kernel, offset in zip(taps, bias, strict=True):
            number += 1
            file = f"kernel{number if total > 1 else ''}"
            matrices += _matrix(f"{file}.mat", *literals.fraction(_spread(request, kernel)), offset)
            steps.append(Step("conv", f"{file}.v", f"{file}.mat", "" if steps == before else start))
            files.append(f"{file}.v")
        out = "out.tif" if len(runs) == 1 else f"out-{place}.tif"
        lines += _chain([*steps, *_joined(rule, files), *after], start, out)
    several = [literals.lacking(f"{len(runs)} results in one picture; each is a file")] if len(runs) > 1 else []
    return [*several, *matrices, *lines, "# TIFF keeps real values; 'vips cast out.tif out.png uchar' clips them"]


def _chain(steps: list[Step], start: str, out: str) -> list[str]:
    """The steps one after the other; the last writes `out`."""
    lines, file = [], start
    for step in steps:
        target = out if step is steps[-1] else step.target
        lines.append(f"vips {step.operation} {step.input or file} {target} {step.options}".rstrip())
        file = target
    return lines


def _matrix(name: str, values: NDArray[np.float64], divisor: int = 1, offset: float = 0.0) -> list[str]:
    """Lines that write a matrix file. It has the divisor and the offset, which only ``conv`` reads."""
    head = f"{values.shape[1]} {values.shape[0]} {divisor} {literals.number(offset)}"
    return [f"cat > {name} <<END", head, *(literals.numbers(row, " ") for row in values), "END"]


def _spread(request: Request, kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """A kernel with the zeros of its dilation."""
    d, e = request.geometry.dilation
    taps = np.zeros(request.geometry.extent)
    taps[::d, ::e] = kernel
    return taps


def _before(request: Request) -> tuple[list[str], list[Step]]:
    """Lines for matrices, and the steps before the kernel: orientation, opacity, gray or the sum of the channels, a border."""
    matrices, steps, geometry = [], [], request.geometry
    if request.turned:
        steps.append(Step("autorot", "upright.v"))
    if request.transparent:
        steps.append(Step("extract_band", "colours.v", f"0 --n {request.input_channels}"))
    if request.gray:
        matrices += _matrix("gray.mat", script.luma(request)[None])
        steps.append(Step("recomb", "gray.v", "gray.mat"))
    elif request.summed is not None:
        matrices += _matrix("sum.mat", np.ones((1, request.planes)))
        steps.append(Step("recomb", "sum.v", "sum.mat"))
    if not _direct(request):
        (top, _, left, _), size = geometry.pads, _padded(request)
        if (top, left) != (0, 0) or size != geometry.input:
            extend = _EXTEND[geometry.padding_mode]
            steps.append(Step("embed", "padded.v", f"{left} {top} {size.width} {size.height} --extend {extend}"))
    return matrices, steps


def _direct(request: Request) -> bool:
    """Whether vips conv has this border itself, and gives the wanted size."""
    geometry, window = request.geometry, request.window
    edge = geometry.padding_mode == "replicate" or not any(geometry.pads)
    return edge and window.keeps_size and window.centred and max(geometry.stride) == 1


def _padded(request: Request) -> Size:
    """The size of the padded image, enlarged so that whole strides can be cut from the middle of the result."""
    geometry, pads = request.geometry, request.geometry.pads
    found = []
    for axis, size in enumerate(geometry.input):
        padded = size + pads[2 * axis] + pads[2 * axis + 1]
        found.append(max(padded, geometry.extent[axis] // 2 + geometry.stride[axis] * geometry.output[axis]))
    return Size(*found)


def _after(request: Request) -> list[Step]:
    """The steps after the kernel: crop to the windows on the padded image, and apply the stride."""
    if _direct(request):
        return []
    (high, wide), (s, t), (height, width) = request.geometry.extent, request.geometry.stride, request.geometry.output
    steps = []
    if (height * s, width * t) != tuple(_padded(request)):
        steps.append(Step("extract_area", "cropped.v", f"{wide // 2} {high // 2} {width * t} {height * s}"))
    if s > 1 or t > 1:
        steps.append(Step("subsample", "thinned.v", f"{t} {s}"))
    return steps


def _joined(rule: str, files: list[str]) -> list[Step]:
    """The steps that join the results of several kernels."""
    if rule == "max":
        return [Step("bandrank", "max.v", f"--index {len(files) - 1}", f'"{" ".join(files)}"')]
    if rule != "magnitude":
        return []
    if len(files) == 1:
        return [Step("abs", "abs.v")]
    squares = [f"squared{n}.v" for n in range(1, len(files) + 1)]
    return [
        *(Step("multiply", square, "", f"{file} {file}") for file, square in zip(files, squares, strict=True)),
        Step("sum", "sum.v", "", f'"{" ".join(squares)}"'),
        Step("math2_const", "magnitude.v", "pow 0.5"),
    ]
