"""Layers from a .json or .toml file. Standard library only."""

from __future__ import annotations

from pathlib import Path

from convcli.arithmetic.layers import Layer, from_document, parse
from convcli.errors import ConvError, GeometryError, one_line
from convcli.system import files

MAX_BYTES = 1 << 22
"""The largest file with layers."""


def load(source: str) -> tuple[tuple[Layer, ...], int | None]:
    """The layers written in `source` itself, or in the file of this name; and the channels of their input, if it says so.

    Raises
    ------
    GeometryError
        The file cannot be read or has another format, or a layer is wrong.
    """
    ending = Path(source).suffix.lower()
    if ending not in (".json", ".toml") or ":" in source.split("/")[-1]:
        return parse(source), None
    try:
        with open(source, "rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise GeometryError(f"layers '{source}'", "cannot be read", **files.reason(error)._asdict()) from None
    if len(data) > MAX_BYTES:
        raise GeometryError(f"layers '{source}'", f"is larger than {MAX_BYTES >> 20} MiB", "name a list of layers")
    try:
        if ending == ".json":
            import json

            document = json.loads(data)
        else:
            import tomllib

            document = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        rule = f"is no {ending[1:].upper()}"
        raise GeometryError(f"layers '{source}'", rule, "check the file", one_line(str(error))) from None
    try:
        return from_document(document)
    except ConvError as error:
        raise error.within(f"layers '{source}': ") from None
