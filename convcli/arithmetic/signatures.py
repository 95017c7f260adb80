"""The classes of layers that PyTorch, Keras and ONNX have, and the words that mean the same. Standard library only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from convcli.errors import GeometryError
from convcli.vocabulary import padding_rule

Word = tuple[str, dict[str, Any]]
"""A word of a chain, and what its layer has besides."""

_CONV = "in_channels out_channels kernel_size stride padding dilation groups bias padding_mode"
_CONV_TRANSPOSE = "in_channels out_channels kernel_size stride padding output_padding groups bias dilation padding_mode"
_BATCH_NORM = "num_features eps momentum affine track_running_stats"

ARGUMENTS = {
    "Conv2d": _CONV, "LazyConv2d": _CONV, "ConvTranspose2d": _CONV_TRANSPOSE, "LazyConvTranspose2d": _CONV_TRANSPOSE,
    "MaxPool2d": "kernel_size stride padding dilation return_indices ceil_mode",
    "AvgPool2d": "kernel_size stride padding ceil_mode count_include_pad divisor_override",
    "LPPool2d": "norm_type kernel_size stride ceil_mode",
    "MaxUnpool2d": "kernel_size stride padding",
    "AdaptiveAvgPool2d": "output_size", "AdaptiveMaxPool2d": "output_size return_indices",
    "Upsample": "size scale_factor mode align_corners", "UpsamplingNearest2d": "size scale_factor",
    "UpsamplingBilinear2d": "size scale_factor",
    "PixelShuffle": "upscale_factor", "PixelUnshuffle": "downscale_factor",
    "ZeroPad2d": "padding", "ReflectionPad2d": "padding", "ReplicationPad2d": "padding", "CircularPad2d": "padding",
    "ConstantPad2d": "padding value",
    "Flatten": "start_dim end_dim", "Unflatten": "dim unflattened_size",
    "Linear": "in_features out_features bias", "LazyLinear": "in_features out_features bias",
    "BatchNorm2d": _BATCH_NORM, "BatchNorm1d": _BATCH_NORM, "SyncBatchNorm": _BATCH_NORM, "LazyBatchNorm2d": _BATCH_NORM,
    "InstanceNorm2d": _BATCH_NORM, "GroupNorm": "num_groups num_channels eps affine",
    "LayerNorm": "normalized_shape eps elementwise_affine bias", "LayerNorm2d": "normalized_shape eps elementwise_affine bias",
    "PReLU": "num_parameters init",
    # Keras
    "Conv2D": "filters kernel_size strides padding data_format dilation_rate groups activation use_bias",
    "Conv2DTranspose": "filters kernel_size strides padding output_padding data_format dilation_rate activation use_bias",
    "DepthwiseConv2D": "kernel_size strides padding depth_multiplier data_format dilation_rate activation use_bias",
    "MaxPooling2D": "pool_size strides padding", "AveragePooling2D": "pool_size strides padding",
    "MaxPool2D": "pool_size strides padding", "AvgPool2D": "pool_size strides padding",
    "GlobalAveragePooling2D": "data_format keepdims", "GlobalMaxPooling2D": "data_format keepdims",
    "UpSampling2D": "size data_format interpolation", "ZeroPadding2D": "padding", "Dense": "units activation use_bias",
    "Reshape": "target_shape",
    # ONNX, whose operators have attributes by name only
    "Conv": "", "ConvTranspose": "", "MaxPool": "", "AveragePool": "", "GlobalAveragePool": "", "GlobalMaxPool": "",
    "DepthToSpace": "blocksize", "SpaceToDepth": "blocksize",
}  # fmt: skip
"""The arguments of each class, in their order."""

_SAME_AS = {
    "kernel_shape": "kernel_size", "strides": "stride", "dilations": "dilation", "dilation_rate": "dilation", "group": "groups",
    "filters": "out_channels", "use_bias": "bias", "auto_pad": "padding", "channels": "out_channels", "units": "out_features",
    "pool_size": "kernel_size",
}  # fmt: skip


def settings(name: str, positional: Sequence[Any], named: Mapping[str, Any]) -> list[Word] | None:
    """The words of a chain for a class and its arguments; None if the class is none of `ARGUMENTS`.

    Raises
    ------
    GeometryError
        An argument is missing, unknown or cannot be expressed.
    """
    if name not in ARGUMENTS:
        return None
    order = ARGUMENTS[name].split()
    if len(positional) > len(order):
        raise GeometryError(
            f"{name} with {len(positional)} values", "is not known", f"it has {', '.join(order) or 'none'}"
        )
    given = {
        _SAME_AS.get(key, key): value for key, value in {**dict(zip(order, positional, strict=False)), **named}.items()
    }
    onnx = not ARGUMENTS[name] or name in ("DepthToSpace", "SpaceToDepth")
    return _MAKERS[_FAMILIES.get(name, name)](_Given(name, given, "2D" in name or name in ("Dense", "Reshape"), onnx))


class _Given:
    """The arguments of a class, by PyTorch's names where there are such."""

    def __init__(self, name: str, values: Mapping[str, Any], keras: bool, onnx: bool) -> None:
        self.name, self.values, self.keras, self.onnx = name, values, keras, onnx

    def get(self, key: str, default: Any = None) -> Any:
        value = self.values.get(key)
        return default if value is None or value == "None" else value

    def number(self, key: str, default: int | None = None) -> int:
        """A whole number, which must be given if it has no default."""
        value = self.get(key, default)
        if value is None:
            raise GeometryError(f"its {key}", "is missing", f"give it, as in {key}=3")
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise GeometryError(f"{key} '{value}'", "is no whole number", f"give it, as in {key}=3")
        return value

    def pair(self, key: str, default: Any = None) -> str:
        """One number, or those of rows and columns, as a chain writes them."""
        value = self.get(key, default)
        numbers = list(value) if isinstance(value, (list, tuple)) else [value]
        if any(isinstance(one, bool) or not isinstance(one, int) for one in numbers) or not 1 <= len(numbers) <= 2:
            if value is None:
                raise GeometryError(f"its {key}", "is missing", f"give it, as in {key}=3")
            raise GeometryError(f"{key} '{value}'", "is not a number or two of them", "2-D layers are understood")
        return "x".join(map(str, numbers[:1] if len(set(numbers)) == 1 else numbers))

    def setting(self, letter: str, key: str, usual: str) -> list[str]:
        """The setting of a pair of numbers, if it is not the usual one."""
        text = self.pair(key, int(usual))
        return [] if text == usual else [f"{letter}{text}"]

    def padding(self) -> list[str]:
        """The setting of a padding: numbers, PyTorch's, Keras's or ONNX's words, ONNX's pads."""
        pads = self.get("pads")
        value = self.get("padding", 0)
        if pads is not None:
            if not isinstance(pads, (list, tuple)) or len(pads) != 4 or not all(type(pad) is int for pad in pads):
                raise GeometryError(f"pads '{pads}'", "are not four numbers", "give top, left, bottom, right")
            top, left, bottom, right = pads
            same, written = len(set(pads)) == 1, f"p{top}x{bottom}x{left}x{right}"
            return [] if not any(pads) else [f"p{top}"] if same else [written]
        if isinstance(value, str):
            rule = value.strip("'\"")
            if rule in ("valid", "VALID", "NOTSET"):
                return []
            if self.keras and rule.lower() == "same":
                return ["psame-upper"]
            if padding_rule(rule) is None:
                raise GeometryError(f"padding '{rule}'", "is unknown", "use numbers, valid or same")
            return [f"p{padding_rule(rule)}"]
        text = self.pair("padding", 0)
        return [] if text == "0" else [f"p{text}"]

    def off(self, key: str) -> bool:
        """Whether something is switched off."""
        return self.get(key, True) in (False, 0, "False")


