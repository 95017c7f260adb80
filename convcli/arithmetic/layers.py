"""The layers of a chain: a line of words (``conv:k7,s2,p3 pool:k3,s2,p1``), a document or a file. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from convcli.convspec import ConvSpec
from convcli.errors import PARAMETER, ConvError, GeometryError, one_line
from convcli.geometry import Pads, Pair, Size
from convcli.system import bounded
from convcli.vocabulary import PADDING_RULES, padding_rule

MOST = 2**31 - 1
"""The largest number in a layer."""

SETTINGS = {
    "conv": ("k", "s", "p", "d", "c", "g", "in", "bias", "nobias"),
    "transpose": ("k", "s", "p", "d", "op2", "c", "g", "in", "bias", "nobias"),
    "pool": ("k", "s", "p", "d", "ceil"),
    "upsample": ("s",),
}
"""The settings of each kind of layer. All kinds but `upsample` need `k`; the defaults of the other settings are PyTorch's."""

_NEEDED = {
    "conv": ("k", "kernel size", "k3,p1"), "transpose": ("k", "kernel size", "k4,s2,p1"), "pool": ("k", "kernel size", "k2"),
    "upsample": ("s", "scale", "2"),
}  # fmt: skip
"""The setting that each kind needs, in words, and an example."""

JOINTS = ("save", "from", "cat", "add")
"""Steps that have a name instead of settings: keep a result, continue from it, concatenate it to a later one, or add it to one."""

KEYS = {
    "kernel_size": "k", "stride": "s", "padding": "p", "dilation": "d", "output_padding": "op2", "channels": "c",
    "groups": "g", "in_channels": "in", "scale": "s",
}  # fmt: skip
"""The names of the settings in a document, and the short names in a line of words."""

MAX_BYTES = 1 << 22
"""The largest file with layers."""

_FLAGS = ("bias", "nobias", "ceil")
_ALIASES = {"maxpool": "pool", "avgpool": "pool"}
_ELSEWHERE = {
    "conv": "conv", "convolution": "conv", "convtranspose": "transpose", "deconv": "transpose", "maxpool": "pool",
    "avgpool": "pool", "pooling": "pool", "upsampling": "upsample", "upsamplingnearest": "upsample", "concat": "cat",
}  # fmt: skip
"""Kinds of layers by the names that other programs give them, up to a number."""

_SIZELESS = ("relu", "leakyrelu", "prelu", "elu", "gelu", "silu", "sigmoid", "tanh", "softmax", "bn", "batchnorm", "layernorm",
             "groupnorm", "instancenorm", "norm", "dropout", "lrn")  # fmt: skip
"""Layers that change neither sizes nor the receptive field."""
_KINDS = (*SETTINGS, *JOINTS)
_TOKEN = re.compile(r"(op2|in|[kspdcg])=?([^=]+)")


class Layer(NamedTuple):
    """One step of a chain.

    `text` is as the user wrote it, `kind` one of `SETTINGS` and `JOINTS`. `upsample` is a transposed convolution whose kernel is
    as large as its stride. Without `channels` the output has as many as the input, and without `in_channels` the input has as
    many as the step before gives. `bias` is a convolution's. With `ceil` a pool rounds its size up. Kept results have a `name`.
    """

    text: str
    kind: str
    spec: ConvSpec = ConvSpec()
    kernel: Size = Size(1, 1)
    channels: int | None = None
    in_channels: int | None = None
    bias: bool = False
    ceil: bool = False
    name: str = ""


def parse(text: str) -> tuple[Layer, ...]:
    """The layers of a line: ``KIND:SETTING,SETTING…`` separated by spaces.

    Raises
    ------
    GeometryError
        A word is not a layer, or its settings are wrong. The error names its place in the line.
    """
    return from_words(text.split())


def from_words(words: Sequence[str | Mapping[str, Any]]) -> tuple[Layer, ...]:
    """The layers of a list of words, or of tables with the keys ``type``, those of `KEYS`, ``bias``, ``ceil`` and ``name``.

    Raises the errors of `parse`.
    """
    if not words:
        raise GeometryError("there are no layers", remedy="give one or more, as in 'conv:k7,s2,p3 pool:k3,s2,p1'")
    layers = []
    for number, word in enumerate(words, 1):
        shown = word if isinstance(word, str) else repr(word)
        try:
            layers.append(_layer(word if isinstance(word, str) else _word(word)))
        except ConvError as error:
            raise in_settings(error.within(f"layer {number} '{shown.replace(chr(39), '')}': ")) from None
    return tuple(layers)


