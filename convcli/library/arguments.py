"""Numbers and words of the caller as the core's values, in types that can be compared and kept. Standard library only."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import lru_cache
from math import inf, isfinite
from operator import index
from typing import Any, Literal, SupportsFloat, SupportsIndex

from convcli.convspec import Bias, ConvSpec
from convcli.errors import ConvError, GeometryError, param
from convcli.geometry import Pads, Pair, Size
from convcli.vocabulary import PADDING_MODES, PADDING_RULES, padding_mode, padding_rule

Ints = SupportsIndex | Sequence[SupportsIndex]
"""An integer for both axes, or a pair: rows, then columns."""

Padding = Ints | str
"""An integer, a pair, four integers (top, bottom, left, right), or a rule such as ``same``."""

BiasLike = SupportsFloat | str | Sequence[SupportsFloat | str] | Any
"""A number, ``50%`` of full scale, or one of them for each output channel; arrays and tensors, too."""

Op = Literal["corr", "conv"]
Channels = Literal["each", "sum", "gray"]
Combine = Literal["none", "magnitude", "sum", "max"]
Layout = Literal["oihw", "iohw", "hwio", "hwoi", "hwcm"]

RangeLike = Literal["clip", "abs", "offset", "minmax", "raw"] | tuple[float, float] | Sequence[float]
"""A range policy, or two numbers that become black and white."""

MOST = 2**31 - 1
"""The largest integer of a geometry. A larger one is probably a mistake."""


def integers(name: str, value: Any, counts: tuple[int, ...] = (1, 2), most: float = MOST) -> tuple[int, ...]:
    """The integers of an argument, as a tuple with one of these lengths.

    Raises a `GeometryError` that names the argument for anything else. Floats and booleans are no integers.
    """
    if type(value) is int and 1 in counts and -most <= value <= most:
        return (value,)
    try:
        parts = tuple(value) if is_sequence(value) else (value,)
        if not any(isinstance(part, bool) for part in parts):
            found = tuple(map(index, parts))
            if len(found) in counts and all(-most <= one <= most for one in found):
                return found
    except TypeError:
        pass
    forms = {1: "an integer", 2: "a pair (rows, columns)", 4: "four integers (top, bottom, left, right)"}
    known = [forms[count] for count in counts]
    rule = f"is not {', '.join(known[:-1])} or {known[-1]}" if len(known) > 1 else f"is not {known[0]}"
    raise GeometryError(f"{param(name)} {value!r}", rule, f"use {param(name, 1 if counts[0] == 1 else '(1, 1)')}")


def whole(name: str, value: Any, least: int = -MOST, most: int = MOST) -> int | None:
    """None, or an integer in these bounds."""
    if value is None:
        return None
    (found,) = integers(name, value, (1,), inf)
    if not least <= found <= most:
        rule, remedy = ("is below {}", "at least {}") if found < least else ("is above {}", "at most {}")
        end = least if found < least else most
        raise GeometryError(f"{param(name)} {found}", rule.format(end), f"use {remedy.format(end)}")
    return found


def is_sequence(value: Any) -> bool:
    """Whether it is a list, a tuple, an array of one axis or more, or the like: something with an order, and no text."""
    return bool(getattr(value, "ndim", 0)) or (isinstance(value, Sequence) and not isinstance(value, str | bytes))


def flag(name: str, value: Any) -> bool:
    """True or False."""
    if type(value).__name__ not in ("bool", "bool_"):  # of NumPy, too
        raise ConvError(f"{param(name)} {value!r}", "is not True or False", f"use {param(name, True)}")
    return bool(value)


def path(name: str, value: Any) -> str:
    """The text of a path. Raises a TypeError for what is none."""
    try:
        return os.fsdecode(value)
    except TypeError:
        raise TypeError(f"{name} is of type {type(value).__name__}: give a path, as text or a pathlib.Path") from None


def needs_grad(value: Any) -> bool:
    """Whether a value is a tensor through which gradients would flow: none do within ``torch.no_grad()``."""
    torch: Any = sys.modules.get("torch")
    return bool(getattr(value, "requires_grad", False)) and (torch is None or bool(torch.is_grad_enabled()))


def memory(value: Any) -> int | None:
    """None, or bytes: an integer, or a text such as ``500M``."""
    from convcli.system.memory import MOST_BYTES, amount

    if not isinstance(value, str):
        return whole("memory", value, 1, MOST_BYTES)
    try:
        return amount(value)
    except ValueError:
        raise ConvError(
            f"{param('memory')} {value!r}", "is not an amount of memory from 64M up", "use '512M' or '2G', or bytes"
        ) from None


def pair(name: str, value: Any) -> Pair:
    """Rows and columns of an integer or a pair."""
    found = integers(name, value)
    return Pair(found[0], found[-1])


def size(name: str, value: Any) -> Size:
    """Height and width of an integer or a pair."""
    return Size(*pair(name, value))


def pads(value: Any) -> Pads | str:
    """Padding in pixels, or a rule."""
    if isinstance(value, str):
        if (rule := padding_rule(value)) is not None:
            return rule
        mode = padding_mode(value)
        remedy = (
            f"use {param('padding_mode', mode)}" if mode else f"use an integer or one of {', '.join(PADDING_RULES)}"
        )
        raise GeometryError(f"{param('padding')} {value!r}", "is a padding mode" if mode else "is not known", remedy)
    return Pads.of(integers("padding", value, (1, 2, 4)))


def mode(value: Any) -> str:
    """A padding mode, by our name or by another library's."""
    found = padding_mode(value) if isinstance(value, str) else None
    if found is None:
        rule = padding_rule(value) if isinstance(value, str) else None
        remedy = f"use {param('padding', rule)}" if rule else f"use one of {', '.join(PADDING_MODES)}"
        raise GeometryError(
            f"{param('padding_mode')} {value!r}", "is a padding rule" if rule else "is not known", remedy
        )
    return found


