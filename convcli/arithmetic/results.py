"""What a layer of a chain makes of the result before it: its size, its channels, and its costs. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod

from convcli.arithmetic.field import Node
from convcli.arithmetic.kinds import Layer
from convcli.arithmetic.resampled import Resampling
from convcli.convspec import ConvSpec
from convcli.errors import GeometryError, param
from convcli.geometry import Geometry, Pads, Pair, Size, direct_size, transposed_size

LONGEST = 2**63 - 1
"""The most pixels of a side, and of a jump: no tensor can have more."""

ONE = Size(1, 1)

_UNCUT = Pair(0, 0)


def after(layer: Layer, nodes: Sequence[Node], kept: Mapping[str, int]) -> Node:
    """The result of a layer. `nodes` are all results before it, `kept` the places of those that have a name.

    Raises
    ------
    GeometryError
        The layer does not fit.
    """
    last, place = nodes[-1], (len(nodes) - 1, _UNCUT)
    if layer.kind == "save":
        return Node(last.size, last.channels, (place,), flat=last.flat)
    if layer.kind in ("from", "cat", "add"):
        if layer.name not in kept:
            remedy = f"use {' or '.join(kept)}" if kept else "put save:NAME before it"
            raise GeometryError("nothing", f"is kept under '{layer.name}'", remedy)
        number = kept[layer.name]
        other = nodes[number]
        if layer.kind == "from":
            return Node(other.size, other.channels, ((number, _UNCUT),), flat=other.flat)
        return _join(layer, last, place, other, number)
    if layer.kind == "keep":
        _check_kept(layer, last)
        return Node(last.size, last.channels, (place,), flat=last.flat)
    if layer.kind in ("linear", "flatten", "unflatten"):
        return _features(layer, nodes, place)
    if last.flat:
        remedy = "put unflatten:CxHxW before it, as in unflatten:64x7x7"
        raise GeometryError(f"{last.channels} features", "have no height and width", remedy)
    if layer.kind in ("adaptive", "globalpool", "resize"):
        return _resampled(layer, last, place)
    return _strided(layer, last, place)


def _strided(layer: Layer, last: Node, place: tuple[int, Pair]) -> Node:
    """Convolutions, pools, and what changes sizes as they do."""
    if layer.kind == "unshuffle" and (last.size.height % layer.kernel[0] or last.size.width % layer.kernel[0]):
        rule = f"is not divisible by {layer.kernel[0]}"
        raise GeometryError(f"its input of {last.size}", rule, "change the layer before it, or the factor")
    spec = _towards(layer, last.size) if layer.size else layer.spec
    geometry = spec.resolve(last.size, layer.kernel)
    if layer.ceil:
        geometry = geometry._replace(output=Size(*(_ceiled(geometry, axis) for axis in (0, 1))))
    _check_size(geometry.output)
    if layer.kind == "pad" and layer.mode in ("reflect", "circular"):
        _check_border(layer, geometry)
    if layer.kind in ("pool", "unpool", "upsample", "pad"):
        return Node(geometry.output, last.channels, (place,), geometry)
    if layer.kind in ("shuffle", "unshuffle"):
        factor = prod(layer.kernel)
        if layer.kind == "shuffle" and last.channels % factor:
            raise GeometryError(f"{last.channels} channels", f"are not divisible by {factor}", "change c before it")
        channels = last.channels // factor if layer.kind == "shuffle" else last.channels * factor
        return Node(geometry.output, channels, (place,), geometry)
    _check_channels(layer, last)
    inputs = layer.in_channels or last.channels
    outputs = inputs * layer.depthwise or layer.channels or inputs
    groups = _groups(layer, inputs)
    for what, count in (("input", inputs), ("output", outputs)):
        if count % groups:
            raise GeometryError(f"{count} {what} channels", f"are not divisible by {groups} groups", "change c or g")
    return Node(geometry.output, outputs, (place,), geometry)


def _towards(layer: Layer, size: Size) -> ConvSpec:
    """A transposed layer whose output has a given size, as ONNX's output_shape has it: the paddings follow.

    The smaller half is at the top and left for SAME_UPPER, else at the bottom and right.
    """
    spec, pads, extra = layer.spec, [], []
    for axis in (0, 1):
        whole = transposed_size(size[axis], layer.kernel[axis], spec.stride[axis], spec.dilation[axis], 0, 0, 0)
        surplus = whole + spec.output_padding[axis] - layer.size[axis]
        less, more = max(0, surplus) // 2, max(0, surplus) - max(0, surplus) // 2
        pads += [less, more] if spec.padding == "same-upper" else [more, less]
        extra.append(spec.output_padding[axis] + max(0, -surplus))
    return replace(spec, padding=Pads(*pads), output_padding=Pair(*extra))


def _groups(layer: Layer, inputs: int) -> int:
    return inputs if layer.depthwise else layer.spec.groups


def _check_size(size: Size) -> None:
    if max(size) > LONGEST:
        raise GeometryError(
            f"its output of {size}", "is larger than any tensor", f"a side has at most {LONGEST} pixels"
        )


def _check_border(layer: Layer, geometry: Geometry) -> None:
    """PyTorch reflects at most all pixels but the edge, and repeats at most all."""
    for axis in (0, 1):
        at = geometry.along(axis)
        most = at.h - (layer.mode == "reflect")
        if max(at.before, at.after) > most:
            rule = f"is more than {layer.mode} padding has in {at.h} pixels"
            raise GeometryError(f"padding {max(at.before, at.after)}", rule, f"use at most {most}")


def _check_channels(layer: Layer, last: Node) -> None:
    if layer.strict and layer.in_channels != last.channels:
        what = f"{last.channels} {'features' if last.flat else 'channels'}"
        raise GeometryError(what, f"come in, and it takes {layer.in_channels}", "change it, or the layer before")


def _check_kept(layer: Layer, last: Node) -> None:
    """A normalisation has the channels of its input, or the whole of it."""
    if layer.size and layer.size != (last.channels, *last.size):
        shape = "×".join(map(str, layer.size))
        raise GeometryError(
            f"{last.channels}×{last.size}", f"comes in, and it takes {shape}", "change its normalized_shape"
        )
    if layer.strict and not (
        layer.parameters[0] and layer.in_channels == last.size.width
    ):  # LayerNorm of the last axis
        _check_channels(layer, last)


def _features(layer: Layer, nodes: Sequence[Node], place: tuple[int, Pair]) -> Node:
    """What has no height and width, and what gives it one."""
    last = nodes[-1]
    if layer.kind == "flatten":
        if last.flat:
            return Node(last.size, last.channels, (place,), flat=True)
        geometry = ConvSpec().resolve(last.size, last.size)
        return Node(ONE, last.channels * prod(last.size), (place,), geometry, flat=True)
    if layer.kind == "unflatten":
        channels, height, width = layer.size
        whole = last.channels * prod(last.size)
        if prod(layer.size) != whole:
            here = f"{last.channels}" if last.flat else f"{last.channels}×{last.size} = {whole}"
            rule = f"features come in, and {channels}×{height}×{width} are {prod(layer.size)}"
            raise GeometryError(here, rule, "make them equal")
        size = Size(height, width)
        return Node(size, channels, (place,), ConvSpec(transpose=True, stride=Pair(*size)).resolve(ONE, size))
    if not last.flat:
        whole = last.channels * prod(last.size)
        rule = f"is not flat: flatten makes {whole} features of it"
        begin = last.size != ONE and len(nodes) == 1 and layer.strict and last.channels == layer.in_channels
        remedy = f"begin with {param('hin', 1)}" if begin else "put flatten, or globalpool flatten, before it"
        raise GeometryError(f"its input of {last.channels}×{last.size}", rule, remedy)
    if layer.strict and layer.in_channels != last.channels:
        origin = _before_flatten(nodes)
        here = f"{last.channels}" + (f" = {origin.channels}×{origin.size}" if origin is not None else "")
        remedy = f"use in_features {last.channels}, or change the layers before"
        raise GeometryError(f"in_features {layer.in_channels}", f"is not what comes in: {here}", remedy)
    assert layer.channels is not None
    return Node(ONE, layer.channels, (place,), flat=True)


def _before_flatten(nodes: Sequence[Node]) -> Node | None:
    """What the features were made of, if only what keeps them is between."""
    for node in reversed(nodes):
        if not node.flat:
            return node
        if node.geometry is None and node.parents and nodes[node.parents[0][0]].channels != node.channels:
            return None
    return None


def _resampled(layer: Layer, last: Node, place: tuple[int, Pair]) -> Node:
    """Adaptive pools, and interpolation to a size or by a factor."""
    if layer.kind == "globalpool":
        size = ONE
    elif layer.scale is not None:
        size = Size(*(int(side * factor) for side, factor in zip(last.size, layer.scale, strict=True)))
        if min(size) < 1:
            raise GeometryError(f"its input of {last.size}", "is too small for the scale", "use a larger one")
    else:
        size = Size(layer.size[0], layer.size[1])
    _check_size(size)
    mode = layer.mode if layer.kind == "resize" else "adaptive"
    return Node(size, last.channels, (place,), Resampling(last.size, size, mode))


def _join(layer: Layer, last: Node, place: tuple[int, Pair], other: Node, number: int) -> Node:
    """Two results joined: their channels one after the other (cat), or their sum (add).

    With ``crop``, a kept result that is larger is cropped to its centre.
    """
    if layer.kind == "add":
        if (other.size, other.channels) != (last.size, last.channels):
            rule = f"cannot be added to {last.channels}×{last.size}"
            raise GeometryError(f"{other.channels}×{other.size}", rule, "make channels and sizes equal")
        return Node(last.size, last.channels, (place, (number, _UNCUT)), flat=last.flat)
    if other.size.height < last.size.height or other.size.width < last.size.width:
        rule = f"has {other.size} pixels, fewer than the {last.size} here"
        raise GeometryError("the kept result", rule, f"use another padding or {param('hin')}")
    if other.size != last.size and not layer.crop:
        rule = f"has {other.size} pixels, not the {last.size} here"
        remedy = f"use another padding or {param('hin')}, or crop its centre by {layer.text},crop"
        raise GeometryError("the kept result", rule, remedy)
    cut = Pair((other.size.height - last.size.height) // 2, (other.size.width - last.size.width) // 2)
    return Node(last.size, last.channels + other.channels, (place, (number, cut)), flat=last.flat)


def _ceiled(geometry: Geometry, axis: int) -> int:
    """Size of a pool with PyTorch's ceil_mode: rounded up, unless the last window would begin in the padding at the end."""
    h, _, k, s, d, before, after, _ = geometry.along(axis)
    size = direct_size(h, k, s, d, before, after + s - 1)  # ⌈x/s⌉ = ⌊(x + s - 1)/s⌋
    return size - 1 if (size - 1) * s >= h + before else size


def costs(layer: Layer, before: Node, node: Node) -> tuple[int, int]:
    """Parameters and MACs."""
    if layer.kind == "keep":
        return layer.parameters[0] + layer.parameters[1] * node.channels, 0
    if layer.kind == "linear":
        weights = before.channels * node.channels
        return weights + layer.bias * node.channels, weights
    if layer.kind not in ("conv", "transpose"):
        return 0, 0
    inputs = layer.in_channels or before.channels
    weights = node.channels * inputs // _groups(layer, inputs) * prod(layer.kernel)
    places = (before if layer.kind == "transpose" else node).size  # every weight is used once at each of them
    return weights + layer.bias * node.channels, weights * places.height * places.width
