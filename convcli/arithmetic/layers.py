"""The layers of a chain: words (``conv:k7,s2,p3 pool:k3,s2``), printed modules, a document or a file. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from convcli.arithmetic import words
from convcli.arithmetic.kinds import MOST, Layer
from convcli.errors import PARAMETER, ConvError, GeometryError, one_line
from convcli.records import NamedTuple
from convcli.system import bounded
from convcli.system.names import ending_of

KEYS = {
    "kernel_size": "k", "stride": "s", "padding": "p", "dilation": "d", "output_padding": "op2", "channels": "c",
    "groups": "g", "in_channels": "in", "scale": "s", "output_size": "o",
}  # fmt: skip
"""The names of the settings in a document, and the short names in a line of words."""

MAX_BYTES = 1 << 22
"""The largest file with layers."""


class Layers(NamedTuple):
    """The layers of a chain, the channels of its input, if they are written with it, and remarks on how it was read."""

    layers: tuple[Layer, ...]
    channels: int | None = None
    remarks: tuple[str, ...] = ()


def parse(text: str) -> tuple[Layer, ...]:
    """The layers of a line: ``KIND:SETTING,SETTING…`` separated by spaces, and modules as PyTorch prints them.

    Raises
    ------
    GeometryError
        A word is not a layer, or its settings are wrong. The error names its place in the line.
    """
    return _parsed(text).layers


def _parsed(text: str) -> Layers:
    if "(" not in text:
        return Layers(from_words(text.split()))
    from convcli.arithmetic import modules  # few chains have them

    layers, channels, remarks = modules.parse(text)
    if not layers:
        raise _none()
    return Layers(layers, channels, remarks)


def _none() -> GeometryError:
    return GeometryError("there are no layers", remedy="give one or more, as in 'conv:k7,s2,p3 pool:k3,s2,p1'")


def from_words(listed: Sequence[str | Mapping[str, Any]]) -> tuple[Layer, ...]:
    """The layers of a list of words, or of tables with the keys ``type``, those of `KEYS`, ``bias``, ``ceil`` and ``name``.

    Raises the errors of `parse`.
    """
    if not listed:
        raise _none()
    layers: list[Layer] = []
    for number, word in enumerate(listed, 1):
        shown = word if isinstance(word, str) else repr(word)
        try:
            layers += [words.layer(word)] if isinstance(word, str) else _of_table(word)
        except ConvError as error:
            raise in_settings(error.within(f"layer {number} '{shown.replace(chr(39), '')}': ")) from None
    return tuple(layers)


def in_settings(error: ConvError) -> ConvError:
    """The error with its parameters as a chain writes them: ``psame`` rather than as an option."""

    def setting(found: re.Match[str]) -> str:
        return KEYS[found[1]] + (found[2] or "") if found[1] in KEYS else found[0]

    return type(error)(*(re.sub(PARAMETER, setting, part) for part in error.args))


def from_document(document: Any) -> Layers:
    """The layers of a JSON or TOML document, and its ``in_channels`` if it has them. It is a list, or a table with ``layers``.

    Raises
    ------
    GeometryError
        The document or one of its layers is wrong.
    """
    if not isinstance(document, dict):
        document = {"layers": document}
    listed, channels = document.get("layers"), document.get("in_channels")
    if surplus := sorted(set(document) - {"layers", "in_channels"}):
        raise GeometryError("the file", f"has an unknown key '{surplus[0]}'", "use layers and in_channels")
    if channels is not None and not (type(channels) is int and 1 <= channels <= MOST):
        raise GeometryError(f"in_channels '{channels}'", f"is not a whole number from 1 to {MOST}")
    if isinstance(listed, str):
        found = _parsed(listed)
        return found._replace(channels=channels or found.channels)
    if not isinstance(listed, list) or not all(isinstance(word, (str, dict)) for word in listed):
        raise GeometryError("the file", "has no list of layers", "give one under 'layers', of words or of tables")
    return Layers(from_words(listed), channels)


def load(source: str) -> Layers:
    """The layers written in `source` itself, or in the file of this name: .json, .toml or .txt; ``-`` is standard input.

    Raises
    ------
    GeometryError
        The file cannot be read or has another format, or a layer is wrong.
    """
    ending = ending_of(source)
    file = ending in (".json", ".toml", ".txt") and ":" not in source.split("/")[-1] and "(" not in source
    if not file and source != "-" and not source.startswith("/dev/fd/"):
        return _parsed(source)
    data = bounded.contents(source, MAX_BYTES, f"layers '{source}'", "name a list of layers", GeometryError)
    try:
        document: Any
        if ending == ".json":
            import json

            document = json.loads(data)
        elif ending == ".toml":
            import tomllib

            document = tomllib.loads(data.decode())
        else:
            document = {"layers": data.decode()}
    except (ValueError, RecursionError) as error:
        rule = f"is not {ending[1:].upper() if file and ending != '.txt' else 'text'}"
        raise GeometryError(f"layers '{source}'", rule, "check the file", one_line(str(error))) from None
    try:
        return from_document(document)
    except ConvError as error:
        raise error.within(f"layers '{source}': ") from None


def _of_table(table: Mapping[str, Any]) -> list[Layer]:
    """The layers that a table of a document means: one, or those of a class of PyTorch's or Keras's."""
    kind, settings = str(table.get("type", table.get("op_type", ""))), []
    if kind[:1].isupper():
        from convcli.arithmetic import modules

        values = {key: value for key, value in table.items() if key not in ("type", "op_type", "name")}
        return modules.of_call(kind, (), values)
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
    return [words.layer(f"{kind}:{','.join(settings)}")]
