"""Read the constants of .onnx files without the package: Protocol Buffers are fields of a number, a kind and a value.

ONNX, "onnx.proto3": https://github.com/onnx/onnx. Google, "Protocol Buffers: Encoding": https://protobuf.dev. Of a model only its
graph is read, and of this its initializers, its Constant nodes, and which node takes them. Values are read when they are needed.
"""

import mmap
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.errors import KernelError
from convcli.kernels.containers.safetensors_file import DTYPES, widened
from convcli.kernels.containers.tensors import Tensor, invalid, not_real, source_of
from convcli.records import NamedTuple
from convcli.system import memory

CODES = {
    1: "F32", 2: "U8", 3: "I8", 4: "U16", 5: "I16", 6: "I32", 7: "I64", 9: "BOOL", 10: "F16", 11: "F64", 12: "U32", 13: "U64",
    14: "C64", 16: "BF16", 17: "F8_E4M3", 18: "F8_E4M3FNUZ", 19: "F8_E5M2", 20: "F8_E5M2FNUZ",
}  # fmt: skip
"""``TensorProto.DataType`` in the words of safetensors."""

MOST_AXES = 64
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

Span = tuple[int, int]


class _Node(NamedTuple):
    operator: str
    inputs: list[str]
    outputs: list[str]
    axis: int | None  # the attribute of this name
    constant: Span | None  # the tensor of a Constant


class _Stored(NamedTuple):
    """A constant of the graph: where its values are, and in what form."""

    name: str
    shape: tuple[int, ...]
    code: int
    spans: list[Span]  # of bytes, as they are in memory
    listed: list[Span]  # of integers of varying length, a value each
    elsewhere: dict[str, str]  # ``location``, ``offset`` and ``length`` of values in another file


def read(path: Path, key: str | None = None) -> Mapping[str, Tensor]:
    """The constants of a model by name. The weights of a convolution know their bias; quantized ones are dequantized.

    Raises `KernelError` if it is not a model, or is damaged.
    """
    with path.open("rb") as stream:
        try:
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
                graph = [span for number, _, span in _fields(data, (0, len(data))) if number == 7]
                if len(graph) != 1:
                    raise ValueError
                stored, nodes = _parts(data, graph[0])
        except (ValueError, IndexError, UnicodeDecodeError, OverflowError):
            raise invalid(path, ".onnx") from None
    found = {one.name: _tensor(path, one) for one in stored}
    return _used(found, nodes, path)


def _fields(data: mmap.mmap, span: Span) -> Iterator[tuple[int, int, Any]]:
    """The fields of a message: number, kind, and the value of a number or the span of bytes."""
    place, end = span
    while place < end:
        tag, place = _varint(data, place)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, place = _varint(data, place)
            yield number, kind, value
            continue
        if kind not in (_FIXED64, _BYTES, _FIXED32):
            raise ValueError
        size, place = _varint(data, place) if kind == _BYTES else (8 if kind == _FIXED64 else 4, place)
        if place + size > end:
            raise ValueError
        yield number, kind, (place, place + size)
        place += size