def in_settings(error: ConvError) -> ConvError:
    """The error with its parameters as a chain writes them: ``psame`` rather than as an option."""

    def setting(found: re.Match[str]) -> str:
        return KEYS[found[1]] + (found[2] or "") if found[1] in KEYS else found[0]

    return type(error)(*(PARAMETER.sub(setting, part) for part in error.args))


def from_document(document: Any) -> tuple[tuple[Layer, ...], int | None]:
    """The layers of a JSON or TOML document, and its ``in_channels`` if it has them. It is a list, or a table with ``layers``.

    Raises
    ------
    GeometryError
        The document or one of its layers is wrong.
    """
    if not isinstance(document, dict):
        document = {"layers": document}
    words, channels = document.get("layers"), document.get("in_channels")
    if isinstance(words, str):
        words = words.split()
    if not isinstance(words, list) or not all(isinstance(word, (str, dict)) for word in words):
        raise GeometryError("the file", "has no list of layers", "give one under 'layers', of words or of tables")
    if surplus := sorted(set(document) - {"layers", "in_channels"}):
        raise GeometryError("the file", f"has an unknown key '{surplus[0]}'", "use layers and in_channels")
    if channels is not None and not (type(channels) is int and 1 <= channels <= MOST):
        raise GeometryError(f"in_channels '{channels}'", f"is not a whole number from 1 to {MOST}")
    return from_words(words), channels


def load(source: str) -> tuple[tuple[Layer, ...], int | None]:
    """The layers written in `source` itself, or in the file of this name; and the channels of their input, if it has them.

    Raises
    ------
    GeometryError
        The file cannot be read or has another format, or a layer is wrong.
    """
    ending = Path(source).suffix.lower()
    if ending not in (".json", ".toml") or ":" in source.split("/")[-1]:
        return parse(source), None
    data = bounded.contents(source, MAX_BYTES, f"layers '{source}'", "name a list of layers", GeometryError)
    try:
        if ending == ".json":
            import json

            document = json.loads(data)
        else:
            import tomllib

            document = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        rule = f"is not {ending[1:].upper()}"
        raise GeometryError(f"layers '{source}'", rule, "check the file", one_line(str(error))) from None
    try:
        return from_document(document)
    except ConvError as error:
        raise error.within(f"layers '{source}': ") from None


def _word(table: Mapping[str, Any]) -> str:
    """The word that means the same as a table of a document."""
    settings = []
    for key, value in table.items():
        if key in ("bias", "ceil") and isinstance(value, bool):
            settings += ["bias" if value else "nobias"] if key == "bias" else ["ceil"] * value
        elif key in KEYS and not isinstance(value, bool):
            parts = value if isinstance(value, list) else [value]
            settings.append(f"{KEYS[key]}={'x'.join(map(str, parts))}")
        elif key not in ("type", "name"):
            raise GeometryError(f"'{key}'", "is not a key", f"use type, name, {', '.join(KEYS)}, bias or ceil")
    if "name" in table:
        settings.append(str(table["name"]))
    return f"{table.get('type', '')}:{','.join(settings)}"


def _layer(word: str) -> Layer:
    kind, _, rest = word.partition(":")
    kind = _ALIASES.get(kind, kind)
    if kind not in _KINDS:
        raise _unknown(kind)
    if kind in JOINTS:
        if not re.fullmatch(r"[\w-]+", rest):
            raise GeometryError(f"'{rest}'", "is not a name", f"use letters and digits, as in {kind}:a")
        return Layer(word, kind, name=rest)
    given: dict[str, str] = {}
    for token in rest.split(",") if rest else []:
        name, value = _setting(kind, token)
        if name in given:
            raise GeometryError(f"'{token}'", f"sets {name} a second time", "set it once")
        given[name] = value
    needed, what, example = _NEEDED[kind]
    if needed not in given:
        raise GeometryError(f"its {what}", "is missing", f"add one, as in {kind}:{example}")
    if "bias" in given and "nobias" in given:
        raise GeometryError("bias and nobias", "exclude each other", "give one of them")
    kernel = _pair(given, needed, 1)
    # The default stride of a pool is its kernel size, as in MaxPool2d and AvgPool2d.
    stride = _pair(given, "s", 1, kernel if kind == "pool" else Pair(1, 1))
    spec = ConvSpec(
        transpose=kind in ("transpose", "upsample"), stride=stride, padding=_padding(given.get("p", "0")),
        dilation=_pair(given, "d", 1), output_padding=_pair(given, "op2", 0, Pair(0, 0)), groups=_count(given, "g") or 1,
    )  # fmt: skip
    if kind == "pool" and not isinstance(spec.padding, str):
        _check_pool(spec.padding, kernel)
    return Layer(
        word, kind, spec, Size(*kernel), _count(given, "c"), _count(given, "in"),
        bias=kind in ("conv", "transpose") and "nobias" not in given, ceil="ceil" in given,
    )  # fmt: skip


