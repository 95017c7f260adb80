"""Keras 3: `conv` and `conv_transpose` of `keras.ops`, with the channels last, on any of its backends."""

from __future__ import annotations

from convcli.translate import literals, script
from convcli.translate.request import Request


def write(request: Request) -> list[str]:
    """The lines of the script."""
    geometry = request.geometry
    # A stride and a dilation together are not in TensorFlow, nor is the dilation of a transposed operation in its documentation.
    spread = max(geometry.dilation) > 1 and (geometry.transpose or max(geometry.stride) > 1)
    name, values = request.named
    lines = (
        script.spread(request) if spread else literals.array(name, values, stored=literals.stored(request).expression)
    )
    lines = script.as_layer(request, lines)
    computed = _transposed(request) if geometry.transpose else _direct(request, spread)
    return [
        *script.imports(request, lines, "import keras"),
        *script.not_numbers(request, "the zeros of the dilation read it, too" if spread else ""),
        *script.image(request),
        *lines,
        *computed,
        *script.finished(request),
    ]


_OPTIONS = 'padding="valid", data_format="channels_last"'
_READ = "result = keras.ops.convert_to_numpy(outputs)[0].transpose(2, 0, 1)"


def _direct(request: Request, spread: bool) -> list[str]:
    """Lines for windows over an image that is padded first. A group has as many channels as the weight."""
    geometry, x, lines = request.geometry, "image", []
    if any(geometry.pads):
        lines, x = [script.pad("padded", request.padding)], "padded"
    dilation = "" if spread or max(geometry.dilation) == 1 else f", dilation_rate={tuple(geometry.dilation)}"
    return [
        *lines,
        "weight = weight.transpose(2, 3, 1, 0)  # Keras has the outputs last",
        f"outputs = keras.ops.conv({x}.transpose(1, 2, 0)[None], weight, strides={tuple(geometry.stride)}, {_OPTIONS}{dilation})",
        _READ,
    ]


def _transposed(request: Request) -> list[str]:
    """Lines for the whole transposed result, group by group, which is then cropped."""
    geometry, groups = request.geometry, request.layer.groups
    call = "keras.ops.conv_transpose({}, {}, " + f"strides={tuple(geometry.stride)}, {_OPTIONS})"
    lines = ["x = image.transpose(1, 2, 0)[None]", "weight = weight.transpose(2, 3, 1, 0)  # Keras has the inputs last"]
    if groups == 1:
        lines.append(f"outputs = {call.format('x', 'weight')}")
    else:
        each = request.layer.inputs // groups
        part = f"..., g : g + {each}"
        lines += [
            f"parts = [{call.format(f'x[{part}]', f'weight[{part}]')} for g in range(0, {request.layer.inputs}, {each})]",
            "outputs = keras.ops.concatenate(parts, axis=-1)",
        ]
    return [*lines, _READ, *_cropped(request)]


def _cropped(request: Request) -> list[str]:
    """Lines that crop the padding, and add what output padding the whole result does not have: it is at least ``h·s``."""
    geometry = request.geometry
    starts, ends, missing = (geometry.pads.top, geometry.pads.left), [], []
    for axis in (0, 1):
        at = geometry.along(axis)
        ends.append(starts[axis] + at.out)
        missing.append(max(0, ends[axis] - (at.h - 1) * at.s - max(at.s, at.span)))
    lines = []
    if any(missing):
        pads = f"((0, 0), (0, {missing[0]}), (0, {missing[1]}))"
        lines.append(f"result = np.pad(result, {pads})  # output padding")
    return [*lines, f"result = result[:, {starts[0]}:{ends[0]}, {starts[1]}:{ends[1]}]"]