def word(name: str, value: Any, words: Sequence[str]) -> str:
    """One of a few words."""
    if not isinstance(value, str) or value not in words:
        raise ConvError(f"{param(name)} {value!r}", "is not known", f"use one of {', '.join(words)}")
    return value


def number(name: str, value: Any, least: float = -inf, most: float = inf) -> float:
    """A finite real number in these bounds."""
    try:
        if isinstance(value, str | bytes | bool):
            raise TypeError
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ConvError(f"{param(name)} {value!r}", "is not a number", "use a real number") from None
    if not isfinite(found):
        raise ConvError(f"{param(name)} {value!r}", "is not finite", "use a finite number")
    if not least <= found <= most:
        raise ConvError(f"{param(name)} {value!r}", f"is not from {least} to {most}", "use a number in between")
    return found


def divisor(value: Any) -> float | str | None:
    """A number other than 0, ``sum`` or ``abs``."""
    if value is None or (isinstance(value, str) and value in ("sum", "abs")):
        return value
    found = number("divisor", value)
    if found == 0:
        raise ConvError(f"{param('divisor')} {value!r}", "is 0", "use another number, 'sum' or 'abs'")
    return found


def bias(value: Any) -> Bias | None:
    """The bias: None, a number, a text such as ``50%``, or one of them for each output channel."""
    if value is None:
        return None
    if needs_grad(value):
        raise ConvError(
            param("bias"), "requires grad, and no gradients are computed", "use bias.detach(), or torch.no_grad()"
        )
    if getattr(value, "ndim", 1) > 1:
        rule = f"has {value.ndim} dimensions"
        raise ConvError(param("bias"), rule, "give one value, or one per output channel")
    parts = list(map(_level, value if is_sequence(value) else (value,)))
    return Bias(tuple(part for part, _ in parts), tuple(percent for _, percent in parts))


def _level(value: Any) -> tuple[float, bool]:
    """A number, and whether it is a percentage."""
    if not isinstance(value, str):
        return number("bias", value), False
    text = value.strip()
    try:
        return number("bias", float(text.removesuffix("%"))), text.endswith("%")
    except ValueError:
        raise ConvError(
            f"{param('bias')} {value!r}", "is not a number", "use a number, or a text such as '50%'"
        ) from None


def dtype_name(value: Any) -> str | None:
    """The name of a dtype that is given as a name, a type, a NumPy dtype or a torch dtype; None for None."""
    if value is None or type(value) is str:
        return value
    name = getattr(value, "name", None) or getattr(value, "__name__", None) or str(value).removeprefix("torch.")
    return {"float": "float64", "half": "float16"}.get(str(name), str(name))


@lru_cache(maxsize=256)
def _spec(*values: Any) -> ConvSpec:
    return ConvSpec(*values)


def spec(
    transpose: Any, op: Any, stride: Any, padding: Any, padding_mode: Any, dilation: Any, groups: Any,
    output_padding: Any = 0, output_size: Any = None,
) -> ConvSpec:  # fmt: skip
    """The specification of these arguments."""
    extent = None if output_size is None else size("output_size", output_size)
    (count,) = integers("groups", groups, (1,))
    return _spec(
        word("op", op, ("corr", "conv")), flag("transpose", transpose), pair("stride", stride), pads(padding), mode(padding_mode),
        pair("dilation", dilation), count, pair("output_padding", output_padding), extent,
    )  # fmt: skip
