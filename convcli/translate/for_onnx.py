"""ONNX: a script that saves a model of Conv or ConvTranspose, whose input is the image ``(1, C, H, W)``.

Opset 19 is used: its Pad has ``wrap``, and its reductions take their axes as an input.
"""

from __future__ import annotations

import json

from convcli.geometry import Pads, Size
from convcli.translate import literals, script
from convcli.translate.request import Request

_PAD = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
_REDUCE = {"magnitude": "ReduceL2", "sum": "ReduceSum", "max": "ReduceMax"}


def write(request: Request) -> list[str]:
    """The lines of the script."""
    stored = literals.stored(request)
    model = _Model()
    name, values = request.named
    weight = script.as_layer(request, literals.array(name, values, stored=stored.expression * (name == "weight")))
    image = "image"
    if request.gray:
        model.constant("gray", f"np.array([[[[g]] for g in [{literals.numbers(script.luma(request))}]]])")
        image = model.node("Conv", [image, "gray"], "luma")
    (top, bottom, left, right), mode = request.geometry.pads, request.geometry.padding_mode
    pads = [top, left, bottom, right] if any(request.geometry.pads) else []
    if request.border is not None:
        image = _padded(request.size, *request.border, model, image)
    elif pads and mode != "zeros":
        image, pads = _padded(request.size, request.geometry.pads, mode, model, image), []
    _convolution(request, model, image, pads)
    _joined(request, model)
    model.nodes[-1] = model.nodes[-1].replace(f'["{model.last}"]', '["result"]')
    shapes = [1, request.input_channels, *request.size], [1, _results(request), *request.geometry.output]
    notes = []
    if request.linear:
        notes.append(literals.lacking("linear light (sRGB is decoded before the model, and encoded after it)"))
    return [
        "import numpy as np",
        "import onnx",
        *([stored.imported] if stored.imported and stored.expression in "".join(weight) else []),
        "from onnx import TensorProto, helper, numpy_helper",
        "",
        *notes,
        *weight,
        "constants = {",
        *(f'    "{key}": {value},' for key, value in model.constants.items()),
        "}",
        "nodes = [",
        *(f"    {node}," for node in model.nodes),
        "]",
        f'image = helper.make_tensor_value_info("image", TensorProto.FLOAT, {shapes[0]})',
        f'result = helper.make_tensor_value_info("result", TensorProto.FLOAT, {shapes[1]})',
        "tensors = [numpy_helper.from_array(value, key) for key, value in constants.items()]",
        f"graph = helper.make_graph(nodes, {literals.quoted(request.label)}, [image], [result], tensors)",
        'model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)',
        "onnx.checker.check_model(model)",
        f"onnx.save(model, {literals.quoted(request.label + '.onnx')})",
    ]


class _Model:
    """The constants and nodes so far, as text; `last` is the output of the last node."""

    def __init__(self) -> None:
        self.constants: dict[str, str] = {}
        self.nodes: list[str] = []
        self.last = "image"

    def constant(self, name: str, value: str, whole: bool = False) -> str:
        """Add an array: float32, or int64 where ONNX needs integers."""
        self.constants[name] = f"np.array({value})" if whole else f"{value}.astype(np.float32)"
        return name

    def node(self, operator: str, inputs: list[str], output: str, *attributes: str) -> str:
        """Add a node with one output."""
        words = [json.dumps(operator), json.dumps(inputs), json.dumps([output]), *attributes]
        self.nodes.append(f"helper.make_node({', '.join(words)})")
        self.last = output
        return output


def _results(request: Request) -> int:
    """Channels of the result."""
    parts = request.joined
    if not parts:
        return request.layer.outputs
    return request.blocks * sum(part.stop - part.start if part.rule == "none" else 1 for part in parts)


