"""Libvips: ``vips conv``, on an image enlarged by ``vips embed`` if its own border is not enough.

Intermediate files are ``.v``, vips' own format. Results are TIFF, as PNG and JPEG cannot hold real or negative values.
"""

from __future__ import annotations

import shlex

import numpy as np

from convcli.geometry import Size
from convcli.records import NamedTuple
from convcli.translate import literals, script, shell
from convcli.translate.request import Array, Request

_EXTEND = {"zeros": "black", "replicate": "copy", "circular": "repeat", "symmetric": "mirror", "reflect": "mirror"}


class VipsCall(NamedTuple):
    """A call of vips: ``vips OPERATION INPUT TARGET OPTIONS``. An empty input means the target before it."""

    operation: str
    target: str
    options: str = ""
    input: str = ""


def write(request: Request) -> list[str]:
    """The lines of the shell script."""
    if what := shell.lacks(request, "vips"):
        return [literals.lacking(what)]
    runs = shell.results(request)
    matrices, before = _before(request)
    start, total, number = shlex.quote(script.path(request)), sum(len(run.kernels) for run in runs), 0
    lines, after = [], _after(request)
    if before and total > 1:
        lines, start, before = _chain(before, start, before[-1].target), before[-1].target, []
    for place, (kernels, biases, rule) in enumerate(runs, 1):
        steps, files = list(before), []
        for kernel, bias in zip(kernels, biases, strict=True):
            number += 1
            file = f"kernel{number if total > 1 else ''}"
            matrices += _matrix(f"{file}.mat", *literals.fraction(shell.spread(request, kernel)), bias)
            steps.append(VipsCall("conv", f"{file}.v", f"{file}.mat", "" if steps == before else start))
            files.append(f"{file}.v")
        out = "out.tif" if len(runs) == 1 else f"out-{place}.tif"
        lines += _chain([*steps, *_joined(rule, files), *after], start, out)
    clips = "# TIFF keeps real values; 'vips cast out.tif out.png uchar' clips them"
    return [*shell.mirrored(request), *shell.several(len(runs)), *matrices, *lines, clips]


def _chain(steps: list[VipsCall], start: str, out: str) -> list[str]:
    """The steps one after the other; the last writes `out`."""
    lines, file = [], start
    for step in steps:
        target = out if step is steps[-1] else step.target
        lines.append(f"vips {step.operation} {step.input or file} {target} {step.options}".rstrip())
        file = target
    return lines


def _matrix(name: str, values: Array, divisor: int = 1, offset: float = 0.0) -> list[str]:
    """Lines that write a matrix file. It has the divisor and the offset, which only ``conv`` reads."""
    head = f"{values.shape[1]} {values.shape[0]} {divisor} {literals.number(offset)}"
    return [f"cat > {name} <<END", head, *(literals.numbers(row, " ") for row in values), "END"]


def _before(request: Request) -> tuple[list[str], list[VipsCall]]:
    """Lines for matrices, and the steps before the kernel: orientation, alpha, gray or the sum of the channels, a border."""
    matrices, steps, geometry = [], [], request.geometry
    if request.turned:
        steps.append(VipsCall("autorot", "upright.v"))
    if request.drops_alpha:
        steps.append(VipsCall("extract_band", "colours.v", f"0 --n {request.input_channels}"))
    if request.gray:
        matrices += _matrix("gray.mat", script.luma(request)[None])
        steps.append(VipsCall("recomb", "gray.v", "gray.mat"))
    elif request.summed is not None:
        matrices += _matrix("sum.mat", np.ones((1, request.layer.inputs)))
        steps.append(VipsCall("recomb", "sum.v", "sum.mat"))
    if not _direct(request):
        (top, _, left, _), size = geometry.pads, _padded(request)
        if (top, left) != (0, 0) or size != geometry.input:
            extend = _EXTEND[geometry.padding_mode]
            steps.append(VipsCall("embed", "padded.v", f"{left} {top} {size.width} {size.height} --extend {extend}"))
    return matrices, steps


def _direct(request: Request) -> bool:
    """Whether vips conv has this border itself, and gives the wanted size."""
    geometry = request.geometry
    edge = geometry.padding_mode == "replicate" or not any(geometry.pads)
    return edge and request.keeps_size and request.centred and max(geometry.stride) == 1


def _padded(request: Request) -> Size:
    """The size of the padded image, enlarged so that whole strides can be cut from the middle of the result."""
    geometry, pads = request.geometry, request.geometry.pads
    padded = pads.top + geometry.input.height + pads.bottom, pads.left + geometry.input.width + pads.right
    needed = (
        high // 2 + s * out for high, s, out in zip(geometry.extent, geometry.stride, geometry.output, strict=True)
    )
    return Size(*map(max, padded, needed))


def _after(request: Request) -> list[VipsCall]:
    """The steps after the kernel: crop to the windows on the padded image, and apply the stride."""
    if _direct(request):
        return []
    (high, wide), (s, t), (height, width) = request.geometry.extent, request.geometry.stride, request.geometry.output
    steps = []
    if (height * s, width * t) != tuple(_padded(request)):
        steps.append(VipsCall("extract_area", "cropped.v", f"{wide // 2} {high // 2} {width * t} {height * s}"))
    if s > 1 or t > 1:
        steps.append(VipsCall("subsample", "thinned.v", f"{t} {s}"))
    return steps


def _joined(rule: str, files: list[str]) -> list[VipsCall]:
    """The steps that join the results of several kernels."""
    if rule == "max":
        return [VipsCall("bandrank", "max.v", f"--index {len(files) - 1}", f'"{" ".join(files)}"')]
    if rule != "magnitude":
        return []
    if len(files) == 1:
        return [VipsCall("abs", "abs.v")]
    squares = [f"squared{n}.v" for n in range(1, len(files) + 1)]
    return [
        *(VipsCall("multiply", square, "", f"{file} {file}") for file, square in zip(files, squares, strict=True)),
        VipsCall("sum", "sum.v", "", f'"{" ".join(squares)}"'),
        VipsCall("math2_const", "magnitude.v", "pow 0.5"),
    ]