def _varint(data: mmap.mmap, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7
        if shift > 63:
            raise ValueError


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _text(data: mmap.mmap, span: Span) -> str:
    return data[slice(*span)].decode()


def _parts(data: mmap.mmap, graph: Span) -> tuple[list[_Stored], list[_Node]]:
    """The constants and the nodes of a graph."""
    stored, nodes = [], []
    for number, kind, value in _fields(data, graph):
        if number == 5 and kind == _BYTES:
            stored.append(_constant(data, value))
        elif number == 1 and kind == _BYTES:
            nodes.append(node := _node(data, value))
            if node.constant is not None and node.outputs:
                stored.append(_constant(data, node.constant)._replace(name=node.outputs[0]))
    return stored, nodes


def _node(data: mmap.mmap, span: Span) -> _Node:
    inputs: list[str] = []
    outputs: list[str] = []
    operator, axis, constant = "", None, None
    for number, _, value in _fields(data, span):
        if number in (1, 2):
            (inputs if number == 1 else outputs).append(_text(data, value))
        elif number == 4:
            operator = _text(data, value)
        elif number == 5:
            attribute = {number: value for number, _, value in _fields(data, value)}
            name = _text(data, attribute[1]) if 1 in attribute else ""
            axis = _signed(attribute[3]) if name == "axis" and 3 in attribute else axis
            constant = attribute.get(5) if name == "value" else constant
    return _Node(operator, inputs, outputs, axis, constant if operator == "Constant" else None)


def _constant(data: mmap.mmap, span: Span) -> _Stored:
    """A ``TensorProto``."""
    shape: list[int] = []
    name, code, spans, listed, elsewhere = "", 0, [], [], {}
    for number, kind, value in _fields(data, span):
        if number == 1:
            shape += [_signed(one) for one in (_varints(data, value) if kind == _BYTES else [value])]
        elif number == 2:
            code = value
        elif number == 8:
            name = _text(data, value)
        elif number in (4, 9, 10):  # floats, bytes, doubles
            spans.append(value)
        elif number in (5, 7, 11) and kind == _BYTES:
            listed.append(value)
        elif number == 13:
            pair = {number: _text(data, value) for number, _, value in _fields(data, value)}
            elsewhere[pair.get(1, "")] = pair.get(2, "")
    if len(shape) > MOST_AXES or not all(0 <= side < 1 << 63 for side in shape):
        raise ValueError
    return _Stored(name, tuple(shape), code, spans, listed, elsewhere)


def _varints(data: mmap.mmap | bytes, span: Span) -> Iterator[int]:
    place, end = span
    while place < end:
        value, place = _varint(data, place)  # type: ignore[arg-type]
        yield value


def _tensor(path: Path, one: _Stored) -> Tensor:
    code = CODES.get(one.code, "")
    dtype = DTYPES[code][0] if code else f"type {one.code}"
    return Tensor(one.shape, dtype, partial(_values, path, one, code))


def _values(path: Path, one: _Stored, code: str) -> NDArray[Any]:
    """The values of a constant, in a dtype of NumPy."""
    source = source_of(path, one.name)
    if not code or code == "C64":
        raise not_real(DTYPES[code][0] if code else f"number {one.code} of ONNX", source)
    raw, count = np.dtype(DTYPES[code][1]), prod(one.shape)
    if memory.refuses(need := count * raw.itemsize):
        raise KernelError(f"weights {source}", f"need {need / 2**30:.1f} GiB, {memory.share()}", "save smaller tensors")
    place, spans = _place(path, one, need) if one.elsewhere else (path, one.spans)
    try:
        with place.open("rb") as stream:
            if one.listed and not one.elsewhere:
                whole = b"".join(_piece(stream, span) for span in one.listed)
                numbers = np.fromiter(_varints(whole, (0, len(whole))), np.uint64)
                return widened(numbers.astype(np.uint64).astype(f"<i{raw.itemsize}").view(raw), code).reshape(one.shape)
            data = b"".join(_piece(stream, span) for span in spans)
    except FileNotFoundError:
        rule = f"are in the file '{place.name}', which is not there"
        raise KernelError(f"weights {source}", rule, "fetch it, too") from None
    except (ValueError, IndexError):
        raise invalid(path, ".onnx") from None
    if len(data) != need:
        raise invalid(place, ".onnx")
    return widened(np.frombuffer(data, raw), code).reshape(one.shape)


def _piece(stream: Any, span: Span) -> bytes:
    stream.seek(span[0])
    piece: bytes = stream.read(span[1] - span[0])
    return piece


def _place(path: Path, one: _Stored, need: int) -> tuple[Path, list[Span]]:
    """Where values are that a model has in another file, which lies beside it."""
    location, offset = one.elsewhere.get("location", ""), one.elsewhere.get("offset", "0")
    if Path(location).name != location or "\\" in location or location in ("", ".", ".."):
        rule = f"are in '{location}', in another folder"
        raise KernelError(f"weights {source_of(path, one.name)}", rule, "keep the model's files in one folder")
    if not offset.isdecimal():
        raise invalid(path, ".onnx")
    return path.with_name(location), [(int(offset), int(offset) + need)]


def _used(found: dict[str, Tensor], nodes: list[_Node], path: Path) -> dict[str, Tensor]:
    """The constants, with what the nodes say of them."""
    made: dict[str, str] = {}  # the names under which dequantized constants go on
    for node in nodes:
        names = [made.get(name, name) for name in node.inputs] + [""] * 9
        if node.operator == "DequantizeLinear" and names[0] in found and node.outputs:
            axis = 1 if node.axis is None else node.axis
            found[names[0]] = _dequantized(found, names[0], names[1], names[2], axis, path)
            made[node.outputs[0]] = names[0]
        elif node.operator == "Identity" and names[0] in found and node.outputs:
            made[node.outputs[0]] = names[0]
        elif node.operator in ("Conv", "ConvTranspose") and names[1] in found and names[2] in found:
            found[names[1]] = found[names[1]]._replace(bias=names[2])
        elif node.operator == "QLinearConv" and names[3] in found:
            found[names[3]] = _dequantized(found, names[3], names[4], names[5], 0, path)
    return found


def _dequantized(found: dict[str, Tensor], name: str, scale: str, zero: str, axis: int, path: Path) -> Tensor:
    """A constant whose values are ``(stored - zero) · scale``, per tensor or along an axis."""
    tensor = found[name]

    def values() -> NDArray[Any]:
        if scale not in found or (zero and zero not in found):
            rule = "are quantized, and their scale is not a constant"
            raise KernelError(f"weights {source_of(path, name)}", rule, "save float32 weights")
        return dequantized(
            tensor.values, found[scale].values, found[zero].values if zero else None, axis, source_of(path, name)
        )

    return tensor._replace(values=values, dtype=f"{tensor.dtype}, dequantized")


def dequantized(
    stored: Callable[[], NDArray[Any]],
    scale: Callable[[], NDArray[Any]],
    zero: Callable[[], NDArray[Any]] | None,
    axis: int,
    source: str,
) -> NDArray[np.float32]:
    """``(stored - zero) · scale`` in float32. Scale and zero are one number, or one for each place of an axis."""
    values = stored()

    def along(part: NDArray[Any]) -> NDArray[np.float32]:
        if part.size == 1:
            return part.astype(np.float32).reshape(())
        if part.size != values.shape[axis] or max(part.shape) != part.size:
            rule = f"have scales of shape {part.shape} for values of shape {values.shape}"
            raise KernelError(f"weights {source}", rule, "save float32 weights")
        shape = [1] * values.ndim
        shape[axis] = part.size
        return part.astype(np.float32).reshape(shape)

    shifted = values.astype(np.float32) - (0 if zero is None else along(zero()))
    return np.asarray(shifted * along(scale()), np.float32)