def _unknown(kind: str) -> GeometryError:
    """The error for a word that is no kind of layer, with the right word if it is known."""
    plain = re.findall("^[a-z]*", kind.lower().replace("_", ""))[0]
    if plain in _SIZELESS:
        return GeometryError(f"'{kind}'", "changes no size", "leave it out")
    if re.fullmatch(r"(op2|in|[kspdcg])=?[\dx×]+", kind) or kind in _FLAGS:
        return GeometryError(f"'{kind}'", "is a setting, not a layer", f"join settings by commas, as in conv:k3,{kind}")
    rule, remedy = "is no kind of layer", f"use one of {', '.join(_KINDS)}, as in conv:k3,p1"
    if right := _ELSEWHERE.get(plain):
        settings = "k, s and p are the kernel size, stride and padding, c the output channels"
        remedy = f"use {right}, as in {right}:{_NEEDED[right][2]}" + f"; {settings}" * (right in ("conv", "transpose"))
    return GeometryError(f"'{kind}'", rule, remedy)


def _setting(kind: str, token: str) -> tuple[str, str]:
    """Name and value of a setting. The value of a flag is empty."""
    if not token:
        raise GeometryError(
            "''", f"is not a setting of {kind}", f"write no spaces in a layer, as in {kind}:{_NEEDED[kind][2]}"
        )
    if re.search("[:;|>]", token):
        raise GeometryError(
            f"'{token}'", "is more than a setting", "separate layers by spaces, as in 'conv:k3,p1 pool:k2'"
        )
    if token.lower() in _SIZELESS:
        raise GeometryError(f"'{token}'", "changes no size", "leave it out")
    name, value = token, ""
    if kind == "upsample" and token[:1].isdigit():  # upsample:2
        name, value = "s", token
    elif token not in _FLAGS and (match := _TOKEN.fullmatch(token)):
        name, value = match[1], match[2]
    if name not in SETTINGS[kind]:
        allowed = ", ".join(setting if setting in _FLAGS else f"{setting}N" for setting in SETTINGS[kind])
        remedy = f"write k{token}" if token[:1].isdigit() else f"use {allowed}, N or HxW as in s2 or s2x1"
        raise GeometryError(f"'{token}'", f"is not a setting of {kind}", remedy)
    return name, value


def _check_pool(pads: Pads, kernel: Pair) -> None:
    """PyTorch's rule: at most half of a window may be in the padding, as a window of padding alone would have no maximum."""
    for axis in (0, 1):
        padding, most = max(pads.along(axis)), kernel[axis] // 2
        if padding > most:
            rule = f"is more than half of a pool's kernel of {kernel[axis]}"
            raise GeometryError(f"padding {padding}", rule, f"use at most {most}")


def _numbers(name: str, value: str, least: int, counts: tuple[int, ...]) -> list[int]:
    parts = re.split("[x×]", value)
    if len(parts) in counts and all(re.fullmatch(r"\d{1,10}", part, re.ASCII) for part in parts):
        numbers = [int(part) for part in parts]
        if all(least <= number <= MOST for number in numbers):
            return numbers
    forms = {1: "N", 2: "HxW", 4: "TxBxLxR"}
    names = " or ".join(f"{name}{forms[count]}" for count in counts)
    words = f" or p and one of {', '.join(PADDING_RULES)}" if name == "p" else ""
    raise GeometryError(f"'{name}{value}'", f"is not {names}, whole numbers from {least} to {MOST}{words}")


def _pair(given: Mapping[str, str], name: str, least: int, default: Pair = Pair(1, 1)) -> Pair:
    numbers = _numbers(name, given[name], least, (1, 2)) if name in given else default
    return Pair(numbers[0], numbers[-1])


def _count(given: Mapping[str, str], name: str) -> int | None:
    return _numbers(name, given[name], 1, (1,))[0] if name in given else None


def _padding(value: str) -> Pads | str:
    if (rule := padding_rule(value)) is not None:
        return rule
    return Pads.of(_numbers("p", value, 0, (1, 2, 4)))