def _convolution(given: _Given) -> list[Word]:
    transpose = "Transpose" in given.name
    parts = [f"k{given.pair('kernel_size')}", *given.setting("s", "stride", "1"), *given.padding()]
    parts += given.setting("d", "dilation", "1")
    if transpose:
        parts += given.setting("op2=", "output_padding", "0")
        if given.keras and given.get("output_padding") is None and (extra := _beyond(given)):
            parts.append(f"op2={extra}")
        elif given.keras and given.get("output_padding") is not None and "psame-upper" in parts:
            parts[parts.index("psame-upper")] = f"p{_half(given)}"
    kind, values = "transpose" if transpose else "conv", {}
    if given.onnx:
        if given.get("output_shape") is not None:
            parts.append(f"o={given.pair('output_shape')}")
        outputs = given.number("out_channels", 0)
    else:
        outputs, inputs = given.number("out_channels"), 0 if given.keras else given.number("in_channels")
        values = {"in_channels": inputs, "strict": True} if inputs else {}
    groups = given.number("groups", 1)
    parts += [f"c{outputs}"] * (outputs > 0) + [f"g{groups}"] * (groups != 1) + ["nobias"] * given.off("bias")
    return [(f"{kind}:{','.join(parts)}", values)]


def _half(given: _Given) -> str:
    """The padding of Keras's transposed convolution with ``same`` and an output padding."""
    kernel, dilation = ([int(one) for one in given.pair(key, 1).split("x")] for key in ("kernel_size", "dilation"))
    return "x".join(str((dilation[a % len(dilation)] * (kernel[a % len(kernel)] - 1) + 1) // 2) for a in (0, 1))


def _beyond(given: _Given) -> str:
    """Output padding of Keras's transposed convolution without padding: its result is never smaller than h·s."""
    if given.padding():
        return ""
    sizes = [[int(one) for one in given.pair(key, 1).split("x")] for key in ("kernel_size", "stride", "dilation")]
    extra = [max(0, s[a % len(s)] - (d[a % len(d)] * (k[a % len(k)] - 1) + 1)) for a in (0, 1) for k, s, d in [sizes]]
    return "x".join(map(str, extra[: len(set(extra))])) if any(extra) else ""


def _depthwise(given: _Given) -> list[Word]:
    parts = [f"k{given.pair('kernel_size')}", *given.setting("s", "stride", "1"), *given.padding()]
    parts += given.setting("d", "dilation", "1") + ["nobias"] * given.off("bias")
    return [(f"conv:{','.join(parts)}", {"depthwise": given.number("depth_multiplier", 1)})]


def _pool(given: _Given) -> list[Word]:
    kernel = given.pair("kernel_size", 2 if given.keras else None)
    stride = given.get("stride") is not None or given.onnx
    parts = [f"k{kernel}", *([f"s{given.pair('stride', 1)}"] if stride else []), *given.padding()]
    parts += given.setting("d", "dilation", "1")
    parts += ["ceil"] * (given.get("ceil_mode", False) in (True, 1))
    if stride and parts[1] == f"s{kernel}":
        del parts[1]
    return [(f"pool:{','.join(parts)}", {})]


def _unpool(given: _Given) -> list[Word]:
    kernel = given.pair("kernel_size")
    stride = [] if given.get("stride") is None or given.pair("stride") == kernel else [f"s{given.pair('stride')}"]
    return [(f"unpool:{','.join([f'k{kernel}', *stride, *given.padding()])}", {})]


def _adaptive(given: _Given) -> list[Word]:
    size = given.pair("output_size")
    return [("globalpool" if size == "1" else f"adaptive:{size}", {})]


def _global(given: _Given) -> list[Word]:
    flat = not given.onnx and not given.get("keepdims", False)
    return [("globalpool", {}), *([("flatten", {})] if flat else [])]


def _upsample(given: _Given) -> list[Word]:
    mode = str(given.get("mode", given.get("interpolation", "nearest"))).strip("'\"")
    if given.name == "UpsamplingBilinear2d":
        mode = "bilinear"
    words = {"nearest": "", "nearest-exact": "", "linear": ",bilinear", "bilinear": ",bilinear", "bicubic": ",bicubic"}
    if mode not in words:
        raise GeometryError(f"mode '{mode}'", "is not understood", "use nearest, bilinear or bicubic")
    if given.keras:
        return [(f"upsample:{given.pair('size', 2)}{words[mode]}", {})]
    if given.get("size") is not None:
        return [(f"resize:{given.pair('size')}{words[mode]}", {})]
    factors = given.get("scale_factor")
    listed = list(factors) if isinstance(factors, (list, tuple)) else [factors]
    if not 1 <= len(listed) <= 2 or any(type(one) not in (int, float) or not 0 < one < 1e6 for one in listed):
        raise GeometryError("its scale_factor", "is missing or no number", "give it, as in scale_factor=2")
    numbers = [str(int(one)) if one == int(one) else f"{one:.9f}".rstrip("0") for one in listed]
    return [(f"upsample:{'x'.join(numbers[:1] if len(set(numbers)) == 1 else numbers)}{words[mode]}", {})]


def _shuffle(given: _Given) -> list[Word]:
    back = given.name in ("PixelUnshuffle", "SpaceToDepth")
    key = "blocksize" if given.onnx else "downscale_factor" if back else "upscale_factor"
    return [(f"{'unshuffle' if back else 'shuffle'}:{given.number(key)}", {})]


def _pad(given: _Given) -> list[Word]:
    value = given.get("padding", 1 if given.keras else None)
    if given.keras and isinstance(value, (list, tuple)) and len(value) == 2:
        rows, columns = (one if isinstance(one, (list, tuple)) else (one, one) for one in value)
        numbers: list[Any] = [*rows, *columns]
    elif isinstance(value, (list, tuple)) and len(value) == 4:  # PyTorch: left, right, top, bottom
        numbers = [value[2], value[3], value[0], value[1]]
    else:
        numbers = [value]
    if any(isinstance(one, bool) or not isinstance(one, int) or one < 0 for one in numbers):
        raise GeometryError(f"padding '{value}'", "is not a number or four of them from 0", "give them as PyTorch does")
    numbers = numbers[:1] if len(set(numbers)) == 1 else numbers
    mode = {"ReflectionPad2d": "reflect", "CircularPad2d": "circular"}.get(given.name)
    return [(f"pad:{'x'.join(map(str, numbers))}", {"mode": mode} if mode else {})]


def _flatten(given: _Given) -> list[Word]:
    if (given.get("start_dim", 1), given.get("end_dim", -1)) not in ((1, -1), (1, 3)):
        raise GeometryError(f"start_dim {given.get('start_dim')}", "keeps an axis", "only Flatten(1, -1) is understood")
    return [("flatten", {})]


def _unflatten(given: _Given) -> list[Word]:
    shape = given.get("unflattened_size", given.get("target_shape", ()))
    listed = [*shape] if isinstance(shape, (list, tuple)) else []
    if len(listed) != 3 or any(isinstance(one, bool) or not isinstance(one, int) for one in listed):
        raise GeometryError(f"size '{shape}'", "is not (channels, height, width)", "give three numbers")
    if given.name == "Reshape":  # Keras has the channels last
        listed = [listed[2], *listed[:2]]
    return [(f"unflatten:{'x'.join(map(str, listed))}", {})]


def _linear(given: _Given) -> list[Word]:
    bias = ",nobias" * given.off("bias")
    inputs = None if given.name == "Dense" else given.number("in_features")
    return [(f"linear:{given.number('out_features')}{bias}", {"in_channels": inputs, "strict": True} if inputs else {})]


def _norm(given: _Given) -> list[Word]:
    key = "num_channels" if given.name == "GroupNorm" else "num_features"
    count = given.number(key, 0)
    affine = not given.off("affine") if given.name != "InstanceNorm2d" else given.get("affine", False) in (True, "True")
    strict = {"in_channels": count, "strict": True} if count else {}
    word = {"GroupNorm": "groupnorm", "InstanceNorm2d": "instancenorm"}.get(given.name, "bn")
    each = 2 - (given.off("bias") and "bias" in given.values)
    return [(word, {"parameters": (0, each * affine), **strict})]


def _layer_norm(given: _Given) -> list[Word]:
    shape = given.get("normalized_shape")
    listed = [*shape] if isinstance(shape, (list, tuple)) else [shape]
    if any(isinstance(one, bool) or not isinstance(one, int) for one in listed):
        raise GeometryError("its normalized_shape", "is missing or no number", "give it as PyTorch does")
    each = 0 if given.off("elementwise_affine") else 2 - given.off("bias")
    strict = (
        {"size": tuple(listed)}
        if len(listed) == 3
        else {"in_channels": listed[0], "strict": True}
        if len(listed) == 1
        else {}
    )
    return [("layernorm", {"parameters": (each * prod(listed), 0), **strict})]


def _prelu(given: _Given) -> list[Word]:
    return [("prelu", {"parameters": (given.number("num_parameters", 1), 0)})]


_MAKERS: dict[str, Callable[[_Given], list[Word]]] = {
    "conv": _convolution, "depthwise": _depthwise, "pool": _pool, "MaxUnpool2d": _unpool, "adaptive": _adaptive, "global": _global,
    "upsample": _upsample, "shuffle": _shuffle, "pad": _pad, "Flatten": _flatten, "unflatten": _unflatten, "linear": _linear,
    "norm": _norm, "layernorm": _layer_norm, "PReLU": _prelu,
}  # fmt: skip

_FAMILIES = {
    name: family
    for family, names in {
        "conv": "Conv2d LazyConv2d ConvTranspose2d LazyConvTranspose2d Conv2D Conv2DTranspose Conv ConvTranspose",
        "depthwise": "DepthwiseConv2D",
        "pool": "MaxPool2d AvgPool2d LPPool2d MaxPooling2D AveragePooling2D MaxPool2D AvgPool2D MaxPool AveragePool",
        "adaptive": "AdaptiveAvgPool2d AdaptiveMaxPool2d",
        "global": "GlobalAveragePooling2D GlobalMaxPooling2D GlobalAveragePool GlobalMaxPool",
        "upsample": "Upsample UpsamplingNearest2d UpsamplingBilinear2d UpSampling2D",
        "shuffle": "PixelShuffle PixelUnshuffle DepthToSpace SpaceToDepth",
        "pad": "ZeroPad2d ReflectionPad2d ReplicationPad2d CircularPad2d ConstantPad2d ZeroPadding2D",
        "unflatten": "Unflatten Reshape",
        "linear": "Linear LazyLinear Dense",
        "norm": "BatchNorm2d BatchNorm1d SyncBatchNorm LazyBatchNorm2d InstanceNorm2d GroupNorm",
        "layernorm": "LayerNorm LayerNorm2d",
    }.items()
    for name in names.split()
}