def _padded(whole: Size, around: Pads, mode: str, model: _Model, image: str) -> str:
    """A border by Pad, or by indices if Pad cannot make it."""
    (top, bottom, left, right), (high, wide) = around, whole
    room = {"reflect": (high - 1, wide - 1), "circular": (high, wide)}.get(mode, (top + bottom, left + right))
    if mode in _PAD and max(top, bottom) <= room[0] and max(left, right) <= room[1]:
        pads = model.constant("pads", f"[0, 0, {top}, {left}, 0, 0, {bottom}, {right}]", whole=True)
        return model.node("Pad", [image, pads], "padded", f'mode="{_PAD[mode]}"')
    for axis, name, size, ends in ((2, "rows", high, (top, bottom)), (3, "columns", wide, (left, right))):
        indices = f'np.pad(np.arange({size}), {ends}, mode="{script.mode_in("numpy", mode)}")'
        image = model.node(
            "Gather", [image, model.constant(name, indices, whole=True)], f"padded_{name}", f"axis={axis}"
        )
    return image


def _convolution(request: Request, model: _Model, image: str, pads: list[int]) -> None:
    geometry, (p2, q2) = request.geometry, request.geometry.output_padding
    inputs, bias = [image, model.constant("weight", "weight")], None
    if request.layer.bias is not None and request.layer.bias.any():
        value = f"np.full({request.layer.outputs}, {literals.number(request.offset)})" if request.offset else None
        bias = model.constant("bias", value or f"np.array([{literals.numbers(request.layer.bias)}])")
    below, beside = 0, 0
    if p2 >= geometry.stride.rows or q2 >= geometry.stride.columns:  # ONNX does not allow it: crop less, then add zeros
        top, bottom, left, right = geometry.pads
        pads = [top, left, max(0, bottom - p2), max(0, right - q2)]
        below, beside, p2, q2 = max(0, p2 - bottom), max(0, q2 - right), 0, 0
    padded = below > 0 or beside > 0
    attributes = [f"pads={pads}"] if any(pads) else []
    for name, pair in (("strides", geometry.stride), ("dilations", geometry.dilation)):
        if max(pair) > 1:
            attributes.append(f"{name}={list(pair)}")
    if max(p2, q2) > 0:
        attributes.append(f"output_padding={[p2, q2]}")
    if request.layer.groups > 1:
        attributes.append(f"group={request.layer.groups}")
    if bias and not padded:
        inputs.append(bias)
    operator = "ConvTranspose" if geometry.transpose else "Conv"
    model.node(operator, inputs, "before_zeros" if padded else "outputs", *attributes)
    if padded:
        zeros = model.constant("zeros", f"[0, 0, 0, 0, 0, 0, {below}, {beside}]", whole=True)
        model.node("Pad", ["before_zeros", zeros], "without_bias" if bias else "outputs")
        if bias:  # for the zeros, too
            model.constants["bias"] = model.constants["bias"].replace(".astype", ".reshape(1, -1, 1, 1).astype")
            model.node("Add", ["without_bias", bias], "outputs")


def _joined(request: Request, model: _Model) -> None:
    """The outputs of a bank joined, as ``(C, K, H, W)``, and as one image again."""
    parts = request.joined
    if not parts:
        return
    height, width = request.geometry.output
    model.constant("bank_shape", f"[{request.blocks}, {parts[-1].stop}, {height}, {width}]", whole=True)
    model.constant("axes", "[1]", whole=True)
    bank = model.node("Reshape", ["outputs", "bank_shape"], "bank")
    if len(parts) == 1:
        model.node(_REDUCE[parts[0].rule], [bank, "axes"], "joined")
    else:
        model.constant("lengths", str([part.stop - part.start for part in parts]), whole=True)
        pieces = [f"part{n}" for n in range(1, len(parts) + 1)]
        model.nodes.append(f'helper.make_node("Split", ["bank", "lengths"], {json.dumps(pieces)}, axis=1)')
        for n, part in enumerate(parts):
            if part.rule != "none":
                pieces[n] = model.node(_REDUCE[part.rule], [pieces[n], "axes"], f"joined{n + 1}")
        model.node("Concat", pieces, "joined", "axis=1")
    model.constant("shape", f"[1, {_results(request)}, {height}, {width}]", whole=True)
    model.node("Reshape", ["joined", "shape"], "image_again")
