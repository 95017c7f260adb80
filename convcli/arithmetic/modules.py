"""Layers as PyTorch prints its modules, or as PyTorch and Keras construct them. Standard library only.

A print is read as text: nothing is executed.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from convcli.arithmetic import signatures, words
from convcli.arithmetic.kinds import Layer, keeping, plain
from convcli.errors import ConvError, GeometryError
from convcli.records import NamedTuple

MOST_LAYERS = 10_000
"""The most layers of a print, those of its repetitions counted."""

_DEEPEST = 100
"""The most containers within one another."""

_LABEL = re.compile(r"\(([\w.-]+)\):\s*")
_TIMES = re.compile(r"(\d{1,6}) x ")
_NAME = re.compile(r"[A-Za-z_][\w.]*")
_WORD = re.compile(r"[^\s()\[\],]+(,[^\s()\[\],]+)*")
_BLANK = re.compile(r"[\s,\[\]]*(?:(?:->|→|\||>>>)[\s,]*)*")


class Parsed(NamedTuple):
    """The layers of a text, the channels of its input as its first layer says them, and remarks on how it was read."""

    layers: tuple[Layer, ...]
    channels: int | None
    remarks: tuple[str, ...]


class _Item(NamedTuple):
    """A part of a text: a word of a chain, or a module with what is in its parentheses."""

    name: str
    inside: str | None
    times: int


def parse(text: str) -> Parsed:
    """The layers of a text with modules: ``Conv2d(3, 32, kernel_size=(3, 3))``, or a printed ``Sequential`` whole.

    The children of other containers are taken in the order in which they are printed, which a remark says. A ``Linear`` in one of
    these is preceded by a flattening if its input is not flat.

    Raises
    ------
    GeometryError
        A part is no layer. The error names its place.
    """
    reader = _Reader()
    reader.read(text, "")
    layers = tuple(reader.layers)
    first = next((layer for layer in layers if layer.kind != "keep" or layer.in_channels), None)
    channels = first.in_channels if first is not None and first.strict else None
    remarks = []
    if reader.unordered:
        flat = ", flatten before Linear" * reader.flattened
        which = ", ".join(reader.unordered)
        remarks.append(f"{which}: layers are taken as printed{flat}; a print does not say what else forward does")
    return Parsed(layers, channels, tuple(remarks))


def of_call(name: str, positional: Sequence[Any], named: Mapping[str, Any]) -> list[Layer]:
    """The layers that a class of PyTorch's, Keras's or ONNX's makes of arguments. Raises a GeometryError."""
    name = name.rpartition(".")[2]
    made = signatures.settings(name, positional, named)
    if made is None:
        parameters = keeping(name)
        if parameters is None:
            raise words.unknown(name)
        return [Layer(plain(name), "keep", parameters=parameters)]
    return [words.layer(word)._replace(**values) for word, values in made]


class _Reader:
    """What was read so far."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.unordered: list[str] = []  # containers other than Sequential
        self.flattened = False
        self.flat = False
        self.depth = 0

    def read(self, text: str, within: str) -> None:
        """The layers of a text, which is what the container `within` has in its parentheses; empty: it is the whole."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise GeometryError(
                "there are", f"more than {_DEEPEST} containers within one another", "give a part of them"
            )
        for item in _items(text):
            for _ in range(item.times):
                if len(self.layers) > MOST_LAYERS:
                    raise GeometryError("there are", f"more than {MOST_LAYERS} layers", "give a part of them")
                self._take(item, within)
        self.depth -= 1

    def _take(self, item: _Item, within: str) -> None:
        if item.inside is None:
            self._add(self._tried(item.name, lambda: [words.layer(item.name)]))
            return
        name = item.name.rpartition(".")[2]
        if name == "Sequential" or _LABEL.match(item.inside.lstrip()) or _nested(item.inside):
            self._contain(name, item.inside, nested=bool(within))
            return
        shown = f"{item.name}({' '.join(item.inside.split())})"
        self._add(self._tried(shown, lambda: of_call(item.name, *_arguments(item.inside or ""))))

    def _contain(self, name: str, inside: str, nested: bool) -> None:
        if name == "Sequential":
            self.read(inside, name)
            return
        if nested and (known := _own_way(inside)):
            rule = f"has {known} within, and a print does not say what its forward does with it"
            raise GeometryError(f"{name}(…)", rule, "give the parts of the model that are Sequential")
        if name not in self.unordered:
            self.unordered.append(name)
        self.read(inside, name)

    def _tried(self, shown: str, make: Callable[[], list[Layer]]) -> list[Layer]:
        place = f"layer {len(self.layers) + 1} '{shown.replace(chr(39), '')}': "
        try:
            return make()
        except ConvError as error:
            from convcli.arithmetic.layers import in_settings

            raise in_settings(error.within(place)) from None

    def _add(self, found: Sequence[Layer]) -> None:
        for layer in found:
            if layer.kind == "linear" and not self.flat and self.unordered and self.layers:
                self.layers.append(words.layer("flatten"))
                self.flattened = True
            if layer.kind in ("flatten", "linear"):
                self.flat = True
            elif layer.kind not in ("keep", "save", "cat", "add", "from"):
                self.flat = False
            self.layers.append(layer)


def _nested(inside: str) -> bool:
    """Whether arguments are modules themselves: ``Sequential(Conv2d(…), …)``."""
    return bool(re.match(r"\s*\[?\s*[A-Za-z_][\w.]*\(", inside))


def _own_way(inside: str) -> str:
    """A module whose result a block uses in its own way: as the factor of its input, for example."""
    found = re.search(r"\b(Adaptive(?:Avg|Max)Pool2d|Linear|MultiheadAttention|ModuleList|Upsample)\(", inside)
    return found[1] if found else ""


def _items(text: str) -> list[_Item]:
    """The parts of a text."""
    items: list[_Item] = []
    at = 0
    while True:
        at = _end(_BLANK, text, at)
        at = _end(_LABEL, text, at)
        times = 1
        if match := _TIMES.match(text, at):
            times, at = int(match[1]), match.end()
        if at >= len(text):
            return items
        name = _NAME.match(text, at)
        if name is not None and text[name.end() : name.end() + 1] == "(":
            close = _closing(text, name.end())
            items.append(_Item(name[0], text[name.end() + 1 : close], times))
            at = close + 1
        elif word := _WORD.match(text, at):
            items.append(_Item(word[0].rstrip(","), None, times))
            at = word.end()
        else:
            raise GeometryError(f"'{text[at : at + 20]}'", "is no layer", "give modules as PyTorch prints them")


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def _closing(text: str, start: int) -> int:
    """Where the parenthesis at `start` is closed."""
    depth, quote = 0, ""
    for at in range(start, len(text)):
        letter = text[at]
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
            if not depth:
                return at
    raise GeometryError(f"'{text[:start].split()[-1]}('", "has no closing parenthesis", "give the whole print")


def _arguments(inside: str) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a module: literals, and names as words (``padding=same``)."""
    try:
        with warnings.catch_warnings(action="ignore"):  # about odd literals
            call = ast.parse(f"f({' '.join(inside.split())})", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise GeometryError(
            f"'{inside.strip()}'", "cannot be read as arguments", "write them as PyTorch does"
        ) from None
    assert isinstance(call, ast.Call)
    named = {one.arg: _value(one.value) for one in call.keywords if one.arg is not None}
    return [_value(one) for one in call.args], named


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Name):
        return node.id
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError, MemoryError):
        return ast.unparse(node)
