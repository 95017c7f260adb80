"""A layer written as a word: ``conv:k7,s2,p3``, ``pool:k3,s2``, ``relu``. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

from convcli.arithmetic.kinds import (
    BARE,
    FLAGS,
    JOINTS,
    KINDS,
    MODES,
    MOST,
    NEEDED,
    SETTINGS,
    Layer,
    keeping,
    plain,
)
from convcli.convspec import ConvSpec
from convcli.errors import GeometryError
from convcli.geometry import Pads, Pair, Size
from convcli.vocabulary import PADDING_RULES, padding_rule

_ALIASES = {
    "maxpool": "pool", "avgpool": "pool", "interpolate": "upsample", "pixelshuffle": "shuffle", "pixelunshuffle": "unshuffle",
    "globalavgpool": "globalpool", "globalmaxpool": "globalpool", "gap": "globalpool", "zeropad": "pad", "fc": "linear",
    "dense": "linear", "adaptivepool": "adaptive", "reshape": "unflatten", "maxunpool": "unpool",
}  # fmt: skip
"""Names that mean the same."""

_ELSEWHERE = {
    "conv": "conv", "convolution": "conv", "convtranspose": "transpose", "deconv": "transpose", "maxpool": "pool",
    "avgpool": "pool", "maxpooling": "pool", "averagepooling": "pool", "pooling": "pool", "upsampling": "upsample",
    "upsamplingnearest": "upsample", "upsamplingbilinear": "upsample", "concat": "cat", "concatenate": "cat",
    "adaptiveavgpool": "adaptive", "adaptivemaxpool": "adaptive", "globalaveragepooling": "globalpool", "zeropadding": "pad",
    "reflectionpad": "pad", "replicationpad": "pad",
}  # fmt: skip
"""Kinds of layers by the names that other programs give them, up to a number."""

_TOKEN = re.compile(r"(op2|in|[kspdcgo])=?([^=]+)")


def layer(word: str) -> Layer:
    """The layer that a word means.

    Raises
    ------
    GeometryError
        It means none, or its settings are wrong.
    """
    kind, _, rest = word.partition(":")
    kind = kind if kind in KINDS else _ALIASES.get(plain(kind), kind)
    if kind in JOINTS:
        return _joint(word, kind, rest)
    if kind not in SETTINGS:
        return _kept(word, kind, rest)
    given: dict[str, str] = {}
    for token in rest.split(",") if rest else []:
        name, value = _setting(kind, token)
        if name in given or (name in MODES and set(MODES) & given.keys()):
            raise GeometryError(f"'{token}'", f"sets {name} a second time", "set it once")
        given[name] = value
    if kind in NEEDED and NEEDED[kind][0] not in given:
        _, what, example = NEEDED[kind]
        raise GeometryError(f"its {what}", "is missing", f"add one, as in {kind}:{example}")
    if "bias" in given and "nobias" in given:
        raise GeometryError("bias and nobias", "exclude each other", "give one of them")
    return _made(word, kind, given)


def _made(word: str, kind: str, given: Mapping[str, str]) -> Layer:
    """The layer of a kind with its settings."""
    mode = next((name for name in MODES if name in given), "nearest")
    if kind in ("flatten", "globalpool"):
        return Layer(word, kind)
    if kind in ("adaptive", "resize", "unflatten"):
        counts = (3,) if kind == "unflatten" else (1, 2)
        numbers = _numbers("o", given["o"], 1, counts)
        size = numbers if len(numbers) == 3 else [numbers[0], numbers[-1]]
        return Layer(word, kind, size=tuple(size), mode=mode)
    if kind == "linear":
        return Layer(word, kind, channels=_count(given, "c"), bias="nobias" not in given)
    if kind == "upsample" and (mode != "nearest" or "." in given["s"]):
        return Layer(word, "resize", scale=_scale(given["s"]), mode=mode)
    if kind in ("shuffle", "unshuffle"):
        factor = _numbers("s", given["s"], 1, (1,))[0]
        return Layer(
            word, kind, ConvSpec(transpose=kind == "shuffle", stride=Pair(factor, factor)), Size(factor, factor)
        )
    kernel = _pair(given, "s" if kind == "upsample" else "k", 1)
    # The default stride of a pool is its kernel size, as in MaxPool2d, AvgPool2d and MaxUnpool2d.
    stride = _pair(given, "s", 1, kernel if kind in ("pool", "unpool") else Pair(1, 1))
    spec = ConvSpec(
        transpose=kind in ("transpose", "upsample", "unpool"), stride=stride, padding=_padding(given.get("p", "0")),
        dilation=_pair(given, "d", 1), output_padding=_pair(given, "op2", 0, Pair(0, 0)), groups=_count(given, "g") or 1,
    )  # fmt: skip
    if kind == "pool" and not isinstance(spec.padding, str):
        _check_pool(spec.padding, kernel)
    return Layer(
        word, "conv" if kind == "depthwise" else kind, spec, Size(*kernel), _count(given, "c"), _count(given, "in"),
        bias=kind in ("conv", "depthwise", "transpose") and "nobias" not in given, ceil="ceil" in given,
        depthwise=int(kind == "depthwise"), size=tuple(_pair(given, "o", 1)) if "o" in given else (),
    )  # fmt: skip


def _joint(word: str, kind: str, rest: str) -> Layer:
    """A step that has a name."""
    name, comma, crop = rest.partition(",")
    if not re.fullmatch(r"[\w-]+", name) or (comma and (kind, crop) != ("cat", "crop")):
        raise GeometryError(f"'{rest}'", "is not a name", f"use letters and digits, as in {kind}:a")
    return Layer(word, kind, name=name, crop=bool(comma))


def _kept(word: str, kind: str, rest: str) -> Layer:
    """A layer that changes no size. Its settings, a rate or a slope, are not looked at."""
    parameters = keeping(kind)
    if parameters is None:
        raise unknown(kind)
    if re.search("[;|>]", rest):
        raise GeometryError(f"'{word}'", "is more than a layer", "separate layers by spaces, as in 'conv:k3,p1 relu'")
    return Layer(word, "keep", parameters=parameters)


def unknown(kind: str) -> GeometryError:
    """The error for a word that is no kind of layer, with the right word if it is known."""
    start = re.findall("^[a-z]*", plain(kind))[0]
    if re.fullmatch(r"(op2|in|[kspdcgo])=?[\dx×]+", kind) or kind in FLAGS:
        return GeometryError(f"'{kind}'", "is a setting, not a layer", f"join settings by commas, as in conv:k3,{kind}")
    rule, remedy = "is no kind of layer", f"use one of {', '.join(KINDS)} or relu, bn, dropout …, as in conv:k3,p1"
    if right := _ELSEWHERE.get(start):
        settings = "k, s and p are the kernel size, stride and padding, c the output channels"
        example = f"{right}:{NEEDED[right][2]}" if right in NEEDED else f"{right}:a" if right in JOINTS else right
        remedy = f"use {right}, as in {example}" + f"; {settings}" * (right in ("conv", "transpose"))
    return GeometryError(f"'{kind}'", rule, remedy)


def _setting(kind: str, token: str) -> tuple[str, str]:
    """Name and value of a setting. The value of a flag is empty."""
    example = f"{kind}:{NEEDED[kind][2]}" if kind in NEEDED else kind
    if not token:
        raise GeometryError("''", f"is not a setting of {kind}", f"write no spaces in a layer, as in {example}")
    if re.search("[:;|>]", token):
        raise GeometryError(
            f"'{token}'", "is more than a setting", "separate layers by spaces, as in 'conv:k3,p1 pool:k2'"
        )
    if keeping(token) is not None:
        raise GeometryError(f"'{token}'", "is a layer of its own", f"put a space before it, as in '{example} {token}'")
    name, value = token, ""
    if kind in BARE and token[:1].isdigit():  # upsample:2
        name, value = BARE[kind], token
    elif token not in (*FLAGS, *MODES) and (match := _TOKEN.fullmatch(token)):
        name, value = match[1], match[2]
    if name not in SETTINGS[kind]:
        words = [setting if setting in (*FLAGS, *MODES) else f"{setting}N" for setting in SETTINGS[kind]]
        remedy = f"use {', '.join(words)}, N or HxW as in s2 or s2x1" if words else f"write {kind} alone"
        if token[:1].isdigit() and "k" in SETTINGS[kind]:
            remedy = f"write k{token} for a kernel size" + (f", c{token} for channels" if "c" in SETTINGS[kind] else "")
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
    forms = {1: "N", 2: "HxW", 3: "CxHxW", 4: "TxBxLxR"}
    names = " or ".join(f"{name}{forms[count]}" for count in counts)
    words = f" or p and one of {', '.join(PADDING_RULES)}" if name == "p" else ""
    raise GeometryError(f"'{name}{value}'", f"is not {names}, whole numbers from {least} to {MOST}{words}")


def _scale(value: str) -> tuple[Fraction, Fraction]:
    """The factors of rows and columns, which may be decimals."""
    parts = re.split("[x×]", value)
    if len(parts) <= 2 and all(re.fullmatch(r"\d{1,6}(\.\d{1,9})?", part, re.ASCII) for part in parts):
        numbers = [Fraction(part) for part in parts]
        if min(numbers) > 0:
            return numbers[0], numbers[-1]
    raise GeometryError(f"'{value}'", "is not a scale, a number above 0 such as 2, 1.5 or 2x1.5")


def _pair(given: Mapping[str, str], name: str, least: int, default: Pair = Pair(1, 1)) -> Pair:
    numbers = _numbers(name, given[name], least, (1, 2)) if name in given else default
    return Pair(numbers[0], numbers[-1])


def _count(given: Mapping[str, str], name: str) -> int | None:
    return _numbers(name, given[name], 1, (1,))[0] if name in given else None


def _padding(value: str) -> Pads | str:
    if (rule := padding_rule(value)) is not None:
        return rule
    return Pads.of(_numbers("p", value, 0, (1, 2, 4)))
